// Avro, held to avro-c: what it writes we read, what we write it reads. And files that lie.
#include <avro.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/json_full.h"
#include "base/text.h"
#include "format/avro_decoder.h"
#include "format/avro_shape.h"
#include "format/avro_writer.h"
#include "sql/scan.h"

namespace sluice::format {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Rows = std::vector<std::vector<std::string>>;

class Avro : public testing::Test {
 protected:
  Avro() {
    std::string name = testing::TempDir() + "avroXXXXXX";
    folder_ = mkdtemp(name.data());
    database_ = std::move(sql::Database::Open({.threads = 2})).value();
    session_ = std::move(database_->Connect()).value();
  }
  ~Avro() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Bytes(const std::string& path) const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const std::string& path, const std::string& bytes) const {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  // The rows of a file by `schema` (empty: its own), each value as DuckDB prints it; or the error.
  Result<Rows> Read(const std::string& path, Schema schema = {}, const std::string& shown = "f") {
    letters_.clear();
    const auto file = TRY(OpenAvro(*files_, path, shown));
    if (schema.empty()) schema = ColumnsOf(file->schema.root());
    TRY(FitAvro(*file, schema));
    auto by_name = std::make_shared<std::map<std::string, std::shared_ptr<const AvroFile>>>();
    by_name->emplace(shown, file);
    auto scan = std::make_shared<sql::Scan>();
    scan->schema = schema;
    scan->physical = NativeOf;
    scan->decoder = [&](const std::vector<uint64_t>& projected) {
      return MakeAvroDecoder(by_name, schema, projected);
    };
    scan->feed = MakeAvroFeed(*files_, {file});
    scan->reject = [&](Letter letter) { letters_.push_back(std::move(letter)); };
    const int64_t number = database_->scans().Add(scan);
    auto rows = session_->Query(fmt::format("SELECT * FROM sluice_scan({})", number));
    database_->scans().Remove(number);
    if (!rows.ok()) return rows.error();
    Rows result;
    for (const auto& row : rows->rows) {
      result.emplace_back();
      for (const auto& cell : row) result.back().push_back(cell.null ? "NULL" : cell.text);
    }
    return result;
  }
  std::string ErrorOf(const std::string& path, const Schema& schema = {}) {
    const auto rows = Read(path, schema);
    return rows.ok() ? "none" : rows.error().message;
  }

  Result<uint64_t> Put(const std::string& select, const std::string& path,
                       AvroCodec codec = AvroCodec::kDeflate) {
    const Schema schema = TRY(session_->Describe(select));
    return WriteAvro(*session_, {*files_, database_->vessels(), path, codec}, schema, select, {},
                     {});
  }

  // A file written by avro-c: `fill` sets each record.
  void Library(const std::string& path, const std::string& text, const char* codec, int records,
               const std::function<void(avro_value_t*, int)>& fill) {
    avro_schema_t schema = nullptr;
    ASSERT_EQ(avro_schema_from_json_length(text.data(), text.size(), &schema), 0)
        << avro_strerror();
    avro_file_writer_t writer = nullptr;
    ASSERT_EQ(avro_file_writer_create_with_codec(path.c_str(), schema, &writer, codec, 1 << 14), 0)
        << avro_strerror();
    avro_value_iface_t* made = avro_generic_class_from_schema(schema);
    avro_value_t value;
    avro_generic_value_new(made, &value);
    for (int i = 0; i < records; ++i) {
      avro_value_reset(&value);
      fill(&value, i);
      ASSERT_EQ(avro_file_writer_append_value(writer, &value), 0) << avro_strerror();
    }
    avro_value_decref(&value);
    avro_value_iface_decref(made);
    avro_file_writer_close(writer);
    avro_schema_decref(schema);
  }
  // The records that avro-c finds, as its JSON.
  std::vector<std::string> ByLibrary(const std::string& path) {
    std::vector<std::string> records;
    avro_file_reader_t reader = nullptr;
    EXPECT_EQ(avro_file_reader(path.c_str(), &reader), 0) << avro_strerror();
    if (reader == nullptr) return records;
    avro_schema_t schema = avro_file_reader_get_writer_schema(reader);
    avro_value_iface_t* made = avro_generic_class_from_schema(schema);
    avro_value_t value;
    avro_generic_value_new(made, &value);
    while (avro_file_reader_read_value(reader, &value) == 0) {
      char* json = nullptr;
      // It shows no bytes that are not UTF-8.
      records.emplace_back(avro_value_to_json(&value, 1, &json) == 0 ? json : "");
      std::free(json);
      avro_value_reset(&value);
    }
    avro_value_decref(&value);
    avro_value_iface_decref(made);
    avro_schema_decref(schema);
    avro_file_reader_close(reader);
    return records;
  }

  std::string folder_;
  std::unique_ptr<Files> files_ = LocalFiles();
  std::unique_ptr<sql::Database> database_;
  std::unique_ptr<sql::Session> session_;
  std::vector<Letter> letters_;
};

avro_value_t FieldOf(avro_value_t* record, const char* name) {
  avro_value_t field;
  EXPECT_EQ(avro_value_get_by_name(record, name, &field, nullptr), 0);
  return field;
}

constexpr const char* kFlat = R"({"type":"record","name":"r","namespace":"x.y","fields":[
  {"name":"id","type":"long"},{"name":"name","type":["null","string"]},{"name":"ratio","type":"double"},
  {"name":"small","type":"float"},{"name":"on","type":"boolean"},{"name":"n","type":"int"},
  {"name":"raw","type":"bytes"},{"name":"kind","type":{"type":"enum","name":"k","symbols":["a","b"]}},
  {"name":"tags","type":{"type":"array","items":"string"}},{"name":"counts","type":{"type":"map","values":"long"}}]})";

