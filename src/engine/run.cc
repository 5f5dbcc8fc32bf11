// See run.h.
#include "engine/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "base/json_full.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/course.h"
#include "engine/deadline.h"
#include "engine/renamed.h"
#include "pipeline/output.h"

namespace sluice {

namespace {

constexpr std::string_view kInterrupted = "interrupted";
constexpr RetryPolicy kTurns{.attempts = 1000,
                             .delay = std::chrono::milliseconds(5),
                             .max_delay = std::chrono::milliseconds(500)};

class Runner {
 public:
  Runner(const Plan& plan, World& world, const RunOptions& options, std::stop_token stop)
      : plan_(plan), world_(world), options_(options), stop_(std::move(stop)) {}

  RunOutcome Run() {
    outcome_.pipeline = plan_.pipeline;
    outcome_.started_at = world_.clock.Now();
    auto began = world_.clock.Steady();
    Status done = Start();
    if (done.ok()) {
      done = Stages();
      beside_.clear();
      if (done.ok()) done = Output();
      (void)world_.ledger.KeepRelease(leases_);
    }
    outcome_.duration = std::chrono::duration_cast<Micros>(world_.clock.Steady() - began);
    TellSteps();
    if (!done.ok()) outcome_.error = done.error();
    outcome_.status = outcome_.error
                          ? (outcome_.error->kind == ErrorKind::kCancelled ? RunStatus::kCancelled
                                                                           : RunStatus::kFailed)
                          : StatusSoFar();
    if (outcome_.run) {
      Status ended = End();
      if (!ended.ok() && !outcome_.error) {
        outcome_.error = std::move(ended).error().While("writing the end of the run to the ledger");
        outcome_.status = RunStatus::kFailed;
      }
    }
    return outcome_;
  }

 private:
  Status Start() {
    TRY(RefuseRenamed(plan_, world_));
    // Those that were killed since the last one that came to an end.
    bool chain = true;
    for (const RunRow& row : TRY(world_.ledger.RunsOf(plan_.pipeline, plan_.interval_text))) {
      if (row.start.project != plan_.project) continue;
      const bool open = row.end.status == RunStatus::kRunning;
      if (open) interrupted_.push_back(row);
      chain = chain && (open || row.end.error_kind == kInterrupted);
      if (chain) killed_.insert(row.id);
    }
    outcome_.run = TRY(world_.ledger.KeepRunStart({.project = plan_.project,
                                                   .pipeline = plan_.pipeline,
                                                   .revision = plan_.revision,
                                                   .interval = plan_.interval_text,
                                                   .params_json = plan_.params_json,
                                                   .started_at = outcome_.started_at,
                                                   .parent = options_.parent}));
    TRY(Leases());
    for (const RunRow& row : interrupted_) {
      killed_.insert(row.id);
      TRY(world_.ledger.KeepRunEnd(
          row.id,
          {.status = RunStatus::kFailed,
           .ended_at = world_.clock.Now(),
           .error_kind = std::string(kInterrupted),
           .error_message = fmt::format("the process ended in mid-run; run {} goes on from there",
                                        outcome_.run.value),
           .rejected = 0,
           .result_json = ""},
          {}));
    }
    std::set<RunId> runs = killed_;
    runs.insert(outcome_.run);
    course_.emplace(plan_, world_, outcome_.run, outcome_.started_at, std::move(runs));
    return Pins();
  }

  // One run at a time per lane; only then is an unfinished run known to be dead.
  Status Leases() {
    std::vector<std::string> lanes;
    for (const auto& stage : plan_.stages) {
      lanes.push_back(LaneOf(plan_, stage).Key());
    }
    leases_ = TRY(world_.ledger.KeepLeases(lanes, outcome_.run));
    return Ok();
  }

  Status Pins() {
    for (const auto& stage : plan_.stages) {
      const Flow* flow = std::get_if<Flow>(&stage);
      if (flow == nullptr) continue;
      for (const PlannedExtract& extract : flow->extracts) {
        if (flow->optional.contains(extract.step) && !plan_.unreached.contains(extract.step))
          TRY(Remember(extract));
        if (extract.shape.guessed.empty() || extract.request.pinned) continue;
        TRY(world_.ledger.KeepPin(plan_.project, plan_.pipeline, extract.step,
                                  extract.shape.guessed, outcome_.started_at));
      }
    }
    return Ok();
  }

