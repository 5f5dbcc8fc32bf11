// Tells the observer how far the running query has come, a few times a second.
#pragma once

#include <functional>
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
  // `read`: how far the sources have come, by the share that DuckDB knows; any thread.
  Watch(Observer* observer, std::string flow, std::vector<sql::Session*> sessions,
        std::function<SourceProgress(double share)> read);

 private:
  void Tell(const std::stop_token& ended);

  Observer* observer_;
  const std::string flow_;
  const std::vector<sql::Session*> sessions_;
  const std::function<SourceProgress(double)> read_;
  std::jthread thread_;
};

}  // namespace sluice
