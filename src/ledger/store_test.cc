// Tests of ledger/store.
#include "ledger/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "ledger/migrations.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

#define ASSERT_OK(expression)                           \
  do {                                                  \
    auto&& result = (expression);                       \
    ASSERT_TRUE(result.ok()) << result.error().message; \
  } while (false)

template <class T>
T Take(Result<T> result) {
  if (!result.ok()) ADD_FAILURE() << result.error().message;
  return result.ok() ? std::move(result).value() : T();
}

const Lane kLane{"shop", "orders", "main", "stream"};
const Lane kDay{"shop", "orders", "main", "2026-01-01/2026-01-02"};

Letter Refused(int64_t offset, std::string original, std::string code = "cast") {
  return {"orders.csv", "data/orders.csv", offset,           offset < 0 ? -1 : offset / 10 + 1,
          "orders",     std::move(code),   "no number: 'x'", std::move(original)};
}

EpochRecord Record(const Lane& lane, int64_t epoch, int64_t run = 1) {
  EpochRecord record;
  record.lane = lane;
  record.epoch = EpochId{epoch};
  record.run = RunId{run};
  record.ranges["orders"] = {{{"data/orders.csv", "0", std::to_string(epoch), "id"}}, false};
  record.position
      ["orders\x1f"
       "data/orders.csv"] = std::to_string(epoch);
  return record;
}

RunStart Start(std::string pipeline = "orders") {
  return {"shop", std::move(pipeline), "rev1", "stream", R"({"day":"2026-01-01"})", Micros{1000}};
}

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "ledger-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/store/ledger.db";
  }
  void TearDown() override {
    ledger_.reset();
    std::filesystem::remove_all(folder_);
  }

  LedgerStore& Open() {
    ledger_.reset();
    ledger_ = Take(LedgerStore::Open(path_, LedgerMigrations()));
    return *ledger_;
  }

  std::vector<std::string> Originals(LedgerStore& ledger, const LetterFilter& filter = {}) {
    std::vector<std::string> originals;
    for (const LetterRow& row : Take(ledger.Letters(filter)))
      originals.push_back(row.letter.original);
    return originals;
  }

  // Runs `act` in a process of its own, which is then killed.
  template <class Act>
  void InKilledProcess(const Act& act) {
    ledger_.reset();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto opened = LedgerStore::Open(path_, LedgerMigrations());
      if (!opened.ok()) _exit(3);
      act(**opened);
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "exit " << WEXITSTATUS(status);
  }

  std::string folder_, path_;
  std::unique_ptr<LedgerStore> ledger_;
};

TEST_F(LedgerTest, RunsOfOneIntervalAreFoundAmongOthers) {
  const auto start = [&](const char* pipeline, const char* interval) {
    RunStart run = Start(pipeline);
    run.interval = interval;
    return Take(ledger_->KeepRunStart(run));
  };
  Open();
  const RunId first = start("orders", "day 1");
  start("orders", "day 2");
  start("returns", "day 1");
  const RunId last = start("orders", "day 1");
  const std::vector<RunRow> runs = Take(ledger_->RunsOf("orders", "day 1"));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].id, last);
  EXPECT_EQ(runs[1].id, first);
  EXPECT_EQ(runs[1].start.pipeline, "orders");
  EXPECT_EQ(runs[1].start.params_json, R"({"day":"2026-01-01"})");
  EXPECT_TRUE(Take(ledger_->RunsOf("orders", "day 3")).empty());
}

