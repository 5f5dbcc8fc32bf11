// DuckDB's types as Avro writes them. Every value may be null.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/schema.h"

namespace sluice::format {

enum class AvroOut : uint8_t {
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kText,
  kBytes,
  kDecimal,
  kDate,
  kTime,
  kMoment,
  kEnum,
  kList,
  kMap,
  kRecord
};

struct AvroShape {
  AvroOut out = AvroOut::kText;
  // What the column is cast to before it is encoded: values of this type's vector, or, of a list,
  // map or record, JSON whose innermost values are all texts.
  std::string cast;
  std::string schema;  // JSON of the type that is not null
  int width = 0, scale = 0;
  std::vector<std::string> symbols;
  std::vector<AvroShape> parts;    // fields of a record; what a list or map holds
  std::vector<std::string> names;  // of the fields

  bool nested() const { return out >= AvroOut::kList; }
};

struct AvroTable {
  std::vector<AvroShape> columns;
  std::string schema;  // of the record, JSON
};

// An error (kConfig without a mark) names the column that Avro cannot hold, and the cast that
// helps.
Result<AvroTable> AvroTableOf(const Schema& columns);

}  // namespace sluice::format
