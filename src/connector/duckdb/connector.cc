// See connector.h.
#include "connector/duckdb/connector.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/text.h"
#include "connector/connection_keys.h"
#include "connector/duckdb/database_file.h"
#include "connector/duckdb/sink.h"
#include "connector/duckdb/source.h"
#include "connector/position.h"
#include "connector/table_name.h"

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

std::string KeyOf(const std::string& column) {
  return fmt::format(
      "(SELECT to_json(constraint_column_names)::VARCHAR FROM duckdb_constraints() k WHERE "
      "k.database_name = t.database_name AND k.schema_name = t.schema_name AND k.table_name = {} "
      "AND constraint_type = 'PRIMARY KEY' LIMIT 1)",
      column);
}

Result<std::vector<FoundTable>> Discover(const Node& connection, const std::string& schema,
                                         const ConnectorContext& context) {
  duckdb::DatabaseFile file = TRY(FileOf(&connection, context));
  if (!file.Exists())
    return RejectedError(fmt::format("there is no file '{}'; check the path", file.shown()));
  const auto session = TRY(file.Open(sql::Access::kReadOnly));
  const sql::Rows found = TRY(session->Query(
      fmt::format(
          "SELECT t.schema_name, t.table_name, 'table' AS kind, t.estimated_size, {} FROM "
          "duckdb_tables() t WHERE t.database_name = CAST($alias AS VARCHAR) UNION ALL "
          "SELECT t.schema_name, t.view_name, 'view', NULL, NULL FROM duckdb_views() t "
          "WHERE t.database_name = CAST($alias AS VARCHAR) AND NOT t.internal ORDER BY 1, 2",
          KeyOf("t.table_name")),
      {duckdb::TextValue("alias", file.alias())}));
  std::vector<FoundTable> tables;
  for (const auto& row : found.rows) {
    FoundTable table{.schema = row[0].text, .name = row[1].text, .kind = row[2].text};
    if (StartsWith(table.name, "_sluice") || StartsWith(table.schema, "_sluice")) continue;
    if (!schema.empty() && table.schema != schema) continue;
    table.written = WriteTableName({table.schema, table.name}, "main");
    if (!row[3].null) table.rows = std::stoll(row[3].text);
    if (!row[4].null) table.key = TRY(ReadPosition(row[4].text));
    for (const Column& column :
         TRY(session->Describe("SELECT * FROM " + file.Quoted(table.schema, table.name)))) {
      if (column.name != kEpochColumn)
        table.columns.push_back({column.name, column.type, column.type});
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

Result<DuckdbFile> FileBehind(const Node& connection, const std::string& folder) {
  const std::string path = FullPath(folder, TRY(ReadConfig(&connection)).path);
  return DuckdbFile{.path = path, .alias = duckdb::AliasOf(path)};
}

}  // namespace

Connector DuckdbConnector() {
  Connector connector;
  connector.type = "duckdb";
  connector.summary = "Tables of a DuckDB file, read and written.";
  connector.connection = DuckdbSpec().facts();
  connector.extract_keys = {"table", "query", "interval", "incremental"};
  connector.load_keys = {"table", "key", "partition", "compare", "ignore", "provenance", "latest"};
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
  connector.discover = Discover;
  connector.duckdb_file = FileBehind;
  return connector;
}

}  // namespace sluice