  // For the day on which its source cannot be asked.
  Status Remember(const PlannedExtract& extract) {
    const std::string key = extract.step + std::string(kRememberedColumns);
    const Schema columns = Visible(extract.shape.schema);
    const auto known = TRY(world_.ledger.Pinned(plan_.project, plan_.pipeline, key));
    if (known && Format(*known) == Format(columns)) return Ok();
    return world_.ledger.KeepPin(plan_.project, plan_.pipeline, key, columns, outcome_.started_at);
  }

  Status Stages() {
    for (const auto& [step, error] : plan_.unreached) TRY(AskAgain(step, error));
    for (size_t i = 0; i < plan_.stages.size(); ++i) TRY(RunStage(plan_.stages[i], leases_[i]));
    return Ok();
  }

  // The source of an optional extract could not be asked for its columns.
  Status AskAgain(const std::string& step, const Error& error) {
    Tries tries{.retry = plan_.retry, .timeout = {}, .timeout_of = {}};
    for (const Stage& stage : plan_.stages) {
      const Flow* flow = std::get_if<Flow>(&stage);
      if (flow != nullptr && flow->rows.contains(step)) tries = flow->tries;
    }
    bool first = true;
    Status asked = Retrying(step, tries, [&](std::stop_token) -> Status {
      if (std::exchange(first, false)) return error;
      return course_->Ask(step);
    });
    if (asked.ok() || asked.error().kind == ErrorKind::kCancelled) return asked;
    return course_->LeaveOut(step, asked.error()) ? Ok() : asked;
  }

  // Again without a step that failed, as often as the run can do without one.
  Status RunStage(const Stage& whole, const Lease& lease) {
    while (true) {
      const Stage* stage = TRY(course_->At(NameOf(whole)));
      if (stage == nullptr) return Ok();
      std::map<std::string, Range> reading;
      auto began = world_.clock.Steady();
      Status done = Ok();
      if (const Flow* flow = std::get_if<Flow>(stage))
        done = RunFlow(*flow, lease, reading);
      else if (const Action* action = std::get_if<Action>(stage))
        done = RunAction(*action, lease);
      else if (const ChildRun* child = std::get_if<ChildRun>(stage))
        done = RunChild(*child);
      else
        done = RunLook(std::get<Look>(*stage));
      if (done.ok()) {
        return course_->Learn(*stage,
                              std::chrono::duration_cast<Micros>(world_.clock.Steady() - began));
      }
      if (!TRY(course_->DoWithout(*stage, done.error(), reading, stop_))) return done;
      world_.ledger.NoteLog({outcome_.run, world_.clock.Now(), "warn", NameOf(*stage),
                             "going on without: " + Format(done.error())});
    }
  }

  Status RunChild(const ChildRun& child) {
    if (child.wait == ChildRun::Wait::kNotAtAll) {
      auto options = std::make_shared<RunOptions>(options_);
      options->observer = nullptr;  // it is told of one thread's steps
      beside_.emplace_back([this, &child, options] {
        auto ends = RunChildren(child, plan_.parallelism, outcome_.run, course_->runs(), world_,
                                *options, stop_);
        if (ends.ok()) return;
        world_.ledger.NoteLog({outcome_.run, world_.clock.Now(), "warn", child.step,
                               "not waited for, and failed: " + Format(ends.error())});
      });
      course_->LearnChildren(child, {}, {});
      return Ok();
    }
    auto began = world_.clock.Steady();
    const std::vector<ChildEnd> ends = TRY(RunChildren(child, plan_.parallelism, outcome_.run,
                                                       course_->runs(), world_, options_, stop_));
    const auto took = std::chrono::duration_cast<Micros>(world_.clock.Steady() - began);
    durations_[child.step] = took;
    course_->LearnChildren(child, ends, took);
    for (const ChildEnd& end : ends) {
      outcome_.notes.push_back(fmt::format("step {}: run {} of {} {}{}", child.step, end.run.value,
                                           end.pipeline, NameOf(end.status),
                                           end.before ? ", before this run was interrupted" : ""));
    }
    return Ok();
  }

