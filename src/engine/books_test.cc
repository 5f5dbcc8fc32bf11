// Books balance, and say which step does not.
#include "engine/books.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using relation::Fate;
using relation::FateKind;

TapCount Tap(std::string in, std::string out, std::vector<Fate> fates, std::vector<uint64_t> counts,
             uint64_t total) {
  return {.plan = {.fates = std::move(fates), .step_in = std::move(in), .step_out = std::move(out)},
          .fates = std::move(counts),
          .total = total};
}
Fate Of(FateKind kind, std::string step) {
  return {.kind = kind, .step = std::move(step), .code = "", .applies = {}, .message = {}};
}

BookKeeper Chain() {
  return BookKeeper({{"orders", {}}, {"big", {"orders"}}, {"clean", {"big"}}, {"out", {"clean"}}});
}

TEST(Books, CountEachStepOfAChain) {
  BookKeeper books = Chain();
  books.Source("orders", 11, 1);
  books.Tap(Tap("orders", "clean",
                {Of(FateKind::kFiltered, "big"), Of(FateKind::kRejected, "clean")}, {3, 2}, 10));
  books.Landed("out", 5);
  Result<Books> closed = books.Close();
  ASSERT_TRUE(closed.ok()) << Format(closed.error());
  EXPECT_EQ(closed->at("orders").in, 11u);
  EXPECT_EQ(closed->at("orders").rejected, 1u);
  EXPECT_EQ(closed->at("big").filtered, 3u);
  EXPECT_EQ(closed->at("clean").in, 7u);
  EXPECT_EQ(closed->at("clean").rejected, 2u);
  EXPECT_EQ(closed->at("out").out, 5u);
}

TEST(Books, RefuseALoadThatTookFewer) {
  BookKeeper books = Chain();
  books.Source("orders", 10, 0);
  books.Tap(Tap("orders", "clean", {Of(FateKind::kFiltered, "big")}, {3}, 10));
  books.Landed("out", 6);
  EXPECT_FALSE(books.Close().ok());
}

TEST(Books, RefuseASourceThatHeldMore) {
  BookKeeper books = Chain();
  books.Source("orders", 12, 1);
  books.Tap(Tap("orders", "clean", {Of(FateKind::kFiltered, "big")}, {3}, 10));
  books.Landed("out", 7);
  EXPECT_FALSE(books.Close().ok());
}

BookKeeper Unfolding() {
  return BookKeeper({{"orders", {}},
                     {.name = "f", .from = {"orders"}, .unfolds = true},
                     {.name = "out", .from = {"f"}}});
}

TEST(Books, LetAFunctionMakeSeveralRowsOfOne) {
  BookKeeper books = Unfolding();
  books.Source("orders", 10, 0);
  books.Tap(
      Tap("orders", "f", {Of(FateKind::kRejected, "f"), Of(FateKind::kFiltered, "f")}, {1, 2}, 10));
  books.Answered("f", 10, 20);
  books.Landed("out", 20);
  Result<Books> closed = books.Close();
  ASSERT_TRUE(closed.ok()) << Format(closed.error());
  EXPECT_EQ(closed->at("f"), (Counts{.in = 10, .out = 20, .filtered = 2, .rejected = 1}));
}

TEST(Books, RefuseAFunctionThatWasAskedLess) {
  BookKeeper books = Unfolding();
  books.Source("orders", 10, 0);
  books.Tap(Tap("orders", "f", {Of(FateKind::kFiltered, "f")}, {2}, 10));
  books.Answered("f", 9, 8);
  books.Landed("out", 8);
  EXPECT_FALSE(books.Close().ok());
}

TEST(Books, RefuseALoadThatTookFewerThanAFunctionAnswered) {
  BookKeeper books = Unfolding();
  books.Source("orders", 10, 0);
  books.Tap(Tap("orders", "f", {Of(FateKind::kFiltered, "f")}, {2}, 10));
  books.Answered("f", 10, 20);
  books.Landed("out", 19);
  EXPECT_FALSE(books.Close().ok());
}

TEST(Books, RestartAtAnAggregate) {
  BookKeeper books({{"orders", {}}, {"sums", {"orders"}, true}, {"out", {"sums"}}});
  books.Source("orders", 10, 0);
  books.Landed("out", 4);
  Result<Books> closed = books.Close();
  ASSERT_TRUE(closed.ok()) << Format(closed.error());
  EXPECT_EQ(closed->at("sums").in, 10u);
  EXPECT_EQ(closed->at("sums").out, 4u);
}

TEST(Books, AKeyedStepHoldsRowsBetweenEpochs) {
  BookKeeper books({{"events", {}}, {"once", {"events"}}, {"out", {"once"}}});
  books.Source("events", 10, 0);
  books.Tap(Tap("events", "once", {Of(FateKind::kLate, "once")}, {2}, 10));
  books.Keyed("once", 4, 1, 3);
  books.Landed("out", 4);
  Result<Books> closed = books.Close();
  ASSERT_TRUE(closed.ok()) << Format(closed.error());
  EXPECT_EQ(closed->at("once").late, 2u);
  EXPECT_EQ(closed->at("once").held, 3);
  BookKeeper wrong({{"events", {}}, {"once", {"events"}}, {"out", {"once"}}});
  wrong.Source("events", 10, 0);
  wrong.Tap(Tap("events", "once", {Of(FateKind::kLate, "once")}, {2}, 10));
  wrong.Keyed("once", 4, 1, 2);
  wrong.Landed("out", 4);
  EXPECT_FALSE(wrong.Close().ok());
}

}  // namespace
}  // namespace sluice
