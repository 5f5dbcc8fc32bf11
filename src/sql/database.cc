// The instance. What is set here is what the rest relies on: taps count exactly (no join filters,
// no fixed order), errors can be taken apart (JSON), nothing is fetched from the network, times are
// UTC.
#include "sql/database.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>
#include <thread>
#include <utility>

#include "base/delayed.h"
#include "base/text.h"
#include "sql/attach.h"
#include "sql/classify.h"
#include "sql/functions.h"
#include "sql/handle.h"
#include "sql/interrupt.h"
#include "sql/session.h"
#include "sql/turns.h"

namespace sluice::sql {
namespace {

Status CheckLibrary(std::string_view version) {
  const auto parts = Split(StartsWith(version, "v") ? version.substr(1) : version, '.');
  int major = 0;
  int minor = 0;
  if (parts.size() >= 2) {
    std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), major);
    std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), minor);
  }
  if (major == 1 && minor >= 5) return Ok();
  return RejectedError(
      fmt::format("libduckdb.so is of version '{}'; sluice needs 1.5 or a later 1.x: put the one "
                  "it came with beside it",
                  version));
}

using Setting = std::pair<const char*, std::string>;

std::vector<Setting> Settings(const DatabaseOptions& options) {
  std::vector<Setting> settings{
      {"preserve_insertion_order", "false"},
      {"disabled_optimizers", "join_filter_pushdown"},
      {"errors_as_json", "true"},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
      {"allow_persistent_secrets", "false"},
      {"checkpoint_threshold", "64MiB"},
      {"duckdb_api", "sluice"},
      {"temp_directory", options.temp_folder},
  };
  if (options.memory_bytes > 0) {
    settings.emplace_back("memory_limit",
                          fmt::format("{}KiB", (options.memory_bytes + 1023) / 1024));
  }
  if (options.threads > 0) settings.emplace_back("threads", std::to_string(options.threads));
  return settings;
}

Result<InstanceHandle> OpenInstance(const DatabaseOptions& options) {
  ConfigHandle config;
  duckdb_create_config(config.out());
  for (const auto& [name, value] : Settings(options)) {
    if (duckdb_set_config(config.get(), name, value.c_str()) == DuckDBError) {
      return InternalError(fmt::format("DuckDB refuses the setting {} = '{}'", name, value));
    }
  }
  InstanceHandle instance;
  char* message = nullptr;
  if (duckdb_open_ext(nullptr, instance.out(), config.get(), &message) == DuckDBError) {
    const TextHandle text(message);
    return ErrorFrom(text.get()).While("starting DuckDB");
  }
  return instance;
}

Result<ConnectionHandle> ConnectTo(duckdb_database instance) {
  ConnectionHandle connection;
  if (duckdb_connect(instance, connection.out()) == DuckDBError) {
    return InternalError("DuckDB gives no connection");
  }
  return connection;
}

class DuckDatabase final : public Database {
 public:
  explicit DuckDatabase(int threads)
      : threads_(threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency())) {}

  Status Start(const DatabaseOptions& options) {
    instance_ = TRY(OpenInstance(options));
    auto connection = TRY(ConnectTo(instance_.get()));
    scans_ = TRY(RegisterScans(connection.get(), threads_));
    taps_ = TRY(RegisterTaps(connection.get()));
    vessels_ = TRY(RegisterVessels(connection.get()));
    TRY(RegisterGiven(connection.get(), shared_.given));
    exchanges_ = MakeExchanges(TRY(ConnectTo(instance_.get())));
    auto session = MakeSession({.connection = std::move(connection)}, shared_);
    TRY(session->Execute("SET GLOBAL TimeZone = 'UTC'; ATTACH ':memory:' AS stage")
            .While("starting DuckDB"));
    MutexLock lock(mutex_);
    attachments_ = std::make_unique<Attachments>(std::move(session), LocalFiles());
    return Ok();
  }

  Result<std::unique_ptr<Session>> Connect() override {
    if (auto line = shared_.idle.Take()) return MakeSession(*std::move(line), shared_);
    return MakeSession({.connection = TRY(ConnectTo(instance_.get()))}, shared_);
  }
  Result<std::string> Attach(const std::string& path, const std::string& alias,
                             Access access) override {
    MutexLock lock(mutex_);
    return attachments_->Attach(path, alias, access);
  }
  Status Detach(const std::string& alias) override {
    shared_.idle.Clear();
    MutexLock lock(mutex_);
    return attachments_->Detach(alias);
  }
  bool Holds(const FileIdentity& file) override {
    MutexLock lock(mutex_);
    return attachments_->Holds(file);
  }
  std::optional<FileIdentity> HeldElsewhere() override {
    MutexLock lock(mutex_);
    return attachments_->held_elsewhere();
  }
  Scans& scans() override { return *scans_; }
  Taps& taps() override { return *taps_; }
  Vessels& vessels() override { return *vessels_; }
  Exchanges& exchanges() override { return *exchanges_; }
  Turns& turns() override { return turns_; }

 private:
  const int threads_;
  std::unique_ptr<Scans> scans_;  // before the instance: its functions use them to its end
  std::unique_ptr<Taps> taps_;
  std::unique_ptr<Vessels> vessels_;
  InstanceHandle instance_;
  std::unique_ptr<Exchanges> exchanges_;
  Shared shared_;
  Turns turns_;
  Mutex mutex_;
  std::unique_ptr<Attachments> attachments_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const DatabaseOptions& options) {
  TRY(NeedLibrary("libduckdb"));
  TRY(CheckLibrary(LibraryVersion()));
  try {
    auto database = std::make_unique<DuckDatabase>(options.threads);
    TRY(database->Start(options));
    return database;
  } catch (const std::system_error& error) {  // no thread for interrupts
    return SystemError("starting DuckDB", error.code().value());
  }
}

std::string LibraryVersion() { return duckdb_library_version(); }

}  // namespace sluice::sql
