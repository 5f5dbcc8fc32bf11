// The oracle: each row by itself. Where the expression as written throws, the row is bad; else the
// value is the same.
#include <gmock/gmock.h>

#include "base/text.h"
#include "sql/parse.h"

namespace sluice::sql {
namespace {

using testing::HasSubstr;

class FallibleTest : public testing::Test {
 protected:
  void SetUp() override {
    database_ = Database::Open({}).value();
    session_ = database_->Connect().value();
    parser_.emplace(*session_);
    Status made = session_->Execute(R"(
        CREATE TABLE t AS SELECT row_number() OVER () AS i, * FROM (VALUES
          ('12', 7::INTEGER, 2147483647::INTEGER, '2024-02-29', '{"a": 1}', 'n', 1.5::DOUBLE, [1, 2]),
          ('abc', 0, 5, '2023-02-29', '{"a": ', 'n', 0.0, [3]),
          (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
          ('', -1, -2147483648, '', '', 't', -2.5, []),
          ('99999999999999', 2147483647, 2147483647, '2024-12-31', '{"a": null}', 't', 1e300, [NULL, 5]),
          ('3.7', 3, 1, '31/12/2024', '[]', 'x', 'nan'::DOUBLE, [2147483647]),
          (' 5 ', 5, -5, '2024-01-01', '"text"', 'n', 5, [0])
        ) v(s, a, b, d, j, k, f, l))")
                          .ok()
                      ? Ok()
                      : Status(InternalError("no table"));
    ASSERT_TRUE(made.ok());
    columns_ = session_->Describe("SELECT * FROM t").value();
  }

  struct Case {
    bool bad;
    std::string value;
    auto operator<=>(const Case&) const = default;
    friend void PrintTo(const Case& one, std::ostream* out) {
      *out << (one.bad ? "bad" : one.value);
    }
  };
  std::vector<Case> RowByRow(const std::string& expression) {
    std::vector<Case> cases;
    for (int i = 1; i <= 7; ++i) {
      auto rows = session_->Query(
          "SELECT CAST((" + expression +
          ") AS VARCHAR) FROM (SELECT * FROM t WHERE i = " + std::to_string(i) + ")");
      cases.push_back(rows.ok()
                          ? Case{false, rows->rows[0][0].null ? "NULL" : rows->rows[0][0].text}
                          : Case{true, ""});
    }
    return cases;
  }
  std::vector<Case> AtOnce(const Fallible& fallible) {
    auto rows = session_->Query("SELECT CAST((" + fallible.value + ") AS VARCHAR), " +
                                fallible.bad + ", " + fallible.message + " FROM t ORDER BY i");
    EXPECT_TRUE(rows.ok()) << fallible.value << "\n" << rows.error().message;
    std::vector<Case> cases;
    if (!rows.ok()) return cases;
    for (const auto& row : rows->rows) {
      EXPECT_FALSE(row[1].null);
      bool bad = row[1].text == "true";
      EXPECT_TRUE(!bad || !row[2].text.empty()) << fallible.message;
      cases.push_back(bad ? Case{true, ""} : Case{false, row[0].null ? "NULL" : row[0].text});
    }
    return cases;
  }
  Fallible Make(const std::string& expression, const Schema& columns) {
    auto fallible = parser_->MakeFallible(expression, "out", columns);
    EXPECT_TRUE(fallible.ok()) << expression << ": " << fallible.error().message;
    return fallible.ok() ? *fallible : Fallible();
  }
  void Agrees(const std::string& expression) {
    std::vector<Case> right = RowByRow(expression);
    EXPECT_EQ(AtOnce(Make(expression, columns_)), right) << expression;
    EXPECT_EQ(AtOnce(Make(expression, {})), right) << expression << " without types";
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
  std::optional<Parser> parser_;
  Schema columns_;
};

TEST_F(FallibleTest, AgreesWithRowByRow) {
  for (const char* expression : {
           "CAST(s AS INTEGER)",
           "s::BIGINT + 1",
           "CAST(s AS DECIMAL(4,1))",
           "CAST(d AS DATE)",
           "CAST(CAST(s AS INTEGER) AS TINYINT)",
           "CASE WHEN k = 'n' THEN CAST(s AS INTEGER) WHEN k = 't' THEN b ELSE 0 END",
           "CASE WHEN CAST(s AS INTEGER) > 5 THEN a ELSE b END",
           "COALESCE(TRY_CAST(s AS INTEGER), CAST(d AS INTEGER), 0)",
           "COALESCE(a, CAST(s AS INTEGER))",
           "a + b",
           "a * b - 1",
           "-b",
           "a / b",
           "a // b",
           "a % b",
           "f * 2.0",
           "f * 1e300 * 1e300",
           "strptime(d, '%Y-%m-%d')",
           "CAST(strptime(d, '%Y-%m-%d') AS DATE)",
           "json_extract_string(j, '$.a')",
           "CAST(CAST(j AS JSON) AS INTEGER)",
           "CAST(j AS JSON) -> 'a'",
           "CAST(json_extract(j, '$.a') AS INTEGER)",
           "CAST(s AS INTEGER) > a",
           "CAST(s AS DOUBLE) BETWEEN f AND 20",
           "CAST(j AS JSON) = '[]'",
           "a IN (1, 7) OR f > 2",
           "lower(s) || upper(k)",
           "list_transform(l, lambda x: x + 1)",
           "CAST(l AS TINYINT[])",
           "CAST(s AS INTEGER) IS NULL",
           "CAST(a AS VARCHAR)",
           "CAST(a AS DOUBLE)",
           "CAST(f AS INTEGER)",
           "{'x': CAST(s AS INTEGER), 'y': a}",
           "l[1] + 1",
           "concat(CAST(s AS INTEGER), k)",
           "date_trunc('month', CAST(d AS DATE))",
           "CAST(d AS DATE) + INTERVAL 1 DAY",
           "sqrt(f)",
           "ln(a)",
           "NOT (CAST(s AS INTEGER) = 12)",
           "CASE k WHEN 'n' THEN s::INT END",
           "if(k = 't', a, CAST(s AS INTEGER))",
           "abs(b)",
           "repeat(k, 2)",
           "CAST(k = 'n' AS INTEGER)",
       }) {
    Agrees(expression);
  }
}

TEST_F(FallibleTest, AGuardDecidesWithoutTheFailingPart) {
  Fallible guarded = Make("k = 'x' AND CAST(s AS INTEGER) > 3", columns_);
  std::vector<Case> cases = AtOnce(guarded);
  EXPECT_EQ(cases[1], (Case{false, "false"}));  // 'abc' is never looked at
  EXPECT_EQ(cases[5], (Case{false, "true"}));   // '3.7' rounds to 4
  Fallible open = Make("k = 'n' AND CAST(s AS INTEGER) > 3", columns_);
  EXPECT_TRUE(AtOnce(open)[1].bad);
}

TEST_F(FallibleTest, LeavesWhatCannotFailAsItWasWritten) {
  for (const char* expression :
       {"a", "lower(s)", "a > 5", "f * 2", "coalesce(s, k)", "CASE WHEN a > 0 THEN s END",
        "CAST($p AS DATE)", "DATE '2024-01-01'", "CAST(a AS VARCHAR)", "d = '2024-01-01'"}) {
    Fallible fallible = Make(expression, columns_);
    EXPECT_FALSE(fallible.can_fail) << expression << " became " << fallible.value;
    EXPECT_EQ(fallible.value, expression);
    EXPECT_EQ(fallible.bad, "false");
  }
}

TEST_F(FallibleTest, CastsNeedNoTry) {
  Fallible fallible = Make("CASE WHEN a > 0 THEN CAST(s AS INTEGER) END", columns_);
  EXPECT_EQ(fallible.code, "cast");
  EXPECT_THAT(fallible.value, testing::Not(HasSubstr("TRY(")));
  EXPECT_EQ(Make("CAST(s AS INTEGER) + 1", columns_).code, "expression");
}

TEST_F(FallibleTest, MessagesNameColumnValueAndType) {
  auto message = [&](const std::string& expression, int row) {
    Fallible fallible = Make(expression, columns_);
    return session_
        ->Query("SELECT " + fallible.message + " FROM t WHERE i = " + std::to_string(row))
        .value()
        .rows[0][0]
        .text;
  };
  EXPECT_EQ(message("CAST(s AS INTEGER)", 2), "out: 'abc' is not a valid INTEGER");
  EXPECT_EQ(message("CAST(s AS DECIMAL(4,1))", 2), "out: 'abc' is not a valid DECIMAL(4,1)");
  EXPECT_EQ(message("strptime(d, '%Y-%m-%d')", 2),
            "out: '2023-02-29' does not have the form '%Y-%m-%d'");
  EXPECT_EQ(message("a + b", 5),
            "out: cannot compute a + b where a = '2147483647', b = '2147483647'");
}

TEST_F(FallibleTest, KeepsBoundValues) {
  Fallible fallible = Make("CAST(s AS INTEGER) > CAST($least AS INTEGER)", columns_);
  auto rows = session_->Query("SELECT " + fallible.value + " FROM t WHERE i = 1",
                              {{.name = "least", .type = "INTEGER", .text = "5"}});
  ASSERT_TRUE(rows.ok()) << rows.error().message << "\n" << fallible.value;
  EXPECT_EQ(rows->rows[0][0].text, "true");
}

}  // namespace
}  // namespace sluice::sql