  Status RunLook(const Look& look) {
    return Retrying(look.step, look.tries,
                    [&](std::stop_token stop) { return course_->Look(look, stop); });
  }

  RunStatus StatusSoFar() const {
    return course_ && course_->partial() ? RunStatus::kPartial : RunStatus::kSucceeded;
  }

  Status Output() {
    if (plan_.output.empty()) return Ok();
    const Micros now = world_.clock.Now();
    std::string at = FormatInstant(now);
    if (!at.empty() && at.back() == 'Z') at.pop_back();
    const std::string rejected = std::to_string(outcome_.rejected);
    const int64_t took = (now - outcome_.started_at).count() / 1000;
    using relation::MakeBound;
    outcome_.output = TRY(
        course_->Outputs({{"run.status", MakeBound("VARCHAR", std::string(NameOf(StatusSoFar())))},
                          {"run.finished_at", MakeBound("TIMESTAMP", at)},
                          {"run.duration_ms", MakeBound("BIGINT", std::to_string(took))},
                          {"run.rows_rejected", MakeBound("BIGINT", rejected)},
                          {"run.dead_letters", MakeBound("BIGINT", rejected)}}));
    return Ok();
  }

  void TellSteps() {
    for (const StepFacts& facts : plan_.steps) {
      outcome_.steps.push_back({facts.name, facts.verb, books_[facts.name], durations_[facts.name],
                                course_ ? course_->StatusOf(facts.name) : "", read_[facts.name]});
    }
    if (!course_) return;
    std::erase_if(outcome_.loads, [&](const LoadOutcome& load) {
      return course_->StatusOf(load.step) == "skipped";
    });
    for (std::string& note : course_->Notes()) outcome_.notes.push_back(std::move(note));
  }

  // Tries again what is transient; `reopen` brings the driver back to what is durable.
  template <class F>
  Status Retrying(const std::string& what, const Tries& tries, F&& attempt) {
    for (int tried = 1;; ++tried) {
      Deadline deadline(tries.timeout, stop_);
      Status done = attempt(deadline.token());
      if (done.ok()) return done;
      if (deadline.Passed() && done.error().kind == ErrorKind::kCancelled) {
        done =
            TransientError(fmt::format("a try took longer than {} and was ended (timeout: of "
                                       "step '{}')",
                                       FormatDuration(tries.timeout), tries.timeout_of));
      }
      // Runs of ours that met in one table take turns; that is no failure of anything.
      const RetryPolicy& retry = done.error().contended ? kTurns : tries.retry;
      bool again = done.error().kind == ErrorKind::kTransient && tried < retry.attempts &&
                   !stop_.stop_requested();
      if (!again) return done;
      auto wait = DelayAfter(retry, tried, options_.random ? options_.random() : 0.5, done.error());
      world_.ledger.NoteLog(
          {outcome_.run, world_.clock.Now(), done.error().contended ? "info" : "warn", what,
           fmt::format("try {} of {} failed: {}", tried, retry.attempts, Format(done.error()))});
      if (options_.observer && !done.error().contended)
        options_.observer->OnRetry(what, done.error(), tried, wait);
      world_.clock.Wait(wait, stop_);
    }
  }

  Status RunFlow(const Flow& flow, const Lease& lease, std::map<std::string, Range>& reading) {
    auto began = world_.clock.Steady();
    Driver driver(course_->plan(), flow, outcome_.run, lease, world_, options_);
    bool open = false, more = true;
    Status done = Ok();
    while (more && done.ok()) {
      done = Retrying(flow.id, flow.tries, [&](std::stop_token stop) -> Status {
        if (!open) TRY(driver.Open(stop));
        open = true;
        Result<bool> step = driver.Step(stop);
        if (!step.ok()) {
          open = false;
          return std::move(step).error();
        }
        more = *step;
        return Ok();
      });
    }
    auto took = std::chrono::duration_cast<Micros>(world_.clock.Steady() - began);
    for (const auto& [step, counts] : driver.outcome().books) books_[step] += counts;
    for (const std::string& step : flow.steps) {
      if (!flow.echoes.contains(step)) durations_[step] += took;
    }
    for (const auto& [step, read] : driver.outcome().read) TellRead(step, read, took);
    reading = driver.reading();
    for (const LoadOutcome& load : driver.outcome().loads) AddLoad(load);
    outcome_.rejected += driver.outcome().letters;
    outcome_.notes.insert(outcome_.notes.end(), driver.outcome().notes.begin(),
                          driver.outcome().notes.end());
    return done;
  }

