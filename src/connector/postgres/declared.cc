// See declared.h.
#include "connector/postgres/declared.h"

#include <fmt/format.h>

#include <array>
#include <cctype>

#include "base/text.h"

namespace sluice::postgres {
namespace {

// The name as DuckDB writes it.
std::string Canonical(const std::string& type) {
  std::string upper;
  for (const char c : Trim(type)) upper += static_cast<char>(std::toupper(c));
  constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kAliases{
      {{"BOOL", "BOOLEAN"},
       {"INT", "INTEGER"},
       {"INT2", "SMALLINT"},
       {"INT4", "INTEGER"},
       {"INT8", "BIGINT"},
       {"LONG", "BIGINT"},
       {"REAL", "FLOAT"},
       {"FLOAT4", "FLOAT"},
       {"FLOAT8", "DOUBLE"},
       {"TEXT", "VARCHAR"},
       {"STRING", "VARCHAR"},
       {"DOUBLE PRECISION", "DOUBLE"},
       {"DATETIME", "TIMESTAMP"},
       {"TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"},
       {"NUMERIC", "DECIMAL(18,3)"},
       {"DECIMAL", "DECIMAL(18,3)"}}};
  for (const auto& [alias, name] : kAliases) {
    if (upper == alias) return std::string(name);
  }
  if (StartsWith(upper, "NUMERIC(")) upper = "DECIMAL" + upper.substr(7);
  std::erase(upper, ReadDecimal(upper) ? ' ' : '\0');
  return upper;
}

}  // namespace

Result<ReadAs> ToReadAs(const TypedColumn& column, const Written& type) {
  const auto own = ToRead(column.type);
  if (type.empty()) {
    if (own) return *own;
    return ConfigError(type.mark, fmt::format("column '{}' is of the type {}, which is not mapped; "
                                              "declare it as varchar",
                                              column.name, column.type.shown));
  }
  // Through the canonical column type and back: the name as DuckDB writes it.
  const std::string upper = Canonical(type.text);
  if (own && own->type == upper) return *own;
  const auto target = ColumnTypeFor(upper);
  ReadAs read{.type = upper};
  if (upper == "VARCHAR") {
    read.fetch = Fetch::kText;
    return read;
  }
  constexpr std::array<std::pair<std::string_view, Wire>, 13> kWires{
      {{"BOOLEAN", Wire::kBool},
       {"SMALLINT", Wire::kInt2},
       {"INTEGER", Wire::kInt4},
       {"BIGINT", Wire::kInt8},
       {"FLOAT", Wire::kFloat4},
       {"DOUBLE", Wire::kFloat8},
       {"DATE", Wire::kDate},
       {"TIMESTAMP", Wire::kTimestamp},
       {"TIMESTAMP WITH TIME ZONE", Wire::kTimestamp},
       {"TIME", Wire::kTime},
       {"INTERVAL", Wire::kInterval},
       {"UUID", Wire::kUuid},
       {"JSON", Wire::kBytes}}};
  bool known = ReadDecimal(upper).has_value();
  if (known) read.wire = Wire::kNumeric;
  for (const auto& [name, wire] : kWires) {
    if (name == upper) read.wire = wire, known = true;
  }
  if (!known || !target) {
    return ConfigError(type.mark,
                       fmt::format("column '{}': a {} is not read as {}; declare a plain type or "
                                   "cast it in the pipeline",
                                   column.name, column.type.shown, type.text));
  }
  read.cast = *target;
  return read;
}

}  // namespace sluice::postgres
