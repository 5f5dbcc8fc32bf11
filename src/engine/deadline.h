// How long one try may take: a stop token that also stops when the time is over.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace sluice {

// Owner: the try. Its thread only waits; it is joined at the end. Time is the machine's own, for it
// ends work that really takes time.
class Deadline {
 public:
  // 0: never. Stops with `outer` too.
  Deadline(std::chrono::microseconds after, std::stop_token outer);

  std::stop_token token() const { return stop_.get_token(); }
  // Whether the time ended the try, and not the user.
  bool Passed() const { return passed_; }

 private:
  void Wait(std::chrono::microseconds after, const std::stop_token& ended);

  std::stop_source stop_;
  std::atomic<bool> passed_ = false;
  std::stop_callback<std::function<void()>> outer_;
  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::jthread timer_;  // last: it uses all of the above
};

}  // namespace sluice
