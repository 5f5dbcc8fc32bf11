// Children that answer, and children that do not.
#include "base/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>
#include <chrono>

namespace sluice {
namespace {

using testing::HasSubstr;

std::unique_ptr<Child> Started(const std::vector<std::string>& command, ChildLimits limits = {}) {
  auto child = Child::Start(command, "/", limits);
  EXPECT_TRUE(child.ok()) << (child.ok() ? "" : child.error().message);
  return child.ok() ? std::move(*child) : nullptr;
}

std::string Heard(Child& child, Child::Talk talk, Child::End end = Child::End::kAnswered) {
  std::vector<char> said;
  auto answer = child.Say(talk, said, {});
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(answer->end, end);
  return {said.data(), said.size()};
}

TEST(Child, AnswersBatchAfterBatch) {
  auto child = Started({"cat"});
  EXPECT_EQ(Heard(*child, {.say = "a\nb\n", .lines = 2}), "a\nb\n");
  EXPECT_EQ(Heard(*child, {.say = "c\n", .lines = 1}), "c\n");
  EXPECT_FALSE(child->HasWritten());
}

TEST(Child, IsNotBlockedByFullPipes) {
  auto child = Started({"cat"});
  std::string text;
  for (int i = 0; i < 400'000; ++i) text += "a line of some bytes\n";
  EXPECT_EQ(Heard(*child, {.say = text, .lines = 400'000}), text);
}

TEST(Child, ThatEndsIsTold) {
  auto child = Started({"sh", "-c", "read a; echo $a; echo oh >&2; exit 3"});
  EXPECT_EQ(Heard(*child, {.say = "x\ny\n", .lines = 2}, Child::End::kClosed), "x\n");
  EXPECT_EQ(child->HowItEnded(), "exit code 3");
  EXPECT_EQ(child->complaints(), "oh\n");
}

TEST(Child, ThatIsKilledIsTold) {
  auto child = Started({"sh", "-c", "kill -SEGV $$"});
  Heard(*child, {.say = "x\n", .lines = 1}, Child::End::kClosed);
  EXPECT_THAT(child->HowItEnded(), HasSubstr("signal 11"));
}

TEST(Child, OnlyTheEndOfItsComplaintsIsKept) {
  auto child =
      Started({"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' e >&2; echo last >&2; echo done"});
  EXPECT_EQ(Heard(*child, {.say = {}, .lines = 1}), "done\n");
  child->HowItEnded();
  EXPECT_LE(child->complaints().size(), size_t{128} << 10);
  EXPECT_TRUE(child->complaints().ends_with("last\n"));
}

TEST(Child, MayNotTakeForEver) {
  auto child = Started({"sleep", "1000"});
  Heard(*child, {.say = "x\n", .lines = 1, .timeout = std::chrono::milliseconds(100)},
        Child::End::kTooLate);
  child = Started({"sleep", "1000"});
  Heard(*child, {.say = "x\n", .lines = 1, .silence = std::chrono::milliseconds(100)},
        Child::End::kSilent);
}

TEST(Child, MayNotWriteForEver) {
  auto child = Started({"cat", "/dev/zero"});
  Heard(*child, {.say = "x\n", .lines = 1, .line_bytes = 1000}, Child::End::kLongLine);
  child = Started({"yes"});
  Heard(*child, {.say = "x\n", .lines = 1'000'000, .bytes = 100'000}, Child::End::kTooMuch);
}

TEST(Child, IsStopped) {
  auto child = Started({"sleep", "1000"});
  std::stop_source stop;
  stop.request_stop();
  std::vector<char> said;
  auto answer = child->Say({.say = "x\n", .lines = 1}, said, stop.get_token());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kCancelled);
}

TEST(Child, DiesWithItsGroup) {
  auto child = Started({"sh", "-c", "sleep 1000 & echo $!; wait"});
  const pid_t grandchild = std::stoi(Heard(*child, {.say = {}, .lines = 1}));
  const pid_t self = child->pid();
  child.reset();
  EXPECT_EQ(kill(self, 0), -1);
  // Whoever inherits the grandchild reaps it in a moment.
  for (int i = 0; i < 10'000 && kill(grandchild, 0) == 0; ++i) {
    std::string state(64, '\0');
    if (FILE* stat = std::fopen(("/proc/" + std::to_string(grandchild) + "/stat").c_str(), "r")) {
      state.resize(std::fread(state.data(), 1, state.size(), stat));
      std::fclose(stat);
    }
    if (state.find(") Z") != std::string::npos) break;
    ASSERT_LT(i, 9'999) << "it lives on";
  }
}

TEST(Child, SeesOnlyWhatItIsGiven) {
  ASSERT_EQ(setenv("SLUICE_CANARY", "secret", 1), 0);
  auto child = Started({"env"});
  const std::string seen = Heard(*child, {.say = {}, .lines = 4});
  EXPECT_THAT(seen, HasSubstr("LANG=C.UTF-8\n"));
  EXPECT_THAT(seen, HasSubstr("HOME=/nonexistent\n"));
  EXPECT_THAT(seen, HasSubstr("TZ=UTC\n"));
  EXPECT_THAT(seen, HasSubstr("PATH="));
  EXPECT_EQ(std::count(seen.begin(), seen.end(), '\n'), 4);
  EXPECT_EQ(seen.find("secret"), std::string::npos);
}

TEST(Child, HasLimits) {
  auto child = Started({"sh", "-c", "ulimit -v; ulimit -t; ulimit -n; ulimit -f; ulimit -c"},
                       {.memory_bytes = uint64_t{1} << 30,
                        .cpu_seconds = 77,
                        .open_files = 33,
                        .file_bytes = 512 * 1000});
  EXPECT_EQ(Heard(*child, {.say = {}, .lines = 5}), "1048576\n77\n33\n1000\n0\n");
}

TEST(Child, ThatCannotBeStartedIsTold) {
  auto child = Child::Start({"no-such-program"}, "/", {});
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().message, "'no-such-program' cannot be started: no such program in PATH");
  child = Child::Start({"/etc/passwd"}, "/", {});
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().message,
            "'/etc/passwd' cannot be started: no such file, or it may not be run");
  child = Child::Start({"cat"}, "/no/such/folder", {});
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().message, "'cat' cannot be started: No such file or directory");
}

}  // namespace
}  // namespace sluice
