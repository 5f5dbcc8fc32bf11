// What must be on disk before the outside is touched: leases, actions, and the types that were
// guessed.
#include <fmt/format.h>

#include "base/json_full.h"
#include "ledger/store.h"

namespace sluice {
namespace {

struct Holder {
  int64_t fence = 0;
  bool held = false;
  RunId run;
  Process process;
};

Result<Holder> HolderOf(sqlite::Connection& connection, const std::string& resource) {
  Holder holder;
  sqlite::Query row = TRY(connection.Select(
      "SELECT fence, held, run, pid, process FROM leases WHERE resource = ?1", resource));
  if (!TRY(row.Next())) return holder;
  return Holder{row.Int(0), row.Int(1) != 0, RunId{row.Int(2)}, {row.Int(3), row.Text(4)}};
}

// The run of a process that died says "running" for ever if nobody corrects it.
Status CloseRunOfTheDead(sqlite::Connection& connection, const Holder& dead) {
  return connection.Execute(
      "UPDATE runs SET status = 'failed', error_kind = 'internal', error_message = ?2"
      " WHERE id = ?1 AND status = 'running'",
      dead.run.value, fmt::format("its process {} died", dead.process.pid));
}

std::string ColumnsToJson(const Schema& schema) {
  Json columns = Json::array();
  for (const Column& column : schema) {
    columns.push_back({{"name", column.name},
                       {"type", column.type},
                       {"hidden", column.hidden},
                       {"description", column.description}});
  }
  return columns.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Schema> ColumnsFromJson(const std::string& text, const std::string& path) {
  const Json columns =
      TRY(ParseJson(text).While(fmt::format("ledger '{}': reading pinned columns", path)));
  Schema schema;
  try {
    for (const Json& column : columns) {
      schema.push_back({column.at("name").get<std::string>(), column.at("type").get<std::string>(),
                        column.at("hidden").get<bool>(),
                        column.at("description").get<std::string>()});
    }
  } catch (const Json::exception& error) {
    return sqlite::DamagedError(path, error.what());
  }
  return schema;
}

}  // namespace

Result<std::vector<Lease>> LedgerStore::KeepLeases(const std::vector<std::string>& resources,
                                                   RunId run) {
  std::vector<Lease> leases;
  TRY(writer_.Keep([&](sqlite::Connection& connection) -> Status {
    for (const std::string& resource : resources)
      leases.push_back(TRY(TakeLease(connection, resource, run)));
    return Ok();
  }));
  return leases;
}

Result<Lease> LedgerStore::TakeLease(sqlite::Connection& connection, const std::string& resource,
                                     RunId run) const {
  const Holder holder = TRY(HolderOf(connection, resource));
  if (holder.held && Lives(holder.process)) {
    return TransientError(fmt::format(
        "'{}' is in use by run {} of process {}: wait for it to end, or stop that process",
        resource, holder.run.value, holder.process.pid));
  }
  if (holder.held) TRY(CloseRunOfTheDead(connection, holder));
  // Rises by more than one: with the clock (in milliseconds), so that it also rises over a ledger
  // that was lost, or over that of another machine. The destinations remember the highest they saw.
  TRY(connection.Execute(
      "INSERT OR REPLACE INTO leases (resource, fence, held, run, pid, process)"
      " VALUES (?1, max(?2 + 1, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), 1, "
      "?3, ?4, ?5)",
      resource, holder.fence, run.value, process_.pid, process_.birth));
  return Lease{.fence = FenceId{TRY(HolderOf(connection, resource)).fence}, .resource = resource};
}

Status LedgerStore::KeepRelease(const std::vector<Lease>& leases) {
  // Not synced: where the machine loses it, the holder is dead and the lease is free all the same.
  return writer_.Share([&](sqlite::Connection& connection) -> Status {
    for (const Lease& lease : leases) {
      TRY(connection.Execute("UPDATE leases SET held = 0 WHERE resource = ?1 AND fence = ?2",
                             lease.resource, lease.fence.value));
    }
    return Ok();
  });
}

Status LedgerStore::KeepAction(RunId run, const std::string& step, const std::string& fingerprint,
                               bool done) {
  return writer_.Keep([&](sqlite::Connection& connection) {
    return connection.Execute(
        "INSERT OR REPLACE INTO actions (run, step, fingerprint, done) VALUES (?1, ?2, ?3, ?4)",
        run.value, step, fingerprint, done);
  });
}

Result<std::optional<ActionRow>> LedgerStore::Action(RunId run, const std::string& step) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::optional<ActionRow>> {
    sqlite::Query row = TRY(connection.Select(
        "SELECT fingerprint, done FROM actions WHERE run = ?1 AND step = ?2", run.value, step));
    if (!TRY(row.Next())) return std::optional<ActionRow>();
    return std::optional<ActionRow>({row.Text(0), row.Int(1) != 0});
  });
}

Status LedgerStore::NoteAppenders(const std::string& project,
                                  const std::vector<Appender>& appenders) {
  writer_.Note([project, appenders](sqlite::Connection& connection) -> Status {
    for (const Appender& appender : appenders) {
      TRY(connection.Execute("INSERT OR IGNORE INTO appenders VALUES (?1, ?2, ?3, ?4, ?5)", project,
                             appender.sink, appender.target, appender.pipeline, appender.flow));
    }
    return Ok();
  });
  return writer_.NoteStatus();
}

Result<std::vector<Appender>> LedgerStore::Appenders(const std::string& project,
                                                     const std::string& sink,
                                                     const std::string& target) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::vector<Appender>> {
    sqlite::Query rows = TRY(connection.Select(
        "SELECT pipeline, flow FROM appenders WHERE project = ?1 AND sink = ?2 AND target = ?3",
        project, sink, target));
    std::vector<Appender> appenders;
    while (TRY(rows.Next())) appenders.push_back({sink, target, rows.Text(0), rows.Text(1)});
    return appenders;
  });
}

Result<std::optional<Schema>> LedgerStore::Pinned(const std::string& project,
                                                  const std::string& pipeline,
                                                  const std::string& step) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::optional<Schema>> {
    sqlite::Query row =
        TRY(connection.Select("SELECT columns FROM schemas WHERE project = ?1 AND pipeline = ?2 "
                              "AND step = ?3 ORDER BY id DESC LIMIT 1",
                              project, pipeline, step));
    if (!TRY(row.Next())) return std::optional<Schema>();
    return std::optional<Schema>(TRY(ColumnsFromJson(row.Text(0), path_)));
  });
}

Status LedgerStore::KeepPin(const std::string& project, const std::string& pipeline,
                            const std::string& step, const Schema& schema, Micros at) {
  const std::optional<Schema> pinned = TRY(Pinned(project, pipeline, step));
  if (pinned == schema) return Ok();
  const std::string columns = ColumnsToJson(schema);
  return writer_.Keep([&](sqlite::Connection& connection) {
    return connection.Execute(
        "INSERT INTO schemas (project, pipeline, step, at, columns) VALUES (?1, ?2, ?3, ?4, ?5)",
        project, pipeline, step, at.count(), columns);
  });
}

}  // namespace sluice
