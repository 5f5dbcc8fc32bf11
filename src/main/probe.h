// Trying a connection without changing anything: for `connections test` and `doctor`.
#pragma once

#include <chrono>
#include <string>

#include "main/session.h"

namespace sluice {

struct Probed {
  bool ok = false;
  std::string message;
  std::chrono::microseconds took{0};
};

Probed ProbeConnection(ProjectSession& session, const Connection& connection);

}  // namespace sluice
