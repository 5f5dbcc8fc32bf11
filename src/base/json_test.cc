// JSON in and out.
#include <gtest/gtest.h>

#include "base/json_full.h"

namespace sluice {
namespace {

TEST(ParseJsonTest, KeepsTheOrderOfKeys) {
  EXPECT_EQ(ParseJson(R"({"b": 1, "a": [true, null, 1.5]})").value().dump(),
            R"({"b":1,"a":[true,null,1.5]})");
}

TEST(ParseJsonTest, RefusesWhatIsNotExactlyOneValue) {
  for (const char* text : {"", "{", "{} {}", "{'a':1}", "[1,]", "nul", "\"\xff\"", "01"}) {
    const auto parsed = ParseJson(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kData) << text;
  }
}

TEST(ParseJsonTest, TheErrorNamesTheByte) {
  const Error error = ParseJson(R"({"a": x})").error();
  EXPECT_EQ(error.message.rfind("not valid JSON at byte 7: syntax error", 0), 0u) << error.message;
}

TEST(QuoteJsonTest, EscapesAndReplacesBadBytes) {
  EXPECT_EQ(QuoteJson("a\"b\\\n\x01"), R"("a\"b\\\n\u0001")");
  EXPECT_EQ(QuoteJson("é"), "\"é\"");
  EXPECT_EQ(QuoteJson("a\xff"), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace sluice
