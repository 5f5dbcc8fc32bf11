// sluice logs: what runs did, step by step, and what they had to say.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/json_full.h"
#include "base/text.h"
#include "calendar/instant.h"
#include "main/command.h"
#include "main/session.h"
#include "main/table.h"

namespace sluice {

namespace {

constexpr const char* kLevels[] = {"debug", "info", "warn", "error"};

struct Wanted {
  size_t level = 0;  // index of the lowest one shown
  Micros since{0};
  bool json = false;
};

Result<size_t> ReadLevel(const std::string& word) {
  for (size_t i = 0; i < std::size(kLevels); ++i) {
    if (word == kLevels[i]) return i;
  }
  const std::vector<std::string> known(std::begin(kLevels), std::end(kLevels));
  const auto near = Nearest(word, known);
  return ConfigError({}, "--level '" + word + "': valid are debug, info, warn, error" +
                             (near ? "; did you mean '" + *near + "'?" : ""));
}

Result<Micros> ReadSince(const std::string& text, Micros now) {
  if (const auto ago = ParseDuration(text); ago.ok()) return now - *ago;
  if (const auto instant = ParseInstant(text); instant.ok()) return *instant;
  return ConfigError(
      {}, "--since '" + text + "': a duration like 2h or an instant like 2026-11-20T06:00:00Z");
}

Result<RunId> ReadRun(const std::string& text) {
  RunId run;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, run.value).ptr != end || run.value < 1)
    return ConfigError({}, "run '" + text + "': a whole number from 1 is valid");
  return run;
}

std::vector<LogRow> Filtered(std::vector<LogRow> rows, const Wanted& wanted) {
  std::erase_if(rows, [&](const LogRow& row) {
    const auto level = std::find(std::begin(kLevels), std::end(kLevels), row.level);
    return row.at < wanted.since || static_cast<size_t>(level - std::begin(kLevels)) < wanted.level;
  });
  return rows;
}

void PrintJson(const RunRow& run, const LogRow& row) {
  std::printf("%s\n", Json{{"run", run.id.value},
                           {"pipeline", run.start.pipeline},
                           {"at", FormatInstant(row.at)},
                           {"level", row.level},
                           {"step", row.step},
                           {"message", row.message}}
                          .dump(-1, ' ', false, Json::error_handler_t::replace)
                          .c_str());
}

Status ShowRun(Ledger& ledger, const RunRow& run, const Wanted& wanted) {
  const std::vector<LogRow> rows = Filtered(TRY(ledger.Logs(run.id)), wanted);
  if (wanted.json) {
    for (const LogRow& row : rows) PrintJson(run, row);
    return Ok();
  }
  std::printf("run %lld of %s: %s, started %s\n", static_cast<long long>(run.id.value),
              run.start.pipeline.c_str(), std::string(NameOf(run.end.status)).c_str(),
              FormatInstant(run.start.started_at).c_str());
  std::vector<std::vector<std::string>> steps;
  for (const StepResult& step : TRY(ledger.Steps(run.id))) {
    steps.push_back({step.step, step.verb, FormatCount(step.counts.in),
                     FormatCount(step.counts.out), FormatCount(step.counts.rejected),
                     FormatDuration(step.duration)});
  }
  if (!steps.empty())
    std::fputs(FormatTable({"step", "verb", "in", "out", "rejected", "took"}, steps).c_str(),
               stdout);
  for (const LogRow& row : rows) {
    std::printf("%s %-5s %s%s\n", FormatInstant(row.at).c_str(), row.level.c_str(),
                row.step.empty() ? "" : (EscapeControl(row.step) + ": ").c_str(),
                EscapeControl(row.message).c_str());
  }
  return Ok();
}

Result<int> ShowLogs(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  Wanted wanted{.level = TRY(ReadLevel(invocation.Get("--level", "debug"))),
                .since = Micros{0},
                .json = invocation.Get("--output") == "json"};
  if (invocation.Has("--since"))
    wanted.since = TRY(ReadSince(invocation.Get("--since"), session->clock().Now()));
  Ledger* ledger = TRY(session->ledger());
  std::vector<RunRow> runs = TRY(ledger->Runs({.pipeline = "", .status = "", .limit = 1'000'000}));
  if (invocation.Has("run")) {
    const RunId run = TRY(ReadRun(invocation.Get("run")));
    std::erase_if(runs, [&](const RunRow& row) { return row.id != run; });
    if (runs.empty())
      return ConfigError({},
                         "no run has the number " + std::to_string(run.value) + ": sluice runs");
  } else if (invocation.Has("--since")) {
    // A run that began earlier may have spoken since.
    std::erase_if(runs, [&](const RunRow& row) {
      return row.end.status != RunStatus::kRunning && row.end.ended_at < wanted.since;
    });
    std::reverse(runs.begin(), runs.end());
  } else if (runs.size() > 1) {
    runs.resize(1);  // the newest
  }
  for (const RunRow& run : runs) TRY(ShowRun(*ledger, run, wanted));
  if (runs.empty() && !wanted.json)
    std::printf(invocation.Has("--since") ? "no runs since then\n"
                                          : "no runs yet: sluice run PIPELINE\n");
  return kExitOk;
}

}  // namespace

Command LogsCommand() {
  return {.name = "logs",
          .summary = "Show what runs did, step by step",
          .example = "sluice logs 17 --level warn",
          .arguments = {{"run", "The run's number (default: the newest run)",
                         Argument::Count::kOptional}},
          .options = {ProjectOption(),
                      EnvOption(),
                      OutputOption(),
                      {"--level", "LEVEL", "Only lines of debug, info, warn or error and worse"},
                      {"--since", "WHEN", "All runs since 2h ago, or since an instant"}},
          .run = ShowLogs};
}

}  // namespace sluice
