// See connector.h.
#include "connector/mysql/connector.h"

#include <fmt/format.h>

#include "connector/mysql/settings.h"
#include "connector/mysql/system.h"
#include "connector/tables/discover.h"
#include "connector/tables/sink.h"
#include "connector/tables/source.h"

namespace sluice {
namespace {

Result<std::string> Probe(const Node& node, const ConnectorContext& context) {
  const mysql::Settings settings = TRY(mysql::ReadSettings(&node));
  const auto system = mysql::MakeSystem(settings, context);
  const auto link = TRY(system->Connect(tables::Use::kRead, {}));
  const int64_t tables = TRY(tables::QueryNumber(
      *link,
      "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND "
      "left(table_name, 7) <> '_sluice'"));
  return fmt::format("{}, {} table{}", settings.Shown(), tables, tables == 1 ? "" : "s");
}

}  // namespace

Connector MysqlConnector() {
  Connector connector;
  connector.type = "mysql";
  connector.summary = "Tables of a MySQL or MariaDB database, read and written.";
  connector.connection = mysql::SettingsSpec().facts();
  connector.extract_keys = {"table", "query", "interval", "incremental", "consistency"};
  connector.load_keys = {"table",  "key",        "partition", "compare",
                         "ignore", "provenance", "batch_size"};
  connector.check = [](const Node& connection) -> Status {
    TRY(mysql::ReadSettings(&connection));
    return Ok();
  };
  connector.source = [](const Node* connection, ExtractRequest request,
                        const ConnectorContext& context) -> Result<std::unique_ptr<Source>> {
    return tables::MakeTableSource(mysql::MakeSystem(TRY(mysql::ReadSettings(connection)), context),
                                   std::move(request));
  };
  connector.sink = [](const Node* connection, const std::vector<Load>&,
                      const ConnectorContext& context) -> Result<std::unique_ptr<Sink>> {
    const mysql::Settings settings = TRY(mysql::ReadSettings(connection));
    return std::unique_ptr<Sink>(std::make_unique<tables::TableSink>(
        mysql::MakeSystem(settings, context), settings.database.text, context));
  };
  connector.sink_key = [](const Node* connection, const LoadConfig&, const std::string&) {
    const auto settings = mysql::ReadSettings(connection);
    return "mysql:" + (settings.ok() ? settings->Shown() : std::string());
  };
  connector.probe = Probe;
  connector.discover = [](const Node& node, const std::string& schema,
                          const ConnectorContext& context) -> Result<std::vector<FoundTable>> {
    return tables::FindTables(*mysql::MakeSystem(TRY(mysql::ReadSettings(&node)), context), schema);
  };
  return connector;
}

}  // namespace sluice
