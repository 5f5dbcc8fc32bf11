// See slots.h.
#include "server/slots.h"

namespace sluice::server {

Result<Slots::Hold> Slots::Take(std::stop_token stop) {
  const std::stop_callback wake(stop, [this] {
    MutexLock lock(mutex_);
    changed_.notify_all();
  });
  MutexLock lock(mutex_);
  const auto ticket = waiting_.insert(next_++).first;
  while (!stop.stop_requested() && (free_ == 0 || waiting_.begin() != ticket))
    changed_.wait(mutex_);
  waiting_.erase(ticket);
  changed_.notify_all();  // who is next may find another slot free
  if (stop.stop_requested()) return CancelledError();
  --free_;
  return Hold(*this);
}

void Slots::GiveBack() {
  MutexLock lock(mutex_);
  ++free_;
  changed_.notify_all();
}

}  // namespace sluice::server
