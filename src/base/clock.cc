// The system's clock, and instants as text. The calendar's arithmetic is the standard library's, in
// UTC only; zones are the business of `calendar`.
#include "base/clock.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

namespace sluice {
namespace {

class RealClock final : public Clock {
 public:
  Micros Now() const override {
    return std::chrono::duration_cast<Micros>(std::chrono::system_clock::now().time_since_epoch());
  }

  std::chrono::nanoseconds Steady() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }

  void Wait(std::chrono::nanoseconds duration, std::stop_token stop) const override {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, std::move(stop), duration, [] { return false; });
  }
};

}  // namespace

std::unique_ptr<Clock> SystemClock() { return std::make_unique<RealClock>(); }

std::string FormatInstant(Micros instant) {
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  const std::chrono::hh_mm_ss time(instant - day);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", int{date.year()},
                                 unsigned{date.month()}, unsigned{date.day()}, time.hours().count(),
                                 time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) {
    std::string fraction = fmt::format(".{:06}", time.subseconds().count());
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += fraction;
  }
  return text + "Z";
}

}  // namespace sluice
