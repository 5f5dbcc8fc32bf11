// The process's own streams as a console, and how a command's end is told on one.
#pragma once

#include <memory>

#include "base/result.h"
#include "server/console.h"

namespace sluice {

std::shared_ptr<server::Console> StandardConsole();

// The exit code; an error is said first.
int Tell(const Result<int>& code, server::Console& console);

}  // namespace sluice