  void TellRead(const std::string& step, const SourceProgress& read, Micros took) {
    read_[step] = read;
    const double seconds = std::max(1e-6, static_cast<double>(took.count()) / 1e6);
    world_.ledger.NoteLog({outcome_.run, world_.clock.Now(), "info", step,
                           fmt::format("read {} of {} in {} ({}/s)", FormatBytes(read.read),
                                       FormatBytes(read.known), FormatDuration(took),
                                       FormatBytes(static_cast<uint64_t>(
                                           static_cast<double>(read.read) / seconds)))});
  }

  // A flow that was begun again without one of its steps is told as one.
  void AddLoad(const LoadOutcome& load) {
    for (LoadOutcome& known : outcome_.loads) {
      if (known.step != load.step) continue;
      known.landed += load.landed;
      known.already_loaded = known.already_loaded && load.already_loaded;
      return;
    }
    outcome_.loads.push_back(load);
  }

  // A statement inside a destination: once per run, in one transaction with its record.
  Status RunAction(const Action& action, const Lease& lease) {
    auto began = world_.clock.Steady();
    Lane lane = LaneOf(plan_, Stage(action));
    ConnectorContext context{world_.files, world_.database, world_.clock, world_.folder,
                             world_.secrets};
    Status done = Retrying(action.step, action.tries, [&](std::stop_token stop) -> Status {
      if (stop.stop_requested()) return CancelledError();
      Sink& sink = TRY(ActionSink(action, context)).get();
      std::optional<EpochRecord> last = TRY(sink.Last(lane));
      if (last && (last->run == outcome_.run || killed_.contains(last->run)) &&
          last->fingerprint == action.fingerprint) {
        outcome_.notes.push_back(
            fmt::format("step {} was done by run {}, which was interrupted later", action.step,
                        last->run.value));
        return world_.ledger.NoteSettled(*last, action.sink.name);
      }
      auto landing = TRY(sink.Begin(lane, {}, Visibility::kTarget, std::nullopt));
      uint64_t changed = TRY(landing->Run(action.statement, action.bound, stop));
      EpochRecord record{.lane = lane,
                         .epoch = landing->epoch(),
                         .fence = lease.fence,
                         .run = outcome_.run,
                         .fingerprint = action.fingerprint,
                         .ranges = {},
                         .position = {},
                         .watermarks = {},
                         .books = {},
                         .final = true,
                         .published = true};
      record.books[action.step] = {.in = changed, .out = changed};
      if (options_.observer) options_.observer->OnMilestone(action.step, Milestone::kDeciding);
      Status committed = landing->Commit(record);
      if (!committed.ok() && committed.error().kind == ErrorKind::kUnsettled) {
        std::optional<EpochRecord> found = TRY(sink.Last(lane));
        if (!found || found->run != outcome_.run) return TransientError(committed.error().message);
        committed = Ok();
      }
      TRY(std::move(committed));
      books_[action.step] = record.books[action.step];
      if (options_.observer) options_.observer->OnMilestone(action.step, Milestone::kDecided);
      return world_.ledger.NoteSettled(record, action.sink.name);
    });
    durations_[action.step] = std::chrono::duration_cast<Micros>(world_.clock.Steady() - began);
    if (done.ok()) return Ok();
    return std::move(done).error().While(fmt::format("step '{}'", action.step)).At(action.mark);
  }

  // Actions of one run share the sinks they write to.
  Result<std::reference_wrapper<Sink>> ActionSink(const Action& action,
                                                  const ConnectorContext& context) {
    auto& sink = action_sinks_[action.sink.key];
    if (!sink) {
      sink = TRY(action.sink.connector->sink(action.sink.connection, {}, context));
      TRY(sink->Prepare({}, stop_));
    }
    return std::ref(*sink);
  }

