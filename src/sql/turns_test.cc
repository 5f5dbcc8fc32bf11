// Exclusion, waiting, circles of waiting.
#include "sql/turns.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace sluice::sql {
namespace {

using Names = std::set<std::string>;

TEST(Turns, OneAtATimeHoldsAName) {
  Turns turns;
  auto first = turns.Try("a", "orders");
  ASSERT_TRUE(first.ok());
  const auto second = turns.Try("b", "orders");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kTransient);
  EXPECT_TRUE(second.error().contended);
  EXPECT_TRUE(turns.Try("b", "returns").ok());
  { const Turn over = std::move(first).value(); }
  EXPECT_TRUE(turns.Try("b", "orders").ok());
}

TEST(Turns, TheNextOneWaitsAndTakesAllAtOnce) {
  Turns turns;
  std::optional<Turn> held = turns.Try("a", "orders").value();
  std::promise<void> waiting;
  std::future<bool> got = std::async(std::launch::async, [&] {
    waiting.set_value();
    auto turn = turns.Wait("b", Names{"orders", "returns"}, {});
    return turn.ok() && !turns.Try("c", "returns").ok() && !turns.Try("c", "orders").ok();
  });
  waiting.get_future().wait();
  EXPECT_TRUE(turns.Try("c", "returns").ok());  // nobody holds what he cannot use yet
  held.reset();
  EXPECT_TRUE(got.get());
  EXPECT_TRUE(turns.Try("c", "orders").ok());
}

TEST(Turns, WaitingEndsWithTheStop) {
  Turns turns;
  const auto held = turns.Try("a", "orders");
  std::stop_source source;
  std::future<ErrorKind> ended = std::async(std::launch::async, [&] {
    return turns.Wait("b", Names{"orders"}, source.get_token()).error().kind;
  });
  source.request_stop();
  EXPECT_EQ(ended.get(), ErrorKind::kCancelled);
}

TEST(Turns, OneOfTwoThatWaitForEachOtherGivesWay) {
  Turns turns;
  // Whoever comes last sees the circle and gives back what he holds; the other one gets his turn.
  const auto runs = [&](const std::string& owner, const std::string& holds,
                        const std::string& wants, std::promise<void>& here,
                        std::shared_future<void> both) {
    std::optional<Turn> held = turns.Wait(owner, Names{holds}, {}).value();
    here.set_value();
    both.wait();
    Result<Turn> turn = turns.Wait(owner, Names{wants}, {});
    EXPECT_TRUE(turn.ok() || turn.error().contended);
    return turn.ok();
  };
  std::promise<void> a_here, b_here, both_here;
  const std::shared_future<void> both = both_here.get_future().share();
  auto a =
      std::async(std::launch::async, [&] { return runs("a", "orders", "returns", a_here, both); });
  auto b =
      std::async(std::launch::async, [&] { return runs("b", "returns", "orders", b_here, both); });
  a_here.get_future().wait();
  b_here.get_future().wait();
  both_here.set_value();
  const bool a_ran = a.get(), b_ran = b.get();
  EXPECT_NE(a_ran, b_ran);
}

TEST(Turns, NobodyWaitsForHimself) {
  Turns turns;
  const auto held = turns.Wait("a", Names{"orders"}, {});
  const auto again = turns.Wait("a", Names{"orders"}, {});
  ASSERT_FALSE(again.ok());
  EXPECT_TRUE(again.error().contended);
}

}  // namespace
}  // namespace sluice::sql
