// The length of a wait between two tries.
#include "base/retry.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "base/mutex.h"

namespace sluice {

std::chrono::microseconds DelayAfter(const RetryPolicy& policy, int failed, double random,
                                     const Error& error) {
  const auto cap = static_cast<double>(policy.max_delay.count());
  double delay = static_cast<double>(policy.delay.count());
  if (policy.backoff == RetryPolicy::Backoff::kExponential) {
    // 2^60 is beyond any cap; a larger exponent would only overflow.
    delay = std::ldexp(delay, std::clamp(failed - 1, 0, 60));
  }
  delay = std::min(delay, cap);
  if (policy.jitter >= 1.0) {
    delay *= random;
  } else {
    delay = std::min(delay * (1.0 + policy.jitter * (2.0 * random - 1.0)), cap);
  }
  const auto wait = std::chrono::microseconds(static_cast<int64_t>(delay));
  return std::max<std::chrono::microseconds>(wait, error.retry_after);
}

namespace {

class Random {
 public:
  double Next() {
    MutexLock lock(mutex_);
    return std::uniform_real_distribution<double>(0, 1)(engine_);
  }

 private:
  Mutex mutex_;
  std::mt19937_64 engine_ GUARDED_BY(mutex_){std::random_device{}()};
};

}  // namespace

std::function<double()> Jitter() {
  return [random = std::make_shared<Random>()] { return random->Next(); };
}

}  // namespace sluice