void FillFlat(avro_value_t* record, int i) {
  avro_value_t field = FieldOf(record, "id"), branch, element;
  avro_value_set_long(&field, i * 1'000'003LL - 5);
  field = FieldOf(record, "name");
  if (i % 3 == 0) {
    avro_value_set_branch(&field, 0, &branch);
    avro_value_set_null(&branch);
  } else {
    avro_value_set_branch(&field, 1, &branch);
    avro_value_set_string(&branch, ("näme " + std::to_string(i)).c_str());
  }
  field = FieldOf(record, "ratio");
  avro_value_set_double(&field, i / 4.0);
  field = FieldOf(record, "small");
  avro_value_set_float(&field, static_cast<float>(i) / 2);
  field = FieldOf(record, "on");
  avro_value_set_boolean(&field, i % 2);
  field = FieldOf(record, "n");
  avro_value_set_int(&field, -i);
  field = FieldOf(record, "raw");
  char raw[] = {'\0', static_cast<char>(i)};
  avro_value_set_bytes(&field, raw, sizeof(raw));
  field = FieldOf(record, "kind");
  avro_value_set_enum(&field, i % 2);
  field = FieldOf(record, "tags");
  for (int k = 0; k < i % 3; ++k) {
    avro_value_append(&field, &element, nullptr);
    avro_value_set_string(&element, k == 0 ? "x" : "say \"y\"");
  }
  field = FieldOf(record, "counts");
  avro_value_add(&field, "k", &element, nullptr, nullptr);
  avro_value_set_long(&element, i);
}

TEST_F(Avro, ReadsWhatTheLibraryWritesWithEachCodec) {
  for (const char* codec : {"null", "deflate", "snappy"}) {
    const std::string path = Path(std::string(codec) + ".avro");
    Library(path, kFlat, codec, 5000, FillFlat);
    const auto rows = Read(path);
    ASSERT_TRUE(rows.ok()) << codec << Format(rows.error());
    ASSERT_EQ(rows->size(), 5000u) << codec;
    Rows sorted = *rows;
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return std::stoll(a[0]) < std::stoll(b[0]); });
    EXPECT_THAT(sorted[0], ElementsAre("-5", "NULL", "0.0", "0.0", "false", "0", "\\x00\\x00", "a",
                                       "[]", "{\"k\":0}"));
    EXPECT_THAT(sorted[5],
                ElementsAre("5000010", "näme 5", "1.25", "2.5", "true", "-5", "\\x00\\x05", "b",
                            "[\"x\",\"say \\\"y\\\"\"]", "{\"k\":5}"));
    EXPECT_TRUE(letters_.empty());
  }
}

