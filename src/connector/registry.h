// The table of contents of connectors: an explicit list built in `main` and passed by reference;
// tests pass a shorter one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/egress.h"
#include "base/files.h"
#include "base/secrets.h"
#include "connector/discover.h"
#include "connector/extract.h"
#include "connector/load.h"
#include "connector/sink.h"
#include "connector/source.h"
#include "spec/field.h"

namespace sluice {

// The world as connectors see it; all references outlive every source and sink.
struct ConnectorContext {
  Files& files;
  sql::Database& database;
  Clock& clock;
  std::string folder;          // of the project: relative paths start here
  Secrets* secrets = nullptr;  // null: references cannot be opened here
  EgressPolicy egress = {};    // where connections may lead
};

// Opens a value of a connection that may be a reference (a password). Call it when connecting, and
// keep the result no longer than that.
Result<Secret> OpenSecret(const ConnectorContext& context, const Written& written);

// A file and the name under which its sources and sinks attach it.
struct DuckdbFile {
  std::string path, alias;
};

struct Connector {
  std::string type;  // "duckdb", "file"
  std::string summary;
  SpecFacts connection;   // keys in sluice.yml besides type; none: built in, `from: file`
  bool built_in = false;  // its type is a reserved name for `from` and `into`
  std::vector<std::string> extract_keys;  // keys of ExtractConfig that it takes besides from and
                                          // columns; empty: no source
  std::vector<std::string>
      load_keys;  // keys of LoadConfig that it takes besides into and mode; empty: no sink
  // Checks a connection's keys; kConfig with places. No I/O.
  std::function<Status(const Node& connection)> check;
  // `connection`: the map in sluice.yml; null for a built-in one. No I/O before the first call of
  // the source.
  std::function<Result<std::unique_ptr<Source>>(const Node* connection, ExtractRequest request,
                                                const ConnectorContext&)>
      source;
  std::function<Result<std::unique_ptr<Sink>>(
      const Node* connection, const std::vector<Load>& loads, const ConnectorContext&)>
      sink;
  // Two loads go into the same sink (one transaction) when their keys are equal: the path of a
  // DuckDB file, the path of a file load.
  std::function<std::string(const Node* connection, const LoadConfig& load,
                            const std::string& folder)>
      sink_key;
  // Reaches the other end, changes nothing, and says what is there: "3 tables, 1.2 GB".
  std::function<Result<std::string>(const Node& connection, const ConnectorContext&)> probe;
  // What could be read there, in the order of names; of one schema where it is given. Reads no
  // rows.
  std::function<Result<std::vector<FoundTable>>(const Node& connection, const std::string& schema,
                                                const ConnectorContext&)>
      discover;
  // The DuckDB file behind the connection of a project in `folder`; none: it has none.
  std::function<Result<DuckdbFile>(const Node& connection, const std::string& folder)> duckdb_file;
};

using Connectors = std::vector<Connector>;
const Connector* Find(const Connectors& connectors, std::string_view type);

// The source of an extract, with what holds for every kind of it (`sample`).
Result<std::unique_ptr<Source>> MakeSource(const Connector& connector, const Node* connection,
                                           ExtractRequest request, const ConnectorContext& context);

Connectors BuiltinConnectors();  // builtin.cc: the table of contents

}  // namespace sluice
