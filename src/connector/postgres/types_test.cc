// Every type there and back with its extremes, and random rows of random tables: what comes back is
// what the server itself says it had.
#include <fmt/format.h>

#include <random>

#include "connector/postgres/fixture_for_tests.h"

namespace sluice::postgres {
namespace {

struct TypeCase {
  std::string type, reads_as;
  std::vector<std::string> values;  // SQL
};

std::vector<TypeCase> TypeCases() {
  return {
      {"boolean", "BOOLEAN", {"true", "false"}},
      {"smallint", "SMALLINT", {"-32768", "32767", "0"}},
      {"integer", "INTEGER", {"-2147483648", "2147483647"}},
      {"bigint", "BIGINT", {"-9223372036854775808", "9223372036854775807"}},
      {"oid", "UINTEGER", {"0", "4294967295"}},
      {"real", "FLOAT", {"'NaN'", "'Infinity'", "'-Infinity'", "3.4028235e38", "1e-45", "-0.0"}},
      {"double precision",
       "DOUBLE",
       {"'NaN'", "'Infinity'", "'-Infinity'", "1.7976931348623157e308", "5e-324", "0.1"}},
      {"numeric(10,2)",
       "DECIMAL(10,2)",
       {"0", "99999999.99", "-99999999.99", "0.01", "-0.01", "100"}},
      {"numeric(4,4)", "DECIMAL(4,4)", {"0.0001", "-0.9999", "0.1"}},
      {"numeric(5,0)", "DECIMAL(5,0)", {"99999", "10000", "-1"}},
      {"numeric(18,6)", "DECIMAL(18,6)", {"123456789012.345678", "-0.000001"}},
      {"numeric(38,10)",
       "DECIMAL(38,10)",
       {"9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999",
        "10000000000000000", "0.0000000001"}},
      {"numeric(38,0)", "DECIMAL(38,0)", {"99999999999999999999999999999999999999", "10000"}},
      {"numeric",
       "VARCHAR",
       {"'NaN'", "'Infinity'", "'-Infinity'", "1e-200",
        "123456789012345678901234567890123456789012.5", "1.500"}},
      {"numeric(50,20)", "VARCHAR", {"123456789012345678901234567890.12345678901234567890"}},
      {"numeric(3,-2)", "VARCHAR", {"12300"}},
      {"text",
       "VARCHAR",
       {"''", "'a''b'", "E'tab\\tnew\\nline'", "'日本 🦀'", "repeat('x', 100000)"}},
      {"varchar(5)", "VARCHAR", {"'abc'", "''"}},
      {"char(5)", "VARCHAR", {"'ab'"}},
      {"name", "VARCHAR", {"'a name'"}},
      {"bytea", "BLOB", {"''", "'\\x00ff10'", "'\\xdeadbeef'"}},
      {"date",
       "DATE",
       {"'infinity'", "'-infinity'", "'4714-11-24 BC'", "'5874897-12-31'", "'1970-01-01'",
        "'2000-02-29'"}},
      {"timestamp",
       "TIMESTAMP",
       {"'infinity'", "'-infinity'", "'4714-11-24 00:00:00 BC'", "'294246-12-31 23:59:59.999999'",
        "'1999-12-31 23:59:59.999999'"}},
      {"timestamptz",
       "TIMESTAMP WITH TIME ZONE",
       {"'infinity'", "'-infinity'", "'2026-03-29 01:30:00+01'",
        "'1969-12-31 23:59:59.999999+00'"}},
      {"time", "TIME", {"'00:00:00'", "'24:00:00'", "'23:59:59.999999'"}},
      {"interval",
       "INTERVAL",
       {"'1 year 2 months 3 days 04:05:06.789'", "'-178000000 years'", "'0'", "'-1 day +02:00'"}},
      {"uuid",
       "UUID",
       {"'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "'7fffffff-ffff-4fff-8fff-ffffffffffff'"}},
      {"json", "JSON", {"'{\"b\": 1,  \"a\": [1, null]}'", "'\"x\"'", "'null'"}},
      {"jsonb", "JSON", {"'{\"a\": {\"b\": [true, 1.50]}}'", "'[]'"}},
      {"mood", "VARCHAR", {"'sad'", "'very happy'"}},
      {"positive", "INTEGER", {"1", "2147483647"}},
      {"pair", "VARCHAR", {"'(1,\"a b\")'", "'(,)'"}},
      {"int4range", "VARCHAR", {"'[1,5)'", "'empty'", "'(,)'"}},
      {"int4multirange", "VARCHAR", {"'{[1,2),[5,9)}'"}},
      {"inet", "VARCHAR", {"'192.168.0.1/24'", "'::1'"}},
      {"cidr", "VARCHAR", {"'10.0.0.0/8'"}},
      {"macaddr", "VARCHAR", {"'08:00:2b:01:02:03'"}},
      {"bit(4)", "VARCHAR", {"'1010'"}},
      {"varbit", "VARCHAR", {"''", "'101'"}},
      {"timetz", "VARCHAR", {"'12:00:00+02'"}},
      {"xml", "VARCHAR", {"'<a>b</a>'"}},
      {"point", "VARCHAR", {"'(1.5,-2)'"}},
      {"tsvector", "VARCHAR", {"'a fat cat'"}},
      {"pg_lsn", "VARCHAR", {"'16/B374D848'"}},
      {"integer[]", "INTEGER[]", {"'{}'", "'{1,NULL,-2147483648}'"}},
      {"text[]", "VARCHAR[]", {"'{}'", "'{\"a,b\",NULL,\"\",\"q\\\"uo\\\\te\"}'"}},
      {"numeric(10,2)[]", "DECIMAL(10,2)[]", {"'{1.50,-99999999.99}'"}},
      {"double precision[]", "DOUBLE[]", {"'{NaN,Infinity,1e300,NULL}'"}},
      {"boolean[]", "BOOLEAN[]", {"'{t,f,NULL}'"}},
      {"date[]", "DATE[]", {"'{2026-01-01,infinity}'"}},
      {"timestamptz[]", "TIMESTAMP WITH TIME ZONE[]", {"'{2026-01-01 00:00:00+00,NULL}'"}},
      {"uuid[]", "UUID[]", {"'{00000000-0000-0000-0000-00000000000a}'"}},
  };
}

constexpr std::string_view kTypes =
    "CREATE TYPE mood AS ENUM ('sad', 'very happy'); CREATE DOMAIN positive AS integer CHECK "
    "(VALUE "
    "> 0); CREATE TYPE pair AS (a integer, b text)";

class TypesTest : public PostgresTest {
 protected:
  void SetUp() override {
    PostgresTest::SetUp();
    if (server_ != nullptr) Rows(std::string(kTypes));
  }
};

TEST_F(TypesTest, EveryTypeThereAndBack) {
  for (const TypeCase& one : TypeCases()) {
    SCOPED_TRACE(one.type);
    Rows(
        fmt::format("DROP TABLE IF EXISTS a, b; CREATE TABLE a (i integer PRIMARY KEY, v {0}); "
                    "CREATE TABLE b (i integer, v {0}); INSERT INTO a VALUES (0, NULL)",
                    one.type));
    for (size_t i = 0; i < one.values.size(); ++i)
      Rows(fmt::format("INSERT INTO a VALUES ({}, {})", i + 1, one.values[i]));
    auto source = Table("a");
    auto shape = source->Describe(*probe_.session, {});
    ASSERT_TRUE(shape.ok()) << Format(shape.error());
    EXPECT_EQ(shape->schema.at(1).type, one.reads_as);
    auto copied = Copy("a", "b");
    ASSERT_TRUE(copied.ok()) << Format(copied.error());
    EXPECT_EQ(copied->rows, one.values.size() + 1);
    EXPECT_EQ(Rows("SELECT i, v::text FROM b ORDER BY i"),
              Rows("SELECT i, v::text FROM a ORDER BY i"));
  }
}

TEST_F(TypesTest, TablesThatWeCreateHoldTheRows) {
  const Schema schema{{"tiny", "TINYINT"},
                      {"utiny", "UTINYINT"},
                      {"uint", "UINTEGER"},
                      {"ubig", "UBIGINT"},
                      {"huge", "HUGEINT"},
                      {"s", "TIMESTAMP_S"},
                      {"e", "ENUM('a', 'b')"},
                      {"list", "INTEGER[]"},
                      {"st", "STRUCT(a INTEGER, b VARCHAR)"},
                      {"m", "MAP(VARCHAR, INTEGER)"},
                      {"nested", "INTEGER[][]"},
                      {"nothing", "\"NULL\""},
                      {"bits", "BIT"}};
  auto landed = Write(
      LoadOf("made", Mode::kAppend, schema),
      "SELECT (-128)::TINYINT AS tiny, 255::UTINYINT AS utiny, 4294967295::UINTEGER AS uint, "
      "18446744073709551615::UBIGINT AS ubig, 170141183460469231731687303715884105727::HUGEINT AS "
      "huge, '2026-01-02 03:04:05'::TIMESTAMP_S AS s, 'b'::ENUM('a', 'b') AS e, [1, "
      "NULL]::INTEGER[] "
      "AS list, {'a': 1, 'b': 'x'} AS st, MAP {'k': 7} AS m, [[1], []]::INTEGER[][] AS nested, "
      "NULL "
      "AS nothing, '0101'::BIT AS bits");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(
      One("SELECT tiny, utiny, uint, ubig, huge, s, e, list, st, m, nested, nothing, bits FROM "
          "made"),
      "-128|255|4294967295|18446744073709551615|170141183460469231731687303715884105727|"
      "2026-01-02 03:04:05|b|{1,NULL}|{\"a\":1,\"b\":\"x\"}|{\"k\":7}|[[1],[]]|NULL|0101");
}

TEST_F(TypesTest, AnUnmappedTypeIsToldBeforeTheRun) {
  Rows("CREATE TABLE t (id integer, tid tid)");
  auto shape = Table("t")->Describe(*probe_.session, {});
  ASSERT_FALSE(shape.ok());
  EXPECT_EQ(shape.error().kind, ErrorKind::kConfig);
  EXPECT_EQ(shape.error().mark.line, 3);
  EXPECT_NE(shape.error().message.find("column 'tid' of t is of the type tid, which is not mapped"),
            std::string::npos)
      << shape.error().message;
  EXPECT_NE(shape.error().message.find("CAST(\"tid\" AS text)"), std::string::npos);
  auto declared = Table("t", [](ExtractConfig& config) {
    config.columns = {{.name = "tid", .mark = {}, .value = {.text = "varchar", .mark = {}}}};
  });
  EXPECT_TRUE(declared->Describe(*probe_.session, {}).ok());
}

TEST_F(TypesTest, WhatDoesNotFitIsALetter) {
  Rows(
      "CREATE TABLE t (id integer PRIMARY KEY, n numeric(10,2), at timestamp); INSERT INTO t "
      "VALUES "
      "(1, 'NaN', NULL), (2, 1, '294276-12-31'), (3, 3, '2026-01-01')");
  auto source = Table("t");
  auto epochs = probe_.ReadAll(*source, {});
  ASSERT_TRUE(epochs.ok()) << Format(epochs.error());
  EXPECT_EQ(sluice::RowsOf(*epochs).size(), 1u);
  const auto letters = LettersOf(*epochs);
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(epochs->at(0).read, 3u);
  const std::string both = letters[0].message + letters[1].message;
  EXPECT_NE(both.find("column 'n': NaN does not fit DECIMAL(10,2)"), std::string::npos) << both;
  EXPECT_NE(both.find("column 'at': a time after the year 294246"), std::string::npos) << both;
  // The declared type can hold it.
  auto declared = Table("t", [](ExtractConfig& config) {
    config.columns = {{.name = "n", .mark = {}, .value = {.text = "double", .mark = {}}}};
  });
  EXPECT_EQ(Read(*declared), (std::vector<std::vector<std::string>>{{"1.0"}, {"3.0"}, {"nan"}}));
}

TEST_F(TypesTest, ATextWithNulNamesItsColumn) {
  const std::string refused =
      Refused(LoadOf("t", Mode::kAppend, {{"id", "INTEGER"}, {"note", "VARCHAR"}}),
              "SELECT 1 AS id, 'a' || chr(0) || 'b' AS note");
  EXPECT_NE(refused.find("column 'note': the text 'a\\x00b' has a NUL"), std::string::npos)
      << refused;
}

// A random value of a type, as SQL.
std::string RandomValue(const std::string& type, std::mt19937_64& random) {
  const auto pick = [&](int64_t below) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(below));
  };
  if (pick(8) == 0) return "NULL";
  if (type == "bigint")
    return std::to_string(static_cast<int64_t>(random()) / (int64_t{1} << pick(62)));
  if (type == "double precision")
    return fmt::format("{}e{}", static_cast<int64_t>(random() >> 12), pick(500) - 250);
  if (type == "text") {
    std::string text;
    for (int64_t i = pick(20); i > 0; --i)
      text += "chr(" + std::to_string(pick(4) == 0 ? 0x1F980 + pick(50) : 1 + pick(300)) + ") || ";
    return text + "''";
  }
  if (type == "timestamptz")
    return fmt::format("timestamptz 'epoch' + interval '{} microseconds'",
                       static_cast<int64_t>(random()) / 64 / (1 << pick(20)));
  if (type == "date") return fmt::format("date '2000-01-01' + {}", pick(4'000'000) - 2'000'000);
  if (type == "interval")
    return fmt::format("interval '{} months {} days {} microseconds'", pick(1000) - 500,
                       pick(1000) - 500, pick(1'000'000'000'000) - 500'000'000'000);
  if (type == "bytea") return fmt::format("decode(md5('{}'), 'hex')", pick(1000));
  if (type == "uuid") return fmt::format("md5('{}')::uuid", random());
  if (type == "jsonb")
    return fmt::format("jsonb_build_object('a', {}, 'b', md5('{}'))", pick(1000), pick(9));
  if (type == "integer[]") return fmt::format("ARRAY[{}, NULL, {}]", pick(100), -pick(100));
  // numeric(p, s)
  const int width = std::atoi(type.c_str() + 8),
            scale = std::atoi(type.c_str() + type.find(',') + 1);
  std::string digits;
  for (int64_t i = 1 + pick(width); i > 0; --i) digits += static_cast<char>('0' + pick(10));
  return fmt::format("{}{}e-{}", pick(2) == 0 ? "-" : "", digits, scale);
}

TEST_F(TypesTest, RandomTablesComeBack) {
  const char* seed_text = std::getenv("SEED");
  const uint64_t seed = seed_text != nullptr ? std::strtoull(seed_text, nullptr, 10) : 20261121;
  std::mt19937_64 random(seed);
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(fmt::format("SEED={} round {}", seed, round));
    std::vector<std::string> types{"bigint", "double precision", "text",  "timestamptz",
                                   "date",   "interval",         "bytea", "uuid",
                                   "jsonb",  "integer[]"};
    for (int i = 0; i < 4; ++i) {
      const auto width = 1 + random() % 38;
      types.push_back(fmt::format("numeric({},{})", width, random() % (width + 1)));
    }
    std::shuffle(types.begin(), types.end(), random);
    types.resize(1 + random() % types.size());
    std::string columns, values;
    for (size_t i = 0; i < types.size(); ++i) columns += fmt::format(", \"c {}\" {}", i, types[i]);
    const int rows = static_cast<int>(random() % 50);
    for (int row = 0; row < rows; ++row) {
      values += fmt::format("{}({}", row == 0 ? "" : ", ", row);
      for (const std::string& type : types) values += ", " + RandomValue(type, random);
      values += ")";
    }
    Rows(fmt::format(
        "DROP TABLE IF EXISTS a, b; CREATE TABLE a (i integer{0}); CREATE TABLE b (i integer{0})",
        columns));
    if (rows > 0) Rows("INSERT INTO a VALUES " + values);
    auto copied = Copy("a", "b");
    ASSERT_TRUE(copied.ok()) << Format(copied.error());
    EXPECT_EQ(Rows("SELECT b::text FROM b ORDER BY i"), Rows("SELECT a::text FROM a ORDER BY i"));
  }
}

TEST_F(TypesTest, NaughtyNamesAreNames) {
  const std::vector<std::string> names{"select", "a b",        "quo\"te", "'; DROP TABLE x; --",
                                       "ü日",    "semi;colon", "$1",      "%s"};
  Schema schema;
  std::string select;
  for (const std::string& name : names) {
    schema.push_back({name, "VARCHAR"});
    select += fmt::format("{}{} AS {}", select.empty() ? "SELECT " : ", ", QuoteLiteral(name),
                          QuoteIdentifier(name));
  }
  for (const std::string& table : names) {
    SCOPED_TRACE(table);
    const std::string target = QuoteIdentifier("s " + table) + "." + QuoteIdentifier(table);
    auto landed = Write(LoadOf(target, Mode::kUpsert, schema, {names[3]}), select);
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    auto source = Table(target);
    std::vector<std::string> row = names;
    EXPECT_EQ(Read(*source), (std::vector<std::vector<std::string>>{row}));
  }
}

}  // namespace
}  // namespace sluice::postgres
