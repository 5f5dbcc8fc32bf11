// Where values go into SQL of the user's, and where they do not.
#include "connector/tables/statement.h"

#include <gtest/gtest.h>

namespace sluice::tables {
namespace {

constexpr Quoting kMysql{.quotes = "'\"`", .backslashes = true, .hashes = true};
constexpr Quoting kSqlite{.quotes = "'\"`["};

std::string With(const std::string& text, const Quoting& quoting) {
  return WithValues(text, {{"v", "BIGINT", "7"}}, quoting,
                    [](const sql::Bound& value) { return "<" + *value.text + ">"; });
}

TEST(Statement, ACastWithItsTypeBecomesTheLiteral) {
  EXPECT_EQ(With("a = CAST($v AS BIGINT) AND b = $v", kSqlite), "a = <7> AND b = <7>");
  EXPECT_EQ(With("a = CAST($v AS CHAR)", kSqlite), "a = CAST(<7> AS CHAR)");
  EXPECT_EQ(With("a = $value + $w", kSqlite), "a = $value + $w");
}

TEST(Statement, QuotesAndCommentsStay) {
  EXPECT_EQ(With("'$v' \"$v\" `$v` [$v] $v", kSqlite), "'$v' \"$v\" `$v` [$v] <7>");
  EXPECT_EQ(With("'it''s $v' $v", kSqlite), "'it''s $v' <7>");
  EXPECT_EQ(With("'\\' $v", kSqlite), "'\\' <7>");  // no escape
  EXPECT_EQ(With("'\\' $v' $v", kMysql), "'\\' $v' <7>");
  EXPECT_EQ(With("-- $v\n$v /* $v */ $v", kSqlite), "-- $v\n<7> /* $v */ <7>");
  EXPECT_EQ(With("# $v\n$v", kMysql), "# $v\n<7>");
  EXPECT_EQ(With("5--$v -- $v", kMysql), "5--<7> -- $v");
  EXPECT_EQ(With("5--$v", kSqlite), "5--$v");
  EXPECT_EQ(With("'open $v", kSqlite), "'open $v");
}

TEST(Statement, BeginningsOfStatements) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(Beginnings("select 1; /* x */ create  table t (a int);\n", kMysql),
            (Words{"SELECT 1", "CREATE TABLE"}));
  EXPECT_EQ(Beginnings("INSERT INTO t VALUES ('; DROP'); -- commit\n# drop\ncommit", kMysql),
            (Words{"INSERT INTO", "COMMIT"}));
  EXPECT_EQ(Beginnings(" ;; ", kMysql), Words{});
}

}  // namespace
}  // namespace sluice::tables
