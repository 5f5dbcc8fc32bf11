// sluice runs and sluice logs: what the ledger remembers of past runs.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/json.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "main/table.h"

namespace sluice {

namespace {

Result<int64_t> ReadNumber(const std::string& text, const std::string& what) {
  int64_t number = 0;
  auto end = text.data() + text.size();
  if (std::from_chars(text.data(), end, number).ptr != end || number < 1) {
    return ConfigError({}, what + " '" + text + "': a whole number from 1 is valid");
  }
  return number;
}

Result<int> ShowRuns(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  Ledger* ledger = TRY(session->ledger());
  RunFilter filter{.pipeline = invocation.Get("pipeline"),
                   .status = invocation.Get("--status"),
                   .limit = TRY(ReadNumber(invocation.Get("--limit", "20"), "--limit"))};
  std::vector<RunRow> runs = TRY(ledger->Runs(filter));
  if (invocation.Get("--output") == "json") {
    for (const RunRow& run : runs) {
      std::printf("%s\n",
                  run.end.result_json.empty()
                      ? fmt::format(R"({{"run":{},"pipeline":{},"status":"{}"}})", run.id.value,
                                    QuoteJson(run.start.pipeline), NameOf(run.end.status))
                            .c_str()
                      : run.end.result_json.c_str());
    }
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows;
  for (const RunRow& run : runs) {
    bool ended = run.end.status != RunStatus::kRunning;
    rows.push_back(
        {std::to_string(run.id.value), run.start.pipeline, std::string(NameOf(run.end.status)),
         run.start.interval, FormatInstant(run.start.started_at),
         ended ? FormatDuration(run.end.ended_at - run.start.started_at) : "",
         run.end.rejected > 0 ? FormatCount(run.end.rejected) : "", run.end.error_message});
  }
  if (rows.empty())
    std::printf("no runs yet: sluice run PIPELINE\n");
  else
    std::fputs(
        FormatTable(
            {"run", "pipeline", "status", "interval", "started", "took", "rejected", "error"}, rows)
            .c_str(),
        stdout);
  return kExitOk;
}

Result<int> ShowLogs(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  Ledger* ledger = TRY(session->ledger());
  RunId run{TRY(ReadNumber(invocation.Get("run"), "run"))};
  std::vector<RunRow> runs = TRY(ledger->Runs({.pipeline = "", .status = "", .limit = 1'000'000}));
  auto known =
      std::find_if(runs.begin(), runs.end(), [&](const RunRow& row) { return row.id == run; });
  if (known == runs.end())
    return ConfigError({}, "no run has the number " + std::to_string(run.value) + ": sluice runs");
  std::printf("run %lld of %s: %s, started %s\n", static_cast<long long>(run.value),
              known->start.pipeline.c_str(), std::string(NameOf(known->end.status)).c_str(),
              FormatInstant(known->start.started_at).c_str());
  std::vector<std::vector<std::string>> steps;
  for (const StepResult& step : TRY(ledger->Steps(run))) {
    steps.push_back({step.step, step.verb, FormatCount(step.counts.in),
                     FormatCount(step.counts.out), FormatCount(step.counts.rejected),
                     FormatDuration(step.duration)});
  }
  if (!steps.empty())
    std::fputs(FormatTable({"step", "verb", "in", "out", "rejected", "took"}, steps).c_str(),
               stdout);
  for (const LogRow& row : TRY(ledger->Logs(run))) {
    std::printf("%s %-5s %s%s\n", FormatInstant(row.at).c_str(), row.level.c_str(),
                row.step.empty() ? "" : (row.step + ": ").c_str(), row.message.c_str());
  }
  return kExitOk;
}

}  // namespace

Command RunsCommand() {
  return {.name = "runs",
          .summary = "List past runs",
          .example = "sluice runs daily_sales --status failed",
          .arguments = {{"pipeline", "Only this pipeline", Argument::Count::kOptional}},
          .options = {ProjectOption(),
                      EnvOption(),
                      OutputOption(),
                      {"--status", "STATUS", "running, succeeded, partial, failed or cancelled"},
                      {"--limit", "N", "At most N runs (default 20)"}},
          .run = ShowRuns};
}

Command LogsCommand() {
  return {.name = "logs",
          .summary = "Show what a run did, step by step",
          .example = "sluice logs 17",
          .arguments = {{"run", "The run's number"}},
          .options = {ProjectOption(), EnvOption()},
          .run = ShowLogs};
}

}  // namespace sluice
