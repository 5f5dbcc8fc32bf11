// Every row of a query is poured once, whatever the optimiser does and however many threads run it.
#include "sql/pour.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "sql/database.h"

namespace sluice::sql {
namespace {

class Counting final : public Vessel {
 public:
  Status Take(std::span<const VectorView> columns, uint64_t rows) override {
    for (uint64_t row = 0; row < rows; ++row) {
      ++rows_;
      if (columns[0].Null(row)) {
        ++nulls_;
      } else {
        sum_ += static_cast<uint64_t>(columns[0].At<int64_t>(row));
      }
      if (columns.size() > 1) bytes_ += columns[1].Text(row).size();
      if (columns.size() > 2) {
        const auto& entry = columns[2].At<ListEntry>(row);
        for (uint64_t i = 0; i < entry.length; ++i)
          listed_ += static_cast<uint64_t>(columns[2].child[0].At<int32_t>(entry.offset + i));
      }
    }
    if (refuse) return DataError("the vessel is full");
    return Ok();
  }

  std::atomic<uint64_t> rows_{0}, nulls_{0}, sum_{0}, bytes_{0}, listed_{0};
  bool refuse = false;
};

class PourTest : public ::testing::Test {
 protected:
  PourTest() : database_(Database::Open({.threads = 4}).value()) {
    session_ = database_->Connect().value();
    number_ = database_->vessels().Add(vessel_);
  }
  ~PourTest() override { database_->vessels().Remove(number_); }

  std::string Count(const std::string& arguments, const std::string& from) {
    auto rows = session_->Query(
        fmt::format("SELECT count(sluice_pour({}, {})) FROM {}", number_, arguments, from));
    return rows.ok() ? rows->rows[0][0].text : Format(rows.error());
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
  std::shared_ptr<Counting> vessel_ = std::make_shared<Counting>();
  int64_t number_ = 0;
};

TEST_F(PourTest, GivesEachRowOnce) {
  EXPECT_EQ(Count("CASE WHEN i % 10 <> 3 THEN i END, 'text of ' || i, [i::INTEGER, 1]",
                  "range(500000) t(i)"),
            "500000");
  EXPECT_EQ(vessel_->rows_, 500000u);
  EXPECT_EQ(vessel_->nulls_, 50000u);
  EXPECT_EQ(vessel_->sum_, 124999750000u - 12499900000u);
  EXPECT_EQ(vessel_->bytes_, 8u * 500000u + 2888890u);
  EXPECT_EQ(vessel_->listed_, 124999750000u + 500000u);
}

TEST_F(PourTest, ConstantsAreRowsToo) {
  EXPECT_EQ(Count("CAST(7 AS BIGINT), 'x'", "range(10000)"), "10000");
  EXPECT_EQ(vessel_->sum_, 70000u);
  EXPECT_EQ(vessel_->bytes_, 10000u);
  EXPECT_EQ(Count("CAST(NULL AS BIGINT)", "range(3)"), "3");
  EXPECT_EQ(vessel_->nulls_, 3u);
}

TEST_F(PourTest, NoRowsAreNoRows) {
  EXPECT_EQ(Count("i", "range(10) t(i) WHERE i > 100"), "0");
  EXPECT_EQ(vessel_->rows_, 0u);
}

TEST_F(PourTest, AnErrorEndsTheQuery) {
  vessel_->refuse = true;
  EXPECT_NE(Count("i", "range(100000) t(i)").find("the vessel is full"), std::string::npos);
  EXPECT_LT(vessel_->rows_, 100000u);
}

}  // namespace
}  // namespace sluice::sql
