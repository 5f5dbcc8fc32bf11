// The other side of Host: finds the process that has a file of the project open, has it run a
// command, and passes on what the command says.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <variant>

#include "base/result.h"
#include "server/console.h"
#include "server/frame.h"

namespace sluice::server {

struct Nobody {};  // no process of ours has the file open
struct NotNow {    // one has, and does not do it: the file will be free, or ask again
  int64_t pid = 0;
  std::string why;
};
struct Lost {  // the process ended in the middle
  int64_t pid = 0;
  bool said = false;  // the command had written to standard output
};
using Reply = std::variant<int, Nobody, NotNow, Lost>;  // int: it ran, and this is its exit code

// Asks the hosts in `folder`. `stop` is passed on to the command; its end is waited for.
Result<Reply> Ask(const std::string& folder, const Request& request, Console& console,
                  std::stop_token stop);

}  // namespace sluice::server
