// The table of types, both ways (docs/mysql.md has it in words). A type is known by its name as the
// server writes it, "decimal(10,2) unsigned": that of a table's column by the catalog, that of a
// query's by what the server says of its result.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::mysql {

struct Type {
  std::string name;  // "decimal"
  int first = 0;     // of (10,2): 10; 0: none
  int second = 0;    // 2
  bool is_unsigned = false;
};
Type ReadType(std::string_view shown);

// DuckDB's type that a column is read as; empty: it is not mapped.
std::string ReadTypeOf(const Type& type);
// The SQL that delivers a column in the form that the decoder takes for DuckDB's `wanted`.
std::string FetchText(const std::string& quoted, const Type& type, const std::string& wanted);

// The type of a column that is created for DuckDB's `type`; nullopt: there is none. A key needs a
// bounded length.
enum class Length : uint8_t { kAny, kBounded };
std::optional<std::string> CreatedTypeFor(const std::string& type, Length length);

// DuckDB's type in which values of `row` are sent into a column; nullopt: not every value would
// fit.
std::optional<std::string> SentTypeFor(const std::string& row, const Type& to);

std::string QuoteName(std::string_view name);  // `a``b`

// How texts of a type lie in a row that the server sends.
bool IsBytes(const Type& type);
// Whether > and ORDER BY mean the same, so that a table can be walked by such a column.
bool IsOrdered(const Type& type);

}  // namespace sluice::mysql
