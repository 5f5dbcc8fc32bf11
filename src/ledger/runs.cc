// Runs, their steps, their log lines and the revisions they ran.
#include <fmt/format.h>

#include <utility>

#include "ledger/store.h"

namespace sluice {
namespace {

constexpr int64_t kKeptLines = 10'000;  // of a run; a stream's run writes them for ever
constexpr uint64_t kWaitingLines =
    65'536;  // more than that, and the disk is too slow to tell everything

constexpr std::pair<RunStatus, std::string_view> kStatusNames[] = {
    {RunStatus::kRunning, "running"},
    {RunStatus::kSucceeded, "succeeded"},
    {RunStatus::kPartial, "partial"},
    {RunStatus::kFailed, "failed"},
    {RunStatus::kCancelled, "cancelled"}};

Result<RunStatus> StatusOf(std::string_view name) {
  for (const auto& [status, known] : kStatusNames) {
    if (known == name) return status;
  }
  return RejectedError(
      fmt::format("the ledger holds the run status '{}', which this sluice does not know", name));
}

Result<RunRow> RunFrom(const sqlite::Query& row) {
  RunRow run{
      .id = RunId{row.Int(0)},
      .start = {row.Text(1), row.Text(2), row.Text(3), row.Text(4), row.Text(5), Micros{row.Int(6)},
                row.Text(13)},
      .end = {RunStatus::kRunning, Micros{row.Int(8)}, row.Text(9), row.Text(10), 0, row.Text(12)}};
  run.end.status = TRY(StatusOf(row.Text(7)));
  run.end.rejected = static_cast<uint64_t>(row.Int(11));
  return run;
}

constexpr std::string_view kSelect =
    "SELECT id, project, pipeline, revision, interval, params, started_at, status, ended_at, "
    "error_kind, error_message, rejected, result, parent FROM runs WHERE ";

Result<std::vector<RunRow>> RunsFrom(sqlite::Query rows) {
  std::vector<RunRow> runs;
  while (TRY(rows.Next())) runs.push_back(TRY(RunFrom(rows)));
  return runs;
}

}  // namespace

std::string_view NameOf(RunStatus status) {
  for (const auto& [known, name] : kStatusNames) {
    if (known == status) return name;
  }
  return "running";
}

Result<RunId> LedgerStore::KeepRunStart(const RunStart& start) {
  // The lease, which is kept, comes before anything outside is touched and takes this along to
  // disk.
  RunId run;
  TRY(writer_.Share([&](sqlite::Connection& connection) -> Status {
    TRY(connection.Execute(
        "INSERT INTO runs (project, pipeline, revision, interval, status, started_at, params, "
        "parent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        start.project, start.pipeline, start.revision, start.interval, NameOf(RunStatus::kRunning),
        start.started_at.count(), start.params_json, start.parent));
    run = RunId{connection.LastId()};
    return Ok();
  }));
  return run;
}

Status LedgerStore::KeepRunEnd(RunId run, const RunEnd& end, const std::vector<StepResult>& steps) {
  return writer_.Keep([&](sqlite::Connection& connection) -> Status {
    TRY(connection.Execute(
        "UPDATE runs SET status = ?2, ended_at = ?3, error_kind = ?4, error_message = ?5,"
        " rejected = ?6, result = ?7 WHERE id = ?1",
        run.value, NameOf(end.status), end.ended_at.count(), end.error_kind, end.error_message,
        end.rejected, end.result_json));
    if (connection.Changes() == 0)
      return InternalError(fmt::format("run {} ended, but the ledger has no such run", run.value));
    TRY(connection.Execute("DELETE FROM steps WHERE run = ?1", run.value));
    int64_t ordinal = 0;
    for (const StepResult& step : steps) {
      const Counts& counts = step.counts;
      TRY(connection.Execute(
          "INSERT INTO steps VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
          run.value, ordinal++, step.step, step.verb, counts.in, counts.out, counts.filtered,
          counts.deduplicated, counts.rejected, counts.late, counts.skipped, counts.held,
          step.duration.count()));
    }
    return Ok();
  });
}

Result<std::vector<RunRow>> LedgerStore::Runs(const RunFilter& filter) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::vector<RunRow>> {
    static const std::string kAll =
        std::string(kSelect) +
        "(?1 = '' OR pipeline = ?1) AND (?2 = '' OR status = ?2) AND (?4 = '' OR parent = ?4)"
        " ORDER BY id DESC LIMIT ?3";
    return RunsFrom(
        TRY(connection.Select(kAll, filter.pipeline, filter.status, filter.limit, filter.parent)));
  });
}

