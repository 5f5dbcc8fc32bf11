// sluice backfill: one run for each interval of a stretch of time. Each is a lane of its own, so
// they may run side by side, and one that is loaded already says so and does nothing: a backfill
// that was stopped goes on where it is given again.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <functional>
#include <thread>

#include "base/json_full.h"
#include "base/mutex.h"
#include "base/retry.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"

namespace sluice {

namespace {

constexpr int kMostParallel = 64;

struct Asked {
  std::vector<Interval> intervals;
  int parallel = 1;
  bool go_on = false, again = false, json = false;
};

// What became of the intervals.
struct Tally {
  int succeeded = 0, already = 0, rejected = 0, failed = 0, left = 0;
};

class Runs {
 public:
  Runs(ProjectSession& session, const PipelineFile& file, PlanRequest request, World world,
       const Asked& asked, const std::stop_token& stop)
      : session_(session),
        file_(file),
        request_(std::move(request)),
        world_(world),
        asked_(asked),
        interrupt_(stop, [this] { stop_.request_stop(); }) {}

  void All() {
    std::vector<std::jthread> threads;
    const size_t many =
        std::min<size_t>(static_cast<size_t>(asked_.parallel), asked_.intervals.size());
    threads.reserve(many);
    for (size_t i = 0; i < many; ++i) threads.emplace_back([this] { Work(); });
    for (std::jthread& thread : threads) thread.join();
  }

  Tally tally() {
    MutexLock lock(mutex_);
    Tally tally = tally_;
    tally.left = static_cast<int>(asked_.intervals.size()) - tally.succeeded - tally.failed;
    return tally;
  }
  std::vector<Json> told() {
    MutexLock lock(mutex_);
    return told_;
  }

 private:
  void Work() {
    while (!stop_.stop_requested()) {
      const size_t at = next_.fetch_add(1);
      if (at >= asked_.intervals.size()) return;
      One(asked_.intervals[at]);
    }
  }

  void One(const Interval& interval) {
    auto plan = MakePlanFor(interval);
    if (!plan.ok()) {
      Failed(interval, plan.error(), Json::parse(RefusalJson(file_.name, plan.error())));
      return;
    }
    RunOptions options;
    options.again = asked_.again;
    options.random = Jitter();
    const RunOutcome outcome = RunPlan(*plan, world_, options, stop_.get_token());
    Json json = Json::parse(ToJson(*plan, outcome));
    if (outcome.error)
      Failed(interval, *outcome.error, std::move(json));
    else
      Done(interval, outcome, std::move(json));
  }

  // Plans share what they look things up in, so they are made one at a time.
  Result<Plan> MakePlanFor(const Interval& interval) {
    MutexLock lock(planning_);
    PlanRequest request = request_;
    request.date = FormatInstant(interval.start);
    return session_.MakePlanOf(file_, request);
  }

  void Done(const Interval& interval, const RunOutcome& outcome, Json json) {
    uint64_t rows = 0;
    bool already = !outcome.loads.empty();
    for (const LoadOutcome& load : outcome.loads) {
      rows += load.landed.rows;
      already = already && load.already_loaded;
    }
    MutexLock lock(mutex_);
    ++tally_.succeeded;
    tally_.already += already ? 1 : 0;
    tally_.rejected += outcome.rejected > 0 ? 1 : 0;
    told_.push_back(std::move(json));
    if (asked_.json) return;
    std::string text =
        already ? std::string("already loaded")
                : fmt::format("{} rows in {}", FormatCount(rows), FormatDuration(outcome.duration));
    if (outcome.rejected > 0) text += fmt::format(", {} rejected", FormatCount(outcome.rejected));
    Say(interval, fmt::format("run {} {}: {}", outcome.run.value, NameOf(outcome.status), text));
  }

  void Failed(const Interval& interval, const Error& error, Json json) {
    const bool cancelled = error.kind == ErrorKind::kCancelled;
    MutexLock lock(mutex_);
    if (!cancelled) {
      ++tally_.failed;
      told_.push_back(std::move(json));
      if (!asked_.json) Say(interval, "failed: " + Format(error));
    }
    if (!asked_.go_on) stop_.request_stop();
  }

  static void Say(const Interval& interval, const std::string& what) {
    std::printf("%s  %s\n", FormatInstant(interval.start).c_str(), what.c_str());
    std::fflush(stdout);
  }

