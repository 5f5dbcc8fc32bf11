// See connector.h.
#include "connector/sqlite/connector.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/text.h"
#include "connector/sqlite/settings.h"
#include "connector/sqlite/system.h"
#include "connector/tables/discover.h"
#include "connector/tables/sink.h"
#include "connector/tables/source.h"

namespace sluice {
namespace {

std::string FullPath(const std::string& folder, const std::string& path) {
  return std::filesystem::path(JoinPath(folder, path)).lexically_normal().string();
}

Result<std::shared_ptr<const tables::System>> SystemOf(const Node* connection,
                                                       const ConnectorContext& context) {
  const sqlite::Settings settings = TRY(sqlite::ReadSettings(connection));
  return sqlite::MakeSystem(settings, FullPath(context.folder, settings.path), context.files);
}

// What is there, or that nothing is there yet and could be made.
Result<std::string> Probe(const Node& connection, const ConnectorContext& context) {
  const auto system = TRY(SystemOf(&connection, context));
  const std::string path = FullPath(context.folder, TRY(sqlite::ReadSettings(&connection)).path);
  if (!system->Exists()) {
    const std::string folder = ParentFolder(path);
    if (context.files.Exists(folder)) return std::string("no file yet; the first load creates it");
    return RejectedError(
        fmt::format("{}: the folder '{}' does not exist; create it", system->Shown(), folder));
  }
  const auto link = TRY(system->Connect(tables::Use::kRead, {}));
  const int64_t tables = TRY(tables::QueryNumber(
      *link,
      "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) NOT IN "
      "('_sluice', 'sqlite_')"));
  return fmt::format("{} table{}, {}", tables, tables == 1 ? "" : "s",
                     FormatBytes(TRY(context.files.Facts(path)).size));
}

}  // namespace

Connector SqliteConnector() {
  Connector connector;
  connector.type = "sqlite";
  connector.summary = "Tables of an SQLite file, read and written.";
  connector.connection = sqlite::SettingsSpec().facts();
  connector.extract_keys = {"table", "query", "interval", "incremental", "consistency"};
  connector.load_keys = {"table",  "key",        "partition", "compare",
                         "ignore", "provenance", "batch_size"};
  connector.check = [](const Node& connection) -> Status {
    TRY(sqlite::ReadSettings(&connection));
    return Ok();
  };
  connector.source = [](const Node* connection, ExtractRequest request,
                        const ConnectorContext& context) -> Result<std::unique_ptr<Source>> {
    return tables::MakeTableSource(TRY(SystemOf(connection, context)), std::move(request));
  };
  connector.sink = [](const Node* connection, const std::vector<Load>&,
                      const ConnectorContext& context) -> Result<std::unique_ptr<Sink>> {
    return std::unique_ptr<Sink>(
        std::make_unique<tables::TableSink>(TRY(SystemOf(connection, context)), "main", context));
  };
  connector.sink_key = [](const Node* connection, const LoadConfig&, const std::string& folder) {
    const auto settings = sqlite::ReadSettings(connection);
    return "sqlite:" + (settings.ok() ? FullPath(folder, settings->path) : std::string());
  };
  connector.probe = Probe;
  connector.discover = [](const Node& node, const std::string& schema,
                          const ConnectorContext& context) -> Result<std::vector<FoundTable>> {
    return tables::FindTables(*TRY(SystemOf(&node, context)), schema);
  };
  return connector;
}

}  // namespace sluice
