// Quoting, words, durations, sizes, hashes and UTF-8.
#include "base/text.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(QuoteTest, DoublesTheQuote) {
  EXPECT_EQ(QuoteIdentifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(QuoteIdentifier(""), "\"\"");
  EXPECT_EQ(QuoteLiteral("it's"), "'it''s'");
  EXPECT_EQ(QuoteLiteral("a\\b"), "'a\\b'");
}

TEST(QuoteTableTest, QuotesEachPart) {
  EXPECT_EQ(QuoteTable("orders"), "\"orders\"");
  EXPECT_EQ(QuoteTable("sales.orders"), "\"sales\".\"orders\"");
  EXPECT_EQ(QuoteTable("\"sales.eu\".orders"), "\"sales.eu\".\"orders\"");
  EXPECT_EQ(QuoteTable("\"a\"\"b\".c"), "\"a\"\"b\".\"c\"");
}

TEST(QuoteTableTest, AHalfQuotedPartCannotBreakOut) {
  EXPECT_EQ(QuoteTable("\"a"), "\"\"\"a\"");
  EXPECT_EQ(QuoteTable("\"a\"; DROP TABLE t"), "\"\"\"a\"\"; DROP TABLE t\"");
  EXPECT_EQ(QuoteTable("\""), "\"\"\"\"");
  EXPECT_EQ(QuoteTable("a\".\"b"), "\"a\"\"\".\"\"\"b\"");
}

