// See ask.h.
#include "server/ask.h"

#include <unistd.h>

#include <charconv>
#include <chrono>

#include "server/socket.h"
#include "sluice_version.h"

namespace sluice::server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGreeting{10'000};
constexpr milliseconds kTick{50};  // how late Ctrl-C is passed on

class Asking {
 public:
  Asking(Channel channel, Console& console, std::stop_token stop)
      : channel_(std::move(channel)), console_(console), stop_(std::move(stop)) {}

  Reply Say(const Request& request) {
    if (auto refused = Greet()) return *refused;
    if (!channel_.Send(FrameKind::kRequest, ToText(request), {}, kGreeting).ok()) return NotHeard();
    return Follow();
  }

 private:
  // A host that closes before it has said anything is ending: its files are free in a moment.
  Reply NotHeard() const { return NotNow{pid_, "it is about to end"}; }

  std::optional<Reply> Greet() {
    const Hello mine{.protocol = kProtocol, .pid = ::getpid(), .version = kSluiceVersion};
    if (!channel_.Send(FrameKind::kHello, ToText(mine), {}, kGreeting).ok()) return NotHeard();
    auto frame = channel_.Await(kGreeting);
    if (!frame.ok()) return NotHeard();
    if (!*frame) return NotNow{pid_, "it does not answer"};
    auto hello = ReadHello((*frame)->body);
    if ((*frame)->kind != FrameKind::kHello || !hello.ok())
      return NotNow{pid_, "it does not speak as a sluice process"};
    pid_ = hello->pid;
    if (hello->protocol != kProtocol)
      return NotNow{pid_, "it is of another release, " + hello->version};
    return std::nullopt;
  }

  Reply Follow() {
    bool cancelled = false;
    while (true) {
      if (!cancelled && stop_.stop_requested()) {
        cancelled = true;
        (void)channel_.Send(FrameKind::kCancel, "", {}, kGreeting);
      }
      auto frame = channel_.Await(kTick);
      if (!frame.ok()) return Lost{pid_, said_};
      if (!*frame) continue;
      if (auto reply = Hear(**frame)) return *reply;
    }
  }

  std::optional<Reply> Hear(const Frame& frame) {
    switch (frame.kind) {
      case FrameKind::kOut:
        said_ = true;
        console_.Out(frame.body);
        return std::nullopt;
      case FrameKind::kNote:
        console_.Note(frame.body);
        return std::nullopt;
      case FrameKind::kEnd: {
        int code = 1;
        std::from_chars(frame.body.data(), frame.body.data() + frame.body.size(), code);
        return code;
      }
      case FrameKind::kRefusal: {
        auto refusal = ReadRefusal(frame.body);
        if (!refusal.ok()) return Lost{pid_, said_};
        return refusal->holds ? Reply(NotNow{pid_, refusal->why}) : Reply(Nobody{});
      }
      default:
        return Lost{pid_, said_};
    }
  }

  Channel channel_;
  Console& console_;
  const std::stop_token stop_;
  int64_t pid_ = 0;
  bool said_ = false;
};

}  // namespace

Result<Reply> Ask(const std::string& folder, const Request& request, Console& console,
                  std::stop_token stop) {
  for (const std::string& name : SocketsIn(folder)) {
    auto channel = Connect(folder, name);
    if (!channel.ok() || !*channel) continue;
    Reply reply = Asking(std::move(**channel), console, stop).Say(request);
    if (!std::holds_alternative<Nobody>(reply)) return reply;
  }
  return Reply(Nobody{});
}

}  // namespace sluice::server