TEST_F(LedgerTest, RemembersRunsAndSteps) {
  const RunId first = Take(Open().KeepRunStart(Start()));
  const RunId second = Take(ledger_->KeepRunStart(Start("returns")));
  EXPECT_GT(second, first);
  const RunEnd end{RunStatus::kPartial, Micros{5000}, "data", "3 rows were refused", 3,
                   R"({"rows":7})"};
  const StepResult extract{"orders", "extract", {.in = 10, .out = 7, .rejected = 3}, Micros{77}};
  const StepResult window{"hours", "window", {1, 2, 3, 4, 5, 6, 7, -8}, Micros{78}};
  ASSERT_OK(ledger_->KeepRunEnd(first, end, {extract, window}));
  ASSERT_OK(ledger_->KeepRunEnd(first, end, {extract, window}));  // again: the same

  Open();
  const std::vector<RunRow> runs = Take(ledger_->Runs({}));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].id, second);
  EXPECT_EQ(runs[0].end.status, RunStatus::kRunning);
  EXPECT_EQ(runs[1].id, first);
  EXPECT_EQ(runs[1].start.params_json, R"({"day":"2026-01-01"})");
  EXPECT_EQ(runs[1].start.interval, "stream");
  EXPECT_EQ(runs[1].start.started_at, Micros{1000});
  EXPECT_EQ(runs[1].end.status, RunStatus::kPartial);
  EXPECT_EQ(runs[1].end.ended_at, Micros{5000});
  EXPECT_EQ(runs[1].end.error_kind, "data");
  EXPECT_EQ(runs[1].end.error_message, "3 rows were refused");
  EXPECT_EQ(runs[1].end.rejected, 3u);
  EXPECT_EQ(runs[1].end.result_json, R"({"rows":7})");
  const std::vector<StepResult> steps = Take(ledger_->Steps(first));
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].step, "orders");
  EXPECT_EQ(steps[0].verb, "extract");
  EXPECT_EQ(steps[0].counts, extract.counts);
  EXPECT_EQ(steps[1].counts, window.counts);
  EXPECT_EQ(steps[1].duration, Micros{78});

  EXPECT_EQ(Take(ledger_->Runs({.pipeline = "returns", .status = "", .limit = 20})).size(), 1u);
  EXPECT_EQ(Take(ledger_->Runs({.pipeline = "", .status = "partial", .limit = 20}))[0].id, first);
  EXPECT_EQ(Take(ledger_->Runs({.pipeline = "", .status = "", .limit = 1})).size(), 1u);
  EXPECT_THAT(Take(ledger_->Runs({.pipeline = "none", .status = "", .limit = 20})), IsEmpty());
  EXPECT_EQ(ledger_->KeepRunEnd(RunId{99}, end, {}).error().kind, ErrorKind::kInternal);
}

TEST_F(LedgerTest, IntentsLiveUntilTheirEpochIsSettled) {
  Open();
  EXPECT_FALSE(Take(ledger_->Intent(kLane)));
  const auto ranges = Record(kLane, 4).ranges;
  ASSERT_OK(ledger_->KeepIntent(kLane, EpochId{4}, {}));
  ASSERT_OK(ledger_->KeepIntent(kLane, EpochId{4}, ranges));
  EXPECT_FALSE(Take(ledger_->Intent(kDay)));
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 3), "lake"));
  Open();
  auto intent = Take(ledger_->Intent(kLane));
  ASSERT_TRUE(intent);
  EXPECT_EQ(intent->first, EpochId{4});
  EXPECT_EQ(intent->second, ranges);
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 4), "lake"));
  EXPECT_FALSE(Take(ledger_->Intent(kLane)));
}

TEST_F(LedgerTest, LettersAreSeenOnlyOnceTheirEpochIsSettled) {
  Open();
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{1}, RunId{5}, "rev1", Micros{9},
                                 {Refused(0, "a,1"), Refused(10, "b,2")}));
  EXPECT_THAT(Originals(*ledger_), IsEmpty());
  EXPECT_EQ(Take(ledger_->CountLetters({})), 0u);
  EXPECT_FALSE(Take(ledger_->FindLetter(1)));

  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 1), "lake"));
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 1), "lake"));
  const std::vector<LetterRow> rows = Take(ledger_->Letters({}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].letter.original, "b,2");
  EXPECT_EQ(rows[0].run, RunId{5});
  EXPECT_EQ(rows[0].lane, kLane);
  EXPECT_EQ(rows[0].epoch, EpochId{1});
  EXPECT_EQ(rows[0].at, Micros{9});
  EXPECT_EQ(rows[0].revision, "rev1");
  const Letter& letter = rows[0].letter;
  EXPECT_EQ(letter.source, "orders.csv");
  EXPECT_EQ(letter.partition, "data/orders.csv");
  EXPECT_EQ(letter.offset, 10);
  EXPECT_EQ(letter.line, 2);
  EXPECT_EQ(letter.step, "orders");
  EXPECT_EQ(letter.code, "cast");
  EXPECT_EQ(letter.message, "no number: 'x'");
  EXPECT_EQ(Take(ledger_->FindLetter(rows[1].id))->letter.original, "a,1");
}

