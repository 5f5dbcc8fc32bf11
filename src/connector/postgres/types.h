// The table of types, both ways (docs/postgres.md has it in words). A type that is not in it is an
// error at plan time that says which cast to write.
//
// Rows travel in the binary form of COPY. What has no binary form that we read or write travels as
// the server's own text: `::text` when read, through a stage of texts when written.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "connector/postgres/connection.h"
#include "connector/pushdown.h"
#include "data/schema.h"

namespace sluice::postgres {

// A type as the server's catalog has it.
struct Type {
  uint32_t oid = 0;
  int32_t modifier = -1;
  std::string name;      // pg_type.typname
  char kind = 'b';       // pg_type.typtype: base, composite, enum, range, multirange, domain
  uint32_t element = 0;  // of an array
  std::string element_name;
  char element_kind = 'b';
  std::string shown;  // as SQL writes it: "numeric(10,2)"
};

// How values of a type lie in the binary form.
enum class Wire : uint8_t {
  kBool,
  kInt2,
  kInt4,
  kInt8,
  kOid,
  kFloat4,
  kFloat8,
  kNumeric,
  kDate,
  kTimestamp,
  kTime,
  kInterval,
  kUuid,
  kBytes,  // text, bytea, json, enum
  kJsonb
};

enum class Fetch : uint8_t { kPlain, kText, kList };  // as it is; ::text; to_json(::text[])::text

struct ReadAs {
  std::string type;  // DuckDB's
  Wire wire = Wire::kBytes;
  Fetch fetch = Fetch::kPlain;
  std::string cast;  // the server's type that it is cast to first; empty: none
};
std::optional<ReadAs> ToRead(const Type& type);
// How the server compares values of a type that come as `wire`, where DuckDB does the same.
std::optional<ComparedAs> ToCompare(const Type& type, Wire wire);

enum class Path : uint8_t { kDirect, kList, kThroughText };

struct WriteAs {
  std::string cast;  // DuckDB's type that the rows' column is cast to
  Wire wire = Wire::kBytes;
  Path path = Path::kDirect;
  uint32_t element = 0;  // oid, of a list
};
// How a column of the rows of DuckDB type `row` goes into a column of `target`; nullopt: not every
// value would fit.
std::optional<WriteAs> ToWrite(const std::string& row, const Type& target);

// The type of a column that we create for DuckDB's `type`; nullopt: there is none.
std::optional<std::string> ColumnTypeFor(const std::string& type);

// The server's plain type of the values of DuckDB's `type`, else text: for columns of our own.
Type CreatedType(const std::string& type);

// The SQL that delivers a column in the form of its ReadAs.
std::string FetchText(const std::string& quoted_column, const ReadAs& read);

struct TypedColumn {
  std::string name;
  Type type;
};
// The columns of what follows FROM.
Result<std::vector<TypedColumn>> ColumnsOf(Connection& connection, const std::string& from,
                                           std::stop_token stop);

}  // namespace sluice::postgres