TEST(WordsTest, JoinSplitTrim) {
  EXPECT_EQ(Join(std::vector<std::string>{"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(Join({}, ", "), "");
  EXPECT_EQ(Split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(Split("", ','), (std::vector<std::string>{""}));
  EXPECT_EQ(Split("a,", ','), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(Trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(Trim("  "), "");
  EXPECT_EQ(ToLower("ÄBC"), "Äbc");
  EXPECT_TRUE(StartsWith("orders.csv", "orders"));
  EXPECT_FALSE(StartsWith("ord", "orders"));
  EXPECT_TRUE(EndsWith("orders.csv", ".csv"));
  EXPECT_FALSE(EndsWith("csv", ".csv"));
}

TEST(NearestTest, FindsTyposAndRefusesStrangers) {
  const std::vector<std::string> keys = {"format", "from", "path", "on_row_error", "interval"};
  EXPECT_EQ(Nearest("formt", keys), "format");
  EXPECT_EQ(Nearest("fromat", keys), "format");
  EXPECT_EQ(Nearest("Path", keys), "path");
  EXPECT_EQ(Nearest("frmo", keys), "from");
  EXPECT_EQ(Nearest("on_rowerror", keys), "on_row_error");
  EXPECT_EQ(Nearest("schedule", keys), std::nullopt);
  EXPECT_EQ(Nearest("", keys), std::nullopt);
  EXPECT_EQ(Nearest("path", {}), std::nullopt);
}

TEST(ParseDurationTest, ReadsUnits) {
  EXPECT_EQ(ParseDuration("5m").value(), minutes(5));
  EXPECT_EQ(ParseDuration("1h30m").value(), minutes(90));
  EXPECT_EQ(ParseDuration(" 1h 30m ").value(), minutes(90));
  EXPECT_EQ(ParseDuration("250ms").value(), milliseconds(250));
  EXPECT_EQ(ParseDuration("2d").value(), hours(48));
  EXPECT_EQ(ParseDuration("1w").value(), hours(168));
  EXPECT_EQ(ParseDuration("0s").value(), seconds(0));
  EXPECT_EQ(ParseDuration("0.1s").value(), microseconds(100'000));
  EXPECT_EQ(ParseDuration("1.5h").value(), minutes(90));
}

TEST(ParseDurationTest, RefusesTheRestAndSaysWhatIsValid) {
  for (const char* text : {"", "5", "m", "5x", "5m5m", "30m1h", "-5m", "1.h", ".5h", "5 minutes",
                           "1h30", "99999999999999999999s", "9999999999w", "1.0000000001s", "5M"}) {
    const auto parsed = ParseDuration(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kConfig);
    EXPECT_NE(parsed.error().message.find(std::string("'") + text + "'"), std::string::npos);
    EXPECT_NE(parsed.error().message.find("1h30m"), std::string::npos);
  }
}

TEST(FormatDurationTest, IsShort) {
  EXPECT_EQ(FormatDuration(minutes(90)), "1h30m");
  EXPECT_EQ(FormatDuration(milliseconds(2'500)), "2.5s");
  EXPECT_EQ(FormatDuration(milliseconds(340)), "340ms");
  EXPECT_EQ(FormatDuration(microseconds(1'500)), "1.5ms");
  EXPECT_EQ(FormatDuration(microseconds(15)), "15us");
  EXPECT_EQ(FormatDuration(seconds(0)), "0s");
  EXPECT_EQ(FormatDuration(hours(49) + seconds(5)), "2d1h5s");
  EXPECT_EQ(FormatDuration(-minutes(5)), "-5m");
}

TEST(FormatDurationTest, RoundsIntoTheNextUnit) {
  EXPECT_EQ(FormatDuration(microseconds(999'999)), "1s");
  EXPECT_EQ(FormatDuration(microseconds(59'999'999)), "1m");
  EXPECT_EQ(FormatDuration(microseconds(59'990'000)), "59.99s");
  EXPECT_EQ(FormatDuration(seconds(3'599) + milliseconds(700)), "1h");
}

TEST(ParseBytesTest, ThousandsAnd1024) {
  EXPECT_EQ(ParseBytes("1GB").value(), 1'000'000'000u);
  EXPECT_EQ(ParseBytes("512mb").value(), 512'000'000u);
  EXPECT_EQ(ParseBytes("64 KiB").value(), 65'536u);
  EXPECT_EQ(ParseBytes("1.5GiB").value(), 1'610'612'736u);
  EXPECT_EQ(ParseBytes("100").value(), 100u);
  EXPECT_EQ(ParseBytes("100B").value(), 100u);
}

TEST(ParseBytesTest, RefusesTheRest) {
  for (const char* text : {"", "GB", "1XB", "1GB2MB", "-1GB", "1e9", "999999999PB", "1G"}) {
    EXPECT_FALSE(ParseBytes(text).ok()) << text;
  }
}

TEST(FormatBytesTest, IsShort) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1'000), "1 KB");
  EXPECT_EQ(FormatBytes(1'100'000'000), "1.1 GB");
  EXPECT_EQ(FormatBytes(626'000'000), "626 MB");
  EXPECT_EQ(FormatBytes(999'999), "1 MB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "18.4 EB");
}

TEST(FormatCountTest, SeparatesThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1'000), "1,000");
  EXPECT_EQ(FormatCount(3'000'000), "3,000,000");
}

TEST(HashTest, IsFnv1a) {
  EXPECT_EQ(Fingerprint(""), "cbf29ce484222325");
  EXPECT_EQ(Fingerprint("a"), "af63dc4c8601ec8c");
  EXPECT_EQ(Fingerprint("foobar"), "85944171f73967e8");
  EXPECT_EQ(Hash64("bar", Hash64("foo")), Hash64("foobar"));
}

TEST(ValidUtf8Test, AcceptsWellFormed) {
  for (const char* text : {"", "abc", "é", "日本", "😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(ValidUtf8(text)) << text;
  }
  EXPECT_TRUE(ValidUtf8(std::string_view("a\0b", 3)));
}

TEST(ValidUtf8Test, RefusesOverlongSurrogateTruncatedAndBeyond) {
  for (const char* text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "a\xFF"}) {
    EXPECT_FALSE(ValidUtf8(text));
  }
}

TEST(EscapeControlTest, LeavesNothingThatATerminalObeys) {
  EXPECT_EQ(EscapeControl("a\x1b[31m\nb\x7f"), "a\\x1B[31m\\x0Ab\\x7F");
  EXPECT_EQ(EscapeControl("\xC2\x9B"), "\\xC2\\x9B");
  EXPECT_EQ(EscapeControl("café 日本"), "café 日本");
}

}  // namespace
}  // namespace sluice