TEST_F(LedgerTest, HoldingAgainReplacesWhatTheEpochHeld) {
  Open();
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{1}, RunId{1}, "", Micros{1},
                                 {Refused(0, "a"), Refused(1, "b")}));
  ASSERT_OK(
      ledger_->HoldLetters(kDay, EpochId{1}, RunId{1}, "", Micros{1}, {Refused(0, "other lane")}));
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{1}, RunId{2}, "", Micros{1}, {Refused(1, "b")}));
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 1), "lake"));
  EXPECT_THAT(Originals(*ledger_), ElementsAre("b"));
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{2}, RunId{2}, "", Micros{1}, {Refused(2, "c")}));
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{2}, RunId{2}, "", Micros{1}, {}));
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 2), "lake"));
  EXPECT_THAT(Originals(*ledger_), ElementsAre("b"));
  ASSERT_OK(ledger_->NoteSettled(Record(kDay, 1), "lake"));
  EXPECT_THAT(Originals(*ledger_), ElementsAre("b", "other lane"));
}

TEST_F(LedgerTest, ARecordReadAgainLaterReplacesItsLetter) {
  Open();
  const Letter unplaced = Refused(-1, "same");
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{1}, RunId{1}, "", Micros{1},
                                 {Refused(0, "a"), Refused(7, "once"), unplaced, unplaced}));
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 1), "lake"));
  EXPECT_EQ(Take(ledger_->CountLetters({})),
            4u);  // two equal records without a place are two letters
  // The same reading in a later epoch; the file has changed at byte 7.
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{2}, RunId{2}, "", Micros{1},
                                 {Refused(0, "a"), Refused(7, "changed"), unplaced, unplaced}));
  EXPECT_EQ(Take(ledger_->CountLetters({})), 4u);
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 2), "lake"));
  EXPECT_THAT(Originals(*ledger_), ElementsAre("same", "same", "changed", "a", "once"));
  // Another lane reads for itself.
  ASSERT_OK(ledger_->HoldLetters(kDay, EpochId{3}, RunId{3}, "", Micros{1}, {Refused(0, "a")}));
  ASSERT_OK(ledger_->NoteSettled(Record(kDay, 3), "lake"));
  EXPECT_EQ(Take(ledger_->CountLetters({})), 6u);
}

TEST_F(LedgerTest, DropHeldForgetsUndecidedEpochsOnly) {
  Open();
  for (int64_t epoch = 1; epoch <= 4; ++epoch) {
    ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{epoch}, RunId{1}, "", Micros{1},
                                   {Refused(epoch, std::to_string(epoch))}));
  }
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 3), "lake"));
  ASSERT_OK(ledger_->HoldLetters(kDay, EpochId{9}, RunId{1}, "", Micros{1}, {Refused(9, "9")}));
  ASSERT_OK(ledger_->DropHeld(kLane, EpochId{1}));
  for (int64_t epoch = 1; epoch <= 4; ++epoch)
    ASSERT_OK(ledger_->NoteSettled(Record(kLane, epoch), "lake"));
  EXPECT_THAT(Originals(*ledger_),
              ElementsAre("3", "1"));  // 2 and 4 were held; 3 was decided; 1 is not after 1
  ASSERT_OK(ledger_->NoteSettled(Record(kDay, 9), "lake"));
  EXPECT_THAT(Originals(*ledger_), ElementsAre("9", "3", "1"));
}

