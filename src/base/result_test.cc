// Results, TRY and the texts of errors.
#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace sluice {
namespace {

Result<int> Half(int number) {
  if (number % 2 != 0) return DataError("odd");
  return number / 2;
}

Result<int> Quarter(int number) {
  const int half = TRY(Half(number));
  return TRY(Half(half));
}

TEST(ResultTest, TryGivesTheValueOrReturnsTheError) {
  EXPECT_EQ(Quarter(12).value(), 3);
  ASSERT_FALSE(Quarter(6).ok());
  EXPECT_EQ(Quarter(6).error().kind, ErrorKind::kData);
}

TEST(ResultTest, TryNests) {
  auto eighth = [](int number) -> Result<int> { return TRY(Half(TRY(Half(TRY(Half(number)))))); };
  EXPECT_EQ(eighth(16).value(), 2);
  EXPECT_EQ(eighth(12).error().message, "odd");
}

TEST(ResultTest, MovesWhatCannotBeCopied) {
  auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  auto use = [&]() -> Result<int> {
    std::unique_ptr<int> number = TRY(make());
    return *number;
  };
  EXPECT_EQ(use().value(), 7);
}

TEST(ResultTest, ContextGoesBeforeTheMessage) {
  EXPECT_EQ(RejectedError("refused").While("opening 'a.csv'").While("step orders").message,
            "step orders: opening 'a.csv': refused");
  Result<int> failed = Result<int>(DataError("odd")).While("halving");
  EXPECT_EQ(failed.error().message, "halving: odd");
  EXPECT_EQ(Half(4).While("halving").value(), 2);
}

TEST(ResultTest, TheFirstMarkStays) {
  Error error = ConfigError({"a.yml", 3, 9}, "unknown key 'form'").At({"b.yml", 1, 1});
  EXPECT_EQ(Format(error), "a.yml:3:9: unknown key 'form'");
  EXPECT_EQ(Format(InternalError("lost").At({"b.yml", 4, 0})), "b.yml:4: lost");
  EXPECT_EQ(Format(InternalError("lost").At({"b.yml", 0, 0})), "b.yml: lost");
  EXPECT_EQ(Format(CancelledError()), "cancelled");
}

TEST(ResultTest, SystemErrorsAreTransientOnlyWhereAnotherTryCanHelp) {
  EXPECT_EQ(SystemError("writing", ENOSPC).kind, ErrorKind::kRejected);
  EXPECT_EQ(SystemError("opening", EACCES).kind, ErrorKind::kRejected);
  EXPECT_EQ(SystemError("opening", ENOENT).kind, ErrorKind::kRejected);
  EXPECT_EQ(SystemError("syncing", EIO).kind, ErrorKind::kRejected);
  EXPECT_EQ(SystemError("reading", EAGAIN).kind, ErrorKind::kTransient);
  EXPECT_EQ(SystemError("opening 'x'", ENOENT).message, "opening 'x': No such file or directory");
}

TEST(ResultTest, EveryKindHasItsName) {
  EXPECT_EQ(NameOf(ErrorKind::kConfig), "config");
  EXPECT_EQ(NameOf(ErrorKind::kData), "data");
  EXPECT_EQ(NameOf(ErrorKind::kTransient), "transient");
  EXPECT_EQ(NameOf(ErrorKind::kRejected), "rejected");
  EXPECT_EQ(NameOf(ErrorKind::kUnsettled), "unsettled");
  EXPECT_EQ(NameOf(ErrorKind::kCancelled), "cancelled");
  EXPECT_EQ(NameOf(ErrorKind::kInternal), "internal");
}

TEST(ResultDeathTest, AFailedCheckNamesItsPlace) {
  EXPECT_DEATH(SLUICE_CHECK(1 + 1 == 3), "result_test.cc:[0-9]+: check failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace sluice
