// See slots.h.
#include "server/slots.h"

#include <algorithm>

namespace sluice::server {

Slots::Slots(int many, int rest, Steady::duration most_rest) : rest_(rest), most_rest_(most_rest) {
  MutexLock lock(mutex_);
  for (int i = 0; i < many; ++i) free_.insert(Steady::time_point());
}

Result<Slots::Hold> Slots::Take(std::stop_token stop) {
  const std::stop_callback wake(stop, [this] {
    MutexLock lock(mutex_);
    changed_.notify_all();
  });
  MutexLock lock(mutex_);
  const auto ticket = waiting_.insert(next_++).first;
  while (!stop.stop_requested()) {
    if (free_.empty() || waiting_.begin() != ticket)
      changed_.wait(mutex_);
    else if (*free_.begin() > Steady::now())
      changed_.wait_until(mutex_, *free_.begin());
    else
      break;
  }
  waiting_.erase(ticket);
  changed_.notify_all();  // who is next may find another slot free
  if (stop.stop_requested()) return CancelledError();
  free_.erase(free_.begin());
  return Hold(*this);
}

void Slots::GiveBack(Steady::duration had) {
  MutexLock lock(mutex_);
  free_.insert(Steady::now() + std::min(had * rest_, most_rest_));
  changed_.notify_all();
}

}  // namespace sluice::server