TEST_F(LedgerTest, LettersAreFilteredAndNewestFirst) {
  Open();
  const Lane other{"shop", "returns", "main", "stream"};
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{1}, RunId{1}, "", Micros{1},
                                 {Refused(0, "a"), Refused(1, "b", "late")}));
  ASSERT_OK(ledger_->HoldLetters(other, EpochId{1}, RunId{2}, "", Micros{1}, {Refused(0, "c")}));
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 1), "lake"));
  ASSERT_OK(ledger_->NoteSettled(Record(other, 1), "lake"));
  const auto filtered = [&](LetterFilter filter) {
    EXPECT_EQ(Take(ledger_->CountLetters(filter)), Originals(*ledger_, filter).size());
    return Originals(*ledger_, filter);
  };
  EXPECT_THAT(filtered({}), ElementsAre("c", "b", "a"));
  EXPECT_THAT(filtered({.pipeline = "orders", .step = "", .code = "", .run = {}, .limit = 20}),
              ElementsAre("b", "a"));
  EXPECT_THAT(filtered({.pipeline = "", .step = "", .code = "late", .run = {}, .limit = 20}),
              ElementsAre("b"));
  EXPECT_THAT(filtered({.pipeline = "", .step = "none", .code = "", .run = {}, .limit = 20}),
              IsEmpty());
  EXPECT_THAT(filtered({.pipeline = "", .step = "", .code = "", .run = RunId{1}, .limit = 20}),
              ElementsAre("b", "a"));
  EXPECT_THAT(
      filtered({.pipeline = "returns", .step = "", .code = "", .run = RunId{1}, .limit = 20}),
      IsEmpty());
  EXPECT_THAT(Originals(*ledger_, {.pipeline = "", .step = "", .code = "", .run = {}, .limit = 1}),
              ElementsAre("c"));
}

TEST_F(LedgerTest, LettersKeepAnyBytesAndCutHugeOnes) {
  Open();
  std::string bytes("\xff\0'\n", 4);
  std::string huge(3 << 20, 'h');
  ASSERT_OK(ledger_->HoldLetters(kLane, EpochId{1}, RunId{1}, "", Micros{1},
                                 {Refused(0, huge), Refused(1, bytes)}));
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 1), "lake"));
  const std::vector<LetterRow> rows = Take(ledger_->Letters({}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].letter.original, bytes);
  EXPECT_EQ(rows[1].letter.original.size(), size_t{1} << 20);
  EXPECT_THAT(rows[1].letter.message, HasSubstr("the first"));
}

TEST_F(LedgerTest, LastIsTheHighestSettledEpochOfTheLane) {
  Open();
  EXPECT_FALSE(Take(ledger_->Last(kLane)));
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 7), "lake"));
  ASSERT_OK(
      ledger_->NoteSettled(Record(kLane, 5), "lake"));  // settled late: does not move progress back
  ASSERT_OK(ledger_->NoteSettled(Record(kDay, 9), "other"));
  std::string decider;
  EXPECT_EQ(Take(ledger_->Last(kLane, &decider))->epoch, EpochId{7});
  EXPECT_EQ(decider, "lake");
  Open();
  const auto last = Take(ledger_->Last(kLane, nullptr));
  ASSERT_TRUE(last);
  EXPECT_EQ(Serialise(*last), Serialise(Record(kLane, 7)));
}

TEST_F(LedgerTest, ResyncForgetsProgressAfterAnEpoch) {
  Open();
  const Lane other{"shop", "orders", "second", "stream"};
  for (const Lane& lane : {kLane, kDay, other}) {
    for (int64_t epoch = 1; epoch <= 3; ++epoch) {
      ASSERT_OK(ledger_->HoldLetters(lane, EpochId{epoch}, RunId{1}, "", Micros{1},
                                     {Refused(epoch, lane.Key())}));
      ASSERT_OK(ledger_->NoteSettled(Record(lane, epoch), "lake"));
    }
  }
  ASSERT_OK(ledger_->KeepIntent(kLane, EpochId{4}, {}));
  ASSERT_OK(ledger_->KeepResync(kDay, EpochId{2}));
  EXPECT_EQ(Take(ledger_->Last(kDay))->epoch, EpochId{2});
  EXPECT_EQ(Take(ledger_->Last(kLane))->epoch, EpochId{3});
  ASSERT_OK(ledger_->KeepResync({"shop", "orders", "main", ""}, EpochId{1}));
  EXPECT_EQ(Take(ledger_->Last(kDay))->epoch, EpochId{1});
  EXPECT_EQ(Take(ledger_->Last(kLane))->epoch, EpochId{1});
  EXPECT_FALSE(Take(ledger_->Intent(kLane)));
  EXPECT_EQ(Take(ledger_->Last(other))->epoch, EpochId{3});
  EXPECT_EQ(Take(ledger_->CountLetters({})), 1u + 1u + 3u);
  ASSERT_OK(ledger_->KeepResync({"shop", "orders", "main", ""}, EpochId{0}));
  EXPECT_FALSE(Take(ledger_->Last(kLane)));
}

