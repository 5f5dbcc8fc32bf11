// A lookup in a table of a connection is two steps: an extract of that table, and a lookup in the
// extract. So it is read, counted and planned as every other table is.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {
namespace {

bool IsStep(const PipelineFile& file, std::string_view name) {
  return std::any_of(file.steps.begin(), file.steps.end(),
                     [&](const StepNode& step) { return ToLower(step.name) == ToLower(name); });
}

Node Scalar(std::string text, const Mark& mark) {
  return Node{.kind = Node::Kind::kScalar, .scalar = std::move(text), .mark = mark};
}

// Takes `table` out of the lookup and gives the extract that reads it.
StepNode ExtractOf(const PipelineFile& file, StepNode& lookup, const Node& from) {
  StepNode extract{.name = lookup.name + "_table",
                   .mark = lookup.mark,
                   .verb = "extract",
                   .body = {.kind = Node::Kind::kMap, .mark = lookup.body.mark},
                   .step = {.kind = Node::Kind::kMap, .mark = lookup.step.mark},
                   .from = {}};
  while (IsStep(file, extract.name)) extract.name += "_";
  extract.body.map.push_back({Scalar("from", from.mark), from});
  const auto is_table = [](const Node::Entry& entry) { return entry.key.scalar == "table"; };
  for (const Node::Entry& entry : lookup.body.map) {
    if (is_table(entry)) extract.body.map.push_back(entry);
  }
  std::erase_if(lookup.body.map, is_table);
  for (Node::Entry& entry : lookup.body.map) {
    if (entry.key.scalar == "from") entry.value.scalar = extract.name;
  }
  return extract;
}

}  // namespace

Result<PipelineFile> WithLookedUpTables(const Project& project, const PipelineFile& file) {
  PipelineFile whole = file;
  whole.steps.clear();
  for (const StepNode& written : file.steps) {
    StepNode step = written;
    const Node* from = step.verb == "lookup" ? step.body.Find("from") : nullptr;
    const bool table = from != nullptr && !IsStep(file, from->scalar) &&
                       !step.local.contains(from->scalar) &&
                       project.connections.contains(from->scalar);
    if (table) {
      if (step.body.Find("table") == nullptr) {
        return ConfigError(from->mark, fmt::format("'{}' is a connection: say which of its tables "
                                                   "with table:",
                                                   from->scalar));
      }
      whole.steps.push_back(ExtractOf(file, step, Node(*from)));
    }
    whole.steps.push_back(std::move(step));
  }
  return whole;
}

}  // namespace sluice
