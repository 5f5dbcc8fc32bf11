// What a range is, and that any cut of it, any number of readers and any later run give each row
// once.
#include <fmt/format.h>

#include <set>

#include "connector/postgres/fixture_for_tests.h"

namespace sluice::postgres {
namespace {

class SourceTest : public PostgresTest {
 protected:
  // Rows of the first column as numbers: how many, how many different, their sum.
  std::string Sum(const std::vector<std::vector<std::string>>& rows) {
    std::set<std::string> different;
    int64_t sum = 0;
    for (const auto& row : rows) different.insert(row[0]), sum += std::stoll(row[0]);
    return fmt::format("{} {} {}", rows.size(), different.size(), sum);
  }
  static void Cursor(ExtractConfig& config, const std::string& cursor,
                     const std::string& key = "") {
    config.incremental.emplace();
    config.incremental->cursor.text = cursor;
    config.incremental->key.text = key;
  }
};

TEST_F(SourceTest, KeysAreCutAsTheServerOrdersThem) {
  Rows(
      "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM "
      "generate_series(-500, 1500) i");
  auto source = Table("t");
  EXPECT_EQ(Sum(Read(*source)), "2001 2001 1000500");
  auto epochs = probe_.ReadAll(*Table("t"), {.rows = 300});
  ASSERT_TRUE(epochs.ok()) << Format(epochs.error());
  ASSERT_EQ(epochs->size(), 7u);
  for (size_t i = 0; i + 1 < epochs->size(); ++i) EXPECT_EQ((*epochs)[i].rows.size(), 300u);
  EXPECT_EQ(Sum(sluice::RowsOf(*epochs)), "2001 2001 1000500");
}

TEST_F(SourceTest, KeysOfSeveralColumnsAndTexts) {
  Rows(
      "CREATE TABLE t (a text, b date, n integer, PRIMARY KEY (a, b)); INSERT INTO t SELECT 'k''' "
      "|| i % "
      "7, date '2026-01-01' + i, i FROM generate_series(1, 100) i");
  for (const uint64_t rows : {1u, 9u, 100u, 1000u}) {
    auto epochs = probe_.ReadAll(*Table("t"), {.rows = rows});
    ASSERT_TRUE(epochs.ok()) << Format(epochs.error());
    EXPECT_EQ(sluice::RowsOf(*epochs).size(), 100u);
    EXPECT_TRUE(epochs->back().range.final);
  }
}

TEST_F(SourceTest, BytesCutWhatIsLargerThanThey) {
  Rows(
      "CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000); "
      "ANALYZE t; CREATE TABLE p (id bigint PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 "
      "PARTITION OF p FOR VALUES FROM (1) TO (5000); INSERT INTO p SELECT * FROM t; CREATE TABLE h "
      "(id bigint PRIMARY KEY); CREATE TABLE h1 () INHERITS (h); INSERT INTO h1 SELECT * FROM t");
  // Neither a partitioned table nor one that others inherit from has the size of its rows.
  const auto epochs_of = [&](const std::string& table, uint64_t bytes) {
    auto epochs = probe_.ReadAll(*Table(table), {.rows = 0, .bytes = bytes});
    EXPECT_TRUE(epochs.ok()) << Format(epochs.error());
    if (!epochs.ok()) return size_t{0};
    EXPECT_EQ(sluice::RowsOf(*epochs).size(), 1000u) << table;
    return epochs->size();
  };
  EXPECT_EQ(epochs_of("t", 1 << 20), 1u);
  for (const char* table : {"t", "p", "h"}) EXPECT_GE(epochs_of(table, 10'000), 2u) << table;
}

TEST_F(SourceTest, ALaterRunReadsTheWholeTableAgain) {
  Rows("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10)");
  auto source = Table("t");
  auto first = source->Freeze({}, {.rows = 4}, {});
  ASSERT_TRUE(first.ok());
  Position position = source->After({}, **first);
  EXPECT_EQ(position.size(), 1u);
  auto rest = source->Freeze(position, {}, {});
  ASSERT_TRUE(rest.ok());
  EXPECT_TRUE((*rest)->final);
  EXPECT_TRUE(source->After(position, **rest).empty());
  // A run that went on and finds that the rest was deleted still ends.
  Rows("DELETE FROM t");
  auto none = source->Freeze(position, {}, {});
  ASSERT_TRUE(none.ok() && *none);
  EXPECT_TRUE((*none)->final);
  auto empty = Table("t")->Freeze({}, {}, {});
  ASSERT_TRUE(empty.ok());
  EXPECT_FALSE(*empty);
}

TEST_F(SourceTest, SeveralReadersShareALongRange) {
  Rows(
      "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('x', 300) "
      "FROM "
      "generate_series(-10, 300000) i");
  for (const int64_t readers : {1, 2, 5}) {
    settings_.readers = readers;
    for (const char* consistency : {"keys", "snapshot"}) {
      auto source = Table("t", [&](ExtractConfig& config) { config.consistency = consistency; });
      auto range = source->Freeze({}, {}, {});
      ASSERT_TRUE(range.ok() && *range);
      auto opened = source->Open(**range, *probe_.session, {});
      ASSERT_TRUE(opened.ok()) << Format(opened.error());
      const int64_t number = probe_.database->scans().Add(opened->scan);
      auto rows = probe_.session->Query(fmt::format(
          "SELECT count(*), count(DISTINCT id), sum(id), sum(length(v)) FROM sluice_scan({})",
          number));
      probe_.database->scans().Remove(number);
      ASSERT_TRUE(rows.ok()) << Format(rows.error());
      EXPECT_EQ(rows->rows[0][0].text, "300011");
      EXPECT_EQ(rows->rows[0][1].text, "300011");
      EXPECT_EQ(rows->rows[0][2].text, "45000149945");
      EXPECT_EQ(rows->rows[0][3].text, "90003300");
    }
  }
}

TEST_F(SourceTest, ItsConnectionsReadOneRangeAfterTheOther) {
  Rows("CREATE VIEW v AS SELECT pg_backend_pid() AS process, i FROM generate_series(1, 3) i");
  auto source = Table("v");
  const auto process = [&] {
    const auto rows = Read(*source);
    EXPECT_EQ(rows.size(), 3u);
    return rows.empty() ? "" : rows[0][0];
  };
  const std::string first = process();
  EXPECT_EQ(process(), first);
  // One that has ended is nobody's error.
  EXPECT_EQ(One("SELECT pg_terminate_backend(" + first + ", 10000)"), "t");
  const std::string second = process();
  EXPECT_NE(second, first);
  EXPECT_EQ(process(), second);
}

TEST_F(SourceTest, ASnapshotIsOneMoment) {
  Rows(
      "CREATE TABLE t (id bigint, v text); INSERT INTO t SELECT i, repeat('x', 1000) FROM "
      "generate_series(1, 60000) i");
  auto source = Table("t");
  auto range = source->Freeze({}, {}, {});
  auto opened = source->Open(**range, *probe_.session, {});
  ASSERT_TRUE(opened.ok());
  Rows("DELETE FROM t WHERE id % 2 = 0");
  const int64_t number = probe_.database->scans().Add(opened->scan);
  auto rows = probe_.session->Query(fmt::format("SELECT count(id) FROM sluice_scan({})", number));
  probe_.database->scans().Remove(number);
  ASSERT_TRUE(rows.ok()) << Format(rows.error());
  EXPECT_EQ(rows->rows[0][0].text, "60000");
}

// Keys from the first to the last are read by pages, at one moment, and no further than the freeze.
TEST_F(SourceTest, AllKeysAreOneMoment) {
  Rows(
      "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('x', 1000) "
      "FROM generate_series(1, 60000) i");
  auto source = Table("t");
  auto range = source->Freeze({}, {}, {});
  Rows("INSERT INTO t VALUES (60001, 'late')");
  auto opened = source->Open(**range, *probe_.session, {});
  ASSERT_TRUE(opened.ok());
  Rows("DELETE FROM t WHERE id % 2 = 0");
  const int64_t number = probe_.database->scans().Add(opened->scan);
  auto rows = probe_.session->Query(
      fmt::format("SELECT count(DISTINCT id), max(id) FROM sluice_scan({})", number));
  probe_.database->scans().Remove(number);
  ASSERT_TRUE(rows.ok()) << Format(rows.error());
  EXPECT_EQ(rows->rows[0][0].text, "60000");
  EXPECT_EQ(rows->rows[0][1].text, "60000");
}

TEST_F(SourceTest, CountingNeedsNoColumns) {
  Rows("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5000)");
  auto source = Table("t");
  auto range = source->Freeze({}, {}, {});
  auto opened = source->Open(**range, *probe_.session, {});
  const int64_t number = probe_.database->scans().Add(opened->scan);
  auto rows = probe_.session->Query(fmt::format("SELECT count(*) FROM sluice_scan({})", number));
  probe_.database->scans().Remove(number);
  ASSERT_TRUE(rows.ok()) << Format(rows.error());
  EXPECT_EQ(rows->rows[0][0].text, "5000");
}

TEST_F(SourceTest, ACursorWithItsKeyNeitherLosesNorRepeats) {
  Rows(
      "CREATE TABLE t (id integer, at timestamp); INSERT INTO t SELECT i, timestamp '2026-01-01' + "
      "(i / "
      "30) * interval '1 s' FROM generate_series(1, 100) i");
  auto configure = [](ExtractConfig& config) { Cursor(config, "at", "id"); };
  for (const uint64_t rows : {0u, 1u, 7u, 30u}) {
    auto epochs = probe_.ReadAll(*Table("t", configure), {.rows = rows});
    ASSERT_TRUE(epochs.ok()) << Format(epochs.error());
    EXPECT_EQ(Sum(sluice::RowsOf(*epochs)), "100 100 5050");
  }
  auto source = Table("t", configure);
  auto range = source->Freeze({}, {}, {});
  const Position position = source->After({}, **range);
  Rows("INSERT INTO t SELECT 101, max(at) FROM t");
  auto epochs = probe_.ReadAll(*source, {}, position);
  ASSERT_TRUE(epochs.ok());
  EXPECT_EQ(Sum(sluice::RowsOf(*epochs)), "1 1 101");
}

TEST_F(SourceTest, ALookbackReadsAgain) {
  Rows(
      "CREATE TABLE t (id integer, at timestamptz); INSERT INTO t SELECT i, timestamptz "
      "'2026-01-01 "
      "00:00+00' + i * interval '1 s' FROM generate_series(1, 100) i");
  auto source = Table("t", [](ExtractConfig& config) {
    Cursor(config, "at");
    config.incremental->lookback = std::chrono::seconds(10);
  });
  auto range = source->Freeze({}, {}, {});
  const Position position = source->After({}, **range);
  auto nothing = source->Freeze(position, {}, {});
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(*nothing);
  Rows("INSERT INTO t SELECT 101, max(at) + interval '1 s' FROM t");
  auto epochs = probe_.ReadAll(*source, {}, position);
  ASSERT_TRUE(epochs.ok()) << Format(epochs.error());
  EXPECT_EQ(sluice::RowsOf(*epochs).size(), 11u);
}

TEST_F(SourceTest, WrongWordsAreToldWithPlaces) {
  Rows("CREATE TABLE t (id integer)");
  const auto told = [&](const std::function<void(ExtractConfig&)>& configure) {
    auto shape = Table("t", configure)->Describe(*probe_.session, {});
    return shape.ok() ? std::string("described") : shape.error().message;
  };
  EXPECT_NE(told([](ExtractConfig& config) { Cursor(config, "idd"); }).find("did you mean 'id'?"),
            std::string::npos);
  EXPECT_NE(
      told([](ExtractConfig& config) { config.consistency = "keys"; }).find("needs a primary key"),
      std::string::npos);
  EXPECT_NE(told([](ExtractConfig& config) { config.table.text = "nope"; }).find("does not exist"),
            std::string::npos);
}

TEST_F(SourceTest, AStatementTimeoutIsTold) {
  settings_.statement_timeout = std::chrono::milliseconds(50);
  auto source = Table("", [](ExtractConfig& config) {
    config.query.text = "SELECT 1 AS one, pg_sleep(30)::text AS slept";
  });
  auto range = source->Freeze({}, {}, {});
  ASSERT_TRUE(range.ok()) << Format(range.error());
  auto read = probe_.Read(*source, **range);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("statement timeout"), std::string::npos)
      << read.error().message;
}

}  // namespace
}  // namespace sluice::postgres