TEST_F(LedgerTest, PinsTheNewestColumns) {
  Open();
  EXPECT_FALSE(Take(ledger_->Pinned("shop", "orders", "read")));
  const Schema schema{{"id", "BIGINT", false, "the \"key\""}, {"_t", "TIMESTAMP", true, ""}};
  const Schema wider{{"id", "BIGINT", false, ""}, {"name", "VARCHAR", false, ""}};
  ASSERT_OK(ledger_->KeepPin("shop", "orders", "read", schema, Micros{1}));
  EXPECT_EQ(Take(ledger_->Pinned("shop", "orders", "read")), schema);
  const uint64_t commits = ledger_->commits();
  ASSERT_OK(ledger_->KeepPin("shop", "orders", "read", schema, Micros{2}));
  EXPECT_EQ(ledger_->commits(), commits);  // what is pinned already is not written again
  ASSERT_OK(ledger_->KeepPin("shop", "orders", "read", wider, Micros{3}));
  ASSERT_OK(ledger_->KeepPin("shop", "orders", "other", schema, Micros{3}));
  Open();
  EXPECT_EQ(Take(ledger_->Pinned("shop", "orders", "read")), wider);
}

TEST_F(LedgerTest, RemembersWhoAppendsToWhat) {
  Open();
  const std::vector<Appender> two{{"warehouse", "t", "daily", "out"},
                                  {"lake", "t", "daily", "out"}};
  ASSERT_OK(ledger_->NoteAppenders("shop", two));
  ASSERT_OK(ledger_->NoteAppenders("shop", two));
  ASSERT_OK(ledger_->NoteAppenders("other", {{"warehouse", "t", "daily", "theirs"}}));
  ASSERT_OK(ledger_->NoteAppenders("shop", {{"warehouse", "t", "hourly", "out"}}));
  std::vector<std::string> found;
  for (const Appender& appender : Take(ledger_->Appenders("shop", "warehouse", "t")))
    found.push_back(appender.pipeline + "." + appender.flow);
  EXPECT_EQ(found, (std::vector<std::string>{"daily.out", "hourly.out"}));
  EXPECT_TRUE(Take(ledger_->Appenders("shop", "warehouse", "u")).empty());
}