TEST_F(Avro, GivesTheTypesOfItsSchema) {
  const auto schema = AvroSchema::Parse(R"({"type":"record","name":"r","fields":[
    {"name":"a","type":{"type":"int","logicalType":"date"}},
    {"name":"b","type":{"type":"int","logicalType":"time-millis"}},
    {"name":"c","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
    {"name":"d","type":{"type":"long","logicalType":"local-timestamp-micros"}},
    {"name":"e","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
    {"name":"f","type":{"type":"fixed","name":"f5","size":5,"logicalType":"decimal","precision":9}},
    {"name":"g","type":{"type":"string","logicalType":"uuid"}},
    {"name":"h","type":{"type":"fixed","name":"d","size":12,"logicalType":"duration"}},
    {"name":"i","type":{"type":"bytes","logicalType":"decimal","precision":50,"scale":2}},
    {"name":"j","type":{"type":"string","logicalType":"date"}},
    {"name":"k","type":["int","string"]},
    {"name":"l","type":{"type":"record","name":"n","fields":[{"name":"x y","type":"f5"},{"name":"z","type":["null",{"type":"array","items":"double"}]}]}},
    {"name":"m","type":{"type":"record","name":"node","fields":[{"name":"next","type":["null","node"]}]}},
    {"name":"o","type":{"type":"long","logicalType":"timestamp-nanos"}}]})");
  ASSERT_TRUE(schema.ok()) << Format(schema.error());
  EXPECT_EQ(sluice::Format(ColumnsOf(schema->root())),
            "(a DATE, b TIME, c TIMESTAMP WITH TIME ZONE, d TIMESTAMP, e DECIMAL(10,2), f "
            "DECIMAL(9,0), g UUID, h INTERVAL, i BLOB, j VARCHAR, k JSON, l STRUCT(\"x y\" "
            "DECIMAL(9,0), \"z\" DOUBLE[]), m JSON, o TIMESTAMP_NS)");
}

