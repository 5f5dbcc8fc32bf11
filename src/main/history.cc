// sluice runs: what the ledger remembers of past runs.
#include <fmt/core.h>

#include <cstdio>

#include "base/json.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "main/table.h"

namespace sluice {

namespace {

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

}  // namespace sluice
