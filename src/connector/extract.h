// What an `extract` step says, for every kind of source. Each connector names the keys it takes
// (ConnectorFacts), so that a key of another kind of source is an error that says whose it is.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "data/schema.h"
#include "spec/field.h"
#include "sql/database.h"

namespace sluice {

struct IncrementalConfig {
  Written cursor;                  // a column
  std::optional<Written> initial;  // where the first run starts; absent: from the beginning
  std::chrono::microseconds lookback{0};
  Written key;  // tells rows with the same cursor apart; empty: such rows are taken together
};

struct ExtractConfig {
  std::string from;  // a connection's name, or file, inline, generator
  Mark mark;
  std::vector<NamedWritten> columns;  // name -> type; empty: inferred
  std::vector<Written> select;        // names; empty: all
  std::optional<IncrementalConfig> incremental;
  std::string renamed_from;
  std::optional<double> sample_share;  // 0.1 of the rows, whichever their values choose
  std::optional<int64_t> sample_rows;  // the first so many
  // files
  std::vector<Written> path;  // globs
  std::string format = "auto";
  bool allow_empty = false;
  Written records;                                 // JSON: the dotted path to the list of records
  std::string delimiter, quote, header, encoding;  // CSV; empty: sniffed
  int64_t skip = 0;                                // CSV: lines before the header
  // databases
  Written table, query, interval;
  std::string consistency;  // keys or snapshot; empty: the source chooses
  // streams
  Written event_time;
  std::chrono::microseconds out_of_order{0};
  std::chrono::microseconds idle_after{60'000'000};
  std::string on_null_time = "reject";
  // inline: a list of maps, or a map partition -> list of maps
  Node rows;
  // generator: columns i BIGINT, partition INTEGER, key BIGINT, value DOUBLE, ts TIMESTAMP
  std::optional<int64_t> count;  // rows in all; absent: endless
  int64_t partitions = 1, keys = 1000, seed = 1;
  Written start;  // of ts; default 2026-01-01
  std::chrono::microseconds every{1'000'000}, disorder{0};
};

Spec<ExtractConfig> ExtractSpec();
std::vector<std::string> CommonExtractKeys();  // of every source

// Everything a source needs to know besides its connection.
struct ExtractRequest {
  std::string step;
  ExtractConfig config;           // `{{ }}` in its text slots is already resolved
  std::vector<sql::Bound> bound;  // values that `query` uses
  std::optional<std::pair<Micros, Micros>> interval;  // of the run
  std::optional<Schema> pinned;                       // the types that the first run guessed
  std::string condition;     // in the system's SQL: rows for which it does not hold need not come
  bool names_files = false;  // each row comes with kPartitionColumn, where its file is known
};

}  // namespace sluice
