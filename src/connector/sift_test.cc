// Which units are left out, in which order the others are taken, and what it costs.
#include "connector/sift.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sluice {
namespace {

// A destination that refuses a piece with a bad unit in it.
class Refusing {
 public:
  explicit Refusing(std::set<uint64_t> bad) : bad_(std::move(bad)) {}

  Result<Landed> SiftOf(uint64_t count, uint64_t piece = 0,
                        OnRefusal refusal = OnRefusal::kReject) {
    return Sift({.count = count,
                 .piece = piece,
                 .refusal = refusal,
                 .take = [this](uint64_t from, uint64_t to) { return Take(from, to); },
                 .letters = [](uint64_t unit, const Error& why) -> Result<std::vector<Letter>> {
                   return std::vector<Letter>{
                       {.message = why.message, .original = std::to_string(unit)}};
                 }});
  }
  std::vector<uint64_t> taken() const { return taken_; }
  uint64_t tries() const { return tries_; }
  uint64_t sent() const { return sent_; }
  void FailWith(Error error) { other_ = std::move(error); }

 private:
  Result<Landed> Take(uint64_t from, uint64_t to) {
    ++tries_;
    sent_ += to - from;
    const auto first = bad_.lower_bound(from);
    if (first != bad_.end() && *first < to) {
      if (other_) return *other_;
      return DataError(fmt::format("unit {} is bad", *first));
    }
    for (uint64_t unit = from; unit < to; ++unit) taken_.push_back(unit);
    Landed landed;
    landed.rows = landed.inserted = to - from;
    return landed;
  }

  const std::set<uint64_t> bad_;
  std::optional<Error> other_;
  std::vector<uint64_t> taken_;
  uint64_t tries_ = 0, sent_ = 0;
};

TEST(SiftTest, NothingIsRefused) {
  Refusing all({});
  auto landed = all.SiftOf(1'000);
  ASSERT_TRUE(landed.ok());
  EXPECT_EQ(landed->rows, 1'000u);
  EXPECT_EQ(all.tries(), 1u);
}

TEST(SiftTest, OnlyTheBadOnesAreLeftOutAndTheOthersKeepTheirOrder) {
  Refusing some({0, 17, 18, 999});
  auto landed = some.SiftOf(1'000);
  ASSERT_TRUE(landed.ok());
  EXPECT_EQ(landed->rows, 996u);
  ASSERT_EQ(landed->refused.size(), 4u);
  EXPECT_EQ(landed->refused[1].original, "17");
  EXPECT_EQ(landed->refused[1].message, "unit 17 is bad");
  const std::vector<uint64_t> taken = some.taken();
  EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
}

TEST(SiftTest, TheCostGoesWithWhatIsRefused) {
  Refusing one({123'456});
  ASSERT_TRUE(one.SiftOf(1'000'000).ok());
  EXPECT_LE(one.tries(), 2u * 20 + 1);
  EXPECT_LE(one.sent(), 3u * 1'000'000 + 10);
}

TEST(SiftTest, PiecesAreNeverGreater) {
  Refusing some({5});
  auto landed = some.SiftOf(25, 10);
  ASSERT_TRUE(landed.ok());
  EXPECT_EQ(landed->rows, 24u);
  Refusing none({});
  ASSERT_TRUE(none.SiftOf(25, 10).ok());
  EXPECT_EQ(none.tries(), 3u);
  EXPECT_TRUE(none.SiftOf(0, 10).ok());
}

TEST(SiftTest, WhatIsNoRowsFaultEndsIt) {
  Refusing some({5});
  some.FailWith(RejectedError("disk full"));
  EXPECT_EQ(some.SiftOf(10).error().message, "disk full");
  EXPECT_EQ(some.tries(), 1u);
  Refusing strict({5});
  EXPECT_EQ(strict.SiftOf(10, 0, OnRefusal::kFail).error().message, "unit 5 is bad");
}

TEST(SiftTest, TooManyAreNoBadRowsAnyMore) {
  std::set<uint64_t> all;
  for (uint64_t unit = 0; unit < 2 * kMostRefused; ++unit) all.insert(unit);
  Refusing every(all);
  auto landed = every.SiftOf(2 * kMostRefused);
  ASSERT_FALSE(landed.ok());
  EXPECT_EQ(landed.error().kind, ErrorKind::kRejected);
  EXPECT_NE(landed.error().message.find("more than 10000 rows were refused"), std::string::npos);
}

}  // namespace
}  // namespace sluice
