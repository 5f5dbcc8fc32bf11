// See connector.h.
#include "connector/duckdb/connector.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/text.h"
#include "connector/duckdb/database_file.h"
#include "connector/duckdb/sink.h"
#include "connector/duckdb/source.h"

namespace sluice {
namespace {

struct DuckdbConfig {
  std::string path;
};

Spec<DuckdbConfig> DuckdbSpec() {
  return Spec<DuckdbConfig>("duckdb", "Tables of a DuckDB file.")
      .Main("path")
      .Text(&DuckdbConfig::path, "path", "The file; created by the first load.", Need::kRequired);
}

Node WithoutType(const Node& connection) {
  Node rest = connection;
  std::erase_if(rest.map, [](const Node::Entry& entry) { return entry.key.scalar == "type"; });
  return rest;
}

Result<DuckdbConfig> ReadConfig(const Node* connection) {
  if (connection == nullptr)
    return ConfigError({}, "duckdb needs a connection: { type: duckdb, path: warehouse.duckdb }");
  DuckdbConfig config = TRY(DuckdbSpec().Bind(WithoutType(*connection)));
  if (config.path.empty())
    return ConfigError(connection->mark, "the 'path' of a duckdb connection is empty; name a file");
  return config;
}

std::string FullPath(const std::string& folder, const std::string& path) {
  return std::filesystem::path(JoinPath(folder, path)).lexically_normal().string();
}

Result<duckdb::DatabaseFile> FileOf(const Node* connection, const ConnectorContext& context) {
  const DuckdbConfig config = TRY(ReadConfig(connection));
  return duckdb::DatabaseFile(config.path, FullPath(context.folder, config.path), context.files,
                              context.database);
}

// What is there, or that nothing is there yet and could be made.
Result<std::string> Probe(const Node& connection, const ConnectorContext& context) {
  duckdb::DatabaseFile file = TRY(FileOf(&connection, context));
  const std::string path = FullPath(context.folder, file.shown());
  if (!file.Exists()) {
    const std::string folder = ParentFolder(path);
    if (context.files.Exists(folder)) return std::string("no file yet; the first load creates it");
    return RejectedError(
        fmt::format("'{}': the folder '{}' does not exist; create it", file.shown(), folder));
  }
  const auto session = TRY(file.Open(sql::Access::kReadOnly));
  const int64_t tables = TRY(duckdb::QueryNumber(
      *session,
      "SELECT count(*) FROM duckdb_tables() WHERE database_name = CAST($alias AS VARCHAR) AND NOT "
      "starts_with(table_name, '_sluice')",
      {duckdb::TextValue("alias", file.alias())}));
  return fmt::format("{} table{}, {}", tables, tables == 1 ? "" : "s",
                     FormatBytes(TRY(context.files.Facts(path)).size));
}

}  // namespace

Result<DuckdbFile> DuckdbFileOf(const Node& connection, const std::string& folder) {
  const std::string path = FullPath(folder, TRY(ReadConfig(&connection)).path);
  return DuckdbFile{.path = path, .alias = duckdb::AliasOf(path)};
}

Connector DuckdbConnector() {
  Connector connector;
  connector.type = "duckdb";
  connector.summary = "Tables of a DuckDB file, read and written.";
  connector.connection = DuckdbSpec().facts();
  connector.extract_keys = {"table", "query", "interval", "incremental"};
  connector.load_keys = {"table", "key", "partition", "provenance", "latest"};
  connector.check = [](const Node& connection) -> Status {
    TRY(ReadConfig(&connection));
    return Ok();
  };
  connector.source = [](const Node* connection, ExtractRequest request,
                        const ConnectorContext& context) -> Result<std::unique_ptr<Source>> {
    return duckdb::MakeDuckdbSource(TRY(FileOf(connection, context)), std::move(request));
  };
  connector.sink = [](const Node* connection, const std::vector<Load>&,
                      const ConnectorContext& context) -> Result<std::unique_ptr<Sink>> {
    return std::unique_ptr<Sink>(
        std::make_unique<duckdb::DuckdbSink>(TRY(FileOf(connection, context)), context.clock));
  };
  connector.sink_key = [](const Node* connection, const LoadConfig&, const std::string& folder) {
    const auto config = ReadConfig(connection);
    return "duckdb:" + (config.ok() ? FullPath(folder, config->path) : std::string());
  };
  connector.probe = Probe;
  connector.duckdb_file = [](const Node& connection, const ConnectorContext& context) {
    return DuckdbFileOf(connection, context.folder);
  };
  return connector;
}

}  // namespace sluice