  Status End() {
    std::vector<StepResult> steps;
    for (const StepOutcome& step : outcome_.steps)
      steps.push_back({step.step, step.verb, step.counts, step.duration});
    RunEnd end{.status = outcome_.status,
               .ended_at = world_.clock.Now(),
               .error_kind = "",
               .error_message = "",
               .rejected = outcome_.rejected,
               .result_json = ToJson(plan_, outcome_)};
    if (outcome_.error) {
      end.error_kind = NameOf(outcome_.error->kind);
      end.error_message = Format(*outcome_.error);
      world_.ledger.NoteLog({outcome_.run, end.ended_at, "error", "", end.error_message});
    }
    return world_.ledger.KeepRunEnd(outcome_.run, end, steps);
  }

  const Plan& plan_;
  World& world_;
  const RunOptions& options_;
  std::stop_token stop_;
  RunOutcome outcome_;
  std::vector<Lease> leases_;
  std::vector<RunRow> interrupted_;
  std::set<RunId> killed_;
  std::optional<Course> course_;  // once the run has begun
  Books books_;
  std::map<std::string, Micros> durations_;
  std::map<std::string, SourceProgress> read_;
  std::map<std::string, std::unique_ptr<Sink>> action_sinks_;
  std::vector<std::jthread> beside_;  // runs that are not waited for; last: they use the above
};

}  // namespace

RunOutcome RunPlan(const Plan& plan, World& world, const RunOptions& options,
                   std::stop_token stop) {
  return Runner(plan, world, options, std::move(stop)).Run();
}

namespace {

Json ErrorJson(const Error& error) {
  return {{"kind", NameOf(error.kind)},
          {"message", error.message},
          {"file", error.mark.file},
          {"line", error.mark.line},
          {"column", error.mark.column}};
}

}  // namespace

std::string RefusalJson(const std::string& pipeline, const Error& error) {
  Json json{{"run", nullptr},         {"pipeline", pipeline},     {"status", "failed"},
            {"interval", nullptr},    {"duration_ms", 0},         {"rejected", 0},
            {"steps", Json::array()}, {"loads", Json::array()},   {"notes", Json::array()},
            {"output", nullptr},      {"error", ErrorJson(error)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ToJson(const Plan& plan, const RunOutcome& outcome) {
  Json json;
  json["run"] = outcome.run.value;
  json["pipeline"] = outcome.pipeline;
  json["status"] = NameOf(outcome.status);
  if (plan.interval) {
    json["interval"] = {{"start", FormatInstant(plan.interval->start)},
                        {"end", FormatInstant(plan.interval->end)}};
  } else {
    json["interval"] = nullptr;
  }
  json["duration_ms"] = outcome.duration.count() / 1000;
  json["rejected"] = outcome.rejected;
  json["steps"] = Json::array();
  for (const StepOutcome& step : outcome.steps) {
    Json told({{"name", step.step},
               {"verb", step.verb},
               {"rows_in", step.counts.in},
               {"rows_out", step.counts.out},
               {"filtered", step.counts.filtered},
               {"deduplicated", step.counts.deduplicated},
               {"rejected", step.counts.rejected},
               {"late", step.counts.late},
               {"duration_ms", step.duration.count() / 1000},
               {"status", step.status}});
    if (step.read.known > 0) {
      told["bytes_read"] = step.read.read;
      told["bytes_known"] = step.read.known;
    }
    json["steps"].push_back(std::move(told));
  }
  json["loads"] = Json::array();
  for (const LoadOutcome& load : outcome.loads) {
    json["loads"].push_back({{"step", load.step},
                             {"target", load.target},
                             {"mode", NameOf(load.mode)},
                             {"inserted", load.landed.inserted},
                             {"updated", load.landed.updated},
                             {"deleted", load.landed.deleted},
                             {"unchanged", load.landed.unchanged},
                             {"touched", load.landed.touched},
                             {"bytes", load.landed.bytes},
                             {"already_loaded", load.already_loaded}});
  }
  json["output"] = outcome.output.empty()
                       ? Json(plan.output.empty() ? Json::object() : Json(nullptr))
                       : OutputJson(outcome.output);
  json["notes"] = outcome.notes;
  json["error"] = outcome.error ? ErrorJson(*outcome.error) : Json(nullptr);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

int ExitCode(const RunOutcome& outcome) {
  if (outcome.error) return outcome.error->kind == ErrorKind::kConfig ? 2 : 1;
  return outcome.status == RunStatus::kPartial || outcome.rejected > 0 ? 3 : 0;
}

}  // namespace sluice
