// See report.h.
#include "main/report.h"

#include <fmt/core.h>

#include "base/text.h"
#include "main/table.h"

namespace sluice {

namespace {

std::string LoadTable(const RunOutcome& outcome) {
  std::vector<std::vector<std::string>> rows;
  for (const LoadOutcome& load : outcome.loads) {
    if (load.already_loaded) {
      rows.push_back(
          {load.step, load.target, std::string(NameOf(load.mode)), "", "", "", "already loaded"});
      continue;
    }
    rows.push_back({load.step, load.target, std::string(NameOf(load.mode)),
                    FormatCount(load.landed.inserted), FormatCount(load.landed.updated),
                    FormatCount(load.landed.deleted),
                    load.landed.bytes > 0 ? FormatBytes(load.landed.bytes) : ""});
  }
  return rows.empty()
             ? ""
             : FormatTable({"load", "target", "mode", "inserted", "updated", "deleted", ""}, rows);
}

std::string StepTable(const RunOutcome& outcome) {
  std::vector<std::vector<std::string>> rows;
  for (const StepOutcome& step : outcome.steps) {
    const Counts& c = step.counts;
    auto shown = [](uint64_t count) { return count == 0 ? std::string() : FormatCount(count); };
    rows.push_back({step.step, step.verb, FormatCount(c.in), FormatCount(c.out), shown(c.filtered),
                    shown(c.deduplicated), shown(c.rejected), shown(c.late)});
  }
  return rows.empty() ? ""
                      : FormatTable({"step", "verb", "in", "out", "filtered", "deduplicated",
                                     "rejected", "late"},
                                    rows);
}

}  // namespace

std::string FormatOutcome(const Plan& plan, const RunOutcome& outcome) {
  std::string text;
  bool loaded = false;
  for (const LoadOutcome& load : outcome.loads) loaded = loaded || !load.already_loaded;
  if (loaded || outcome.loads.empty()) text += StepTable(outcome);
  std::string loads = LoadTable(outcome);
  if (!loads.empty()) text += (text.empty() ? "" : "\n") + loads;
  for (const std::string& note : outcome.notes) text += note + "\n";
  if (outcome.error) {
    text += fmt::format("run {} of {} {} after {}\n", outcome.run.value, plan.pipeline,
                        NameOf(outcome.status), FormatDuration(outcome.duration));
  } else {
    text += fmt::format("run {} of {} {} in {}\n", outcome.run.value, plan.pipeline,
                        NameOf(outcome.status), FormatDuration(outcome.duration));
  }
  if (outcome.rejected > 0) {
    text += fmt::format("{} rows were rejected: sluice dead-letters list --run {}\n",
                        FormatCount(outcome.rejected), outcome.run.value);
  }
  return text;
}

}  // namespace sluice
