// The shape of rows: named, typed columns. A type is written as DuckDB writes it ("BIGINT",
// "DECIMAL(18,3)", "STRUCT(a INTEGER)"), because DuckDB is the only engine that computes on it.
//
// A hidden column travels with the rows and is never seen by a user's expression, `SELECT *` or a
// sink: it carries where a row came from and how far event time had come in its partition.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct Column {
  std::string name;
  std::string type;
  bool hidden = false;
  std::string description = {};

  auto operator<=>(const Column&) const = default;
};

using Schema = std::vector<Column>;

// The column of that name (compared as SQL does, without case), or null.
const Column* Find(const Schema& schema, std::string_view name);
std::vector<std::string> VisibleNames(const Schema& schema);
Schema Visible(const Schema& schema);

// "(id BIGINT, name VARCHAR)"
std::string Format(const Schema& schema);

// Hidden columns of a source with event time or order. Types: VARCHAR, BIGINT, TIMESTAMP,
// TIMESTAMP.
inline constexpr std::string_view kPartitionColumn = "_sluice_partition";  // "path", "topic/3"
inline constexpr std::string_view kOffsetColumn =
    "_sluice_offset";  // of the record in its partition
inline constexpr std::string_view kEventTimeColumn = "_sluice_time";  // the declared event time
inline constexpr std::string_view kWatermarkColumn =
    "_sluice_watermark";  // Wp of its partition after this row

// The visible column in tables that we create (DESIGN §8, provenance).
inline constexpr std::string_view kEpochColumn = "_sluice_epoch";

// How a type lies in memory when our own decoders fill it. kText covers every type that a decoder
// cannot fill: it delivers text and the scan casts it (`TRY_CAST(text AS type)`).
enum class Physical : uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat,
  kDouble,
  kDate,
  kTimestamp,
  kText,
  // Only from NativeOf:
  kDecimal16,
  kDecimal32,
  kDecimal64,
  kDecimal128,
  kTime,         // microseconds of the day
  kTimestampTz,  // microseconds since 1970, UTC
  kInterval,     // int32 months, int32 days, int64 microseconds
  kUuid,         // 128 bits, the first one flipped
  kBlob,
  kJson  // text that is JSON
};
Physical PhysicalOf(std::string_view type);  // kTimestamp: microseconds; kDate: days since 1970
// For decoders of systems whose types are as rich as DuckDB's: those above too.
Physical NativeOf(std::string_view type);

struct DecimalShape {
  int width = 0, scale = 0;
};
std::optional<DecimalShape> ReadDecimal(std::string_view type);  // "DECIMAL(18,3)"

}  // namespace sluice
