// See unpack_pipe.h. The path is that of the pipe's own descriptor in /proc, so nothing lies in a
// folder and a kill leaves nothing. Invariant: whatever the thread found wrong is kept before the
// writing end closes, so who has seen the end of the bytes can ask.
#include "format/unpack_pipe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "format/unpack.h"

namespace sluice::format {
namespace {

constexpr size_t kPipeBytes = 1 << 20;
constexpr size_t kPartBytes = 256 << 10;
constexpr int kLookMs = 20;  // how often a full pipe is asked whether it is still wanted

class Pipe final : public UnpackPipe {
 public:
  Pipe(std::unique_ptr<File> file, std::string name, int reading, int writing)
      : file_(std::move(file)),
        name_(std::move(name)),
        path_(fmt::format("/proc/self/fd/{}", reading)),
        reading_(reading),
        thread_([this, writing](std::stop_token stop) { Run(writing, std::move(stop)); }) {}

  ~Pipe() override {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    close(reading_);
  }

  const std::string& path() const override { return path_; }

  Status Finish() override {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    MutexLock lock(mutex_);
    return failed_ ? Status(*failed_) : Ok();
  }

 private:
  void Run(int writing, std::stop_token stop) {
    // A reader that has gone away is no signal but an error of write.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    Status done = Copy(writing, stop);
    if (!done.ok()) {
      MutexLock lock(mutex_);
      failed_ = done.error();
    }
    close(writing);
  }

  Status Copy(int writing, const std::stop_token& stop) {
    std::vector<char> part(kPartBytes);
    for (uint64_t at = 0;;) {
      const size_t count = TRY(file_->ReadAt(at, part));
      if (!TRY(Write(writing, {part.data(), count}, stop))) return Ok();
      if (count < part.size()) return Ok();
      at += count;
    }
  }

  // False: nobody wants more.
  Result<bool> Write(int writing, std::span<const char> bytes, const std::stop_token& stop) const {
    while (!bytes.empty()) {
      const ssize_t count = write(writing, bytes.data(), bytes.size());
      if (count > 0) {
        bytes = bytes.subspan(static_cast<size_t>(count));
      } else if (errno == EPIPE) {
        return false;
      } else if (errno == EAGAIN) {
        if (stop.stop_requested()) return false;
        pollfd wait{.fd = writing, .events = POLLOUT, .revents = 0};
        (void)poll(&wait, 1, kLookMs);
      } else if (errno != EINTR) {
        return SystemError(fmt::format("handing on '{}'", name_), errno);
      }
    }
    return true;
  }

  const std::unique_ptr<File> file_;  // of the thread
  const std::string name_, path_;
  const int reading_;
  Mutex mutex_;
  std::optional<Error> failed_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<UnpackPipe>> UnpackPipe::Start(Files& files, const std::string& path,
                                                      const std::string& name) {
  auto file = TRY(OpenUnpacked(files, path, name));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("making a pipe", errno);
  // Only the writing end: a reader waits for bytes.
  (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
  (void)fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kPipeBytes));
  return std::unique_ptr<UnpackPipe>(
      std::make_unique<Pipe>(std::move(file), name, ends[0], ends[1]));
}

}  // namespace sluice::format
