// The pure part of the crash table.
#include "engine/epoch.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Epoch, StatesFollowOneAnotherAndNothingElse) {
  using enum EpochState;
  int allowed = 0;
  for (int from = 0; from < 6; ++from) {
    for (int to = 0; to < 6; ++to)
      allowed += Follows(static_cast<EpochState>(from), static_cast<EpochState>(to)) ? 1 : 0;
  }
  EXPECT_EQ(allowed, 7);
  EXPECT_TRUE(Follows(kHold, kDecide));
  EXPECT_FALSE(Follows(kMove, kDecide)) << "the decider must be last";
  EXPECT_FALSE(Follows(kDecide, kHold));
}

TEST(Epoch, RecoversFromWhatEachStoreKnows) {
  EXPECT_EQ(Recover(0, 0, 0, true), Start::kFresh);
  EXPECT_EQ(Recover(0, 0, 1, true), Start::kFresh) << "state of an undecided epoch is taken back";
  EXPECT_EQ(Recover(5, 5, 5, true), Start::kContinue);
  EXPECT_EQ(Recover(5, 5, 6, true), Start::kContinue);
  EXPECT_EQ(Recover(6, 5, 6, true), Start::kSettleFirst);
  EXPECT_EQ(Recover(6, 0, 6, true), Start::kSettleFirst)
      << "a lost ledger adopts the decider's record";
  EXPECT_EQ(Recover(4, 5, 5, true), Start::kRefuseRestored);
  EXPECT_EQ(Recover(0, 5, 5, false), Start::kRefuseRestored);
  EXPECT_EQ(Recover(5, 5, 4, true), Start::kRefuseStateLost);
  EXPECT_EQ(Recover(5, 5, 4, false), Start::kContinue);
}

}  // namespace
}  // namespace sluice
