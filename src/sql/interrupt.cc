// The thread that repeats interrupts. An interrupt is only sent under the lock that Remove takes,
// so none reaches the connection's next query.
#include "sql/interrupt.h"

#include <chrono>

namespace sluice::sql {
namespace {
constexpr std::chrono::milliseconds kAgain{20};
}  // namespace

Interrupter::Watch::Watch(Interrupter& owner, duckdb_connection connection,
                          const std::stop_token& stop)
    : owner_(owner), connection_(connection) {
  if (stop.stop_possible()) callback_.emplace(stop, Begin{this});
}

Interrupter::Watch::~Watch() {
  if (!callback_) return;
  callback_.reset();
  owner_.Remove(connection_);
}

void Interrupter::Watch::Begin::operator()() const noexcept {
  watch->owner_.Add(watch->connection_);
}

Interrupter::Interrupter() : thread_([this](const std::stop_token& end) { Run(end); }) {}

void Interrupter::Add(duckdb_connection connection) {
  MutexLock lock(mutex_);
  stopping_.insert(connection);
  changed_.notify_all();
}

void Interrupter::Remove(duckdb_connection connection) {
  MutexLock lock(mutex_);
  stopping_.erase(connection);
}

void Interrupter::Run(const std::stop_token& end) {
  MutexLock lock(mutex_);
  while (!end.stop_requested()) {
    for (duckdb_connection connection : stopping_) duckdb_interrupt(connection);
    if (stopping_.empty()) {
      changed_.wait(mutex_, end, [this]() REQUIRES_LOCK(mutex_) { return !stopping_.empty(); });
    } else {
      changed_.wait_for(mutex_, end, kAgain, [] { return false; });
    }
  }
}

}  // namespace sluice::sql
