// The books by mutation: a row is dropped, repeated or misrouted behind the driver's back, at each
// kind of place, and the run must fail with nothing loaded. The faults wrap the real connectors;
// the product has no switch for any of them.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "harness/fakes.h"
#include "harness/scene.h"

namespace sluice::harness {
namespace {

// What a fault does to the first row that comes past.
enum class Fault { kNone, kDrop, kRepeat };

// A decoder that fills one row too few, or the last one twice. What it says it has read stays true.
class FaultyDecoder : public Decoder {
 public:
  FaultyDecoder(std::unique_ptr<Decoder> real, Fault fault, std::shared_ptr<std::atomic<bool>> done)
      : real_(std::move(real)), fault_(fault), done_(std::move(done)) {}
  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject& reject) override {
    uint64_t rows = TRY(real_->Fill(block, at, slots, offsets, read, reject));
    if (rows == 0 || done_->exchange(true)) return rows;
    if (fault_ == Fault::kDrop) return rows - 1;
    if (fault_ == Fault::kRepeat && rows < slots.capacity) {
      for (ColumnSlot& column : slots.columns) Repeat(column, rows);
      if (!offsets.empty()) offsets[rows] = offsets[rows - 1];
      return rows + 1;
    }
    return rows;
  }

 private:
  // Only 8-byte columns: the tests read no others.
  static void Repeat(ColumnSlot& column, uint64_t row) {
    auto* bytes = static_cast<char*>(column.values);
    std::memcpy(bytes + row * 8, bytes + (row - 1) * 8, 8);
  }

  std::unique_ptr<Decoder> real_;
  Fault fault_;
  std::shared_ptr<std::atomic<bool>> done_;
};

class FaultySource : public Source {
 public:
  using Change = std::function<void(Opened&)>;
  FaultySource(std::unique_ptr<Source> real, Change change)
      : real_(std::move(real)), change_(std::move(change)) {}
  Result<SourceShape> Describe(sql::Session& session, std::stop_token stop) override {
    return real_->Describe(session, std::move(stop));
  }
  Result<std::optional<Range>> Freeze(const Position& from, const Limits& limits,
                                      std::stop_token stop) override {
    return real_->Freeze(from, limits, std::move(stop));
  }
  Position After(const Position& from, const Range& range) const override {
    return real_->After(from, range);
  }
  Result<Opened> Open(const Range& range, sql::Session& session, std::stop_token stop) override {
    Opened opened = TRY(real_->Open(range, session, std::move(stop)));
    change_(opened);
    return opened;
  }
  Status Verify(const Range& range) override { return real_->Verify(range); }
  Status Locate(std::vector<Letter>& letters) override { return real_->Locate(letters); }
  Status Release(const Range& range) override { return real_->Release(range); }

 private:
  std::unique_ptr<Source> real_;
  Change change_;
};

Connectors WithSource(Connectors connectors, const FaultySource::Change& change) {
  for (Connector& connector : connectors) {
    if (!connector.source) continue;
    auto real = connector.source;
    connector.source = [real, change](
                           const Node* connection, ExtractRequest request,
                           const ConnectorContext& context) -> Result<std::unique_ptr<Source>> {
      auto source = TRY(real(connection, std::move(request), context));
      return std::unique_ptr<Source>(std::make_unique<FaultySource>(std::move(source), change));
    };
  }
  return connectors;
}

constexpr char kRows[] = R"(
steps:
  rows: { extract: { from: file, path: input/rows.ndjson, columns: { id: bigint, v: bigint } } }
  out:  { load: { into: warehouse, table: t } }
)";
constexpr char kSteps[] = R"(
steps:
  rows: { extract: { from: file, path: input/rows.ndjson, columns: { id: bigint, v: bigint } } }
  big:  { filter: v > 1 }
  m:    { map: { id: id, w: v * 2 } }
  out:  { load: { into: warehouse, table: t } }
)";
constexpr char kOverwrite[] = R"(
steps:
  rows: { extract: { from: file, path: input/rows.ndjson, columns: { id: bigint, v: bigint } } }
  out:  { load: { into: warehouse, table: t, mode: overwrite } }
)";
constexpr char kInline[] = R"(
steps:
  rows: { extract: { from: inline, rows: [ { id: 1, v: 1 }, { id: 2, v: 2 }, { id: 3, v: 3 } ], columns: { id: bigint, v: bigint } } }
  out:  { load: { into: warehouse, table: t } }
)";
constexpr char kGenerator[] = R"(
steps:
  rows: { extract: { from: generator, count: 9, select: [i, key] } }
  out:  { load: { into: warehouse, table: t } }
)";
constexpr char kSummed[] = R"(
steps:
  rows: { extract: { from: file, path: input/rows.ndjson, columns: { id: bigint, v: bigint } } }
  s:    { aggregate: { select: { total: sum(v) } } }
  out:  { load: { into: warehouse, table: t, mode: overwrite } }
)";
constexpr char kTwoTables[] = R"(
steps:
  rows:  { extract: { from: file, path: input/rows.ndjson, columns: { id: bigint, v: bigint } } }
  first: { load: { into: warehouse, table: t } }
  big:   { filter: v > 1, from: rows }
  out:   { load: { into: warehouse, table: u } }
)";

