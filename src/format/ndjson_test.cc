// Tests of format/ndjson.
#include "format/ndjson.h"

#include <fmt/format.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "format/slots_for_tests.h"

namespace sluice::format {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Row = std::vector<std::string>;

const Schema kIdName{{.name = "id", .type = "BIGINT"}, {.name = "name", .type = "VARCHAR"}};

std::vector<Row> RowsOf(const std::string& type, const std::string& values) {
  std::string lines;
  std::istringstream in(values);
  for (std::string value; std::getline(in, value);) lines += "{\"x\":" + value + "}\n";
  return DecodeAll({{.name = "x", .type = type}}, lines).rows;
}
// The one value's text, or the letter's code and message.
std::string ValueOf(const std::string& type, const std::string& value) {
  const Decoded decoded = DecodeAll({{.name = "x", .type = type}}, "{\"x\":" + value + "}");
  EXPECT_EQ(decoded.read, 1u);
  EXPECT_EQ(decoded.rows.size() + decoded.letters.size(), 1u);
  return decoded.rows.empty() ? decoded.letters[0].code + ": " + decoded.letters[0].message
                              : decoded.rows[0][0];
}
std::string FaultOf(std::string_view line) {
  const Decoded decoded = DecodeAll(kIdName, line);
  return decoded.letters.empty() ? "row"
                                 : decoded.letters[0].code + ": " + decoded.letters[0].message;
}

TEST(Ndjson, FillsColumnsByNameInAnyOrder) {
  const Decoded decoded =
      DecodeAll(kIdName,
                "{\"id\":1,\"name\":\"a\"}\n"
                "{ \"name\" : \"b\" , \"other\":[1,{\"id\":9}], \"id\" : 2 }\r\n"
                "\n  \t\r\n"
                "{\"na\\u006de\":\"c\"}\n"
                "{}\n"
                "{\"name\":null,\"id\":-3}");
  EXPECT_THAT(decoded.rows, ElementsAre(Row{"1", "a"}, Row{"2", "b"}, Row{"NULL", "c"},
                                        Row{"NULL", "NULL"}, Row{"-3", "NULL"}));
  EXPECT_EQ(decoded.read, 5u);
  EXPECT_TRUE(decoded.letters.empty());
  EXPECT_THAT(decoded.offsets, ElementsAre(0, 20, 77, 95, 98));
}

TEST(Ndjson, ABadLineCostsItsNeighboursNothing) {
  const std::string lines =
      "{\"id\":1,\"name\":\"a\"}\n{\"id\":\n{\"id\":3}\n{\"id\":4,\"name\":\"\n{\"id\":5}\n{\"id\":"
      "6,\"name\":\"\xff\"}\n{\"id\":7}\n";
  for (const uint64_t capacity : {1, 2, 2048}) {
    const Decoded decoded = DecodeAll(kIdName, lines, capacity);
    EXPECT_THAT(decoded.rows,
                ElementsAre(Row{"1", "a"}, Row{"3", "NULL"}, Row{"5", "NULL"}, Row{"7", "NULL"}));
    ASSERT_EQ(decoded.letters.size(), 3u);
    EXPECT_EQ(decoded.read, 7u);
    EXPECT_EQ(decoded.letters[0].offset, 20);
    EXPECT_EQ(decoded.letters[0].original, "{\"id\":");
    EXPECT_EQ(decoded.letters[0].partition, "f.ndjson");
    EXPECT_THAT(decoded.letters[1].message, HasSubstr("closing quote"));
    EXPECT_THAT(decoded.letters[2].message, HasSubstr("not UTF-8"));
    EXPECT_EQ(decoded.letters[2].original, "{\"id\":6,\"name\":\"\xff\"}");
  }
}

TEST(Ndjson, ValuesOfARefusedLineDoNotLeakIntoTheNext) {
  const Decoded decoded = DecodeAll(kIdName,
                                    "{\"id\":null,\"name\":null,}\n{\"id\":1,\"name\":\"a\"}\n"
                                    "{\"name\":null,\"id\":\"x\"}\n{\"id\":2,\"name\":\"b\"}\n");
  EXPECT_THAT(decoded.rows, ElementsAre(Row{"1", "a"}, Row{"2", "b"}));
}

TEST(Ndjson, DamageAfterTheLastWantedFieldIsFound) {
  for (const std::string tail :
       {",\"z\":tru}", ",\"z\":01}", ",\"z\":[1,]}", ",\"z\":{\"a\" 1}}", ",}", "", "}}", "} {}",
        "} x", ",\"z\":\"\\q\"}", ",\"z\":\"\\ud800\"}", ",\"z\":1.}", ",\"z\":\"a\"b}", ",z:1}",
        ",\"z\":[1}", ",\"z\":'a'}", ",\"z\":NaN}"}) {
    EXPECT_THAT(FaultOf("{\"id\":1,\"name\":\"a\"" + tail), testing::StartsWith("malformed: "))
        << tail;
  }
  EXPECT_EQ(FaultOf("{\"id\":1,\"z\":{\"a\":[[],{},1e5,-0,\"\\ud83d\\ude00\"]}}"), "row");
}

TEST(Ndjson, SaysWhereAndWhat) {
  EXPECT_EQ(FaultOf("{\"id\" 1}"),
            "malformed: not JSON at byte 7 of the line: ':' was expected after a key");
  EXPECT_EQ(FaultOf("[1]"), "malformed: not an object but an array; each line must be one object");
  EXPECT_EQ(FaultOf("[1"),
            "malformed: not JSON at byte 3 of the line: the line ends inside a value");
  EXPECT_EQ(FaultOf("{\"id\":\"x\",\"name\":1}"), "type: column 'id': 'x' is not a BIGINT");
  EXPECT_EQ(FaultOf("{\"id\":{}}"), "type: column 'id': '{}' is not a BIGINT");
}

TEST(Ndjson, TheLastOfARepeatedKeyCounts) {
  const Decoded decoded = DecodeAll(
      kIdName,
      "{\"id\":1,\"id\":2}\n{\"id\":\"x\",\"id\":3}\n{\"id\":null,\"id\":4}\n"
      "{\"id\":5,\"id\":null}\n{\"id\":6,\"id\":\"x\"}\n{\"id\":\"x\",\"name\":\"a\",\"id\":7}");
  EXPECT_THAT(decoded.rows, ElementsAre(Row{"2", "NULL"}, Row{"3", "NULL"}, Row{"4", "NULL"},
                                        Row{"NULL", "NULL"}, Row{"7", "a"}));
  EXPECT_EQ(decoded.letters.size(), 1u);
}

TEST(Ndjson, AnUnwantedColumnIsCheckedAllTheSame) {
  TestSlots slots(kIdName, {1}, 16);
  const Decoded decoded =
      Decode(*MakeNdjsonDecoder(kIdName, {1}),
             BlockOf("{\"id\":1,\"name\":\"a\"}\n{\"id\":\"x\",\"name\":\"b\"}\n"), slots);
  EXPECT_THAT(decoded.rows, ElementsAre(Row{"a"}));
  ASSERT_EQ(decoded.letters.size(), 1u);
  EXPECT_EQ(decoded.letters[0].code, "type");
}

TEST(Ndjson, Integers) {
  EXPECT_THAT(RowsOf("TINYINT", "-128\n127\n0\n-0\n1e2\n1.0\n\"12\"\n\" +7 \"\n1200e-2"),
              ElementsAre(Row{"-128"}, Row{"127"}, Row{"0"}, Row{"0"}, Row{"100"}, Row{"1"},
                          Row{"12"}, Row{"7"}, Row{"12"}));
  EXPECT_EQ(ValueOf("TINYINT", "128"), "type: column 'x': '128' is out of the range of TINYINT");
  EXPECT_EQ(ValueOf("TINYINT", "-129"), "type: column 'x': '-129' is out of the range of TINYINT");
  EXPECT_EQ(ValueOf("INTEGER", "2147483647"), "2147483647");
  EXPECT_THAT(ValueOf("INTEGER", "2147483648"), HasSubstr("range"));
  EXPECT_EQ(ValueOf("BIGINT", "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(ValueOf("BIGINT", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_THAT(ValueOf("BIGINT", "9223372036854775808"), HasSubstr("range"));
  EXPECT_THAT(ValueOf("BIGINT", "18446744073709551617"), HasSubstr("range"));
  EXPECT_THAT(ValueOf("BIGINT", "1e400"), HasSubstr("range"));
  EXPECT_EQ(ValueOf("UBIGINT", "18446744073709551615"), "18446744073709551615");
  EXPECT_THAT(ValueOf("UBIGINT", "18446744073709551616"), HasSubstr("range"));
  EXPECT_THAT(ValueOf("UBIGINT", "-1"), HasSubstr("range"));
  EXPECT_EQ(ValueOf("BIGINT", "0.001e3"), "1");
  for (const char* bad :
       {"1.5", "true", "\"\"", "\"1 2\"", "[]", "{}", "\"x\"", "1e-1", "\"0x10\""}) {
    EXPECT_THAT(ValueOf("BIGINT", bad), testing::StartsWith("type: ")) << bad;
  }
}

TEST(Ndjson, RealsAreTheNearestDouble) {
  for (const char* number : {"0.1", "3.14", "-2.5", "1e10", "123456789.123456789",
                             "9007199254740993", "1e-320", "4.9e-324", "0.30000000000000004",
                             "179769313486231570000000000000000000000", "100.00", "5e-1"}) {
    const Decoded decoded =
        DecodeAll({{.name = "x", .type = "DOUBLE"}}, "{\"x\":" + std::string(number) + "}");
    ASSERT_EQ(decoded.rows.size(), 1u) << number;
    EXPECT_EQ(std::strtod(decoded.rows[0][0].c_str(), nullptr), std::strtod(number, nullptr))
        << number;
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const std::string number = fmt::format("{}.{}", random() % 1000000, random() % 100000000);
    EXPECT_EQ(ValueOf("DOUBLE", number), fmt::format("{}", std::strtod(number.c_str(), nullptr)))
        << number;
  }
  EXPECT_THAT(ValueOf("DOUBLE", "1e400"), HasSubstr("range"));
  EXPECT_EQ(ValueOf("DOUBLE", "1e-400"), "0");
  EXPECT_EQ(ValueOf("DOUBLE", "\"nan\""), "nan");
  EXPECT_THAT(ValueOf("FLOAT", "1e39"), HasSubstr("range"));
  EXPECT_EQ(ValueOf("FLOAT", "1.5"), "1.5");
}

TEST(Ndjson, BooleansDatesAndTimes) {
  EXPECT_THAT(RowsOf("BOOLEAN", "true\nfalse\n\"T\"\n\"0\"\nnull"),
              ElementsAre(Row{"true"}, Row{"false"}, Row{"true"}, Row{"false"}, Row{"NULL"}));
  EXPECT_THAT(ValueOf("BOOLEAN", "1"), HasSubstr("not a BOOLEAN"));
  EXPECT_THAT(RowsOf("DATE", "\"1970-01-02\"\n\"2000-02-29\"\n\"1969-12-31\"\n\"2026/1/2\""),
              ElementsAre(Row{"1"}, Row{"11016"}, Row{"-1"}, Row{"20455"}));
  for (const char* bad : {"\"2023-02-29\"", "\"2023-13-01\"", "\"2023-01-01x\"",
                          "\"2023-01-01 10:00:00\"", "20230101", "\"\""}) {
    EXPECT_THAT(ValueOf("DATE", bad), testing::StartsWith("type: ")) << bad;
  }
  EXPECT_THAT(
      RowsOf("TIMESTAMP",
             "\"1970-01-01 00:00:01\"\n\"1970-01-01T00:00:01.5Z\"\n\"1970-01-01T02:00:00+02:00\"\n"
             "\"1970-01-01T00:00-0130\"\n\"1970-01-02\"\n\"1970-01-01 "
             "00:00:00.1234567\"\n\"1969-12-31T23:59:59.999999 UTC\""),
      ElementsAre(Row{"1000000"}, Row{"1500000"}, Row{"0"}, Row{"5400000000"}, Row{"86400000000"},
                  Row{"123456"}, Row{"-1"}));
  for (const char* bad :
       {"\"1970-01-01 24:00:00\"", "\"1970-01-01 10\"", "\"1970-01-01T00:00:60\"",
        "\"1970-01-01 00:00:00 x\"", "\"1970-01-01 00:00:00+2\"", "0", "\"1970-01-01T\""}) {
    EXPECT_THAT(ValueOf("TIMESTAMP", bad), testing::StartsWith("type: ")) << bad;
  }
}

TEST(Ndjson, TextsAreUnescapedAndOtherValuesKeepTheirBytes) {
  EXPECT_EQ(ValueOf("VARCHAR", "\"a\\n\\u00e9\\ud83d\\ude00\\\\\\/\\\"\""), "a\né😀\\/\"");
  EXPECT_EQ(ValueOf("VARCHAR", "\"\\u0000\""), std::string(1, '\0'));
  EXPECT_EQ(ValueOf("VARCHAR", "1.50"), "1.50");
  EXPECT_EQ(ValueOf("VARCHAR", "true"), "true");
  EXPECT_EQ(ValueOf("VARCHAR", "{\"a\" : [1, \"b\"]}"), "{\"a\" : [1, \"b\"]}");
  EXPECT_EQ(ValueOf("DECIMAL(18,3)", "1.500"), "1.500");
  EXPECT_EQ(ValueOf("DECIMAL(18,3)", "\"1.5\""), "1.5");
  EXPECT_EQ(ValueOf("JSON", "\"a\\n\""), "\"a\\n\"");
  EXPECT_EQ(ValueOf("VARCHAR[]", "[\"a\"]"), "[\"a\"]");
  EXPECT_EQ(ValueOf("STRUCT(a INTEGER)", "{\"a\":1}"), "{\"a\":1}");
}

TEST(Ndjson, AByteOrderMarkIsSkippedOnlyAtTheStartOfTheFile) {
  EXPECT_EQ(DecodeAll(kIdName, "\xEF\xBB\xBF{\"id\":1}\n").rows.size(), 1u);
  EXPECT_EQ(DecodeAll(kIdName, "{\"id\":1}\n\xEF\xBB\xBF{\"id\":1}\n").letters.size(), 1u);
  EXPECT_TRUE(DecodeAll(kIdName, "\xEF\xBB\xBF").rows.empty());
}

TEST(Ndjson, NulBytesAreRefused) {
  EXPECT_EQ(DecodeAll(kIdName, std::string_view("{\"id\":1,\"name\":\"\0\"}", 19)).letters.size(),
            1u);
  EXPECT_EQ(DecodeAll(kIdName, std::string_view("{\"id\":1}\0", 9)).letters.size(), 1u);
  EXPECT_EQ(DecodeAll(kIdName, std::string_view("\0\n{\"id\":1}", 10)).rows.size(), 1u);
}

TEST(Ndjson, AnOriginalIsKeptUpToItsLimitAndItsLengthTold) {
  const std::string line = "{\"id\":" + std::string(100'000, '1') + "x}";
  const Decoded decoded = DecodeAll(kIdName, line);
  ASSERT_EQ(decoded.letters.size(), 1u);
  EXPECT_EQ(decoded.letters[0].original, line.substr(0, kMaxOriginalBytes));
  EXPECT_THAT(decoded.letters[0].message, HasSubstr("(the first 65536 of 100008 bytes are kept)"));
}

TEST(Ndjson, ABlockThatWasCutOffIsOneLetter) {
  Block block = BlockOf("{\"id\":1", 1000);
  block.cut_off = 99'999'993;
  TestSlots slots(kIdName, {0, 1}, 16);
  const Decoded decoded = Decode(*MakeNdjsonDecoder(kIdName, {0, 1}), block, slots);
  ASSERT_EQ(decoded.letters.size(), 1u);
  EXPECT_EQ(decoded.read, 1u);
  EXPECT_EQ(decoded.letters[0].offset, 1000);
  EXPECT_THAT(decoded.letters[0].message, HasSubstr("of 100000000 bytes"));
}

TEST(Ndjson, EveryPrefixGivesTheRowsBeforeItAndAtMostOneLetter) {
  const std::string text =
      "{\"id\":1,\"name\":\"\\u00e9\"}\n{\"id\":2,\"name\":\"é\",\"z\":[{\"a\":-1.5e3}]}\r\n\n{"
      "\"name\":\"\\\\\"}\n";
  for (size_t size = 0; size <= text.size(); ++size) {
    const Decoded decoded = DecodeAll(kIdName, text.substr(0, size));
    EXPECT_EQ(decoded.rows.size() + decoded.letters.size(), decoded.read) << size;
    const auto lines = static_cast<size_t>(
        std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(size), '\n'));
    EXPECT_GE(decoded.rows.size(), std::min<size_t>(lines, 2)) << size;
    EXPECT_LE(decoded.letters.size(), 1u) << size;
  }
}

TEST(Ndjson, LongInputsDecodeAlikeWhateverTheirChunks) {
  std::string text;
  std::mt19937_64 random(3);
  size_t bad = 0, good = 0;
  for (int i = 0; i < 20000; ++i) {
    if (random() % 500 == 0) {
      text += random() % 2 ? "{\"id\":\"\n" : "{\"id\":1]\n";
      ++bad;
    } else {
      text += fmt::format("{{\"id\":{},\"name\":\"{}\"}}\n", i, std::string(random() % 40, 'n'));
      ++good;
    }
  }
  text += "{\"name\":\"" + std::string(300'000, 'x') + "\"}\n{\"id\":5}";
  const Decoded decoded = DecodeAll(kIdName, text);
  EXPECT_EQ(decoded.rows.size(), good + 2);
  EXPECT_EQ(decoded.letters.size(), bad);
  EXPECT_EQ(decoded.rows.back()[0], "5");
}

TEST(Ndjson, DamagedBytesNeverBreakTheBalance) {
  const std::string good =
      "{\"id\":1,\"name\":\"ab\\n\\u00e9\",\"z\":[1,{\"a\":null}]}\n{\"id\":22,\"name\":\"é\","
      "\"t\":true}\n{\"id\":-3.0}\n";
  std::mt19937_64 random(11);
  // One decoder for all: what it learned of one text must not change the next.
  TestSlots many(kIdName, {0, 1}, 64), one(kIdName, {0, 1}, 1);
  const auto decoder = MakeNdjsonDecoder(kIdName, {0, 1});
  for (int i = 0; i < 20000; ++i) {
    std::string text = good;
    for (uint64_t flips = 1 + random() % 6; flips > 0; --flips) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 4);
          break;
        default:
          text.insert(at, 1, "{}[]\",:\\\n0e-."[random() % 13]);
      }
      if (text.empty()) text = " ";
    }
    const Decoded whole = Decode(*decoder, BlockOf(text), many);
    ASSERT_EQ(whole.rows.size() + whole.letters.size(), whole.read);
    const Decoded single = Decode(*decoder, BlockOf(text), one);
    ASSERT_EQ(whole.rows, single.rows);
    std::vector<Row> line_by_line;  // the neighbours must not matter
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.empty()) continue;
      for (Row& row : Decode(*decoder, BlockOf(line, 1), many).rows)
        line_by_line.push_back(std::move(row));
    }
    ASSERT_EQ(whole.rows, line_by_line) << text;
  }
}

