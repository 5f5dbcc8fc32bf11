// Every table of the ledger. docs/formats.md explains the columns. Never edit an entry that was
// released: add one. Times are microseconds since 1970 UTC. Big columns come last, so that a scan
// over the others does not read them.
#include "ledger/migrations.h"

#include <fmt/format.h>

#include <array>

namespace sluice {
namespace {

constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('flushes', 0);

CREATE TABLE revisions (
  revision TEXT NOT NULL, pipeline TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (revision, pipeline));

CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL, pipeline TEXT NOT NULL, revision TEXT NOT NULL, interval TEXT NOT NULL,
  status TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0, error_kind TEXT NOT NULL DEFAULT '', error_message TEXT NOT NULL DEFAULT '',
  params TEXT NOT NULL, result TEXT NOT NULL DEFAULT '');
CREATE INDEX runs_of_pipeline ON runs (pipeline, id);

CREATE TABLE steps (
  run INTEGER NOT NULL, ordinal INTEGER NOT NULL, step TEXT NOT NULL, verb TEXT NOT NULL,
  rows_in INTEGER NOT NULL, rows_out INTEGER NOT NULL, filtered INTEGER NOT NULL, deduplicated INTEGER NOT NULL,
  rejected INTEGER NOT NULL, late INTEGER NOT NULL, skipped INTEGER NOT NULL, held INTEGER NOT NULL,
  duration INTEGER NOT NULL,
  PRIMARY KEY (run, ordinal)) WITHOUT ROWID;

CREATE TABLE lanes (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
  project TEXT NOT NULL, pipeline TEXT NOT NULL, flow TEXT NOT NULL, interval TEXT NOT NULL);

CREATE TABLE epochs (
  lane INTEGER NOT NULL, epoch INTEGER NOT NULL, run INTEGER NOT NULL, decider TEXT NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (lane, epoch));

CREATE TABLE intents (
  lane INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, ranges TEXT NOT NULL);

CREATE TABLE letter_batches (
  id INTEGER PRIMARY KEY AUTOINCREMENT, lane INTEGER NOT NULL, epoch INTEGER NOT NULL, visible INTEGER NOT NULL,
  run INTEGER NOT NULL, revision TEXT NOT NULL, at INTEGER NOT NULL,
  first_letter INTEGER NOT NULL DEFAULT 0, last_letter INTEGER NOT NULL DEFAULT -1,
  UNIQUE (lane, epoch));
CREATE INDEX letter_batches_of_run ON letter_batches (run);

CREATE TABLE letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT, batch INTEGER NOT NULL, origin INTEGER NOT NULL,
  source TEXT NOT NULL, partition TEXT NOT NULL, offset INTEGER NOT NULL, line INTEGER NOT NULL,
  step TEXT NOT NULL, code TEXT NOT NULL, size INTEGER NOT NULL, message TEXT NOT NULL, original BLOB NOT NULL);
CREATE INDEX letters_of_origin ON letters (origin);

CREATE TABLE schemas (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, pipeline TEXT NOT NULL, step TEXT NOT NULL,
  at INTEGER NOT NULL, columns TEXT NOT NULL);
CREATE INDEX schemas_of_step ON schemas (project, pipeline, step, id);

CREATE TABLE actions (
  run INTEGER NOT NULL, step TEXT NOT NULL, fingerprint TEXT NOT NULL, done INTEGER NOT NULL,
  PRIMARY KEY (run, step)) WITHOUT ROWID;

CREATE TABLE leases (
  resource TEXT PRIMARY KEY NOT NULL, fence INTEGER NOT NULL, held INTEGER NOT NULL,
  run INTEGER NOT NULL, pid INTEGER NOT NULL, process TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE logs (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, at INTEGER NOT NULL, level TEXT NOT NULL, step TEXT NOT NULL,
  message TEXT NOT NULL);
CREATE INDEX logs_of_run ON logs (run, id);
)sql";

constexpr std::string_view kVersion2 = R"sql(
CREATE TABLE appenders (
  project TEXT NOT NULL, sink TEXT NOT NULL, target TEXT NOT NULL, pipeline TEXT NOT NULL, flow TEXT NOT NULL,
  PRIMARY KEY (project, sink, target, pipeline, flow)) WITHOUT ROWID;
)sql";

// Runs that other runs start.
constexpr std::string_view kVersion3 = R"sql(
ALTER TABLE runs ADD COLUMN parent TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_of_parent ON runs (parent) WHERE parent <> '';
)sql";

constexpr std::array kMigrations{kVersion1, kVersion2, kVersion3};

Error NewerError(const std::string& path, int64_t found, size_t known) {
  return RejectedError(
      fmt::format("ledger '{}' has version {}, this sluice knows versions up to {}: use the newer "
                  "sluice that wrote it",
                  path, found, known));
}

Status CheckOwner(sqlite::Connection& connection, int64_t version) {
  if (TRY(connection.Number("PRAGMA application_id")) == kLedgerApplication) return Ok();
  if (version == 0 && TRY(connection.Number("SELECT count(*) FROM sqlite_master")) == 0)
    return Ok();
  return RejectedError(fmt::format(
      "'{}' is an SQLite file, but not a ledger of sluice: move it away, or name another store",
      connection.path()));
}

Status Apply(sqlite::Connection& connection, std::span<const std::string_view> migrations) {
  // Asked again inside the transaction: another process may have been first.
  const int64_t version = TRY(connection.Number("PRAGMA user_version"));
  if (version > static_cast<int64_t>(migrations.size())) {
    return NewerError(connection.path(), version, migrations.size());
  }
  for (size_t next = static_cast<size_t>(version); next < migrations.size(); ++next) {
    auto applied = connection.Script(std::string(migrations[next]));
    if (!applied.ok()) {
      return std::move(applied).While(fmt::format("migrating the ledger to version {}", next + 1));
    }
  }
  return connection.Script(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                       kLedgerApplication, migrations.size()));
}

}  // namespace

std::span<const std::string_view> LedgerMigrations() { return kMigrations; }

Result<int64_t> LedgerVersion(sqlite::Connection& connection,
                              std::span<const std::string_view> migrations) {
  const int64_t version = TRY(connection.Number("PRAGMA user_version"));
  TRY(CheckOwner(connection, version));
  if (version > static_cast<int64_t>(migrations.size()))
    return NewerError(connection.path(), version, migrations.size());
  return version;
}

Status Migrate(sqlite::Connection& connection, std::span<const std::string_view> migrations) {
  if (TRY(LedgerVersion(connection, migrations)) == static_cast<int64_t>(migrations.size()))
    return Ok();
  TRY(connection.Script("BEGIN IMMEDIATE"));
  auto applied = Apply(connection, migrations);
  if (applied.ok()) applied = connection.Script("COMMIT");
  if (!applied.ok() && connection.InTransaction()) (void)connection.Script("ROLLBACK");
  return applied;
}

}  // namespace sluice