class Mutation : public testing::Test {
 protected:
  Mutation() : verbs_(BuiltinVerbs()) {
    std::string name = testing::TempDir() + "sluice-mutation-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~Mutation() override { std::filesystem::remove_all(folder_); }

  RunReport Run(const Connectors& connectors, const std::string& pipeline, uint64_t rows = 0) {
    Scene scene(folder_, connectors, verbs_);
    EXPECT_TRUE(scene
                    .Write("sluice.yml",
                           "project: books\nconnections:\n"
                           "  warehouse: { type: duckdb, path: warehouse.duckdb }\n")
                    .ok());
    EXPECT_TRUE(scene.Write("pipelines/test.yml", pipeline).ok());
    std::string text;
    for (char i = '1'; i <= '5'; ++i) text += std::string("{\"id\":") + i + ",\"v\":" + i + "}\n";
    EXPECT_TRUE(scene.Write("input/rows.ndjson", text).ok());
    RunSpec spec;
    if (rows > 0) spec.limits = Limits{.rows = rows};
    return scene.Run(spec);
  }
  // The run fails by its books, and the table has no row.
  void ExpectCaught(const Connectors& connectors, const std::string& pipeline, uint64_t rows = 0) {
    RunReport report = Run(connectors, pipeline, rows);
    EXPECT_EQ(report.exit, 1) << pipeline << report.json;
    EXPECT_NE(report.error.find("the books do not balance"), std::string::npos) << report.error;
    Scene scene(folder_, connectors, verbs_);
    Result<sql::Rows> left = scene.Query("SELECT count(*) FROM t");
    if (left.ok()) {
      EXPECT_EQ(left->rows.at(0).at(0).text, "0") << "rows of an epoch that failed are there";
    }
    std::filesystem::remove_all(folder_ + "/.sluice");
    std::filesystem::remove(folder_ + "/warehouse.duckdb");
  }

  static Connectors WithDecoder(Fault fault) {
    return WithSource(BuiltinConnectors(), [fault](Opened& opened) {
      if (!opened.scan) return;
      auto real = opened.scan->decoder;
      auto done = std::make_shared<std::atomic<bool>>(false);
      opened.scan->decoder = [real, fault, done](std::vector<uint64_t> projected) {
        return std::unique_ptr<Decoder>(
            std::make_unique<FaultyDecoder>(real(std::move(projected)), fault, done));
      };
    });
  }

  Verbs verbs_;
  std::string folder_;
};

TEST_F(Mutation, NothingIsWrongWithoutAFault) {
  for (const char* pipeline :
       {kRows, kSteps, kOverwrite, kInline, kGenerator, kSummed, kTwoTables}) {
    RunReport report = Run(WithLandingFault(WithDecoder(Fault::kNone), "", {}), pipeline);
    EXPECT_EQ(report.exit, 0) << pipeline << report.error;
    std::filesystem::remove_all(folder_ + "/.sluice");
    std::filesystem::remove(folder_ + "/warehouse.duckdb");
  }
}

TEST_F(Mutation, ADecoderThatLosesARowIsCaught) {
  for (const char* pipeline :
       {kRows, kSteps, kOverwrite, kInline, kGenerator, kSummed, kTwoTables}) {
    ExpectCaught(WithDecoder(Fault::kDrop), pipeline);
  }
}

TEST_F(Mutation, ADecoderThatRepeatsARowIsCaught) {
  for (const char* pipeline :
       {kRows, kSteps, kOverwrite, kInline, kGenerator, kSummed, kTwoTables}) {
    ExpectCaught(WithDecoder(Fault::kRepeat), pipeline);
  }
}

TEST_F(Mutation, ALandingThatLosesARowIsCaught) {
  LandingFault fault{
      .select = [](const std::string& select) { return "SELECT * FROM (" + select + ") LIMIT 1"; }};
  for (const char* pipeline : {kRows, kSteps, kOverwrite, kInline, kGenerator, kTwoTables}) {
    ExpectCaught(WithLandingFault(BuiltinConnectors(), "", fault), pipeline);
  }
}

TEST_F(Mutation, ALandingThatRepeatsARowIsCaught) {
  LandingFault fault{.select = [](const std::string& select) {
    return "WITH _rows AS MATERIALIZED (" + select +
           ") SELECT * FROM _rows UNION ALL (SELECT * FROM _rows LIMIT 1)";
  }};
  for (const char* pipeline : {kRows, kSteps, kOverwrite, kInline, kGenerator, kTwoTables}) {
    ExpectCaught(WithLandingFault(BuiltinConnectors(), "", fault), pipeline);
  }
}

TEST_F(Mutation, ALandingThatMiscountsIsCaught) {
  for (int64_t lie : {-1, 1}) {
    for (const char* pipeline : {kRows, kSteps, kOverwrite, kTwoTables}) {
      ExpectCaught(WithLandingFault(BuiltinConnectors(), "", {.lie = lie}), pipeline);
    }
  }
}

TEST_F(Mutation, APublicationThatLosesOrRepeatsStagedRowsIsCaught) {
  for (int64_t lie : {-1, 1}) {
    ExpectCaught(WithLandingFault(BuiltinConnectors(), "", {.publish_lie = lie}), kOverwrite, 2);
  }
}

TEST_F(Mutation, SmallEpochsAreWatchedAlike) {
  ExpectCaught(WithDecoder(Fault::kDrop), kRows, 3);
  ExpectCaught(WithDecoder(Fault::kRepeat), kOverwrite, 2);
}

}  // namespace
}  // namespace sluice::harness
