// See copy_decoder.h.
#include "connector/postgres/copy_decoder.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "connector/postgres/bytes.h"
#include "connector/postgres/numeric.h"
#include "data/decimal_slot.h"

namespace sluice::postgres {
namespace {

constexpr int64_t kEpochMicros = 946'684'800'000'000;  // 2000-01-01, where PostgreSQL counts from
constexpr int32_t kEpochDays = 10'957;

struct Interval {
  int32_t months, days;
  int64_t micros;
};
struct Wide {  // as DuckDB's hugeint lies
  uint64_t lower;
  int64_t upper;
};

const char* FaultOf(NumericFault fault) {
  switch (fault) {
    case NumericFault::kNotANumber:
      return "NaN";
    case NumericFault::kInfinite:
      return "Infinity";
    default:
      return "the number";
  }
}

class CopyDecoder final : public Decoder {
 public:
  CopyDecoder(std::vector<DecodedColumn> columns, std::string table, Encoding encoding)
      : table_(std::move(table)), encoding_(encoding) {
    for (DecodedColumn& column : columns) {
      const auto shape = ReadDecimal(column.read.type).value_or(DecimalShape{});
      columns_.push_back({std::move(column), shape});
    }
  }

  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject& reject) override {
    const char* const end = block.bytes.data() + block.size;
    const char* from = block.bytes.data() + at;
    uint64_t row = 0;
    if (at == 0) record_ = block.first;
    while (row < slots.capacity && from < end) {
      const char* const next = TRY(Row(from, end, slots, row));
      ++read, ++record_;
      if (!fault_.empty()) [[unlikely]] {
        Refuse(slots, row, reject);
      } else {
        if (!offsets.empty()) offsets[row] = record_ - 1;
        ++row;
      }
      from = next;
    }
    at = static_cast<uint64_t>(from - block.bytes.data());
    return row;
  }

 private:
  struct Placed {
    DecodedColumn column;
    DecimalShape decimal;
  };

  static Error Malformed() { return InternalError("the server sent rows in an unknown form"); }

  Result<const char*> Row(const char* from, const char* end, Slots& slots, uint64_t row) {
    if (end - from < 2) return Malformed();
    const auto count = ReadBig<int16_t>(from);
    from += 2;
    if (count < 0 || static_cast<size_t>(count) != columns_.size() ||
        slots.columns.size() != columns_.size())
      return Malformed();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (end - from < 4) return Malformed();
      const auto size = ReadBig<int32_t>(from);
      from += 4;
      if (size < 0) {
        slots.columns[i].SetNull(row);
        continue;
      }
      if (end - from < size) return Malformed();
      if (!Value(columns_[i], slots.columns[i], row, from, static_cast<size_t>(size)))
        return Malformed();
      from += size;
    }
    return from;
  }

  template <class T>
  static bool Put(ColumnSlot& slot, uint64_t row, const char* bytes, size_t size) {
    if (size != sizeof(T)) return false;
    static_cast<T*>(slot.values)[row] = ReadBig<T>(bytes);
    return true;
  }

  // False: not the binary form. A value that does not fit is told in `fault_`.
  bool Value(const Placed& placed, ColumnSlot& slot, uint64_t row, const char* bytes, size_t size) {
    switch (placed.column.read.wire) {
      case Wire::kBool:
        if (size != 1) return false;
        static_cast<bool*>(slot.values)[row] = bytes[0] != 0;
        return true;
      case Wire::kInt2:
        return Put<int16_t>(slot, row, bytes, size);
      case Wire::kInt4:
        return Put<int32_t>(slot, row, bytes, size);
      case Wire::kInt8:
      case Wire::kTime:
        return Put<int64_t>(slot, row, bytes, size);
      case Wire::kOid:
        return Put<uint32_t>(slot, row, bytes, size);
      case Wire::kFloat4:
        return Put<float>(slot, row, bytes, size);
      case Wire::kFloat8:
        return Put<double>(slot, row, bytes, size);
      case Wire::kNumeric:
        return Numeric(placed, slot, row, bytes, size);
      case Wire::kDate:
        return Date(placed, slot, row, bytes, size);
      case Wire::kTimestamp:
        return Timestamp(placed, slot, row, bytes, size);
      case Wire::kInterval:
        if (size != 16) return false;
        static_cast<Interval*>(slot.values)[row] = {.months = ReadBig<int32_t>(bytes + 12),
                                                    .days = ReadBig<int32_t>(bytes + 8),
                                                    .micros = ReadBig<int64_t>(bytes)};
        return true;
      case Wire::kUuid:
        if (size != 16) return false;
        // DuckDB orders UUIDs as signed numbers, so it keeps them with the first bit flipped.
        static_cast<Wide*>(slot.values)[row] = {
            .lower = ReadBig<uint64_t>(bytes + 8),
            .upper = static_cast<int64_t>(ReadBig<uint64_t>(bytes) ^ (uint64_t{1} << 63))};
        return true;
      case Wire::kJsonb:
        if (size < 1 || bytes[0] != 1) return false;
        return Text(placed, slot, row, bytes + 1, size - 1);
      case Wire::kBytes:
        return Text(placed, slot, row, bytes, size);
    }
    return false;
  }

