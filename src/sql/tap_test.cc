// Counts that no optimiser rule moves: the same query under each rule switched off in turn, and on
// several threads.
#include "sql/tap.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sql/database.h"

namespace sluice::sql {
namespace {

constexpr std::string_view kBarrier = "LIMIT 4611686018427387904";

class TapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Database::Open({.memory_bytes = 0, .threads = 2, .temp_folder = ""});
    ASSERT_TRUE(opened.ok()) << Format(opened.error());
    database_ = std::move(opened).value();
    session_ = std::move(database_->Connect()).value();
  }
  std::unique_ptr<Tap> NewTap(uint64_t limit = 1'000'000) { return database_->taps().Add(limit); }
  void Run(const std::string& text) {
    auto done = session_->Execute(text);
    ASSERT_TRUE(done.ok()) << Format(done.error()) << "\n" << text;
  }
  std::string One(const std::string& text) {
    auto rows = session_->Query(text);
    EXPECT_TRUE(rows.ok()) << Format(rows.error()) << "\n" << text;
    return rows.ok() && rows->rows.size() == 1 ? rows->rows[0][0].text : "(no value)";
  }
  std::vector<std::string> Optimizers() {
    std::vector<std::string> names;
    auto rows = session_->Query("SELECT name FROM duckdb_optimizers()");
    EXPECT_TRUE(rows.ok());
    for (const auto& row : rows->rows) names.push_back(row[0].text);
    return names;
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
};

TEST_F(TapTest, CountsFates) {
  auto tap = NewTap();
  EXPECT_EQ(One(fmt::format(
                "SELECT count(*) FROM range(1000000) t(i) WHERE sluice_keep({}, (i % 64)::INTEGER)",
                tap->number())),
            "15625");
  for (int fate = 0; fate < kMaxFates; ++fate) EXPECT_EQ(tap->Count(fate), 15625U) << fate;
  EXPECT_EQ(tap->Count(64), 0U);
  EXPECT_EQ(tap->Total(), 1'000'000U);
}

TEST_F(TapTest, ConstantFatesCountEachRow) {
  for (const char* from : {"range(100000) t(i)", "(SELECT 1 AS i FROM range(100000))"}) {
    for (const int fate : {0, 3}) {
      auto tap = NewTap();
      EXPECT_EQ(One(fmt::format("SELECT count(*) FROM {} WHERE sluice_keep({}, {})", from,
                                tap->number(), fate)),
                fate == 0 ? "100000" : "0");
      EXPECT_EQ(tap->Count(fate), 100000U);
    }
  }
}

TEST_F(TapTest, FatesOutOfRangeAndUnknownTapsFail) {
  auto tap = NewTap();
  for (const char* fate : {"64", "-1", "NULL::INTEGER", "CASE WHEN i > 5 THEN 64 ELSE 0 END"}) {
    auto done = session_->Execute(fmt::format(
        "SELECT count(*) FROM range(10) t(i) WHERE sluice_keep({}, {})", tap->number(), fate));
    ASSERT_FALSE(done.ok()) << fate;
    EXPECT_EQ(done.error().kind, ErrorKind::kInternal);
  }
  const int64_t number = tap->number();
  tap.reset();
  EXPECT_FALSE(session_
                   ->Execute(fmt::format(
                       "SELECT count(*) FROM range(10) t(i) WHERE sluice_keep({}, 0)", number))
                   .ok());
}

struct Counts {
  std::string rows;
  std::vector<uint64_t> seen;
  bool operator==(const Counts&) const = default;
};

// Two runs of steps with a join, a filter above it and an aggregate: what the renderer makes of a
// usual pipeline.
TEST_F(TapTest, SameCountsWhateverTheOptimizerDoes) {
  constexpr int64_t kRows = 300'000;
  Run(fmt::format(
      "CREATE TABLE stage.orders AS SELECT i AS id, (i * 7919) % 1000 AS customer, i % 100 AS "
      "price, "
      "CASE WHEN i % 10 = 0 THEN 'x' ELSE (i % 50)::VARCHAR END AS text FROM range({}) t(i)",
      kRows));
  Run("CREATE TABLE stage.customers AS SELECT i AS id, i % 4 AS region FROM range(0, 1000, 2) "
      "t(i)");
  const auto measure = [&] {
    auto first = NewTap();
    auto second = NewTap();
    const std::string text = fmt::format(
        "SELECT count(*) || ' ' || sum(n) FROM (SELECT region, count(*) AS n, sum(amount) FROM ("
        "  SELECT * FROM (SELECT o.*, c.region FROM ("
        "    SELECT id, customer, price, TRY_CAST(text AS INTEGER) AS amount FROM stage.orders "
        "    WHERE sluice_keep({0}, CASE WHEN price >= 10 THEN CASE WHEN TRY_CAST(text AS INTEGER) "
        "IS NULL THEN 2 ELSE 0 END ELSE 1 END) {2}"
        "  ) o JOIN stage.customers c ON o.customer = c.id {2}) "
        "  WHERE sluice_keep({1}, CASE WHEN region = 2 THEN 1 WHEN amount > 30 THEN 2 ELSE 0 END) "
        "{2}"
        ") GROUP BY region HAVING region < 9)",
        first->number(), second->number(), kBarrier);
    Counts counts{One(text), {}};
    for (int fate = 0; fate < 3; ++fate) counts.seen.push_back(first->Count(fate));
    for (int fate = 0; fate < 3; ++fate) counts.seen.push_back(second->Count(fate));
    return counts;
  };
  const auto count = [&](const std::string& where) {
    return std::stoull(
        One("SELECT count(*) FROM (SELECT o.*, region, TRY_CAST(text AS INTEGER) AS amount FROM "
            "stage.orders o LEFT JOIN stage.customers c ON customer = c.id) WHERE " +
            where));
  };
  const std::string alive = "price >= 10 AND amount IS NOT NULL AND region IS NOT NULL";
  const Counts oracle{
      "1 " + std::to_string(count(alive + " AND region <> 2 AND amount <= 30")),
      {count("price >= 10 AND amount IS NOT NULL"), count("price < 10"),
       count("price >= 10 AND amount IS NULL"), count(alive + " AND region <> 2 AND amount <= 30"),
       count(alive + " AND region = 2"), count(alive + " AND region <> 2 AND amount > 30")}};
  ASSERT_GT(oracle.seen[5], 0U);
  for (const std::string& off : Optimizers()) {
    Run("SET disabled_optimizers = 'join_filter_pushdown," + off + "'");
    const Counts got = measure();
    EXPECT_EQ(got.rows, oracle.rows) << off;
    EXPECT_EQ(got.seen, oracle.seen) << off;
  }
  Run("SET disabled_optimizers = 'join_filter_pushdown'");
  Run("SET threads = 1");
  EXPECT_EQ(measure(), oracle);
}

TEST_F(TapTest, CountsFiveMillionRowsOnTwoThreads) {
  auto tap = NewTap();
  EXPECT_EQ(One(fmt::format("SELECT count(*) FROM (SELECT i FROM range(5000000) t(i) WHERE "
                            "sluice_keep({}, (i % 3)::INTEGER) {}) JOIN "
                            "(SELECT j * 1000 AS j FROM range(5000) u(j)) ON i = j",
                            tap->number(), kBarrier)),
            "1667");
  EXPECT_EQ(tap->Count(0), 1'666'667U);
  EXPECT_EQ(tap->Count(1), 1'666'667U);
  EXPECT_EQ(tap->Count(2), 1'666'666U);
}

TEST_F(TapTest, DivertsExactlyTheBadRows) {
  auto tap = NewTap(1'000'000'000);
  const std::string text = fmt::format(
      "SELECT count(*) FROM (SELECT i, 'part' || i % 3 AS p FROM range(300000) t(i)) WHERE "
      "sluice_divert({}, "
      "CASE WHEN i % 1000 = 7 THEN 2 WHEN i % 2 = 0 THEN 1 ELSE 0 END, p, CASE WHEN i = 7 THEN "
      "NULL ELSE i END, "
      "CASE WHEN i % 1000 = 7 THEN 'bad ' || i END, CASE WHEN i % 1000 = 7 THEN to_json({{'i': "
      "i}})::VARCHAR END)",
      tap->number());
  EXPECT_EQ(One(text), "149700");
  EXPECT_EQ(tap->Count(0), 149'700U);
  EXPECT_EQ(tap->Count(1), 150'000U);
  EXPECT_EQ(tap->Count(2), 300U);
  auto rows = tap->TakeDiverted();
  std::sort(rows.begin(), rows.end(),
            [](const Diverted& a, const Diverted& b) { return a.offset < b.offset; });
  ASSERT_EQ(rows.size(), 300U);
  for (size_t n = 0; n < rows.size(); ++n) {
    const size_t i = n * 1000 + 7;
    EXPECT_EQ(rows[n].fate, 2);
    EXPECT_EQ(rows[n].partition, fmt::format("part{}", i % 3));
    EXPECT_EQ(rows[n].offset, n == 0 ? -1 : static_cast<int64_t>(i));
    EXPECT_EQ(rows[n].message, fmt::format("bad {}", i));
    EXPECT_EQ(rows[n].row, fmt::format("{{\"i\":{}}}", i));
  }
  EXPECT_TRUE(tap->TakeDiverted().empty());
}

TEST_F(TapTest, TooManyDivertedRowsFailTheQuery) {
  auto tap = NewTap(100'000);
  const auto text = [&](int every) {
    return fmt::format(
        "SELECT count(*) FROM range(200000) t(i) WHERE sluice_divert({}, 1, NULL, i, NULL, CASE "
        "WHEN i % {} = 0 THEN 'row' END)",
        tap->number(), every);
  };
  auto few = session_->Execute(text(1000));
  EXPECT_TRUE(few.ok());
  auto done = session_->Execute(text(10));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::kRejected);
  EXPECT_THAT(done.error().message,
              ::testing::HasSubstr("more than 100 KB of rejected rows in one epoch"))
      << done.error().message;
}

TEST_F(TapTest, OneTapPerQueryOfManySessions) {
  auto first = NewTap();
  auto second = NewTap();
  auto other = std::move(database_->Connect()).value();
  ASSERT_TRUE(other
                  ->Execute(fmt::format("SELECT 1 FROM range(10) t(i) WHERE sluice_keep({}, 0)",
                                        second->number()))
                  .ok());
  EXPECT_EQ(first->Total(), 0U);
  EXPECT_EQ(second->Total(), 10U);
}

}  // namespace
}  // namespace sluice::sql