TEST_F(LedgerTest, OldLinesOfALongRunAreForgotten) {
  Open();
  ledger_->NoteLog({RunId{2}, Micros{1}, "warn", "", "other"});
  for (int i = 0; i < 10'800; ++i) {
    ledger_->NoteLog({RunId{1}, Micros{i}, "info", "", std::to_string(i)});
    if (i % 200 == 0) ASSERT_OK(ledger_->Flush());
  }
  ASSERT_OK(ledger_->Flush());
  const std::vector<LogRow> lines = Take(ledger_->Logs(RunId{1}));
  EXPECT_GE(lines.size(), 10'000u);
  EXPECT_LT(lines.size(), 10'000u + 256u);
  EXPECT_EQ(lines.back().message, "10799");
  EXPECT_EQ(Take(ledger_->Logs(RunId{2})).size(), 1u);
}

TEST_F(LedgerTest, RevisionsActionsAndLogs) {
  Open();
  ASSERT_OK(ledger_->KeepRevision("r1", "orders", "steps: []", Micros{1}));
  const uint64_t commits = ledger_->commits();
  ASSERT_OK(ledger_->KeepRevision("r1", "orders", "steps: []", Micros{2}));
  EXPECT_EQ(ledger_->commits(), commits);

  EXPECT_FALSE(Take(ledger_->Action(RunId{1}, "call")));
  ASSERT_OK(ledger_->KeepAction(RunId{1}, "call", "f1", false));
  EXPECT_FALSE(Take(ledger_->Action(RunId{1}, "call"))->done);
  ASSERT_OK(ledger_->KeepAction(RunId{1}, "call", "f1", true));
  EXPECT_TRUE(Take(ledger_->Action(RunId{1}, "call"))->done);
  EXPECT_EQ(Take(ledger_->Action(RunId{1}, "call"))->fingerprint, "f1");
  EXPECT_FALSE(Take(ledger_->Action(RunId{2}, "call")));

  for (int i = 0; i < 500; ++i)
    ledger_->NoteLog({RunId{1}, Micros{i}, "info", "call", std::to_string(i)});
  ledger_->NoteLog({RunId{2}, Micros{1}, "warn", "", "other"});
  const std::vector<LogRow> lines =
      Take(ledger_->Logs(RunId{1}));  // a reader sees what was noted before
  ASSERT_EQ(lines.size(), 500u);
  EXPECT_EQ(lines[499].message, "499");
  EXPECT_EQ(lines[499].level, "info");
  EXPECT_EQ(lines[499].step, "call");
  EXPECT_EQ(lines[499].at, Micros{499});
  ASSERT_OK(ledger_->Flush());
}

TEST_F(LedgerTest, ALeaseIsTakenFromTheDeadOnly) {
  Open();
  const RunId run = Take(ledger_->KeepRunStart(Start()));
  const Lease lease = Take(ledger_->KeepLeases({"shop/orders"}, run)).at(0);
  EXPECT_EQ(lease.resource, "shop/orders");
  auto refused = ledger_->KeepLeases({"shop/orders"}, RunId{2});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kTransient);
  EXPECT_THAT(refused.error().message, HasSubstr("process " + std::to_string(getpid())));
  EXPECT_FALSE(ledger_->KeepLeases({"shop/returns", "shop/orders"}, RunId{2}).ok());
  EXPECT_TRUE(ledger_->KeepLeases({"shop/returns"}, RunId{3}).ok());  // all of them or none

  ASSERT_OK(ledger_->KeepRelease({lease}));
  const Lease second = Take(ledger_->KeepLeases({"shop/orders"}, RunId{2})).at(0);
  EXPECT_GT(second.fence, lease.fence);
  ASSERT_OK(ledger_->KeepRelease({lease}));  // of the first: frees nothing
  EXPECT_FALSE(ledger_->KeepLeases({"shop/orders"}, RunId{3}).ok());
  ASSERT_OK(ledger_->KeepRelease({second}));

  InKilledProcess([](LedgerStore& ledger) {
    auto dying = ledger.KeepRunStart(Start());
    if (!dying.ok() || !ledger.KeepLeases({"shop/orders"}, *dying).ok()) _exit(4);
  });
  Open();
  EXPECT_EQ(Take(ledger_->Runs({}))[0].end.status, RunStatus::kRunning);
  const Lease third = Take(ledger_->KeepLeases({"shop/orders"}, RunId{9})).at(0);
  EXPECT_GT(third.fence, second.fence);
  const RunRow dead = Take(ledger_->Runs({}))[0];
  EXPECT_EQ(dead.end.status, RunStatus::kFailed);
  EXPECT_THAT(dead.end.error_message, HasSubstr("died"));
}

TEST_F(LedgerTest, AReusedProcessNumberIsNotTheHolder) {
  const Process self = ThisProcess();
  EXPECT_TRUE(Lives(self));
  EXPECT_FALSE(Lives({self.pid, self.birth + "1"}));
  EXPECT_FALSE(Lives({self.pid, ""}));
  EXPECT_FALSE(Lives({0, self.birth}));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT),
            0);  // dead, not yet buried
  EXPECT_FALSE(Lives({child, self.birth}));
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST_F(LedgerTest, FencesRiseOverALostLedger) {
  Open();
  Lease before;
  for (int i = 0; i < 3; ++i) {
    before = Take(ledger_->KeepLeases({"lane"}, RunId{1})).at(0);
    ASSERT_OK(ledger_->KeepRelease({before}));
  }
  ledger_.reset();
  std::filesystem::remove_all(folder_ + "/store");
  const Lease after = Take(Open().KeepLeases({"lane"}, RunId{1})).at(0);
  EXPECT_GE(after.fence, before.fence);
}

