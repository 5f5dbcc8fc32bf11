// Watermarks of several partitions.
#include "engine/watermark.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using std::chrono::seconds;

TEST(WatermarkJoin, IsTheLeastOfThosePartitionsThatHaveSpoken) {
  WatermarkJoin join(std::nullopt);
  EXPECT_EQ(join.Joined(seconds(0)), kNoTime);
  join.Raise("a", Micros(100), seconds(0));
  join.Raise("b", Micros(40), seconds(0));
  EXPECT_EQ(join.Joined(seconds(0)), Micros(40));
  join.Raise("b", Micros(30), seconds(0));
  EXPECT_EQ(join.Joined(seconds(0)), Micros(40));
  join.Raise("b", Micros(200), seconds(0));
  EXPECT_EQ(join.Joined(seconds(0)), Micros(100));
}

TEST(WatermarkJoin, NeverFallsWhenALatecomerSpeaks) {
  WatermarkJoin join(std::nullopt);
  join.Raise("a", Micros(100), seconds(0));
  EXPECT_EQ(join.Joined(seconds(0)), Micros(100));
  join.Raise("b", Micros(10), seconds(0));
  EXPECT_EQ(join.Joined(seconds(0)), Micros(100));
}

TEST(WatermarkJoin, LeavesOutIdlePartitionsUntilTheySpeakAgain) {
  WatermarkJoin join(seconds(60));
  join.Raise("a", Micros(100), seconds(0));
  join.Raise("b", Micros(40), seconds(0));
  join.Raise("a", Micros(300), seconds(70));
  EXPECT_EQ(join.Joined(seconds(70)), Micros(300));
  join.Raise("b", Micros(350), seconds(71));
  join.Raise("a", Micros(400), seconds(71));
  EXPECT_EQ(join.Joined(seconds(71)), Micros(350));
}

TEST(WatermarkJoin, AFinishedPartitionHoldsNobodyBack) {
  WatermarkJoin join(std::nullopt);
  join.Raise("a", Micros(100), seconds(0));
  join.Raise("b", Micros(40), seconds(0));
  join.Finish("b");
  EXPECT_EQ(join.Joined(seconds(0)), Micros(100));
}

TEST(WatermarkJoin, GoesUpToTheGreatestWhenAllAreIdle) {
  WatermarkJoin join(seconds(60));
  join.Raise("a", Micros(100), seconds(0));
  join.Raise("b", Micros(40), seconds(0));
  EXPECT_EQ(join.Joined(seconds(100)), Micros(100));
}

}  // namespace
}  // namespace sluice
