// Shows a run while it runs: on a terminal one line that is rewritten, elsewhere a plain line now
// and then. Rows count when they are durable, never before. NO_COLOR is honoured.
#pragma once

#include <memory>
#include <string>

#include "engine/world.h"
#include "server/console.h"

namespace sluice {

enum class ProgressStyle : unsigned char { kNone, kPlain, kTerminal };
// kTerminal where the console's standard error is one, kPlain elsewhere.
ProgressStyle DefaultProgress(const server::Console& console);

class ProgressLine : public Observer {
 public:
  // `console` outlives it.
  static std::unique_ptr<ProgressLine> Start(ProgressStyle style, server::Console& console);
  virtual void Stop() = 0;  // clears the line
};

}  // namespace sluice
