// Functions against an oracle in this process: whatever the rows, batches, processes and threads,
// each row is answered once and as Python answers it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "transform/verbs_for_test.h"

namespace sluice {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kPython = R"PY(
def same(row):
    return row

def answer(row):
    kind = row["n"] % 7 if row["n"] is not None else 6
    if kind == 0:
        return None
    if kind == 1:
        raise ValueError("one: " + row["text"])
    if kind == 2:
        return []
    if kind == 3:
        return [dict(row, part=i) for i in range(row["n"] % 5 + 1)]
    row["part"] = -1
    return row
)PY";

class FunctionTest : public VerbTest {
 protected:
  void SetUp() override {
    VerbTest::SetUp();
    files_["f.py"] = kPython;
  }
};

std::string RandomText(std::mt19937& random) {
  static const std::vector<std::string> kPieces{"a",
                                                "Zz",
                                                "\"",
                                                "\\",
                                                "\n",
                                                "\t",
                                                "\r",
                                                "\x01",
                                                "\x1f",
                                                "\x7f",
                                                "ü",
                                                "漢",
                                                "😀",
                                                "'",
                                                " ",
                                                "{}",
                                                "0123456789abcdef",
                                                "\xE2\x80\xA8",
                                                "null",
                                                "/"};
  std::string text;
  for (size_t i = random() % 12; i > 0; --i) text += kPieces[random() % kPieces.size()];
  return text;
}

TEST_F(FunctionTest, AnswersAsTheOracle) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 12; ++round) {
    const uint64_t count = round == 0 ? 0 : random() % 6000;
    Execute("CREATE OR REPLACE TABLE t (id BIGINT, n INTEGER, text VARCHAR, x DOUBLE)");
    std::vector<std::string> wanted;
    uint64_t filtered = 0, rejected = 0;
    std::string values;
    for (uint64_t id = 0; id < count; ++id) {
      const bool null = random() % 20 == 0;
      const int n = static_cast<int>(random() % 1000);
      const std::string text = RandomText(random);
      values += fmt::format("{}({}, {}, {}, {})", values.empty() ? "" : ", ", id,
                            null ? "NULL" : std::to_string(n), QuoteLiteral(text),
                            static_cast<double>(n) / 8);
      const int kind = null ? 6 : n % 7;
      const auto row = [&](int part) { wanted.push_back(fmt::format("{}|{}|{}", id, text, part)); };
      if (kind == 0 || kind == 2) ++filtered;
      if (kind == 1) ++rejected;
      for (int part = 0; kind == 3 && part < n % 5 + 1; ++part) row(part);
      if (kind > 3) row(-1);
    }
    if (count > 0) Execute("INSERT INTO t VALUES " + values);
    Execute(fmt::format("SET threads = {}", 1 + random() % 4));
    const std::string body = fmt::format(
        R"({{"python": "f.py", "name": "answer", "batch_size": {}, "parallelism": {},
            "columns": {{"id": "bigint", "text": "varchar", "part": "integer"}}}})",
        random() % 3 == 0 ? 1 + random() % 5 : 1 + random() % 2048, 1 + random() % 3);
    StepInput step = Step("function", body, {Table("t")}, "f", OnRowError::kReject);
    Run run = Fused(step.rows);
    std::sort(wanted.begin(), wanted.end());
    ASSERT_EQ(run.rows, wanted) << "round " << round << ": " << body;
    EXPECT_EQ(run.gone["f filtered"], filtered);
    EXPECT_EQ(run.gone["f rejected"], rejected);
    EXPECT_EQ(run.diverted.size(), rejected);
    EXPECT_EQ(run.asked, count);
    EXPECT_EQ(run.answered, wanted.size());
  }
}

TEST_F(FunctionTest, GivesBackEveryTypeExactly) {
  Execute(R"(CREATE TABLE t AS SELECT
      -9223372036854775808 AS a, 18446744073709551615::UBIGINT AS b, 0.1::FLOAT AS c, 1e300 AS d,
      '-123456789012345678.123456789'::DECIMAL(38,9) AS e, DATE '0044-03-15' AS f,
      TIMESTAMP '1969-12-31 23:59:59.999999' AS g, TIME '23:59:59.5' AS h, INTERVAL '1 month 3 days' AS i,
      true AS j, [1, NULL, 3] AS k, {'x': 1, 'y': 'q"'} AS l, '{"a":[15]}'::JSON AS m,
      uuid '00000000-0000-0000-0000-00000000000a' AS n, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS o,
      'x'::ENUM('x', 'y') AS p, MAP {'k': 2} AS q, 5e-324 AS r, 1::TINYINT AS s)");
  Execute("INSERT INTO t (a) VALUES (NULL)");
  for (const char* body : {R"({"python": "f.py", "name": "same"})", R"({"command": ["cat"]})"}) {
    StepInput step = Step("function", body, {Table("t")}, "f", OnRowError::kReject);
    Run run = Fused(step.rows);
    EXPECT_EQ(run.rows, Query("SELECT * FROM t")) << body;
    EXPECT_TRUE(run.diverted.empty()) << run.diverted.at(0).message;
    EXPECT_EQ(Format(step.rows->schema), Format(Table("t").rows->schema));
  }
}

