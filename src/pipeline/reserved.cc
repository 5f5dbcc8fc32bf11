// See reserved.h.
#include "pipeline/reserved.h"

#include <fmt/format.h>

#include <algorithm>

#include "spec/field.h"

namespace sluice {
namespace {

constexpr std::string_view kChecks = "checks";
constexpr std::string_view kStreams = "streams";
constexpr std::string_view kScheduler = "the scheduler";
constexpr std::string_view kApi = "API workflows";
constexpr std::string_view kSecurity = "security and metering";

constexpr Reserved kPipeline[] = {
    {"trigger", kApi},          {"priority", kScheduler},   {"deadline", kScheduler},
    {"timeout", kScheduler},    {"dead_letters", kChecks},  {"idempotent_by", kApi},
    {"alerts", kScheduler},     {"on_success", kScheduler}, {"on_failure", kScheduler},
    {"on_partial", kScheduler}, {"on_finish", kScheduler},  {"on_deadline", kScheduler},
    {"pricing", kSecurity},     {"engine", "scale-out"},

};
constexpr Reserved kStep[] = {
    {"deadline", kScheduler},
    {"undo", kApi},
};
constexpr Reserved kSchedule[] = {
    {"start", kScheduler},           {"end", kScheduler},
    {"catchup", kScheduler},         {"overlap", kScheduler},
    {"depends_on_past", kScheduler}, {"enabled", kScheduler},
    {"jitter", kScheduler},
};
constexpr Reserved kProject[] = {
    {"channels", kScheduler}, {"alerts", kScheduler}, {"dead_letters", kChecks},
    {"metrics", kSecurity},   {"lineage", kChecks},   {"masking", kSecurity},
    {"tariffs", kSecurity},   {"server", kScheduler},
};
constexpr Reserved kVerbs[] = {
    {"check", kChecks},
    {"call", kApi},
    {"notify", kScheduler},
    {"mask", kSecurity},
};
constexpr Reserved kModes[] = {{"scd2", kChecks}, {"scd3", kChecks}};
constexpr Reserved kConnections[] = {
    {"kafka", kStreams}, {"redis", kStreams}, {"webhook", kApi},     {"event", kApi},
    {"http", kApi},      {"ledger", kChecks}, {"email", kScheduler}, {"slack", kScheduler},
};
constexpr Reserved kNames[] = {
    {"event", kApi},
    {"response", kApi},
    {"rows", kApi},
};

}  // namespace

const Keys& PipelineKeys() {
  static const Keys keys{
      "the pipeline",
      {"pipeline", "description", "owner", "tags", "params", "for_each", "schedule", "epoch",
       "max_rejects", "retry", "on_row_error", "parallelism", "delivery", "output", "steps"},
      kPipeline};
  return keys;
}
const Keys& StepKeys() {
  static const Keys keys{"the step",
                         {"from", "after", "for_each", "when", "on_error", "on_row_error",
                          "fallback", "retry", "timeout", "description", "tags"},
                         kStep};
  return keys;
}
const Keys& ScheduleKeys() {
  static const Keys keys{"schedule", {"cron", "every", "interval", "timezone"}, kSchedule};
  return keys;
}
const Keys& ProjectKeys() {
  static const Keys keys{
      "sluice.yml",
      {"project", "connections", "vars", "defaults", "environments", "memory", "parallelism"},
      kProject};
  return keys;
}
const Keys& EnvironmentKeys() {
  static const Keys keys{"the environment", {"connections", "vars"}, {}};
  return keys;
}
const Keys& DefaultKeys() {
  static const Keys keys{"defaults", {"epoch", "max_rejects", "retry", "on_row_error"}, kPipeline};
  return keys;
}
std::span<const Reserved> ReservedVerbs() { return kVerbs; }
std::span<const Reserved> ReservedModes() { return kModes; }
std::span<const Reserved> ReservedConnections() { return kConnections; }
std::span<const Reserved> ReservedNames() { return kNames; }
const std::vector<std::string>& BuiltVerbs() {
  static const std::vector<std::string> verbs{"extract",  "map",    "derive", "filter", "aggregate",
                                              "join",     "lookup", "sql",    "dedupe", "window",
                                              "function", "load",   "run",    "use"};
  return verbs;
}

const Reserved* FindReserved(std::span<const Reserved> words, std::string_view word) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const Reserved& r) { return r.word == word; });
  return found == words.end() ? nullptr : &*found;
}

Status CheckKeys(const Node& node, const Keys& keys) {
  if (!node.IsMap()) return WrongShape(node, keys.component, "a map of its keys");
  for (const auto& [key, value] : node.map) {
    if (std::find(keys.known.begin(), keys.known.end(), key.scalar) != keys.known.end()) continue;
    if (const Reserved* reserved = FindReserved(keys.reserved, key.scalar)) {
      return NotBuiltYet(key, keys.component, reserved->comes_with);
    }
    return UnknownKey(key, keys.component, keys.known);
  }
  return Ok();
}

}  // namespace sluice
