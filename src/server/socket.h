// Unix sockets in a project's state folder, and frames over them.
//
// A socket gets its name only when it listens, so that one that refuses is of a process that died.
// Names are opened below their folder's descriptor: how long the folder's path is does not matter.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/frame.h"

namespace sluice::server {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

// One side of a connection.
class Channel {
 public:
  Channel() = default;
  explicit Channel(Descriptor socket) : socket_(std::move(socket)) {}

  int descriptor() const { return socket_.get(); }
  // One thread at a time. Where the other side takes nothing, calls `waiting` once, and waits:
  // kCancelled by `stop`, kTransient after `most` or where it is gone.
  Status Send(FrameKind kind, std::string_view body, std::stop_token stop,
              std::chrono::milliseconds most, const std::function<void()>& waiting = {});
  // One thread at a time. Takes what has come, waits for nothing; nullopt: no whole frame yet.
  // kTransient: the other side is gone.
  Result<std::optional<Frame>> Receive();
  // Receive, but waits up to `most` for a frame.
  Result<std::optional<Frame>> Await(std::chrono::milliseconds most);

 private:
  Descriptor socket_;
  FrameReader reader_;
};

// The folder's sockets, by name.
std::vector<std::string> SocketsIn(const std::string& folder);
Result<Descriptor> Listen(const std::string& folder, const std::string& name);
// nullopt: whoever listened there is dead (and his socket removed), or is of another user.
Result<std::optional<Channel>> Connect(const std::string& folder, const std::string& name);
// The next connection of this user; nullopt: none waits.
Result<std::optional<Channel>> Accept(const Descriptor& listener);

}  // namespace sluice::server
