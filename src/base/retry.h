// How often and how long to try again: exponential backoff with jitter, never less than what the
// other side asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/result.h"

namespace sluice {

struct RetryPolicy {
  enum class Backoff : uint8_t { kConstant, kExponential };

  int attempts = 1;  // counts the first try
  std::chrono::microseconds delay = std::chrono::seconds(1);
  std::chrono::microseconds max_delay = std::chrono::seconds(60);
  Backoff backoff = Backoff::kExponential;
  double jitter =
      1.0;  // share of the delay that is random: 1 = full, 0 = none, 0.1 = plus or minus 10 %

  auto operator<=>(const RetryPolicy&) const = default;
};

// The wait after the try number `failed` (from 1). `random` is uniform in [0, 1).
std::chrono::microseconds DelayAfter(const RetryPolicy& policy, int failed, double random,
                                     const Error& error);

// Gives such numbers, to any thread.
std::function<double()> Jitter();

}  // namespace sluice
