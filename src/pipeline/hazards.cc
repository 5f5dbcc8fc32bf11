// What would run and be wrong (refused), and what may surprise (a warning).
#include <fmt/format.h>

#include <algorithm>

#include "base/glob.h"
#include "base/text.h"
#include "pipeline/planner.h"
#include "transform/chance.h"

namespace sluice {
namespace {

bool Replaces(Mode mode) { return mode == Mode::kOverwrite || mode == Mode::kReplacePartition; }

// A cursor gives only what changed: whatever replaces or sums needs all rows.
void CheckCursor(Planning& planning, const Planned& load) {
  const auto upstream = Upstream(planning, load.node->name);
  const Planned* cursor = nullptr;
  const Planned* aggregate = nullptr;
  for (const std::string& name : upstream) {
    const Planned& step = planning.Step(name);
    if (step.extract && step.extract->request.config.incremental) cursor = &step;
    if (step.node->verb == "aggregate") aggregate = &step;
  }
  if (cursor == nullptr) return;
  const Mode mode = load.load->load.mode;
  const bool merged = mode == Mode::kUpsert || mode == Mode::kReplace;
  if (Replaces(mode)) {
    planning.errors.push_back(
        ConfigError(load.node->mark,
                    fmt::format("a cursor gives only what changed: {} would replace all rows by "
                                "those that '{}' found changed; use interval: in the extract",
                                NameOf(mode), cursor->node->name)));
  } else if (aggregate != nullptr && !merged) {
    planning.errors.push_back(
        ConfigError(aggregate->node->mark,
                    fmt::format("a cursor gives only what changed: '{}' would aggregate only the "
                                "rows that '{}' found changed; use interval: in the extract",
                                aggregate->node->name, cursor->node->name)));
  }
}

// Each new file would make the whole set new, and append would add the whole set again.
void CheckGrowingFiles(Planning& planning, const Planned& load) {
  const Mode mode = load.load->load.mode;
  if (mode != Mode::kAppend && mode != Mode::kInsert) return;
  const Planned* whole = nullptr;
  const Planned* files = nullptr;
  for (const std::string& name : Upstream(planning, load.node->name)) {
    const Planned& step = planning.Step(name);
    if (step.reach == Reach::kWhole && whole == nullptr) whole = &step;
    if (!step.extract) continue;
    for (const Written& path : step.extract->request.config.path) {
      if (HasGlob(path.text)) files = &step;
    }
  }
  if (whole == nullptr || files == nullptr) return;
  planning.errors.push_back(
      ConfigError(load.node->mark,
                  fmt::format("{} after '{}': each new file of '{}' would make the whole result "
                              "new and add it again; use overwrite, replace_partition or upsert",
                              NameOf(mode), whole->node->name, files->node->name)));
}

void WarnOfRepeats(Planning& planning, const Planned& load) {
  const Mode mode = load.load->load.mode;
  if (mode != Mode::kAppend) return;
  for (const std::string& name : Upstream(planning, load.node->name)) {
    const Planned& step = planning.Step(name);
    if (!step.extract) continue;
    const ExtractConfig& config = step.extract->request.config;
    const bool whole_table = (!config.table.empty() || !config.query.empty()) &&
                             config.interval.empty() && !config.incremental;
    if (whole_table) {
      planning.Warn(load.node->mark,
                    fmt::format("append repeats the rows of '{}' at every run: a whole table has "
                                "no ranges; use upsert or overwrite, or interval: in the extract",
                                name));
    } else if (planning.values.used_interval() && config.interval.empty() && !config.path.empty() &&
               std::none_of(step.node->body.map.begin(), step.node->body.map.end(),
                            [](const auto& entry) {
                              return entry.value.scalar.find("{{") != std::string::npos;
                            })) {
      planning.Warn(load.node->mark,
                    fmt::format("append repeats the rows of '{}' in every interval: its path does "
                                "not depend on the interval",
                                name));
    }
  }
}

void WarnOfPartition(Planning& planning, const Planned& load) {
  if (load.load->load.mode != Mode::kReplacePartition) return;
  const auto day = std::chrono::hours(23);
  for (size_t i = 0; i < load.load->load.partition.size(); ++i) {
    const PartitionTerm& term = load.load->load.partition[i];
    const NamedWritten& written = load.load_config->partition[i];
    if (!term.value) {
      if (planning.scheduled()) {
        planning.Warn(written.mark, fmt::format("partition '{}' takes its values from the rows: a "
                                                "day that lost all its rows keeps the old ones; "
                                                "say the value, like {{ {}: \"{{{{ ds }}}}\" }}",
                                                term.column, term.column));
      }
      continue;
    }
    const bool by_interval = written.value.text.find("ds") != std::string::npos ||
                             written.value.text.find("interval") != std::string::npos;
    const Interval interval = planning.interval;
    const bool coarse = written.value.text.find("month") != std::string::npos ||
                        written.value.text.find("week") != std::string::npos ||
                        written.value.text.find("year") != std::string::npos ||
                        written.value.text.find("quarter") != std::string::npos;
    const bool shorter = (term.value->type == "DATE" && interval.end - interval.start < day) ||
                         (coarse && interval.end - interval.start < std::chrono::hours(24 * 6));
    if (by_interval && shorter) {
      planning.Warn(
          written.value.mark,
          fmt::format(
              "the interval cuts the partition: a run covers {} and would replace all of '{}'",
              FormatDuration(interval.end - interval.start), term.column));
    }
  }
}

// Only a source without an end makes an epoch wait for more.
void WarnOfLatency(Planning& planning) {
  const Node* epoch = Setting(planning.project, planning.file, "epoch");
  const Node* latency = epoch == nullptr ? nullptr : epoch->Find("max_latency");
  if (latency == nullptr) return;
  for (const auto& [name, step] : planning.steps) {
    if (step.failed || (step.extract && step.extract->shape.endless)) return;
  }
  planning.Warn(
      latency->mark,
      "max_latency changes nothing: every source has an end, and no epoch waits for more");
}

void WarnOfNames(Planning& planning) {
  for (const StepNode& step : planning.file.steps) {
    if (!planning.project.connections.contains(step.name)) continue;
    planning.Warn(step.mark, fmt::format("'{}' is a step and a connection: inside extract and load "
                                         "the name means the connection, elsewhere the step",
                                         step.name));
  }
}

// Of texts that no verb lowers: a query that a database runs, a statement, a partition's value.
void WarnOfImpurity(Planning& planning, const Node& node, const StepNode& step) {
  if (node.IsScalar() && node.scalar.find_first_of("(_") != std::string::npos) {
    const auto warn = [&planning](Mark mark, std::string text) {
      planning.Warn(std::move(mark), std::move(text));
    };
    if (auto expression = planning.parser.Expression(node.scalar); expression.ok())
      WarnOfChance(expression->functions, expression->columns, step.name, node.mark, warn);
    else if (auto select = planning.parser.Select(node.scalar); select.ok())
      WarnOfChance(select->functions, {}, step.name, node.mark, warn);
  }
  for (const Node& item : node.list) WarnOfImpurity(planning, item, step);
  for (const auto& [key, value] : node.map) WarnOfImpurity(planning, value, step);
}

}  // namespace

void CheckHazards(Planning& planning) {
  for (const std::string& name : planning.order) {
    const Planned& step = planning.Step(name);
    if (step.failed) continue;
    if (step.IsAction() || Find(planning.verbs, step.node->verb) == nullptr)
      WarnOfImpurity(planning, step.node->body, *step.node);
    if (!step.load) continue;
    CheckCursor(planning, step);
    CheckGrowingFiles(planning, step);
    WarnOfRepeats(planning, step);
    WarnOfPartition(planning, step);
  }
  WarnOfNames(planning);
  WarnOfLatency(planning);
}

}  // namespace sluice
