// Time, injected: a test owns it. Only `engine`, `schedule` and `main` hold a Clock; everything
// else is given times.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

namespace sluice {

using Micros = std::chrono::microseconds;  // event and wall time: microseconds since 1970-01-01 UTC

class Clock {  // any thread
 public:
  virtual ~Clock() = default;
  virtual Micros Now() const = 0;                       // wall time
  virtual std::chrono::nanoseconds Steady() const = 0;  // never goes back; for durations
  virtual void Wait(std::chrono::nanoseconds,
                    std::stop_token) const = 0;  // returns early when stop is requested
};

std::unique_ptr<Clock> SystemClock();

// "2026-11-21T06:00:00Z", with as many digits of the second as are not zero.
std::string FormatInstant(Micros instant);

}  // namespace sluice