  bool Text(const Placed& placed, ColumnSlot& slot, uint64_t row, const char* bytes, size_t size) {
    if (encoding_ == Encoding::kUnchecked && slot.type != Physical::kBlob &&
        !ValidUtf8({bytes, size})) {
      Fault(placed, "the text", "is not UTF-8", "convert_from(convert_to(…), …)");
      return true;
    }
    slot.put_text(slot.text_owner, row, bytes, size);
    return true;
  }

  bool Numeric(const Placed& placed, ColumnSlot& slot, uint64_t row, const char* bytes,
               size_t size) {
    Int128 value = 0;
    const NumericFault fault =
        ReadNumeric(bytes, size, placed.decimal.width, placed.decimal.scale, &value);
    if (fault == NumericFault::kMalformed) return false;
    if (fault != NumericFault::kNone) {
      Fault(placed, FaultOf(fault), "does not fit " + placed.column.read.type, "double");
      return true;
    }
    PutDecimal(slot, row, value);
    return true;
  }

  // PostgreSQL's dates end before DuckDB's do; both have infinities, at other numbers.
  static bool Date(const Placed&, ColumnSlot& slot, uint64_t row, const char* bytes, size_t size) {
    if (size != 4) return false;
    const auto days = ReadBig<int32_t>(bytes);
    constexpr int32_t kInfinity = std::numeric_limits<int32_t>::max();
    static_cast<int32_t*>(slot.values)[row] = days == kInfinity ? kInfinity
                                              : days == std::numeric_limits<int32_t>::min()
                                                  ? -kInfinity
                                                  : days + kEpochDays;
    return true;
  }

  bool Timestamp(const Placed& placed, ColumnSlot& slot, uint64_t row, const char* bytes,
                 size_t size) {
    if (size != 8) return false;
    const auto micros = ReadBig<int64_t>(bytes);
    constexpr int64_t kInfinity = std::numeric_limits<int64_t>::max();
    auto& place = static_cast<int64_t*>(slot.values)[row];
    if (micros == kInfinity || micros == std::numeric_limits<int64_t>::min()) {
      place = micros == kInfinity ? kInfinity : -kInfinity;
    } else if (micros >= kInfinity - kEpochMicros) {
      Fault(placed, "a time after the year 294246", "does not fit " + placed.column.read.type,
            "varchar");
    } else {
      place = micros + kEpochMicros;
    }
    return true;
  }

  void Fault(const Placed& placed, std::string_view value, std::string_view what,
             std::string_view remedy) {
    if (!fault_.empty()) fault_ += "; ";
    fault_ += fmt::format("column '{}': {} {}; to read it, declare columns: {{ {}: {} }}",
                          placed.column.name, value, what, placed.column.name, remedy);
    original_ += fmt::format("{}{}: {}", original_.empty() ? "{" : ", ",
                             QuoteJson(placed.column.name), QuoteJson(value));
  }

  void Refuse(Slots& slots, uint64_t row, const Reject& reject) {
    for (ColumnSlot& slot : slots.columns) slot.validity[row / 64] |= uint64_t{1} << (row % 64);
    reject({.source = table_,
            .partition = table_,
            .offset = -1,
            .line = -1,
            .step = {},
            .code = "type",
            .message = std::exchange(fault_, {}),
            .original = std::exchange(original_, {}) + "}"});
  }

  std::vector<Placed> columns_;
  const std::string table_;
  const Encoding encoding_;
  int64_t record_ = 0;
  std::string fault_, original_;  // of the row at hand
};

}  // namespace

std::unique_ptr<Decoder> MakeCopyDecoder(std::vector<DecodedColumn> columns, std::string table,
                                         Encoding encoding) {
  return std::make_unique<CopyDecoder>(std::move(columns), std::move(table), encoding);
}

}  // namespace sluice::postgres
