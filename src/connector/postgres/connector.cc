// See connector.h.
#include "connector/postgres/connector.h"

#include <fmt/format.h>

#include "connector/postgres/connection.h"
#include "connector/postgres/discover.h"
#include "connector/postgres/sink.h"
#include "connector/postgres/source.h"

namespace sluice {
namespace {

Result<std::string> Probe(const Node& node, const ConnectorContext& context) {
  const postgres::Settings settings = TRY(postgres::ReadSettings(&node));
  const Secret password = TRY(OpenSecret(context, settings.password));
  const auto connection = TRY(postgres::Connect(settings, password, {}, context.egress));
  const int64_t tables = TRY(postgres::QueryNumber(
      *connection,
      "SELECT count(*) FROM information_schema.tables WHERE table_schema NOT IN "
      "('pg_catalog', 'information_schema') AND table_name NOT LIKE '\\_sluice%'"));
  return fmt::format("{}, {} table{}", settings.Shown(), tables, tables == 1 ? "" : "s");
}

}  // namespace

Connector PostgresConnector() {
  Connector connector;
  connector.type = "postgres";
  connector.summary = "Tables of a PostgreSQL database, read and written.";
  connector.connection = postgres::SettingsSpec().facts();
  connector.extract_keys = {"table", "query", "interval", "incremental", "consistency"};
  connector.load_keys = {"table",  "key",        "partition", "compare",
                         "ignore", "provenance", "latest",    "batch_size"};
  connector.check = [](const Node& connection) -> Status {
    TRY(postgres::ReadSettings(&connection));
    return Ok();
  };
  connector.source = [](const Node* connection, ExtractRequest request,
                        const ConnectorContext& context) -> Result<std::unique_ptr<Source>> {
    return postgres::MakePostgresSource(TRY(postgres::ReadSettings(connection)), std::move(request),
                                        context);
  };
  connector.sink = [](const Node* connection, const std::vector<Load>&,
                      const ConnectorContext& context) -> Result<std::unique_ptr<Sink>> {
    return std::unique_ptr<Sink>(
        std::make_unique<postgres::PostgresSink>(TRY(postgres::ReadSettings(connection)), context));
  };
  connector.sink_key = [](const Node* connection, const LoadConfig&, const std::string&) {
    const auto settings = postgres::ReadSettings(connection);
    return settings.ok() ? fmt::format("postgres:{}/{}", settings->Shown(), settings->schema)
                         : std::string("postgres:");
  };
  connector.probe = Probe;
  connector.discover = [](const Node& node, const std::string& schema,
                          const ConnectorContext& context) -> Result<std::vector<FoundTable>> {
    const postgres::Settings settings = TRY(postgres::ReadSettings(&node));
    const Secret password = TRY(OpenSecret(context, settings.password));
    const auto connection = TRY(postgres::Connect(settings, password, {}, context.egress));
    return postgres::FindTables(*connection, schema, settings.schema);
  };
  return connector;
}

}  // namespace sluice
