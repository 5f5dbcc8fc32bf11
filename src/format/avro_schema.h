// What an Avro schema says, and how its types and DuckDB's stand for each other.
//
// The library avro-c drops logical types and codecs that it does not know, and trusts lengths in
// the file; so schema and records are read by ours, and avro-c is what the tests hold them to.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/schema.h"

namespace sluice::format {

struct AvroType {
  enum class Kind : uint8_t {
    kNull,
    kBoolean,
    kInt,
    kLong,
    kFloat,
    kDouble,
    kBytes,
    kString,
    kFixed,
    kEnum,
    kArray,
    kMap,
    kRecord,
    kUnion
  };
  enum class Meaning : uint8_t {  // the logical type; one that does not fit its kind is none
    kPlain,
    kDate,
    kTimeMillis,
    kTimeMicros,
    kInstantMillis,  // timestamp-millis, and so on: a point in time
    kInstantMicros,
    kInstantNanos,
    kLocalMillis,
    kLocalMicros,
    kLocalNanos,
    kDecimal,
    kUuid,
    kDuration
  };
  Kind kind = Kind::kNull;
  Meaning meaning = Meaning::kPlain;
  std::string name;   // record, enum, fixed
  uint64_t size = 0;  // fixed
  int precision = 0, scale = 0;
  std::vector<std::string> symbols;
  // Fields of a record with their names; branches of a union; what an array or map holds.
  std::vector<std::pair<std::string, const AvroType*>> parts;
  bool recursive = false;     // a record that holds itself
  bool may_be_empty = false;  // a value may take no bytes
  std::string sql = {};       // the DuckDB type that holds it exactly
};

// A type, or null and that type; of any other union nothing is said.
struct AvroOptional {
  const AvroType* type = nullptr;
  int null_branch = -1;  // -1: never null
  bool is_union = false;
};
AvroOptional OptionalOf(const AvroType& type);

class AvroSchema {
 public:
  // An error says what is wrong, not where the text was.
  static Result<AvroSchema> Parse(std::string_view text);
  const AvroType& root() const { return *root_; }

 private:
  friend class AvroSchemaReader;
  std::deque<AvroType> types_;
  const AvroType* root_ = nullptr;
};

// "long", "timestamp-micros", "array": as messages call it.
std::string NameOf(const AvroType& type);
// The columns of a schema whose root is a record.
Schema ColumnsOf(const AvroType& root);

}  // namespace sluice::format
