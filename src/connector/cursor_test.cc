// What {{ cursor }} becomes, without a database.
#include "connector/cursor.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace sluice {
namespace {

TEST(CursorTest, TheUuidBeforeBorrows) {
  EXPECT_EQ(UuidBefore("0000-1000"), "0000-0fff");
  EXPECT_EQ(UuidBefore("{AB-0a}"), "{AB-09}");
  EXPECT_EQ(UuidBefore("0000-0000"), std::nullopt);
}

TEST(CursorTest, InitialIsATextFirstAndThenWhatItLooksLike) {
  EXPECT_EQ(Join(UntypedLiterals("-5"), " "), "'-5' (-5)");
  EXPECT_EQ(Join(UntypedLiterals("2026-01-01"), " "),
            "'2026-01-01' CAST('2026-01-01' AS TIMESTAMP)");
  EXPECT_EQ(Join(UntypedLiterals("o'clock"), " "), "'o''clock'");
}

TEST(CursorTest, TheLongestBeginningThatSortsBeforeIsTaken) {
  ExtractRequest request;
  request.config.query.text = "SELECT * FROM t WHERE a > " + std::string(kCursorMark) + " ;";
  request.config.incremental.emplace();
  request.config.incremental->initial = Written{.text = "เก", .mark = {"p.yml", 3, 4}};
  EXPECT_TRUE(UsesCursor(request));
  EXPECT_EQ(QueryWith(request, "'x'"), "SELECT * FROM t WHERE a > 'x'");
  const AskBelow third = [](int64_t shorter) -> Result<std::optional<std::string>> {
    if (shorter < 3) return std::optional<std::string>();
    return std::optional<std::string>(std::to_string(shorter));
  };
  EXPECT_EQ(*FindBelow(request, "7", "abcdef", third), "3");
  const AskBelow none = [](int64_t) -> Result<std::optional<std::string>> {
    return std::optional<std::string>();
  };
  const auto refused = FindBelow(request, "", "เก", none);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(Format(refused.error()),
            "p.yml:3:4: {{ cursor }} must lie below 'เก', so that no row with it is lost, and "
            "nothing sorts before it; write an 'initial' that is the first value there is");
}

}  // namespace
}  // namespace sluice
