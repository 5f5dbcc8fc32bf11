// Tells the observer how far the running query has come, a few times a second.
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "engine/world.h"
#include "sql/database.h"

namespace sluice {

// Owner: the driver, while rows move. Its thread only asks and tells; the sessions outlive it.
class Watch {
 public:
  // Does nothing where nobody wants to know.
  Watch(Observer* observer, std::string flow, std::vector<sql::Session*> sessions);

 private:
  void Tell(const std::stop_token& ended);

  Observer* observer_;
  const std::string flow_;
  const std::vector<sql::Session*> sessions_;
  std::jthread thread_;
};

}  // namespace sluice
