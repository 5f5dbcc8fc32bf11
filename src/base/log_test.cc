// What reaches standard error.
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

std::string Logged(const std::function<void()>& work) {
  testing::internal::CaptureStderr();
  work();
  return testing::internal::GetCapturedStderr();
}

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { SetLogLevel(LogLevel::kInfo); }
};

TEST_F(LogTest, ALineHasTimeLevelAndMessage) {
  const std::string line = Logged([] { LogWarn("retrying '{}' in {} s", "orders", 3); });
  EXPECT_THAT(line, testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
                                          "[.][0-9]{3}Z warning retrying 'orders' in 3 s\n"));
}

TEST_F(LogTest, DebugIsSilentUntilAsked) {
  EXPECT_EQ(Logged([] { LogDebug("hidden"); }), "");
  SetLogLevel(LogLevel::kDebug);
  EXPECT_NE(Logged([] { LogDebug("shown"); }).find("shown"), std::string::npos);
  SetLogLevel(LogLevel::kError);
  EXPECT_EQ(Logged([] { LogWarn("hidden"); }), "");
}

TEST_F(LogTest, AMessageCannotForgeALineOrColour) {
  const std::string line = Logged([] { LogInfo("{}", "a\nERROR b\x1b[31m"); });
  EXPECT_NE(line.find("a\\x0AERROR b\\x1B[31m\n"), std::string::npos) << line;
}

}  // namespace
}  // namespace sluice
