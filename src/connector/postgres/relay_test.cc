// Rows that are handed on as they came, each with its epoch; and what is no row.
#include "connector/postgres/relay.h"

#include <fmt/format.h>

#include "connector/postgres/bytes.h"
#include "connector/postgres/fixture_for_tests.h"

namespace sluice::postgres {
namespace {

// A row of an int4 and a NULL.
std::vector<char> RowOf(int32_t value) {
  std::vector<char> row;
  AppendBig<int16_t>(row, 2);
  AppendBig<int32_t>(row, 4);
  AppendBig<int32_t>(row, value);
  AppendBig<int32_t>(row, -1);
  return row;
}

TEST(RelayTest, EachRowGetsOneMoreField) {
  std::vector<char> rows = RowOf(7), into;
  for (const char byte : RowOf(-8)) rows.push_back(byte);
  ASSERT_TRUE(AppendWithEpoch(rows, 2, 42, into).ok());
  ASSERT_EQ(into.size(), rows.size() + 2 * 12);
  EXPECT_EQ(ReadBig<int16_t>(into.data()), 3);
  EXPECT_EQ(ReadBig<int32_t>(into.data() + 6), 7);
  EXPECT_EQ(ReadBig<int32_t>(into.data() + 14), 8);
  EXPECT_EQ(ReadBig<int64_t>(into.data() + 18), 42);
  EXPECT_EQ(ReadBig<int32_t>(into.data() + 26 + 6), -8);
}

TEST(RelayTest, WhatEndsTooEarlyOrTooLateIsNoRow) {
  const std::vector<char> row = RowOf(7);
  for (size_t size = 0; size < row.size(); ++size) {
    std::vector<char> into;
    EXPECT_FALSE(AppendWithEpoch({row.data(), size}, 1, 1, into).ok()) << size;
  }
  std::vector<char> into;
  EXPECT_FALSE(AppendWithEpoch(row, 0, 1, into).ok());
}

TEST(RelayTest, OnlyTypesOfOneFormAreNamed) {
  EXPECT_EQ(WireName({.name = "int8"}), "postgres:int8");
  EXPECT_EQ(WireName({.name = "varchar"}), WireName({.name = "text"}));
  EXPECT_NE(WireName({.name = "json"}), WireName({.name = "jsonb"}));
  EXPECT_EQ(WireName({.name = "_int8", .element = 20}), "");
  EXPECT_EQ(WireName({.name = "colour", .kind = 'e'}), "");
}

class RelayServerTest : public PostgresTest {
 protected:
  // All of `from` into `to` as it is read; nullopt: it cannot be relayed.
  Result<std::optional<Landed>> RelayAll(const std::string& from, const std::string& to, Mode mode,
                                         std::vector<std::string> key = {}) {
    auto source = Table(from);
    const SourceShape shape = TRY(source->Describe(*probe_.session, {}));
    const Load load = LoadOf(to, mode, shape.schema, std::move(key));
    if (!TRY(sink_->TakesRelay(load, shape.wire))) return std::optional<Landed>();
    TRY(sink_->Prepare({load}, {}));
    auto range = TRY(source->Freeze({}, {}, {}));
    auto landing = TRY(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
    Opened opened = TRY(source->Open(*range, *probe_.session, {}));
    Landed landed = TRY(landing->Relay(0, *opened.scan, shape.wire, {}));
    EXPECT_EQ(opened.scan->read, landed.rows);
    EXPECT_EQ(opened.scan->given, landed.rows);
    TRY(landing->Commit({.lane = lane_, .epoch = landing->epoch(), .fence = {1}, .run = {1}}));
    return std::optional<Landed>(std::move(landed));
  }
};

TEST_F(RelayServerTest, ValuesArriveThatNothingBetweenCouldHold) {
  Rows(
      "CREATE TABLE a (id bigint PRIMARY KEY, n numeric(12,3), day date, at timestamptz, note "
      "text, "
      "doc jsonb, flag boolean, raw bytea, f double precision, u uuid, iv interval, v varchar(9)); "
      "INSERT INTO a SELECT i, i * 1.001, date '2026-01-01' + i, timestamptz '2026-01-01 00:00+00' "
      "+ i * interval '1 minute', CASE WHEN i % 7 = 0 THEN NULL ELSE 'n' || i END, "
      "jsonb_build_object('i', i), i % 2 = 0, decode(md5(i::text), 'hex'), i / 3.0, "
      "md5(i::text)::uuid, i * interval '1 hour', 'v' || i FROM generate_series(1, 20000) i; "
      "INSERT "
      "INTO a VALUES (0, 'NaN', 'infinity', '-infinity'); CREATE TABLE b (LIKE a); CREATE TABLE c "
      "(LIKE a INCLUDING ALL, _sluice_epoch bigint); INSERT INTO c (id, note) VALUES (5, 'old'), "
      "(-5, 'old')");
  const std::string columns = "id, n, day, at, note, doc, flag, raw, f, u, iv, v";
  for (const char* table : {"b", "c"}) {
    const bool keyed = *table == 'c';
    auto landed = RelayAll("a", table, keyed ? Mode::kUpsert : Mode::kAppend,
                           keyed ? std::vector<std::string>{"id"} : std::vector<std::string>{});
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    ASSERT_TRUE(*landed);
    EXPECT_EQ((*landed)->rows, 20001u);
    EXPECT_EQ((*landed)->updated, keyed ? 1u : 0u);
    EXPECT_EQ(
        One(fmt::format("SELECT count(*) FROM (SELECT {0} FROM a EXCEPT SELECT {0} FROM {1}) x",
                        columns, table)),
        "0");
  }
  EXPECT_EQ(One("SELECT count(*), min(_sluice_epoch) = max(_sluice_epoch) FROM c WHERE id >= 0"),
            "20001|t");
}

TEST_F(RelayServerTest, OtherTypesAreNotRelayed) {
  Rows(
      "CREATE TABLE a (id bigint, n integer); CREATE TABLE wider (id bigint, n bigint); CREATE "
      "TABLE "
      "lists (id bigint, n integer[]); CREATE TABLE same (n integer, id bigint)");
  for (const char* table : {"wider", "same"}) {
    auto landed = RelayAll("a", table, Mode::kAppend);
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EXPECT_EQ(landed->has_value(), std::string_view(table) == "same") << table;
  }
  auto list = RelayAll("lists", "new_one", Mode::kAppend);
  ASSERT_TRUE(list.ok());
  EXPECT_FALSE(list->has_value());
  auto fresh = RelayAll("a", "new_two", Mode::kAppend);
  ASSERT_TRUE(fresh.ok());
  EXPECT_TRUE(fresh->has_value());
}

TEST_F(RelayServerTest, WhatTheServerRefusesIsTold) {
  Rows(
      "CREATE TABLE a (id bigint, v varchar(9)); INSERT INTO a VALUES (1, 'too long'); CREATE "
      "TABLE b "
      "(id bigint, v varchar(3))");
  auto landed = RelayAll("a", "b", Mode::kAppend);
  ASSERT_FALSE(landed.ok());
  EXPECT_EQ(landed.error().kind, ErrorKind::kData);
  EXPECT_NE(landed.error().message.find("value too long"), std::string::npos)
      << landed.error().message;
}

}  // namespace
}  // namespace sluice::postgres
