// Tests of connector/generator/source.
#include "connector/generator/source.h"

#include <fmt/format.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "connector/source_probe.h"

namespace sluice {
namespace {

using testing::HasSubstr;

ExtractRequest RequestOf(std::optional<int64_t> count, int64_t partitions = 1) {
  ExtractRequest request = FileRequest("");
  request.config.count = count;
  request.config.partitions = partitions;
  request.config.keys = 10;
  request.config.disorder = std::chrono::seconds(5);
  return request;
}
std::unique_ptr<Source> Make(ExtractRequest request) {
  auto made = MakeGeneratorSource(std::move(request));
  EXPECT_TRUE(made.ok());
  return std::move(made).value();
}

TEST(GeneratorSource, RowsFollowFromSeedAndIndexAlone) {
  SourceProbe probe;
  const auto whole = RowsOf(*probe.ReadAll(*Make(RequestOf(3001, 3)), {}));
  EXPECT_EQ(whole.size(), 3001u);
  for (const Limits& limits : {Limits{.rows = 7}, Limits{.rows = 1000}, Limits{.bytes = 4000}}) {
    const auto epochs = probe.ReadAll(*Make(RequestOf(3001, 3)), limits);
    ASSERT_TRUE(epochs.ok());
    EXPECT_EQ(RowsOf(*epochs), whole);
    Position at;
    for (const auto& epoch : *epochs) at = Make(RequestOf(3001, 3))->After(at, epoch.range);
    EXPECT_FALSE(Make(RequestOf(3001, 3))->Freeze(at, limits, {})->has_value());
  }
  ExtractRequest other = RequestOf(3001, 3);
  other.config.seed = 2;
  EXPECT_NE(RowsOf(*probe.ReadAll(*Make(other), {})), whole);
}

TEST(GeneratorSource, ValuesLieWhereTheyShould) {
  SourceProbe probe;
  auto source = Make(RequestOf(100'000, 4));
  const auto range = source->Freeze({}, {}, {});
  auto opened = source->Open(**range, *probe.session, {});
  const int64_t scan = probe.database->scans().Add(opened->scan);
  const auto rows = probe.session->Query(
      fmt::format("SELECT count(*), min(i), max(i), bool_and(partition = i % 4), count(DISTINCT "
                  "key), min(key), max(key), min(value) >= 0, "
                  "max(value) < 1000, avg(value) BETWEEN 490 AND 510, bool_and(epoch_us(TIMESTAMP "
                  "'2026-01-01') + i * 1000000 - epoch_us(ts) "
                  "BETWEEN 0 AND 5000000), count(DISTINCT i) FROM sluice_scan({})",
                  scan));
  probe.database->scans().Remove(scan);
  ASSERT_TRUE(rows.ok()) << Format(rows.error());
  std::vector<std::string> cells;
  for (const auto& cell : rows->rows[0]) cells.push_back(cell.text);
  EXPECT_THAT(cells, testing::ElementsAre("100000", "0", "99999", "true", "10", "0", "9", "true",
                                          "true", "true", "true", "100000"));
}

TEST(GeneratorSource, WithoutACountItNeverEnds) {
  SourceProbe probe;
  auto source = Make(RequestOf(std::nullopt, 2));
  EXPECT_TRUE(source->Describe(*probe.session, {})->endless);
  Position at;
  for (int i = 0; i < 5; ++i) {
    const auto range = source->Freeze(at, Limits{.rows = 3}, {});
    ASSERT_TRUE(range.ok() && *range);
    EXPECT_FALSE((*range)->final);
    EXPECT_EQ(probe.Read(*source, **range)->rows.size(), 3u);
    at = source->After(at, **range);
  }
  EXPECT_EQ(at["generator/0"], "8");
  EXPECT_EQ(at["generator/1"], "7");
}

TEST(GeneratorSource, RefusesWhatCannotBe) {
  ExtractRequest request = RequestOf(-1);
  EXPECT_THAT(MakeGeneratorSource(request).error().message, HasSubstr("`count`"));
  request = RequestOf(1, 0);
  EXPECT_THAT(MakeGeneratorSource(request).error().message, HasSubstr("`partitions`"));
  request = RequestOf(1);
  request.config.start.text = "yesterday";
  EXPECT_FALSE(MakeGeneratorSource(request).ok());
}

}  // namespace
}  // namespace sluice
