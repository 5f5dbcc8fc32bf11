// See declared.h.
#include "connector/postgres/declared.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "connector/declared_type.h"

namespace sluice::postgres {
Result<ReadAs> ToReadAs(const TypedColumn& column, const Written& type) {
  const auto own = ToRead(column.type);
  if (type.empty()) {
    if (own) return *own;
    return ConfigError(type.mark, fmt::format("column '{}' is of the type {}, which is not mapped; "
                                              "declare it as varchar",
                                              column.name, column.type.shown));
  }
  // Through the canonical column type and back: the name as DuckDB writes it.
  const std::string upper = CanonicalType(type.text);
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
