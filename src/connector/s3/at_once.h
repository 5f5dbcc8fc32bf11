// Work on numbered pieces by several threads; the first error ends the rest.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>

#include "base/result.h"

namespace sluice::s3 {

// Calls `work(i, stop)` for each i below `count`, at most `most` at a time, one of them on this
// thread.
Status AtOnce(size_t count, size_t most, std::stop_token stop,
              const std::function<Status(size_t, std::stop_token)>& work);

}  // namespace sluice::s3
