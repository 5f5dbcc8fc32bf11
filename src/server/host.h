// A process that has files of the project open, as others of the project see it: a socket in the
// project's state folder, at which they ask it to do what they cannot do themselves.
//
// The socket is there before the first file is opened and until after the last one is closed: a
// process that finds a file of the project held, and no socket whose host holds it, knows that a
// stranger has it.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>

#include "base/mutex.h"
#include "base/result.h"
#include "server/console.h"
#include "server/frame.h"
#include "server/slots.h"
#include "server/socket.h"

namespace sluice::server {

// One guest while its command runs: where the command speaks to, and when it is to end.
class Visit : public Console {
 public:
  Visit(Channel& channel, std::stop_token stop, bool terminal)
      : channel_(channel), stop_(std::move(stop)), terminal_(terminal) {}

  void Out(std::string_view bytes) override { Send(FrameKind::kOut, bytes); }
  void Note(std::string_view bytes) override { Send(FrameKind::kNote, bytes); }
  bool terminal() const override { return terminal_; }
  std::stop_token stop() const { return stop_; }

  // Waits for a slot and keeps it to the end of the visit, but for the time in which the guest
  // takes nothing of what it is sent. kCancelled where the guest goes before.
  Status Enter(Slots& slots) EXCLUDES_LOCK(mutex_);
  Status heard() override EXCLUDES_LOCK(mutex_);

 private:
  void Send(FrameKind kind, std::string_view bytes) EXCLUDES_LOCK(mutex_);

  Channel& channel_;
  const std::stop_token stop_;
  const bool terminal_;
  Mutex mutex_;
  Slots* slots_ GUARDED_BY(mutex_) = nullptr;
  Slots::Hold hold_ GUARDED_BY(mutex_);
  Status sent_ GUARDED_BY(mutex_) = Ok();
};

using Answer = std::variant<int, Refusal>;  // an exit code, or why not

class Host {
 public:
  // Called on a thread of each guest.
  using Serve = std::function<Answer(const Request&, Visit&)>;

  // `folder` exists.
  static Result<std::unique_ptr<Host>> Open(const std::string& folder, Serve serve);
  ~Host();  // the socket goes; REQUIRES: Close

  // How many are served at this moment.
  size_t guests() EXCLUDES_LOCK(mutex_);
  // Sends those who come from now on away. Returns when nobody is served any more; once `stop` is
  // requested those who are served are sent away too, to go on by themselves.
  void Close(std::stop_token stop) EXCLUDES_LOCK(mutex_);

 private:
  struct Guest;

  Host(std::string folder, std::string name, Descriptor listener, Descriptor bell, Serve serve);
  void Run(const std::stop_token& end);
  void Ring() const;
  void Welcome();
  bool Reap() EXCLUDES_LOCK(mutex_);
  void Attend(Guest& guest) EXCLUDES_LOCK(mutex_);
  Answer AnswerTo(Guest& guest) EXCLUDES_LOCK(mutex_);
  Result<Request> Greet(Guest& guest);
  void Hear(Guest& guest);

  const std::string folder_, name_;
  const Descriptor listener_, bell_;
  const Serve serve_;
  Mutex mutex_;
  Condition changed_;
  std::list<Guest> guests_;  // the thread's own, but for what Guest says
  size_t served_ GUARDED_BY(mutex_) = 0;
  bool closing_ GUARDED_BY(mutex_) = false, sending_away_ GUARDED_BY(mutex_) = false;
  std::stop_source away_;  // ends what is served
  std::jthread thread_;    // last: ends before the rest goes
};

}  // namespace sluice::server
