// Tests of connector/duckdb/source.
#include "connector/duckdb/source.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "connector/source_probe.h"

namespace sluice::duckdb {
namespace {

class DuckdbSourceTest : public testing::Test {
 protected:
  DuckdbSourceTest() {
    DatabaseFile file = File();
    auto session = file.Open();
    EXPECT_TRUE(session.ok());
    alias_ = file.alias();
    Sql("CREATE SCHEMA shop; CREATE TABLE shop.orders (id INTEGER, made TIMESTAMP, _sluice_epoch "
        "BIGINT); "
        "INSERT INTO shop.orders SELECT i, TIMESTAMP '2026-01-01' + to_hours(i * 12), 1 FROM "
        "range(6) r(i); "
        "CREATE TABLE names (id INTEGER, name VARCHAR); INSERT INTO names VALUES (1, 'one'), (2, "
        "'two')");
  }
  DatabaseFile File() {
    return DatabaseFile("w.duckdb", probe_.Path("w.duckdb"), *probe_.files, *probe_.database);
  }
  void Sql(const std::string& text) {
    auto session = probe_.database->Connect();
    auto done = (*session)->Execute("USE " + QuoteIdentifier(alias_) + ".main; " + text);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  static ExtractRequest Table(const std::string& name) {
    ExtractRequest request{.step = "orders"};
    request.config.table.text = name;
    return request;
  }
  static ExtractRequest Cursor(const std::string& column) {
    ExtractRequest request = Table("shop.orders");
    request.config.incremental.emplace();
    request.config.incremental->cursor.text = column;
    return request;
  }
  std::unique_ptr<Source> Make(ExtractRequest request) {
    auto source = MakeDuckdbSource(File(), std::move(request));
    EXPECT_TRUE(source.ok()) << source.error().message;
    return std::move(source).value();
  }
  // "0 1;2" : the ids of each epoch.
  std::string Ids(Source& source, const Limits& limits = {}, Position from = {}) {
    position_ = from;
    std::string text;
    auto epochs = probe_.ReadAll(source, limits, from);
    if (!epochs.ok()) return epochs.error().message;
    for (const auto& epoch : *epochs) {
      if (&epoch != &epochs->front()) text += ";";
      for (const auto& row : epoch.rows)
        text += (text.empty() || text.back() == ';' ? "" : " ") + row.at(0);
      position_ = source.After(position_, epoch.range);
    }
    return text;
  }

  SourceProbe probe_;
  std::string alias_;
  Position position_;
};

TEST_F(DuckdbSourceTest, AWholeTableIsOneRangeWithoutIdentity) {
  auto source = Make(Table("shop.orders"));
  const auto shape = source->Describe(*probe_.session, {});
  ASSERT_TRUE(shape.ok()) << shape.error().message;
  EXPECT_EQ(Format(shape->schema), "(id INTEGER, made TIMESTAMP)");
  const auto range = source->Freeze({}, {}, {});
  EXPECT_TRUE((*range)->final);
  EXPECT_EQ((*range)->cuts.at(0).identity, "");
  const auto opened = source->Open(**range, *probe_.session, {});
  EXPECT_EQ(opened->rows_known, 6u);
  EXPECT_EQ(Ids(*source), "0 1 2 3 4 5");
}

TEST_F(DuckdbSourceTest, AnIntervalIsHalfOpenAndKnownByItsBounds) {
  ExtractRequest request = Table("shop.orders");
  request.config.interval.text = "made";
  const Micros day = std::chrono::hours(24),
               start = std::chrono::seconds(1767225600);  // 2026-01-01
  request.interval = std::pair(start + day, start + 2 * day);
  auto source = Make(request);
  EXPECT_EQ(Ids(*source), "2 3");
  EXPECT_EQ((*source->Freeze({}, {}, {}))->cuts.at(0).identity,
            "w.duckdb:shop.orders 2026-01-02T00:00:00Z..2026-01-03T00:00:00Z");
}

TEST_F(DuckdbSourceTest, ACursorReadsWhatIsNew) {
  auto source = Make(Cursor("made"));
  EXPECT_EQ(Ids(*source), "0 1 2 3 4 5");
  EXPECT_FALSE(*source->Freeze(position_, {}, {}));
  Sql("INSERT INTO shop.orders VALUES (6, '2026-02-01', 2), (7, '2025-01-01', 2)");
  EXPECT_EQ(Ids(*source, {}, position_), "6");
}

TEST_F(DuckdbSourceTest, ALimitNeverPartsEqualCursors) {
  Sql("INSERT INTO shop.orders VALUES (10, '2026-01-01 12:00', 2), (11, '2026-01-01 12:00', 2)");
  auto source = Make(Cursor("made"));
  EXPECT_EQ(Ids(*source, {.rows = 2}), "0 1 10 11;2 3;4 5");
}

TEST_F(DuckdbSourceTest, InitialIsIncludedAndLookbackReadsAgain) {
  ExtractRequest request = Cursor("made");
  request.config.incremental->initial = Written{.text = "2026-01-02 00:00:00"};
  request.config.incremental->lookback = std::chrono::hours(12);
  auto source = Make(request);
  EXPECT_EQ(Ids(*source), "2 3 4 5");
  EXPECT_FALSE(*source->Freeze(position_, {}, {}));
  Sql("INSERT INTO shop.orders VALUES (6, '2026-02-01', 2), (7, '2026-01-03 11:00', 2)");
  EXPECT_EQ(Ids(*source, {}, position_), "5 6 7");
}

TEST_F(DuckdbSourceTest, RowsWithoutACursorAreTold) {
  Sql("INSERT INTO shop.orders VALUES (6, NULL, 2)");
  auto source = Make(Cursor("made"));
  const auto range = source->Freeze({}, {}, {});
  ASSERT_FALSE(range.ok());
  EXPECT_EQ(range.error().kind, ErrorKind::kRejected);
  EXPECT_NE(range.error().message.find("1 rows of shop.orders in 'w.duckdb' have no 'made'"),
            std::string::npos);
}

TEST_F(DuckdbSourceTest, AQueryMeansTheFilesOwnTables) {
  ASSERT_TRUE(
      probe_.session->Execute("CREATE TABLE names (id INTEGER); INSERT INTO names VALUES (99)")
          .ok());
  ExtractRequest request{.step = "q"};
  request.config.query.text =
      "WITH orders AS (SELECT * FROM shop.orders WHERE id >= CAST($low AS INTEGER)) "
      "SELECT name, id FROM orders JOIN names USING (id)";
  request.bound = {{"low", "INTEGER", "2"}};
  auto source = Make(request);
  EXPECT_EQ(Ids(*source), "two");
  request.config.query.text = "DELETE FROM names";
  auto wrong = Make(request)->Describe(*probe_.session, {});
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, ErrorKind::kConfig);
}

TEST_F(DuckdbSourceTest, MistakesNameWhatIsThere) {
  EXPECT_EQ(Make(Cursor("mad"))->Freeze({}, {}, {}).error().message,
            "incremental: shop.orders of 'w.duckdb' has no column 'mad'; did you mean 'made'? it "
            "has: id, made, _sluice_epoch");
  EXPECT_EQ(Make(Table("nope"))->Describe(*probe_.session, {}).error().kind, ErrorKind::kConfig);
  ExtractRequest both = Table("a");
  both.config.query.text = "SELECT 1";
  EXPECT_FALSE(MakeDuckdbSource(File(), both).ok());
  DatabaseFile missing("no.duckdb", probe_.Path("no.duckdb"), *probe_.files, *probe_.database);
  auto source = MakeDuckdbSource(missing, Table("t"));
  EXPECT_EQ((*source)->Describe(*probe_.session, {}).error().kind, ErrorKind::kRejected);
  EXPECT_FALSE(probe_.files->Exists(probe_.Path("no.duckdb")));
}

}  // namespace
}  // namespace sluice::duckdb