TEST_F(LedgerTest, KeptSurvivesAKill) {
  InKilledProcess([](LedgerStore& ledger) {
    for (int64_t i = 0; i < 50; ++i) ledger.NoteLog({RunId{1}, Micros{i}, "info", "", "before"});
    bool ok = ledger.KeepIntent(kLane, EpochId{1}, Record(kLane, 1).ranges).ok();
    ok = ok &&
         ledger.HoldLetters(kLane, EpochId{1}, RunId{1}, "", Micros{1}, {Refused(0, "a")}).ok();
    for (int64_t i = 0; i < 50; ++i) ledger.NoteLog({RunId{2}, Micros{i}, "info", "", "after"});
    if (!ok) _exit(4);
  });
  Open();
  EXPECT_EQ(Take(ledger_->Intent(kLane))->second, Record(kLane, 1).ranges);
  EXPECT_EQ(Take(ledger_->Logs(RunId{1})).size(), 50u);  // noted before something that was kept
  const std::vector<LogRow> after = Take(ledger_->Logs(RunId{2}));
  for (size_t i = 0; i < after.size(); ++i)
    EXPECT_EQ(after[i].at, Micros{static_cast<int64_t>(i)});  // a prefix
  EXPECT_THAT(Originals(*ledger_), IsEmpty());
  ASSERT_OK(ledger_->NoteSettled(Record(kLane, 1), "lake"));
  EXPECT_THAT(Originals(*ledger_), ElementsAre("a"));
}

TEST_F(LedgerTest, KilledAtAnyMomentItIsNeverCorrupt) {
  int64_t runs = 0;
  for (int round = 0; round < 8; ++round) {
    ledger_.reset();
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto ledger = LedgerStore::Open(path_, LedgerMigrations());
      if (!ledger.ok()) _exit(3);
      for (int64_t i = 0;; ++i) {
        auto run = (*ledger)->KeepRunStart(Start());
        if (!run.ok()) _exit(4);
        (*ledger)->NoteLog({*run, Micros{i}, "info", "", std::string(3000, 'x')});
        if (write(pipe_ends[1], &run->value, sizeof run->value) != sizeof run->value) _exit(5);
      }
    }
    close(pipe_ends[1]);
    for (int i = 0; i < 5 + 3 * round; ++i)
      ASSERT_EQ(read(pipe_ends[0], &runs, sizeof runs), ssize_t{sizeof runs});
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    int64_t more = 0;  // what the child said before it died
    while (read(pipe_ends[0], &more, sizeof more) == ssize_t{sizeof more}) runs = more;
    close(pipe_ends[0]);
    Open();  // checks the whole file
    EXPECT_GE(Take(ledger_->Runs({}))[0].id.value, runs);
  }
}

TEST_F(LedgerTest, CallersOfAMomentShareACommit) {
  Open();
  const uint64_t before = ledger_->commits();
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 8; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(ledger_->KeepAction(RunId{t + 1}, std::to_string(i), "f", true).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(ledger_->commits() - before, 400u);
  for (int64_t t = 0; t < 8; ++t) {
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(Take(ledger_->Action(RunId{t + 1}, std::to_string(i))));
  }
}

TEST_F(LedgerTest, TwoProcessesShareOneFile) {
  Open();
  ledger_.reset();
  std::vector<pid_t> children;
  for (int64_t p = 1; p <= 2; ++p) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto ledger = LedgerStore::Open(path_, LedgerMigrations());
      if (!ledger.ok()) _exit(3);
      for (int i = 0; i < 100; ++i) {
        if (!(*ledger)->KeepAction(RunId{p}, std::to_string(i), "f", true).ok()) _exit(4);
      }
      ledger->reset();
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  Open();
  for (int64_t p = 1; p <= 2; ++p) {
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(Take(ledger_->Action(RunId{p}, std::to_string(i)))) << p << " " << i;
  }
}

TEST_F(LedgerTest, OnlyItsOwnerReadsTheFile) {
  Open();
  const auto mode = std::filesystem::status(path_).permissions();
  EXPECT_EQ(mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
            std::filesystem::perms::none);
}

}  // namespace
}  // namespace sluice
