// Waits between tries.
#include "base/retry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sluice {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

RetryPolicy Policy(double jitter) {
  RetryPolicy policy;
  policy.attempts = 5;
  policy.delay = seconds(1);
  policy.max_delay = seconds(60);
  policy.jitter = jitter;
  return policy;
}

TEST(DelayAfterTest, DoublesUpToTheCap) {
  const Error error = TransientError("down");
  EXPECT_EQ(DelayAfter(Policy(0), 1, 0.7, error), seconds(1));
  EXPECT_EQ(DelayAfter(Policy(0), 2, 0.7, error), seconds(2));
  EXPECT_EQ(DelayAfter(Policy(0), 6, 0.7, error), seconds(32));
  EXPECT_EQ(DelayAfter(Policy(0), 7, 0.7, error), seconds(60));
  EXPECT_EQ(DelayAfter(Policy(0), 100'000, 0.7, error), seconds(60));
}

TEST(DelayAfterTest, ConstantStays) {
  RetryPolicy policy = Policy(0);
  policy.backoff = RetryPolicy::Backoff::kConstant;
  EXPECT_EQ(DelayAfter(policy, 9, 0.5, TransientError("down")), seconds(1));
}

TEST(DelayAfterTest, FullJitterSpreadsFromZero) {
  const Error error = TransientError("down");
  EXPECT_EQ(DelayAfter(Policy(1), 3, 0.0, error), microseconds(0));
  EXPECT_EQ(DelayAfter(Policy(1), 3, 0.5, error), seconds(2));
}

TEST(DelayAfterTest, SmallJitterStaysAroundTheDelay) {
  const Error error = TransientError("down");
  EXPECT_EQ(DelayAfter(Policy(0.1), 1, 0.0, error), milliseconds(900));
  EXPECT_EQ(DelayAfter(Policy(0.1), 1, 0.5, error), seconds(1));
  EXPECT_EQ(DelayAfter(Policy(0.1), 7, 0.999, error), seconds(60));
}

TEST(DelayAfterTest, NeverBelowWhatTheOtherSideAsked) {
  Error error = TransientError("slow down");
  error.retry_after = seconds(90);
  EXPECT_EQ(DelayAfter(Policy(1), 1, 0.0, error), seconds(90));
  error.retry_after = milliseconds(10);
  EXPECT_EQ(DelayAfter(Policy(0), 1, 0.0, error), seconds(1));
}

TEST(JitterTest, GivesNumbersToManyThreadsAtOnce) {
  const auto jitter = Jitter();
  std::atomic<int> low = 0, high = 0, outside = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, mine = jitter] {
        for (int n = 0; n < 10'000; ++n) {
          const double number = mine();
          ++(number < 0 || number >= 1 ? outside : number < 0.5 ? low : high);
        }
      });
    }
  }
  EXPECT_EQ(outside, 0);
  EXPECT_GT(low, 15'000);
  EXPECT_GT(high, 15'000);
}

}  // namespace
}  // namespace sluice
