// Instants as text, and a wait that a stop ends.
#include "base/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace sluice {
namespace {

TEST(FormatInstantTest, WritesOnlyTheDigitsThatMatter) {
  EXPECT_EQ(FormatInstant(Micros(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatInstant(Micros(1'795'240'800'000'000)), "2026-11-21T06:00:00Z");
  EXPECT_EQ(FormatInstant(Micros(1'500'000)), "1970-01-01T00:00:01.5Z");
  EXPECT_EQ(FormatInstant(Micros(1)), "1970-01-01T00:00:00.000001Z");
}

TEST(FormatInstantTest, CountsBackFromTheEpoch) {
  EXPECT_EQ(FormatInstant(Micros(-1)), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatInstant(Micros(-86'400'000'000)), "1969-12-31T00:00:00Z");
}

TEST(FormatInstantTest, KnowsLeapDays) {
  EXPECT_EQ(FormatInstant(Micros(951'782'400'000'000)), "2000-02-29T00:00:00Z");
}

TEST(SystemClockTest, SteadyNeverGoesBack) {
  const auto clock = SystemClock();
  const auto before = clock->Steady();
  EXPECT_GE(clock->Steady(), before);
  EXPECT_GT(clock->Now(), Micros(1'700'000'000'000'000));
}

TEST(SystemClockTest, WaitTakesItsTime) {
  const auto clock = SystemClock();
  const auto before = clock->Steady();
  clock->Wait(std::chrono::milliseconds(5), {});
  EXPECT_GE(clock->Steady() - before, std::chrono::milliseconds(5));
}

TEST(SystemClockTest, AStopEndsTheWait) {
  const auto clock = SystemClock();
  // Would hang for a day where the stop were not seen.
  std::jthread waiting([&](std::stop_token stop) { clock->Wait(std::chrono::hours(24), stop); });
  waiting.request_stop();
  waiting.join();
  std::stop_source stopped;
  stopped.request_stop();
  clock->Wait(std::chrono::hours(24), stopped.get_token());
}

}  // namespace
}  // namespace sluice
