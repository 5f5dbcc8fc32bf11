// See idle_connections.h.
#include "connector/postgres/idle_connections.h"

#include <utility>

namespace sluice::postgres {

Result<std::unique_ptr<Connection>> IdleConnections::Take(std::stop_token stop) {
  while (true) {
    std::unique_ptr<Connection> connection;
    {
      MutexLock lock(mutex_);
      if (idle_.empty()) break;
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    if (connection->Run("SELECT 1", {}, stop).ok()) return connection;
    if (stop.stop_requested()) return CancelledError();
  }
  return connect_(std::move(stop));
}

void IdleConnections::GiveBack(std::unique_ptr<Connection> connection) {
  if (connection->lost()) return;
  MutexLock lock(mutex_);
  idle_.push_back(std::move(connection));
}

}  // namespace sluice::postgres
