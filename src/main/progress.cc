// See progress.h.
#include "main/progress.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <fstream>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/text.h"

namespace sluice {

namespace {

using SteadyClock = std::chrono::steady_clock;

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

class Silent : public ProgressLine {
 public:
  void Stop() override {}
};

class Shown : public ProgressLine {
 public:
  Shown(ProgressStyle style, server::Console& console)
      : style_(style), console_(console), began_(SteadyClock::now()) {
    painter_ = std::jthread([this](std::stop_token stop) { Paint(stop); });
  }
  ~Shown() override { Stop(); }

  void OnMilestone(const std::string& flow, Milestone milestone) override {
    MutexLock lock(mutex_);
    Follow(flow);
    if (milestone == Milestone::kMoving) moving_since_ = SteadyClock::now();
    share_ = -1;
    what_ = milestone == Milestone::kMoving   ? "loading"
            : milestone == Milestone::kMoved  ? "committing"
            : milestone == Milestone::kFrozen ? "reading"
                                              : what_;
  }
  bool WantsShare() const override { return true; }
  void OnMoving(const std::string& flow, double share, const SourceProgress& read) override {
    MutexLock lock(mutex_);
    Follow(flow);
    share_ = share;
    read_ = read;
  }
  void OnDecided(const std::string& flow, const EpochRecord&, uint64_t rows,
                 uint64_t bytes) override {
    MutexLock lock(mutex_);
    Follow(flow);
    ++epochs_;
    rows_ += rows;
    bytes_ += bytes;
  }
  void OnRetry(const std::string& what, const Error& error, int attempt,
               std::chrono::microseconds wait) override {
    Clear();
    console_.Note(fmt::format("{}: try {} failed: {}; trying again in {}\n", what, attempt,
                              Format(error), FormatDuration(wait)));
  }
  void Stop() override {
    if (!painter_.joinable()) return;
    painter_.request_stop();
    painter_.join();
    Clear();
  }

 private:
  void Clear() {
    if (style_ == ProgressStyle::kTerminal) console_.Note("\r\x1b[K");
  }
  void Follow(const std::string& flow) REQUIRES_LOCK(mutex_) {
    if (std::exchange(flow_, flow) == flow) return;
    flow_since_ = SteadyClock::now();
    read_ = {};
  }
  static std::string Left(double took, double share) {
    if (share < 0.05 || took < 1) return "";
    const auto left = std::chrono::seconds(static_cast<int64_t>(took * (1 - share) / share));
    return fmt::format(", about {} left", FormatDuration(left));
  }
  static double Since(SteadyClock::time_point began) {
    return std::chrono::duration<double>(SteadyClock::now() - began).count();
  }
  // " 1.2 GB of 4.0 GB (30%), 120.0 MB/s, about 24s left"
  std::string Bytes() REQUIRES_LOCK(mutex_) {
    const double took = Since(flow_since_), read = static_cast<double>(read_.read);
    const double share = read / static_cast<double>(read_.known);
    return fmt::format(" {} of {} ({:.0f}%), {}/s{}", FormatBytes(read_.read),
                       FormatBytes(read_.known), std::floor(share * 100),
                       FormatBytes(static_cast<uint64_t>(read / std::max(took, 0.001))),
                       Left(took, share));
  }
  // " 42% of this epoch, about 10s left"
  std::string Share() REQUIRES_LOCK(mutex_) {
    if (read_.known > 0) return Bytes();
    if (share_ <= 0 || share_ > 1) return "";
    return fmt::format(" {:.0f}% of this epoch{}", share_ * 100,
                       Left(Since(moving_since_), share_));
  }
  std::string Line() {
    MutexLock lock(mutex_);
    auto elapsed =
        std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began_);
    double seconds = static_cast<double>(elapsed.count()) / 1e6;
    auto rate = static_cast<uint64_t>(static_cast<double>(rows_) / (seconds > 0 ? seconds : 1));
    return fmt::format("{} {}{}: {} rows in {} epochs, {} rows/s, {} memory, {}", flow_, what_,
                       Share(), FormatCount(rows_), epochs_, FormatCount(rate),
                       FormatBytes(ResidentBytes()),
                       FormatDuration(std::chrono::floor<std::chrono::seconds>(elapsed)));
  }
  void Paint(std::stop_token stop) {
    auto tick = style_ == ProgressStyle::kTerminal ? std::chrono::milliseconds(200)
                                                   : std::chrono::milliseconds(10'000);
    while (true) {
      {
        std::unique_lock<std::mutex> lock(wait_);
        if (woken_.wait_for(lock, stop, tick, [] { return false; }) || stop.stop_requested())
          return;
      }
      console_.Note(style_ == ProgressStyle::kTerminal ? "\r\x1b[K" + Line() : Line() + "\n");
    }
  }

  const ProgressStyle style_;
  server::Console& console_;
  const SteadyClock::time_point began_;
  Mutex mutex_;
  std::string flow_ GUARDED_BY(mutex_) = "run", what_ GUARDED_BY(mutex_) = "starting";
  uint64_t rows_ GUARDED_BY(mutex_) = 0, bytes_ GUARDED_BY(mutex_) = 0,
                 epochs_ GUARDED_BY(mutex_) = 0;
  double share_ GUARDED_BY(mutex_) = -1;    // of the running query; -1: not known
  SourceProgress read_ GUARDED_BY(mutex_);  // by the flow
  SteadyClock::time_point flow_since_ GUARDED_BY(mutex_) = began_, moving_since_
                                                                   GUARDED_BY(mutex_) = began_;
  std::mutex wait_;
  std::condition_variable_any woken_;
  std::jthread painter_;
};

}  // namespace

ProgressStyle DefaultProgress(const server::Console& console) {
  return console.terminal() ? ProgressStyle::kTerminal : ProgressStyle::kPlain;
}

std::unique_ptr<ProgressLine> ProgressLine::Start(ProgressStyle style, server::Console& console) {
  if (style == ProgressStyle::kNone) return std::make_unique<Silent>();
  return std::make_unique<Shown>(style, console);
}

}  // namespace sluice
