// The table of contents of connectors. A new one is a folder, a function here, and a line in
// BuiltinConnectors.
#include "connector/duckdb/connector.h"
#include "connector/file/sink.h"
#include "connector/file/source.h"
#include "connector/generator/source.h"
#include "connector/inline/source.h"
#include "connector/mysql/connector.h"
#include "connector/postgres/connector.h"
#include "connector/registry.h"
#include "connector/s3/connector.h"
#include "connector/sqlite/connector.h"

namespace sluice {
namespace {

Connector FileConnector() {
  Connector file;
  file.type = "file";
  file.summary = "Files of this machine: CSV, NDJSON, JSON, Avro, Parquet; text packed too.";
  file.built_in = true;
  file.extract_keys = {"path",         "format",     "allow_empty", "records",  "delimiter",
                       "quote",        "header",     "skip",        "encoding", "event_time",
                       "out_of_order", "idle_after", "on_null_time"};
  file.source = [](const Node*, ExtractRequest request, const ConnectorContext& context) {
    return MakeFileSource(std::move(request), context.files,
                          LocalOrigin(context.files, context.folder));
  };
  file.load_keys = {"path", "format", "compression"};
  file.sink = [](const Node*, const std::vector<Load>& loads, const ConnectorContext& context) {
    return MakeFileSink(loads, context);
  };
  file.sink_key = [](const Node*, const LoadConfig& load, const std::string& folder) {
    return "file:" + JoinPath(folder, load.path.text);
  };
  return file;
}

Connector InlineConnector() {
  Connector rows;
  rows.type = "inline";
  rows.summary = "Rows written in the pipeline file itself.";
  rows.built_in = true;
  rows.extract_keys = {"rows", "event_time", "out_of_order", "idle_after", "on_null_time"};
  rows.source = [](const Node*, ExtractRequest request, const ConnectorContext&) {
    return MakeInlineSource(std::move(request));
  };
  return rows;
}

Connector GeneratorConnector() {
  Connector generator;
  generator.type = "generator";
  generator.summary = "Rows out of a seed: columns i, partition, key, value, ts.";
  generator.built_in = true;
  generator.extract_keys = {"count",        "partitions", "keys",        "seed",
                            "start",        "every",      "disorder",    "event_time",
                            "out_of_order", "idle_after", "on_null_time"};
  generator.source = [](const Node*, ExtractRequest request, const ConnectorContext&) {
    return MakeGeneratorSource(std::move(request));
  };
  return generator;
}

}  // namespace

Connectors BuiltinConnectors() {
  return {DuckdbConnector(), PostgresConnector(), MysqlConnector(),  SqliteConnector(),
          FileConnector(),   S3Connector(),       InlineConnector(), GeneratorConnector()};
}

}  // namespace sluice