  ProjectSession& session_;
  const PipelineFile& file_;
  const PlanRequest request_;
  World world_;
  const Asked& asked_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> interrupt_;
  std::atomic<size_t> next_{0};
  Mutex planning_, mutex_;
  Tally tally_ GUARDED_BY(mutex_);
  std::vector<Json> told_ GUARDED_BY(mutex_);
};

Result<Asked> ReadAsked(const Invocation& invocation, const PipelineFile& file, Micros now) {
  Asked asked{.intervals = {},
              .go_on = false,
              .again = invocation.Has("--again"),
              .json = invocation.Get("--output") == "json"};
  if (!invocation.Has("--from"))
    return ConfigError({},
                       "backfill needs --from: the date of the first interval, like 2026-10-01");
  const std::string failure = invocation.Get("--on-failure", "stop");
  if (failure != "stop" && failure != "continue")
    return ConfigError({}, fmt::format("--on-failure '{}': write stop or continue", failure));
  asked.go_on = failure == "continue";
  const std::string parallel = invocation.Get("--parallel", "1");
  const auto [end, code] =
      std::from_chars(parallel.data(), parallel.data() + parallel.size(), asked.parallel);
  if (code != std::errc() || *end != '\0' || asked.parallel < 1 || asked.parallel > kMostParallel) {
    return ConfigError(
        {}, fmt::format("--parallel '{}': write a number from 1 to {}", parallel, kMostParallel));
  }
  asked.intervals = TRY(IntervalsOf(file, invocation.Get("--from"), invocation.Get("--to"), now));
  return asked;
}

Status RefuseWithoutInterval(const Plan& plan) {
  if (plan.interval) return Ok();
  return ConfigError({}, fmt::format("'{}' reads the same rows whatever the interval is: a "
                                     "backfill needs 'interval: column' on an extract, or ds in a "
                                     "path or an expression",
                                     plan.pipeline));
}

void List(const Asked& asked, const PipelineFile& file) {
  const std::vector<Interval>& all = asked.intervals;
  std::printf("%s: %zu intervals from %s to %s\n", file.name.c_str(), all.size(),
              FormatInstant(all.front().start).c_str(), FormatInstant(all.back().end).c_str());
  constexpr size_t kFirst = 10, kLast = 3;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i == kFirst && all.size() > kFirst + kLast) {
      std::printf("  … %zu more\n", all.size() - kFirst - kLast);
      i = all.size() - kLast;
    }
    std::printf("  %s to %s\n", FormatInstant(all[i].start).c_str(),
                FormatInstant(all[i].end).c_str());
  }
  std::fflush(stdout);
}

int Report(const Asked& asked, const PipelineFile& file, Runs& runs) {
  const Tally tally = runs.tally();
  if (asked.json) {
    Json json{{"pipeline", file.name},        {"intervals", asked.intervals.size()},
              {"succeeded", tally.succeeded}, {"already_loaded", tally.already},
              {"failed", tally.failed},       {"not_run", tally.left},
              {"runs", runs.told()}};
    std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    std::printf("%d of %zu succeeded", tally.succeeded, asked.intervals.size());
    if (tally.already > 0) std::printf(" (%d were already loaded)", tally.already);
    if (tally.failed > 0) std::printf(", %d failed", tally.failed);
    if (tally.left > 0) std::printf(", %d not run: the same command goes on with them", tally.left);
    std::printf("\n");
  }
  std::fflush(stdout);
  if (tally.failed > 0) return kExitFailed;
  if (tally.left > 0) return 130;
  return tally.rejected > 0 ? kExitPartial : kExitOk;
}

Result<int> Backfill(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  const std::stop_token stop = session->WatchSignals();
  const PipelineFile file =
      TRY(ReadPipeline(session->files(), session->project(), invocation.Get("pipeline")));
  PlanRequest request = TRY(session->Request(invocation));
  const Asked asked = TRY(ReadAsked(invocation, file, request.now));
  request.date = FormatInstant(asked.intervals.front().start);
  const Plan first = TRY(session->MakePlanOf(file, request));
  TRY(RefuseWithoutInterval(first));
  for (const Warning& warning : first.warnings) {
    std::fprintf(stderr, "warning: %s\n",
                 Format(Error{ErrorKind::kConfig, warning.text, warning.mark, {}}).c_str());
  }
  if (!asked.json) List(asked, file);
  if (invocation.Has("--dry-run")) return kExitOk;
  TRY(session->Serve());
  World world = TRY(session->world());
  TRY(world.ledger.KeepRevision(first.revision, first.pipeline, file.text, world.clock.Now()));
  Runs runs(*session, file, std::move(request), world, asked, stop);
  runs.All();
  return Report(asked, file, runs);
}

}  // namespace

Command BackfillCommand() {
  return {.name = "backfill",
          .summary = "Run a pipeline for every interval of a stretch of time",
          .example = "sluice backfill daily_sales --from 2026-10-01 --to 2026-10-31 --parallel 4",
          .arguments = {{"pipeline", "Name or path of a pipeline"}},
          .options = {ProjectOption(),
                      EnvOption(),
                      OutputOption(),
                      {"--from", "DATE", "The first interval begins on it"},
                      {"--to", "DATE",
                       "The last interval begins on it (an instant: before it; default: the last "
                       "complete one)"},
                      {"--parallel", "N", "Runs at a time (default 1)"},
                      {"--on-failure", "WHAT", "stop (default) or continue"},
                      {"--again", "", "Load again what is already loaded", Option::Kind::kFlag},
                      {"--dry-run", "", "List the intervals and stop", Option::Kind::kFlag},
                      {"--param", "NAME=VALUE", "A parameter", Option::Kind::kList},
                      {"--set", "KEY=VALUE", "A setting", Option::Kind::kList}},
          .run = Backfill};
}

}  // namespace sluice