std::filesystem::path Corpora() {
  const char* folder = std::getenv("SLUICE_CORPORA");
  return folder ? folder : "../shared/corpora";
}
std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// JSONTestSuite: each file is one document. As a record it is one line; a value that is no object
// is JSON all the same.
TEST(Ndjson, JudgesTheParsingCorpusAsItSays) {
  const std::filesystem::path folder = Corpora() / "json/parsing";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "skipped: 318 files are not at " << folder;
  const Schema schema{{.name = "a", .type = "VARCHAR"}};
  int accepted = 0, refused = 0, either = 0, several_lines = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    std::string text = ReadFile(entry.path());
    while (!text.empty() && text.back() == '\n') text.pop_back();
    const bool lines = text.find('\n') != std::string::npos;
    several_lines += lines;
    if (name[0] == 'y')
      std::replace(text.begin(), text.end(), '\n', ' ');  // a blank either way, in what is right
    const Decoded decoded = DecodeAll(schema, text);
    EXPECT_EQ(decoded.rows.size() + decoded.letters.size(), decoded.read) << name;
    const auto is_json = [](const Letter& letter) {
      return letter.message.find("not an object") != std::string::npos;
    };
    if (name[0] == 'y') {
      ASSERT_EQ(decoded.read, 1u) << name;
      EXPECT_TRUE(decoded.letters.empty() || is_json(decoded.letters[0]))
          << name << ": " << decoded.letters[0].message;
      ++accepted;
    } else if (name[0] == 'n') {
      EXPECT_TRUE(decoded.rows.empty()) << name;
      EXPECT_FALSE(!lines && !decoded.letters.empty() && is_json(decoded.letters[0])) << name;
      ++refused;
    } else {
      EXPECT_EQ(decoded.rows, DecodeAll(schema, text).rows) << name;
      ++either;
    }
  }
  std::cout << fmt::format(
      "JSONTestSuite: {} accepted, {} refused, {} either; {} had several lines\n", accepted,
      refused, either, several_lines);
  EXPECT_EQ(accepted + refused + either, 318);
}

TEST(Ndjson, NaughtyStringsComeBackAsTheyWere) {
  const std::filesystem::path file = Corpora() / "json/blns.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "skipped: 515 strings are not at " << file;
  std::istringstream in(ReadFile(file));
  std::string text;
  size_t count = 0;
  for (std::string line; std::getline(in, line);) {
    const size_t begin = line.find('"');
    if (begin == std::string::npos) continue;
    text += "{\"name\":" + line.substr(begin, line.rfind('"') + 1 - begin) + "}\n";
    ++count;
  }
  const Decoded decoded = DecodeAll(kIdName, text);
  std::cout << fmt::format("blns: {} strings\n", count);
  EXPECT_GT(count, 500u);
  EXPECT_EQ(decoded.rows.size(), count);
  EXPECT_TRUE(decoded.letters.empty());
}

}  // namespace
}  // namespace sluice::format
