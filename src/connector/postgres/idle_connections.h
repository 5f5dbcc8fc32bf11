// The connections that read one range and then the next: a new one costs both ends a login, and the
// server a process that knows no table yet.
//
// Invariant: each is between two statements, in no transaction, and as it was opened. That it has
// ended meanwhile (the server was restarted) shows when it is taken, and then another is opened.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "base/mutex.h"
#include "connector/postgres/connection.h"

namespace sluice::postgres {

class IdleConnections {  // any thread
 public:
  using Connecting = std::function<Result<std::unique_ptr<Connection>>(std::stop_token)>;

  explicit IdleConnections(Connecting connect) : connect_(std::move(connect)) {}

  Result<std::unique_ptr<Connection>> Take(std::stop_token stop);
  // REQUIRES: nothing is under way on it.
  void GiveBack(std::unique_ptr<Connection> connection);

 private:
  const Connecting connect_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ GUARDED_BY(mutex_);
};

}  // namespace sluice::postgres
