// See host.h. One thread lets guests in and listens to those who are served: that a guest has gone,
// or wants to end, is seen while its command runs. Each guest's command runs on a thread of its
// own.
#include "server/host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <random>
#include <utility>
#include <vector>

#include "base/log.h"
#include "sluice_version.h"

namespace sluice::server {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMostGuests = 128;  // more wait at the door
constexpr milliseconds kGreeting{5'000};
constexpr int kFailed = 1, kCancelled = 130;    // exit codes of a command that was ended
constexpr milliseconds kMostIdle{10 * 60'000};  // that a guest takes nothing of its answer

}  // namespace

struct Host::Guest {
  Channel channel;
  std::stop_source stop = {};
  std::atomic<bool> served = false, done = false;  // the host's thread listens in between
  bool listened_to = false;                        // of the host's thread
  std::jthread thread = {};
};

Status Visit::Enter(Slots& slots) {
  Slots::Hold hold = TRY(slots.Take(stop_));
  MutexLock lock(mutex_);
  slots_ = &slots;
  hold_ = std::move(hold);
  return Ok();
}

Status Visit::heard() {
  MutexLock lock(mutex_);
  return sent_;
}

void Visit::Send(FrameKind kind, std::string_view bytes) {
  MutexLock lock(mutex_);
  while (!bytes.empty() && sent_.ok()) {
    const std::string_view part = bytes.substr(0, kMostBytes);
    bytes.remove_prefix(part.size());
    Slots::Hold hold = std::move(hold_);
    const bool held = static_cast<bool>(hold);
    sent_ = channel_.Send(kind, part, stop_, kMostIdle, [&hold] { hold = Slots::Hold(); });
    if (held && !hold && sent_.ok()) {
      auto again = slots_->Take(stop_);
      if (again.ok())
        hold = std::move(*again);
      else
        sent_ = std::move(again).error();
    }
    hold_ = std::move(hold);
  }
}

Result<std::unique_ptr<Host>> Host::Open(const std::string& folder, Serve serve) {
  // Those of the dead would be asked for ever.
  for (const std::string& name : SocketsIn(folder)) (void)Connect(folder, name);
  std::random_device random;
  const std::string name = fmt::format("{}-{:08x}.sock", ::getpid(), random());
  Descriptor bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) return SystemError("making an event", errno);
  Descriptor listener = TRY(Listen(folder, name));
  return std::unique_ptr<Host>(
      new Host(folder, name, std::move(listener), std::move(bell), std::move(serve)));
}

Host::Host(std::string folder, std::string name, Descriptor listener, Descriptor bell, Serve serve)
    : folder_(std::move(folder)),
      name_(std::move(name)),
      listener_(std::move(listener)),
      bell_(std::move(bell)),
      serve_(std::move(serve)) {
  thread_ = std::jthread([this](std::stop_token end) { Run(end); });
}

Host::~Host() {
  (void)::unlink((folder_ + "/" + name_).c_str());
  thread_.request_stop();
  Ring();
}

size_t Host::guests() {
  MutexLock lock(mutex_);
  return served_;
}

void Host::Close(std::stop_token stop) {
  const std::stop_callback send_away(stop, [this] {
    {
      MutexLock lock(mutex_);
      sending_away_ = true;
    }
    away_.request_stop();
  });
  MutexLock lock(mutex_);
  closing_ = true;
  while (served_ > 0) changed_.wait(mutex_);
}

void Host::Ring() const {
  const uint64_t one = 1;
  // Unrung, it would wait for ever. EAGAIN: it rings already.
  while (::write(bell_.get(), &one, sizeof one) < 0 && errno != EAGAIN) {
  }
}

void Host::Run(const std::stop_token& end) {
  while (true) {
    if (Reap() && end.stop_requested()) return;
    std::vector<pollfd> waits{{bell_.get(), POLLIN, 0}};
    std::vector<Guest*> heard;
    for (Guest& guest : guests_) {
      if (!guest.served || guest.done) continue;
      // What it said at once with its request has come already.
      if (!std::exchange(guest.listened_to, true)) Hear(guest);
      if (guest.stop.stop_requested()) continue;
      waits.push_back({guest.channel.descriptor(), POLLIN, 0});
      heard.push_back(&guest);
    }
    if (guests_.size() < kMostGuests && !end.stop_requested())
      waits.push_back({listener_.get(), POLLIN, 0});
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;
    uint64_t rung = 0;
    (void)!::read(bell_.get(), &rung, sizeof rung);
    for (size_t i = 0; i < heard.size(); ++i) {
      if (waits[i + 1].revents != 0) Hear(*heard[i]);
    }
    if (waits.size() > heard.size() + 1 && waits.back().revents != 0) Welcome();
  }
}

void Host::Welcome() {
  auto channel = Accept(listener_);
  if (!channel.ok()) {  // out of descriptors: they wait at the door
    LogWarn("{}", Format(channel.error()));
    ::poll(nullptr, 0, 100);
    return;
  }
  if (!*channel) return;
  Guest& guest = guests_.emplace_back();
  guest.channel = std::move(**channel);
  try {
    guest.thread = std::jthread([this, &guest] { Attend(guest); });
  } catch (const std::system_error& error) {
    LogWarn("no thread for a guest: {}", error.what());
    guests_.pop_back();
  }
}

// True when nobody is left.
bool Host::Reap() {
  for (auto guest = guests_.begin(); guest != guests_.end();)
    guest = guest->done ? guests_.erase(guest) : std::next(guest);
  return guests_.empty();
}

void Host::Hear(Guest& guest) {
  const auto frame = guest.channel.Receive();
  if (frame.ok() && !*frame) return;
  guest.stop.request_stop();  // it says that it ends, it is gone, or it says what it may not
}

void Host::Attend(Guest& guest) {
  const Answer answer = AnswerTo(guest);
  std::stop_token never;
  if (const int* code = std::get_if<int>(&answer))
    (void)guest.channel.Send(FrameKind::kEnd, std::to_string(*code), never, kGreeting);
  else
    (void)guest.channel.Send(FrameKind::kRefusal, ToText(std::get<Refusal>(answer)), never,
                             kGreeting);
  guest.done = true;
  Ring();
}

Answer Host::AnswerTo(Guest& guest) {
  auto request = Greet(guest);
  if (!request.ok()) return Refusal{.holds = true, .why = Format(request.error())};
  {
    MutexLock lock(mutex_);
    if (closing_) return Refusal{.holds = true, .why = "it is about to end"};
    ++served_;
  }
  const std::stop_callback away(away_.get_token(), [&guest] { guest.stop.request_stop(); });
  guest.served = true;
  Ring();
  Visit visit(guest.channel, guest.stop.get_token(), request->terminal);
  Answer answer = serve_(*request, visit);
  MutexLock lock(mutex_);
  --served_;
  changed_.notify_all();
  const int* code = std::get_if<int>(&answer);
  if (sending_away_ && code != nullptr && (*code == kFailed || *code == kCancelled))
    return Refusal{.holds = true, .why = "it was stopped"};
  return answer;
}

Result<Request> Host::Greet(Guest& guest) {
  const Hello mine{.protocol = kProtocol, .pid = ::getpid(), .version = kSluiceVersion};
  TRY(guest.channel.Send(FrameKind::kHello, ToText(mine), {}, kGreeting));
  auto next = [&](FrameKind kind) -> Result<std::string> {
    auto frame = TRY(guest.channel.Await(kGreeting));
    if (!frame) return TransientError("you said nothing");
    if (frame->kind != kind) return RejectedError("you said something else than was expected");
    return std::move(frame->body);
  };
  const Hello hello = TRY(ReadHello(TRY(next(FrameKind::kHello))));
  if (hello.protocol != kProtocol) {
    return RejectedError(fmt::format("it is of another release (protocol {}, yours is {})",
                                     kProtocol, hello.protocol));
  }
  return ReadRequest(TRY(next(FrameKind::kRequest)));
}

}  // namespace sluice::server
