// DuckDB's error messages as our errors, and ours as DuckDB's: an error that one of our functions
// raises inside a query travels through DuckDB as text and comes out with the kind it went in with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice::sql {

// What DuckDB says of an error: with `errors_as_json` in JSON, without as "<type> Error: <text>".
// Both are understood.
struct Complaint {
  std::string type;  // "Binder", "IO", "TransactionContext", …; empty where unknown
  std::string text;
  int64_t position = -1;  // byte offset in the statement
};

Complaint ReadComplaint(std::string_view duckdb_message);
Error ErrorFrom(std::string_view duckdb_message);

// The text to give to duckdb_…_set_error; ErrorFrom takes it apart again.
std::string Raise(const Error& error);

// "… Conflicting lock is held in /usr/bin/x (PID 12) …" -> "/usr/bin/x (PID 12)"; empty where it is
// no such message.
std::string LockHolder(std::string_view text);

}  // namespace sluice::sql
