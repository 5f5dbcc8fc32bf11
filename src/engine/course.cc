// See course.h.
#include "engine/course.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "engine/look.h"

namespace sluice {
namespace {

constexpr uint64_t kMostRows = 10'000;  // of a look at all rows

bool HaveIdentities(const std::map<std::string, Range>& ranges) {
  for (const auto& [step, range] : ranges) {
    for (const Cut& cut : range.cuts) {
      if (cut.identity.empty()) return false;
    }
  }
  return true;
}

std::string TimestampText(Micros instant) {
  std::string text = FormatInstant(instant);
  if (!text.empty() && text.back() == 'Z') text.pop_back();
  return text;
}

}  // namespace

Course::Course(const Plan& plan, World& world, RunId run, Micros started_at, std::set<RunId> runs)
    : whole_(plan), world_(world), runs_(std::move(runs)) {
  known_.values["run.id"] = relation::MakeBound("BIGINT", std::to_string(run.value));
  known_.values["run.revision"] = relation::MakeBound("VARCHAR", plan.revision);
  known_.values["run.started_at"] = relation::MakeBound("TIMESTAMP", TimestampText(started_at));
  for (const Stage& stage : plan.stages) {
    const Flow* flow = std::get_if<Flow>(&stage);
    if (flow == nullptr) continue;
    for (const PlannedExtract& extract : flow->extracts) {
      if (flow->optional.contains(extract.step) && !extract.shape.schema.empty())
        known_.shapes[extract.step] = extract.shape;
    }
  }
}

const StepFacts* Course::FactsOf(const std::string& step) const {
  for (const StepFacts& facts : plan().steps) {
    if (facts.name == step) return &facts;
  }
  return nullptr;
}

void Course::Define(const std::string& step, const std::string& name, const char* type,
                    const std::string& text) {
  known_.values[fmt::format("steps.{}.{}", step, name)] = relation::MakeBound(type, text);
}

void Course::DefineCounts(const std::string& step, const std::string& status, const Counts& counts,
                          std::chrono::microseconds took) {
  Define(step, "status", "VARCHAR", status);
  Define(step, "rows_in", "BIGINT", std::to_string(counts.in));
  Define(step, "rows_out", "BIGINT", std::to_string(counts.out));
  Define(step, "rejected", "BIGINT", std::to_string(counts.rejected + counts.late));
  Define(step, "duration_ms", "BIGINT", std::to_string(took.count() / 1000));
}

// Values of steps that are no part of the run. True: there are new ones.
bool Course::DefineGone() {
  bool more = false;
  for (const StepFacts& facts : plan().steps) {
    if (facts.skip != Skip::kGone || !gone_.insert(facts.name).second) continue;
    more = true;
    DefineCounts(facts.name, "skipped", {}, {});
    for (const Column& column : facts.schema) {
      known_.values.emplace(fmt::format("steps.{}.row.{}", facts.name, column.name),
                            relation::MakeBound(column.type, std::nullopt));
    }
    if (facts.verb != "load") continue;
    for (const char* name : {"inserted", "updated", "unchanged", "touched", "deleted"})
      Define(facts.name, name, "BIGINT", "0");
  }
  return more;
}

Status Course::Remake() {
  do {
    auto made = whole_.again(known_);
    if (!made.ok()) return std::move(made).error();
    plans_.push_back(std::make_unique<Plan>(std::move(*made)));
    for (Stage& stage : plans_.back()->stages) {
      for (const Stage& before : whole_.stages) {
        if (NameOf(before) != NameOf(stage) || before.index() != stage.index()) continue;
        if (auto* flow = std::get_if<Flow>(&stage)) {
          flow->fingerprint = std::get<Flow>(before).fingerprint;
          flow->fingerprints = std::get<Flow>(before).fingerprints;
        } else if (auto* action = std::get_if<Action>(&stage)) {
          action->fingerprint = std::get<Action>(before).fingerprint;
        }
      }
    }
  } while (DefineGone());
  left_out_ = false;
  return Ok();
}

Result<const Stage*> Course::At(const std::string& name) {
  const bool more = Wanted() && DefineGone();
  if (more || left_out_ || whole_.late.contains(name)) TRY(Remake());
  const Stage* found = nullptr;
  for (const Stage& stage : plan().stages) {
    if (NameOf(stage) == name) found = &stage;
  }
  return found;
}

Status Course::Learn(const Stage& stage, std::chrono::microseconds took) {
  const std::string name = NameOf(stage);
  std::vector<std::string> steps{name};
  const Flow* flow = std::get_if<Flow>(&stage);
  if (flow != nullptr) steps = flow->steps;
  for (const std::string& step : steps) {
    if (flow == nullptr || !flow->echoes.contains(step)) ended_.insert(step);
  }
  if (!Wanted() || std::holds_alternative<sluice::Look>(stage) ||
      std::holds_alternative<ChildRun>(stage))
    return Ok();
  Books books;
  std::map<std::string, Taken> taken;
  Position position;
  const Lane lane = LaneOf(whole_, stage);
  if (const auto last = TRY(world_.ledger.Last(lane))) position = last->position;
  bool ended = false;
  for (const EpochRecord& record : TRY(world_.ledger.Epochs(lane, runs_))) {
    // The killed run had ended the flow, and this one has read all of it again.
    if (ended && !HaveIdentities(record.ranges)) {
      books.clear();
      taken.clear();
    }
    ended = record.final && record.published;
    for (const auto& [key, at] : record.position) position[key] = at;
    if (!record.published) continue;
    for (const auto& [step, counts] : record.books) books[step] += counts;
    for (const auto& [step, one] : record.taken) taken[step] += one;
  }
  for (const std::string& step : steps) {
    if (flow != nullptr && flow->echoes.contains(step)) continue;
    DefineCounts(step, StatusOf(step), books[step], took);
    const StepFacts* facts = FactsOf(step);
    if (facts != nullptr && facts->verb == "extract") {
      const Position own = PositionOf(position, step);
      known_.values[fmt::format("steps.{}.cursor", step)] = relation::MakeBound(
          "VARCHAR",
          own.size() == 1 ? std::optional<std::string>(own.begin()->second) : std::nullopt);
    }
    if (facts == nullptr || facts->verb != "load") continue;
    Define(step, "inserted", "BIGINT", std::to_string(taken[step].inserted));
    Define(step, "updated", "BIGINT", std::to_string(taken[step].updated));
    Define(step, "unchanged", "BIGINT", std::to_string(taken[step].unchanged));
    Define(step, "touched", "BIGINT", std::to_string(taken[step].touched));
    Define(step, "deleted", "BIGINT", std::to_string(taken[step].deleted));
  }
  return Ok();
}

void Course::LearnChildren(const ChildRun& child, const std::vector<ChildEnd>& ends,
                           std::chrono::microseconds took) {
  std::string status{NameOf(RunStatus::kSucceeded)};
  Counts counts;
  for (const ChildEnd& end : ends) {
    const bool partial = end.status == RunStatus::kPartial || end.rejected > 0;
    if (end.status == RunStatus::kPartial) status = NameOf(RunStatus::kPartial);
    partial_ = partial_ || partial;
    counts.rejected += end.rejected;
  }
  ended_.insert(child.step);
  DefineCounts(child.step, status, counts, took);
  for (const OutputValue& value : child.output) {
    if (ends.size() != 1) continue;
    const auto text = ends[0].output.find(value.name);
    known_.values[fmt::format("steps.{}.output.{}", child.step, value.name)] = relation::MakeBound(
        value.type,
        text == ends[0].output.end() ? std::nullopt : std::optional<std::string>(text->second));
  }
}

Status Course::Look(const sluice::Look& look, std::stop_token stop) {
  Looker looker(plan(), look.flow, world_, {});
  TRY(looker.Open(stop));
  const bool one = look.wants == sluice::Look::Wants::kOneRow;
  const sql::Rows rows = TRY(looker.Rows(look.step, one ? 2 : kMostRows + 1, stop));
  if (one && rows.rows.size() != 1) {
    return DataError(
        fmt::format("{{{{ steps.{}.row… }}}}: step '{}' gives {}, and a value needs "
                    "exactly one row",
                    look.step, look.step, rows.rows.empty() ? "no row" : "more than one row"));
  }
  if (rows.rows.size() > kMostRows) {
    return DataError(fmt::format("step '{}' gives more than {} rows, the most that for_each takes",
                                 look.step, kMostRows));
  }
  for (size_t i = 0; i < rows.schema.size(); ++i) {
    std::vector<relation::Bound> column;
    for (const auto& row : rows.rows) {
      column.push_back(relation::MakeBound(
          rows.schema[i].type,
          row[i].null ? std::nullopt : std::optional<std::string>(row[i].text)));
    }
    const std::string name = fmt::format("steps.{}.row.{}", look.step, rows.schema[i].name);
    if (column.size() == 1) known_.values[name] = column[0];
    known_.rows[name] = std::move(column);
  }
  return Ok();
}

// A table that a lookup reads is part of that lookup.
std::string Course::CulpritOf(const Flow& flow, std::string found) const {
  const StepFacts* culprit = FactsOf(found);
  if (culprit == nullptr || flow.optional.contains(found)) return found;
  for (const StepFacts& facts : plan().steps) {
    const bool reads = std::find(facts.from.begin(), facts.from.end(), found) != facts.from.end();
    if (facts.verb == "lookup" && reads && facts.mark == culprit->mark) return facts.name;
  }
  return found;
}

bool Course::LeaveOut(const std::string& step, const Error& error) {
  const StepFacts* facts = FactsOf(step);
  if (facts == nullptr || facts->on_error.empty()) return false;
  auto& left = facts->on_error == "fallback" ? known_.fallen : known_.skipped;
  if (!left.emplace(step, Format(error)).second) return false;
  left_out_ = true;
  return true;
}

Result<bool> Course::DoWithout(const Stage& stage, const Error& error,
                               const std::map<std::string, Range>& reading, std::stop_token stop) {
  if (error.kind == ErrorKind::kCancelled || stop.stop_requested()) return false;
  const Flow* flow = std::get_if<Flow>(&stage);
  if (flow == nullptr) return LeaveOut(NameOf(stage), error);
  if (flow->optional.empty()) return false;
  const std::string culprit =
      CulpritOf(*flow, TRY(FindCulprit(plan(), *flow, world_, reading, stop)));
  if (!culprit.empty()) return flow->optional.contains(culprit) && LeaveOut(culprit, error);
  for (const PlannedLoad& load : flow->loads) {
    if (flow->optional.contains(load.load.step)) return LeaveOut(load.load.step, error);
  }
  return false;
}

Status Course::Ask(const std::string& step) {
  auto made = whole_.again(known_);
  if (!made.ok()) return std::move(made).error();
  if (const auto unreached = made->unreached.find(step); unreached != made->unreached.end())
    return unreached->second;
  left_out_ = true;  // the plan is made again, now that its columns are known
  return Ok();
}

std::string Course::StatusOf(const std::string& step) const {
  if (known_.fallen.contains(step)) return ended_.contains(step) ? "fallback" : "";
  const StepFacts* facts = FactsOf(step);
  if (facts != nullptr && facts->skip != Skip::kNo) return "skipped";
  return ended_.contains(step) ? "succeeded" : "";
}

std::vector<std::string> Course::Notes() const {
  std::vector<std::string> notes;
  for (const StepFacts& facts : plan().steps) {
    if (known_.fallen.contains(facts.name))
      notes.push_back(
          fmt::format("step {} read its fallback: {}", facts.name, known_.fallen.at(facts.name)));
    else if (facts.skip != Skip::kNo)
      notes.push_back(fmt::format("step {} was skipped: {}", facts.name, facts.why));
  }
  return notes;
}

Result<std::vector<OutputValue>> Course::Outputs(
    const std::map<std::string, relation::Bound>& ended) {
  (void)DefineGone();
  Progress all = known_;
  all.values.insert(ended.begin(), ended.end());
  return whole_.outputs(all);
}

}  // namespace sluice