Result<std::vector<RunRow>> LedgerStore::RunsOf(const std::string& pipeline,
                                                const std::string& interval) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::vector<RunRow>> {
    // The rows of other intervals are not read whole: their results are long.
    static const std::string kOfInterval =
        std::string(kSelect) +
        "id IN (SELECT id FROM (SELECT id, interval FROM runs WHERE pipeline = ?1 ORDER BY id DESC"
        " LIMIT 1000) WHERE interval = ?2) ORDER BY id DESC";
    return RunsFrom(TRY(connection.Select(kOfInterval, pipeline, interval)));
  });
}

Result<std::vector<StepResult>> LedgerStore::Steps(RunId run) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::vector<StepResult>> {
    sqlite::Query rows =
        TRY(connection.Select("SELECT step, verb, rows_in, rows_out, filtered, deduplicated, "
                              "rejected, late, skipped, held, duration"
                              " FROM steps WHERE run = ?1 ORDER BY ordinal",
                              run.value));
    std::vector<StepResult> steps;
    while (TRY(rows.Next())) {
      const auto count = [&](int column) { return static_cast<uint64_t>(rows.Int(column)); };
      steps.push_back({rows.Text(0), rows.Text(1),
                       Counts{count(2), count(3), count(4), count(5), count(6), count(7), count(8),
                              rows.Int(9)},
                       Micros{rows.Int(10)}});
    }
    return steps;
  });
}

void LedgerStore::NoteLog(LogRow row) {
  if (writer_.waiting() >= kWaitingLines) {
    lost_lines_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (const uint64_t lost = lost_lines_.exchange(0, std::memory_order_relaxed); lost > 0) {
    row.message += fmt::format(" ({} lines before this one were lost: the disk is too slow)", lost);
  }
  writer_.Note([row = std::move(row)](sqlite::Connection& connection) -> Status {
    TRY(connection.Execute(
        "INSERT INTO logs (run, at, level, step, message) VALUES (?1, ?2, ?3, ?4, ?5)",
        row.run.value, row.at.count(), row.level, row.step, row.message));
    if (connection.LastId() % 256 != 0) return Ok();
    return connection.Execute(
        "DELETE FROM logs WHERE run = ?1 AND id <="
        " (SELECT id FROM logs WHERE run = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        row.run.value, kKeptLines);
  });
}

Result<std::vector<LogRow>> LedgerStore::Logs(RunId run) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::vector<LogRow>> {
    sqlite::Query rows = TRY(connection.Select(
        "SELECT at, level, step, message FROM logs WHERE run = ?1 ORDER BY id", run.value));
    std::vector<LogRow> lines;
    while (TRY(rows.Next()))
      lines.push_back({run, Micros{rows.Int(0)}, rows.Text(1), rows.Text(2), rows.Text(3)});
    return lines;
  });
}

Status LedgerStore::KeepRevision(const std::string& revision, const std::string& pipeline,
                                 const std::string& text, Micros at) {
  const bool known = TRY(Reading([&](sqlite::Connection& connection) -> Result<bool> {
    sqlite::Query row = TRY(connection.Select(
        "SELECT 1 FROM revisions WHERE revision = ?1 AND pipeline = ?2", revision, pipeline));
    return row.Next();
  }));
  if (known) return Ok();
  return writer_.Keep([&](sqlite::Connection& connection) {
    return connection.Execute(
        "INSERT OR IGNORE INTO revisions (revision, pipeline, at, text) VALUES (?1, ?2, ?3, ?4)",
        revision, pipeline, at.count(), text);
  });
}

}  // namespace sluice
