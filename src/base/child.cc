// See child.h. Between fork and exec only what POSIX allows a child of a process with threads:
// everything it needs is made before.
#include "base/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace sluice {
namespace {

using Time = std::chrono::steady_clock;

constexpr size_t kKeptComplaints = 64 << 10;
constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kPipeBytes = 1 << 20;
constexpr auto kTick = std::chrono::milliseconds(50);       // how soon a stop is seen
constexpr auto kParting = std::chrono::milliseconds(1000);  // to end by itself
constexpr const char* kStandardPath = "/usr/local/bin:/usr/bin:/bin";

std::string SearchPath() {
  const char* path = std::getenv("PATH");
  return path != nullptr && *path != '\0' ? path : kStandardPath;
}

struct Pipe {
  int read = -1, write = -1;
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    if (read >= 0) close(read);
    if (write >= 0) close(write);
  }
  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0], write = ends[1];
    return true;
  }
};

void Limit(__rlimit_resource what, uint64_t most) {
  const rlimit limit{most, most};
  setrlimit(what, &limit);
}

struct Launch {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* folder;
  pid_t parent;
};

// In the child. Tells `tell` the errno of what failed; success closes it by exec.
[[noreturn]] void Become(const Launch& launch, const ChildLimits& limits, int in, int out, int err,
                         int tell) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != launch.parent) _exit(127);
  // First out of the way of 0 to 3, then into place.
  in = fcntl(in, F_DUPFD, 10), out = fcntl(out, F_DUPFD, 10), err = fcntl(err, F_DUPFD, 10);
  tell = fcntl(tell, F_DUPFD, 10);
  int failed = 0;
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || dup2(tell, 3) < 0) failed = errno;
  fcntl(3, F_SETFD, FD_CLOEXEC);
  close_range(4, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD})
    ::signal(signal, SIG_DFL);
  Limit(RLIMIT_AS, limits.memory_bytes);
  Limit(RLIMIT_CPU, limits.cpu_seconds);
  Limit(RLIMIT_NOFILE, limits.open_files);
  Limit(RLIMIT_FSIZE, limits.file_bytes);
  Limit(RLIMIT_CORE, 0);
  if (failed == 0 && chdir(launch.folder) != 0) failed = errno;
  if (failed == 0) {
    execve(launch.program, launch.arguments, launch.environment);
    failed = errno;
  }
  (void)!write(3, &failed, sizeof(failed));
  _exit(127);
}

// A write to a pipe that nobody reads raises SIGPIPE: here it is an error like others.
class PipeSignal {
 public:
  PipeSignal() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~PipeSignal() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  void Take() {
    const timespec now{0, 0};
    while (sigtimedwait(&set_, nullptr, &now) < 0 && errno == EINTR) {
    }
  }

 private:
  sigset_t set_{}, before_{};
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int Take(int& end) { return std::exchange(end, -1); }

}  // namespace

std::optional<std::string> FindProgram(const std::string& name, const std::string& folder) {
  const auto runs = [](const std::string& path) {
    auto facts = LocalFiles()->Facts(path);
    return facts.ok() && !facts->folder && access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    const std::string path = JoinPath(folder, name);
    return runs(path) ? std::optional(path) : std::nullopt;
  }
  for (const std::string& place : Split(SearchPath(), ':')) {
    const std::string path = (place.empty() ? "." : place) + "/" + name;
    if (!name.empty() && runs(path)) return path;
  }
  return std::nullopt;
}

Result<std::unique_ptr<Child>> Child::Start(const std::vector<std::string>& command,
                                            const std::string& folder, const ChildLimits& limits) {
  const auto found = FindProgram(command.at(0), folder);
  if (!found) {
    return RejectedError(fmt::format("'{}' cannot be started: {}", command[0],
                                     command[0].find('/') == std::string::npos
                                         ? "no such program in PATH"
                                         : "no such file, or it may not be run"));
  }
  // Relative to our folder, which is not the child's.
  const std::unique_ptr<char, decltype(&std::free)> absolute(realpath(found->c_str(), nullptr),
                                                             std::free);
  // A program may go by the name it is called with, as busybox does.
  const std::string program = absolute == nullptr || (*found)[0] == '/' ? *found : absolute.get();
  std::vector<std::string> arguments = command;
  std::vector<std::string> environment{"PATH=" + SearchPath(), "LANG=C.UTF-8", "HOME=/nonexistent",
                                       "TZ=UTC"};
  const auto argv = Pointers(arguments), envp = Pointers(environment);
  Pipe in, out, err, tell;
  if (!in.Open() || !out.Open() || !err.Open() || !tell.Open())
    return SystemError("starting '" + command[0] + "'", errno);
  const Launch launch{program.c_str(), argv.data(), envp.data(), folder.c_str(), getpid()};
  std::unique_ptr<Child> child(new Child());
  child->pid_ = fork();
  if (child->pid_ == 0) Become(launch, limits, in.read, out.write, err.write, tell.write);
  if (child->pid_ < 0) return SystemError("starting '" + command[0] + "'", errno);
  setpgid(child->pid_, child->pid_);  // whoever comes first
  close(Take(tell.write));
  int failed = 0;
  ssize_t told = 0;
  while ((told = read(tell.read, &failed, sizeof(failed))) < 0 && errno == EINTR) {
  }
  child->in_ = Take(in.write), child->out_ = Take(out.read), child->err_ = Take(err.read);
  if (told > 0) {
    return RejectedError(
        fmt::format("'{}' cannot be started: {}", command[0], std::strerror(failed)));
  }
  for (const int end : {child->in_, child->out_, child->err_}) fcntl(end, F_SETFL, O_NONBLOCK);
  // Fewer turns per batch; where the system allows no more it is only slower.
  fcntl(child->in_, F_SETPIPE_SZ, kPipeBytes);
  fcntl(child->out_, F_SETPIPE_SZ, kPipeBytes);
  return child;
}

