// See deadline.h.
#include "engine/deadline.h"

#include <utility>

namespace sluice {

Deadline::Deadline(std::chrono::microseconds after, std::stop_token outer)
    : outer_(std::move(outer), [this] { stop_.request_stop(); }) {
  if (after.count() <= 0) return;
  timer_ = std::jthread([this, after](const std::stop_token& ended) { Wait(after, ended); });
}

void Deadline::Wait(std::chrono::microseconds after, const std::stop_token& ended) {
  std::unique_lock<std::mutex> lock(mutex_);
  woken_.wait_for(lock, ended, after, [] { return false; });
  if (ended.stop_requested() || stop_.stop_requested()) return;
  passed_ = true;
  stop_.request_stop();
}

}  // namespace sluice