TEST_F(Avro, RefusesSchemasThatAreNone) {
  const auto error = [](std::string_view text) {
    const auto schema = AvroSchema::Parse(text);
    return schema.ok() ? "none" : schema.error().message;
  };
  EXPECT_THAT(error("{"), HasSubstr("byte"));
  EXPECT_EQ(error("3"), "a type is neither a name, a list nor an object");
  EXPECT_EQ(error("\"text\""), "an unknown type 'text'");
  EXPECT_EQ(error("[]"), "a union of nothing");
  EXPECT_EQ(error(R"({"type":"record","name":"r"})"), "the record 'r' has no fields");
  EXPECT_EQ(error(R"({"type":"array"})"), "an array without its type");
  EXPECT_EQ(error(R"({"type":"fixed","name":"f","size":-1})"), "the fixed 'f' has no size");
  std::string deep = "\"int\"";
  for (int i = 0; i < 100; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_EQ(error(deep), "types are nested deeper than 64");
}

constexpr const char* kEverything =
    "SELECT i, i::DOUBLE / 3 AS d, (i / 7)::FLOAT AS f, i % 2 = 0 AS b, (i % 100)::TINYINT AS t, "
    "(i * 3)::UINTEGER AS u, CASE WHEN i % 5 > 0 THEN 'tëxt ' || i END AS s, "
    "(i::VARCHAR)::BLOB || '\\xFF'::BLOB AS raw, "
    "DATE '2026-01-01' - i::INTEGER * 3000 AS day, TIME '10:00:00.5' AS tm, "
    "TIMESTAMP '1969-12-31 23:59:59.999999' + INTERVAL (i) HOUR AS ts, "
    "TIMESTAMPTZ '2026-01-01 10:00:00+02' AS tz, (i * 1.5 - 3)::DECIMAL(4,2) AS d4, "
    "(i * 100 - 700)::DECIMAL(9,3) AS d9, (-i * 1000)::DECIMAL(18,4) AS d18, "
    "(i::HUGEINT * 1000000000000000000000 - 5)::DECIMAL(38,6) AS d38, "
    "'550e8400-e29b-41d4-a716-446655440000'::UUID AS id, "
    "(CASE i % 2 WHEN 0 THEN 'on' ELSE 'off' END)::ENUM('on', 'off') AS e, "
    "[i, NULL, -i] AS l, {'a': i, 'b': {'c': DATE '2026-02-03', 'd': [1.5::DECIMAL(5,2)]}, "
    "'e': NULL::INTEGER} AS r, "
    "MAP {'k' || i: TIMESTAMP '2026-01-01 00:00:00'} AS m, ['\\xAB'::BLOB, 'a\\x5Cb'::BLOB] AS lb, "
    "['nan'::DOUBLE, '-inf'::DOUBLE, 0.1] AS ld, [TIME '01:02:03'] AS lt, "
    "{'j': 1}::JSON AS j FROM range(23) AS r(i)";

TEST_F(Avro, RoundsEveryTypeThroughEachCodec) {
  std::string expected;
  {
    const auto rows =
        session_->Query(fmt::format("SELECT * REPLACE (u::BIGINT AS u, t::INTEGER AS t, e::VARCHAR "
                                    "AS e, j::VARCHAR AS j, lb::VARCHAR[] AS lb) FROM "
                                    "({}) ORDER BY i",
                                    kEverything));
    ASSERT_TRUE(rows.ok()) << Format(rows.error());
    for (const auto& row : rows->rows) {
      for (const auto& cell : row) expected += (cell.null ? "NULL" : cell.text) + "|";
      expected += '\n';
    }
  }
  for (const AvroCodec codec :
       {AvroCodec::kNull, AvroCodec::kDeflate, AvroCodec::kSnappy, AvroCodec::kZstandard}) {
    const std::string path = Path("all.avro");
    const auto written = Put(kEverything, path, codec);
    ASSERT_TRUE(written.ok()) << Format(written.error());
    EXPECT_EQ(*written, 23u);
    // As the file source reads it: nested values are cast.
    const auto file = OpenAvro(*files_, path, "f");
    ASSERT_TRUE(file.ok());
    const Schema own = ColumnsOf((*file)->schema.root());
    const auto rows = Read(path);
    ASSERT_TRUE(rows.ok()) << Format(rows.error());
    EXPECT_TRUE(letters_.empty());
    std::string values;
    for (const auto& row : *rows) {
      std::string line;
      for (size_t i = 0; i < row.size(); ++i) {
        const bool cast = NativeOf(own[i].type) == Physical::kText && own[i].type != "VARCHAR";
        line += fmt::format(
            "{}{}", line.empty() ? "" : ", ",
            row[i] == "NULL" ? "NULL"
            : cast ? fmt::format("CAST({}::JSON AS {})", QuoteLiteral(row[i]), own[i].type)
                   : fmt::format("CAST({} AS {})", QuoteLiteral(row[i]), own[i].type));
      }
      values += (values.empty() ? "(" : ", (") + line + ")";
    }
    const auto shown = session_->Query("SELECT * FROM (VALUES " + values + ") ORDER BY 1");
    ASSERT_TRUE(shown.ok()) << Format(shown.error());
    std::string actual;
    for (const auto& row : shown->rows) {
      for (const auto& cell : row) actual += (cell.null ? "NULL" : cell.text) + "|";
      actual += '\n';
    }
    EXPECT_EQ(actual, expected) << NameOf(codec);
    if (codec == AvroCodec::kZstandard) continue;  // avro-c in Debian has no zstd
    EXPECT_EQ(ByLibrary(path).size(), 23u) << NameOf(codec);
  }
}

TEST_F(Avro, TheLibraryReadsOurRecords) {
  ASSERT_TRUE(Put("SELECT 7 AS a, 'x' AS b, [1, NULL] AS c, {'d': true} AS r, MAP {'k': 2} AS m, "
                  "NULL::DOUBLE AS n",
                  Path("a.avro"))
                  .ok());
  EXPECT_THAT(ByLibrary(Path("a.avro")),
              ElementsAre(R"({"a": {"int": 7}, "b": {"string": "x"}, "c": {"array": [{"int": 1}, )"
                          R"(null]}, "r": {"r_1": {"d": {"boolean": true}}}, "m": {"map": {"k": )"
                          R"({"int": 2}}}, "n": null})"));
}

TEST_F(Avro, NamesTheColumnThatAvroCannotHold) {
  const auto error = [&](const std::string& expression, const std::string& name = "c") {
    const auto schema = session_->Describe(fmt::format("SELECT {} AS \"{}\"", expression, name));
    const auto table = AvroTableOf(*schema);
    return table.ok() ? "none" : table.error().message;
  };
  EXPECT_EQ(
      error("1::HUGEINT"),
      "column 'c' is HUGEINT, which Avro cannot hold; write CAST(\"c\" AS decimal(38,0)) in a "
      "map before the load");
  EXPECT_THAT(error("1::UBIGINT"), HasSubstr("CAST(\"c\" AS decimal(20,0))"));
  EXPECT_THAT(error("INTERVAL 1 DAY"), HasSubstr("CAST(\"c\" AS varchar)"));
  EXPECT_THAT(error("TIMESTAMP_NS '2026-01-01'"), HasSubstr("CAST(\"c\" AS timestamp)"));
  EXPECT_THAT(error("MAP {1: 2}"), HasSubstr("CAST(\"c\" AS MAP(VARCHAR, INTEGER))"));
  EXPECT_EQ(
      error("{'a': [{'b': 1::HUGEINT}]}"),
      "column 'c.a.b' is HUGEINT, which Avro cannot hold; write a cast of it to decimal(38,0) "
      "in a map before the load");
  EXPECT_THAT(error("1", "a b"), HasSubstr("column 'a b': a name in Avro has letters"));
  EXPECT_THAT(error("{'1x': 1}"), HasSubstr("field 'c.1x': a name in Avro"));
  EXPECT_EQ(error("'a b'::ENUM('a b', 'c')"), "none");  // text
}

TEST_F(Avro, AnInfinityHasNoForm) {
  const auto written = Put("SELECT 'infinity'::DATE AS d", Path("a.avro"));
  ASSERT_FALSE(written.ok());
  EXPECT_THAT(written.error().message, HasSubstr("column 'd': Avro has no form for the date"));
}

TEST_F(Avro, AValueThatItsColumnCannotHoldIsALetter) {
  ASSERT_TRUE(Put("SELECT i, i * 100 AS v FROM range(4) AS r(i)", Path("a.avro")).ok());
  Schema schema(2);
  schema[0] = {"i", "BIGINT"};
  schema[1] = {"v", "UTINYINT"};
  const auto rows = Read(Path("a.avro"), schema);
  ASSERT_TRUE(rows.ok()) << Format(rows.error());
  EXPECT_THAT(*rows,
              ElementsAre(ElementsAre("0", "0"), ElementsAre("1", "100"), ElementsAre("2", "200")));
  ASSERT_EQ(letters_.size(), 1u);
  EXPECT_EQ(letters_[0].message, "column 'v': long is 300, which UTINYINT does not hold");
  EXPECT_EQ(letters_[0].original, R"({"i":3,"v":300})");
  EXPECT_EQ(letters_[0].line, 4);
  schema[1].type = "DATE";
  EXPECT_EQ(
      ErrorOf(Path("a.avro"), schema),
      "'f': column 'v' is null or long, which DATE does not hold; say BIGINT in `columns:` and "
      "cast it in a map");
}

TEST_F(Avro, SaysWhatIsNoContainer) {
  Write(Path("empty"), "");
  EXPECT_EQ(ErrorOf(Path("empty")), "'f' is empty: not an Avro file");
  Write(Path("old"), std::string("Obj\0abc", 7));
  EXPECT_THAT(ErrorOf(Path("old")), HasSubstr("an Avro file of version 0, from before"));
  Write(Path("one"), "\xC3\x01....");
  EXPECT_THAT(ErrorOf(Path("one")), HasSubstr("a single Avro message"));
  Write(Path("csv"), "id,name\n");
  EXPECT_THAT(ErrorOf(Path("csv")), HasSubstr("is not an Avro file"));
  ASSERT_TRUE(Put("SELECT 1 AS a", Path("a.avro")).ok());
  std::string bytes = Bytes(Path("a.avro"));
  const size_t codec = bytes.find("deflate");
  bytes.replace(codec, 7, "bzip2\\\x1b");
  Write(Path("codec"), bytes);
  EXPECT_THAT(ErrorOf(Path("codec")), HasSubstr("is packed by the codec 'bzip2\\\\x1B'"));
}

TEST_F(Avro, EveryCutIsAnErrorOrWholeBlocks) {
  Library(Path("a.avro"), kFlat, "deflate", 300, FillFlat);
  const std::string bytes = Bytes(Path("a.avro"));
  const auto whole = Read(Path("a.avro"));
  ASSERT_TRUE(whole.ok());
  int fine = 0;
  for (size_t size = 0; size < bytes.size(); size += size % 41 + 1) {
    Write(Path("cut"), bytes.substr(0, size));
    const auto rows = Read(Path("cut"));
    fine += rows.ok() ? 1 : 0;
    if (rows.ok()) {
      EXPECT_LT(rows->size(), whole->size());
    } else {
      EXPECT_THAT(rows.error().message, HasSubstr("'f'")) << size;
    }
  }
  EXPECT_LE(fine, 3);  // between two blocks
}

// A few thousand of the ways in which a file can lie: rows, letters or an error, never a crash.
TEST_F(Avro, DamageIsAnErrorAndNeverACrash) {
  std::mt19937_64 random(7);
  for (const char* codec : {"null", "snappy", "deflate"}) {
    Library(Path("a.avro"), kFlat, codec, 40, FillFlat);
    const std::string bytes = Bytes(Path("a.avro"));
    int told = 0;
    for (int i = 0; i < 300; ++i) {
      std::string bad = bytes;
      for (int k = 0; k <= i % 3; ++k) bad[random() % bad.size()] = static_cast<char>(random());
      Write(Path("bad"), bad);
      const auto rows = Read(Path("bad"));
      if (rows.ok()) continue;
      ++told;
      EXPECT_NE(rows.error().kind, ErrorKind::kInternal) << rows.error().message;
    }
    EXPECT_GT(told, 60) << codec;
  }
}

TEST_F(Avro, ADamagedBlockIsNamedByItsByte) {
  ASSERT_TRUE(Put("SELECT i FROM range(10) AS r(i)", Path("a.avro"), AvroCodec::kSnappy).ok());
  std::string bytes = Bytes(Path("a.avro"));
  const auto file = OpenAvro(*files_, Path("a.avro"), "f");
  const uint64_t at = (*file)->data_at;
  bytes[at + 8] = static_cast<char>(bytes[at + 8] ^ 1);
  Write(Path("b.avro"), bytes);
  EXPECT_THAT(ErrorOf(Path("b.avro")),
              HasSubstr(fmt::format("'f' is damaged: the block at byte {} cannot be unpacked "
                                    "(snappy)",
                                    at)));
  bytes = Bytes(Path("a.avro"));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  Write(Path("c.avro"), bytes);
  EXPECT_EQ(ErrorOf(Path("c.avro")),
            fmt::format("'f' is damaged: the block at byte {} does not end with the mark of its "
                        "file",
                        at));
  Write(Path("d.avro"), bytes.substr(0, bytes.size() - 1));
  EXPECT_EQ(ErrorOf(Path("d.avro")),
            fmt::format("'f' ends in the middle of the block at byte {}: it was cut off, or is not "
                        "complete yet",
                        at));
}

}  // namespace
}  // namespace sluice::format