Child::~Child() {
  Kill();
  for (const int end : {in_, out_, err_}) {
    if (end >= 0) close(end);
  }
}

void Child::Kill() {
  if (pid_ <= 0) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void Child::CloseInput() {
  if (in_ >= 0) close(Take(in_));
}

Status Child::Write(std::string_view& rest) {
  PipeSignal signal;
  const ssize_t written = write(in_, rest.data(), rest.size());
  if (written >= 0) {
    rest.remove_prefix(static_cast<size_t>(written));
  } else if (errno == EPIPE) {  // what it wrote before it closed its input still counts
    signal.Take();
    rest = {};
    CloseInput();
  } else if (errno != EAGAIN && errno != EINTR) {
    return SystemError("writing to a program", errno);
  }
  return Ok();
}

// False: it has closed stderr.
bool Child::ReadComplaints() {
  std::array<char, 8192> bytes;
  const ssize_t got = read(err_, bytes.data(), bytes.size());
  if (got == 0) return false;
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  complaints_.append(bytes.data(), static_cast<size_t>(got));
  if (complaints_.size() > 2 * kKeptComplaints)
    complaints_.erase(0, complaints_.size() - kKeptComplaints);
  return true;
}

bool Child::HasWritten() const {
  int bytes = 0;
  return ioctl(out_, FIONREAD, &bytes) == 0 && bytes > 0;
}

// Room for the next read: no more than is there, because it is cleared first.
size_t Child::ReadyBytes() const {
  int bytes = 0;
  if (ioctl(out_, FIONREAD, &bytes) != 0) bytes = 0;
  return std::clamp<size_t>(static_cast<size_t>(bytes), kReadBytes / 64, kPipeBytes);
}

Result<Child::Answer> Child::Say(const Talk& talk, std::vector<char>& into,
                                 const std::stop_token& stop) {
  Answer answer;
  std::string_view rest = talk.say;
  const auto began = Time::now();
  auto heard = began;
  const size_t from = into.size();
  size_t line_begin = from;
  while (answer.lines < talk.lines) {
    if (stop.stop_requested()) return CancelledError();
    const auto now = Time::now();
    if (talk.timeout.count() > 0 && now - began > talk.timeout)
      return Answer{End::kTooLate, answer.lines};
    if (talk.silence.count() > 0 && rest.empty() && in_ >= 0 && now - heard > talk.silence)
      return Answer{End::kSilent, answer.lines};
    if (rest.empty() && talk.input == Input::kEnds) CloseInput();
    pollfd ends[3] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}, {rest.empty() ? -1 : in_, POLLOUT, 0}};
    if (poll(ends, 3, static_cast<int>(kTick.count())) < 0 && errno != EINTR)
      return SystemError("waiting for a program", errno);
    if (ends[2].revents != 0) {
      const size_t before = rest.size();
      TRY(Write(rest));
      if (rest.size() != before) heard = Time::now();
    }
    if (ends[1].revents != 0 && err_ >= 0 && !ReadComplaints()) close(Take(err_));
    if (ends[0].revents == 0) continue;
    const size_t size = into.size();
    const size_t room = ReadyBytes();
    into.resize(size + room);
    const ssize_t got = read(out_, into.data() + size, room);
    into.resize(size + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return Answer{End::kClosed, answer.lines};
    if (got < 0) continue;
    heard = Time::now();
    for (size_t at = size; at < into.size();) {
      const void* feed = std::memchr(into.data() + at, '\n', into.size() - at);
      if (feed == nullptr) break;
      at = line_begin = static_cast<size_t>(static_cast<const char*>(feed) - into.data()) + 1;
      ++answer.lines;
    }
    if (into.size() - line_begin > talk.line_bytes) return Answer{End::kLongLine, answer.lines};
    if (into.size() - from > talk.bytes) return Answer{End::kTooMuch, answer.lines};
  }
  return answer;
}

std::string Child::HowItEnded() {
  CloseInput();
  const auto began = Time::now();
  while (pid_ > 0 && Time::now() - began < kParting) {
    if (err_ >= 0 && !ReadComplaints()) close(Take(err_));
    siginfo_t ended{};
    if (waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        ended.si_pid == pid_) {
      Kill();  // what it may have left behind; its own status stays what it was
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  const bool alive = pid_ > 0;
  Kill();
  if (alive) {
    return "it went on without answering and was killed";
  }
  while (err_ >= 0) {
    const size_t before = complaints_.size();
    if (!ReadComplaints()) close(Take(err_));
    if (complaints_.size() == before) break;
  }
  if (WIFSIGNALED(status_))
    return fmt::format("signal {} ({})", WTERMSIG(status_), strsignal(WTERMSIG(status_)));
  return fmt::format("exit code {}", WEXITSTATUS(status_));
}

}  // namespace sluice