TEST_F(FunctionTest, HandsOverJsonOfManyLines) {
  Execute("CREATE TABLE t AS SELECT CAST('{\"a\":' || chr(10) || '[1.50]}' AS JSON) AS j");
  StepInput step = Step("function", R"({"command": ["cat"]})", {Table("t")}, "f");
  EXPECT_EQ(Fused(step.rows).rows, std::vector<std::string>{"{\"a\": [1.50]}"});
}

TEST_F(FunctionTest, CarriesNullsAcrossManyVectors) {
  Execute(
      "CREATE TABLE t AS SELECT range AS id, CASE WHEN range % 3 > 0 THEN 'v' || range END AS v "
      "FROM range(20000)");
  files_["f.py"] = "def f(row):\n  return [row] * 3\n";
  StepInput step = Step("function", R"({"python": "f.py", "name": "f"})", {Table("t")}, "f");
  EXPECT_EQ(Fused(step.rows).rows,
            Query("SELECT * FROM t UNION ALL SELECT * FROM t UNION ALL SELECT * FROM t"));
}

TEST_F(FunctionTest, HandsEachRowOverOnceWhateverStandsAround) {
  Execute("CREATE TABLE t AS SELECT range AS id FROM range(5000)");
  files_["f.py"] = "def f(row):\n  return row\n";
  StepInput step = Step("function", R"({"python": "f.py", "name": "f"})", {Table("t")}, "f");
  step = Step("filter", R"({"where": "id % 2 = 0"})", {step}, "even");
  step = Step("derive", R"({"twice": "id * 2"})", {step}, "twice");
  Run run = Fused(step.rows);
  EXPECT_EQ(run.asked, 5000u);
  EXPECT_EQ(run.rows.size(), 2500u);
  EXPECT_EQ(run.gone["even filtered"], 2500u);
  step = Step("aggregate", R"x({"select": {"n": "count(*)"}})x", {step}, "count");
  run = Fused(step.rows);
  EXPECT_EQ(run.asked, 5000u);
  EXPECT_EQ(run.rows, std::vector<std::string>{"2500"});
}

TEST_F(FunctionTest, ChangesItsFingerprintWithItsText) {
  Execute("CREATE TABLE t AS SELECT 1::BIGINT AS id");
  const auto canonical = [&](const std::string& body) {
    return relation::Canonical(Step("function", body, {Table("t")}, "f").rows);
  };
  const std::string python = R"({"python": "f.py", "name": "same"})";
  const std::string before = canonical(python);
  EXPECT_EQ(canonical(R"({"python": "f.py", "name": "same", "batch_size": 7, "parallelism": 2})"),
            before);
  EXPECT_NE(canonical(R"({"python": "f.py", "name": "answer"})"), before);
  files_["f.py"] += "# more\n";
  EXPECT_NE(canonical(python), before);
  const std::string command = R"({"command": ["cat", "./g.txt"]})";
  const std::string without = canonical(command);
  files_["./g.txt"] = "one";
  const std::string one = canonical(command);
  EXPECT_NE(one, without);
  files_["./g.txt"] = "two";
  EXPECT_NE(canonical(command), one);
}

TEST_F(FunctionTest, TellsWhatIsWrongWithAnAnswer) {
  Execute("CREATE TABLE t AS SELECT 1::BIGINT AS id");
  const auto said = [&](const std::string& answer) {
    files_["f.py"] = "class D(dict): pass\ndef f(row):\n  return " + answer + "\n";
    Run run = Fused(Step("function", R"({"python": "f.py", "name": "f"})", {Table("t")}, "f",
                         OnRowError::kReject)
                        .rows);
    return run.diverted.size() == 1 ? run.diverted[0].message : Join(run.rows, ";");
  };
  EXPECT_EQ(said("D(id=5)"), "5");
  EXPECT_EQ(said("(row, row)"), "1;1");
  EXPECT_EQ(said("{}"), "NULL");
  EXPECT_EQ(said("{'id': '7'}"), "7");
  EXPECT_EQ(said("{'id': 1.5}"), "column 'id': '1.5' is not a BIGINT");
  EXPECT_EQ(said("{'id': 2 ** 63}"),
            "column 'id': '9223372036854775808' is out of the range of BIGINT");
  EXPECT_EQ(said("{'ID': 1}"), "'ID' is no column here");
  EXPECT_EQ(said("[row, 3]"), "the function returned a list with a int in it; its items are dicts");
  EXPECT_EQ(said("'text'"),
            "the function returned a str; it returns a dict, a list of dicts or None");
  EXPECT_THAT(said("{'id': {1, 2}}"), HasSubstr("a set has no form in JSON"));
  EXPECT_THAT(said("{'id': '\\ud800'}"), HasSubstr("returned a value that is no row"));
  EXPECT_THAT(said("row['missing']"), StartsWith("KeyError: 'missing' (f.py:3)"));
  EXPECT_THAT(said("(lambda f: f(f))(lambda f: f(f))"), StartsWith("RecursionError"));
}

}  // namespace
}  // namespace sluice
