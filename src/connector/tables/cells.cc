// See cells.h.
#include "connector/tables/cells.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "connector/tables/decimal.h"
#include "data/decimal_slot.h"
#include "format/json_value.h"

namespace sluice::tables {
namespace {

using format::ValueFault;

constexpr size_t kShownBytes = 200;  // of a value in a message
constexpr int64_t kMicrosPerSecond = 1'000'000;

template <class T>
void AppendRaw(std::vector<char>& into, const T& value) {
  const size_t at = into.size();
  into.resize(at + sizeof(T));
  std::memcpy(into.data() + at, &value, sizeof(T));
}

struct Cell {
  CellKind kind = CellKind::kNull;
  int64_t whole = 0;
  double real = 0;
  std::string_view bytes;
};

// Steps over one cell; null: the bytes end before it does.
const char* ReadCell(const char* at, const char* end, Cell* cell) {
  if (at >= end) return nullptr;
  cell->kind = static_cast<CellKind>(*at++);
  switch (cell->kind) {
    case CellKind::kNull:
      return at;
    case CellKind::kWhole:
      if (end - at < 8) return nullptr;
      std::memcpy(&cell->whole, at, 8);
      return at + 8;
    case CellKind::kReal:
      if (end - at < 8) return nullptr;
      std::memcpy(&cell->real, at, 8);
      return at + 8;
    case CellKind::kText:
    case CellKind::kBlob: {
      uint32_t size = 0;
      if (end - at < 4) return nullptr;
      std::memcpy(&size, at, 4);
      at += 4;
      if (end - at < static_cast<ptrdiff_t>(size)) return nullptr;
      cell->bytes = {at, size};
      return at + size;
    }
  }
  return nullptr;
}

// As short as it can be and read back the same; what is not finite has a word.
std::string RealText(double value, std::chars_format form) {
  char buffer[400];
  const auto done = std::to_chars(buffer, buffer + sizeof(buffer), value, form);
  return {buffer, done.ptr};
}

std::string ShownText(const Cell& cell) {
  switch (cell.kind) {
    case CellKind::kNull:
      return "NULL";
    case CellKind::kWhole:
      return std::to_string(cell.whole);
    case CellKind::kReal:
      return RealText(cell.real, std::chars_format::general);
    case CellKind::kText:
      return std::string(cell.bytes.substr(0, kShownBytes));
    case CellKind::kBlob:
      break;
  }
  std::string hex = "x'";
  for (const char c : cell.bytes.substr(0, kShownBytes / 2))
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex + "'";
}

bool IsZeroDate(std::string_view text) {
  return text.size() >= 10 && text[4] == '-' && text[7] == '-' &&
         (text.substr(0, 4) == "0000" || text.substr(5, 2) == "00" || text.substr(8, 2) == "00");
}

bool HasZone(std::string_view text) {
  return text.size() > 10 && text.find_first_of("zZ+-", 10) != std::string_view::npos;
}

// "10:20[:30[.123456]]" of one day.
bool TimeOf(std::string_view text, int64_t* micros) {
  if (text.size() < 5 || text[2] != ':') return false;
  const std::string moment = fmt::format("1970-01-01 {}", text);
  return text.substr(0, 2) <= "23" && !HasZone(moment) &&
         format::TimestampOf(moment, micros) == ValueFault::kNone &&
         *micros < 86'400 * kMicrosPerSecond;
}

template <class T>
bool PutWhole(ColumnSlot& slot, uint64_t row, const Cell& cell) {
  T& place = static_cast<T*>(slot.values)[row];
  switch (cell.kind) {
    case CellKind::kWhole:
      place = static_cast<T>(cell.whole);
      return std::in_range<T>(cell.whole);
    case CellKind::kReal:
      if (std::abs(cell.real) > 9007199254740992.0 || std::trunc(cell.real) != cell.real)
        return false;
      place = static_cast<T>(static_cast<int64_t>(cell.real));
      return std::in_range<T>(static_cast<int64_t>(cell.real));
    case CellKind::kText:
      return format::IntegerOf(cell.bytes, &place) == ValueFault::kNone;
    default:
      return false;
  }
}

bool RealOf(const Cell& cell, double* value) {
  switch (cell.kind) {
    case CellKind::kReal:
      *value = cell.real;
      return true;
    case CellKind::kWhole:
      *value = static_cast<double>(cell.whole);
      return std::abs(cell.whole) <= int64_t{1} << 53;
    case CellKind::kText:
      return format::DoubleOf(cell.bytes, value) == ValueFault::kNone;
    default:
      return false;
  }
}

bool PutDecimal(ColumnSlot& slot, uint64_t row, const Cell& cell, DecimalShape shape) {
  Int128 value = 0;
  if (cell.kind == CellKind::kBlob) return false;
  const std::string text = cell.kind == CellKind::kText ? std::string() : ShownText(cell);
  if (!ReadDecimalText(cell.kind == CellKind::kText ? cell.bytes : text, shape, &value))
    return false;
  sluice::PutDecimal(slot, row, value);
  return true;
}

bool PutMoment(ColumnSlot& slot, uint64_t row, const Cell& cell) {
  if (cell.kind != CellKind::kText) return false;
  if (slot.type == Physical::kDate)
    return format::DateOf(cell.bytes, static_cast<int32_t*>(slot.values) + row) ==
           ValueFault::kNone;
  auto* const place = static_cast<int64_t*>(slot.values) + row;
  if (slot.type == Physical::kTime) return TimeOf(cell.bytes, place);
  if (slot.type == Physical::kTimestamp && HasZone(cell.bytes)) return false;
  return format::TimestampOf(cell.bytes, place) == ValueFault::kNone;
}

bool PutBool(ColumnSlot& slot, uint64_t row, const Cell& cell) {
  bool& place = static_cast<bool*>(slot.values)[row];
  if (cell.kind == CellKind::kWhole) {
    place = cell.whole == 1;
    return cell.whole == 0 || cell.whole == 1;
  }
  return cell.kind == CellKind::kText && format::BoolOf(cell.bytes, &place) == ValueFault::kNone;
}

class CellDecoder final : public Decoder {
 public:
  CellDecoder(Schema columns, std::string table, CellRules rules)
      : columns_(std::move(columns)), table_(std::move(table)), rules_(rules) {
    for (const Column& column : columns_)
      decimals_.push_back(ReadDecimal(column.type).value_or(DecimalShape{}));
    cells_.resize(columns_.size());
  }

  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject& reject) override {
    const char* const end = block.bytes.data() + block.size;
    const char* from = block.bytes.data() + at;
    if (slots.columns.size() != columns_.size())
      return InternalError("rows of another shape are decoded");
    uint64_t row = 0;
    if (at == 0) record_ = block.first;
    while (row < slots.capacity && from < end) {
      for (size_t i = 0; i < columns_.size(); ++i) {
        from = ReadCell(from, end, &cells_[i]);
        if (from == nullptr) return InternalError("a row of cells ends in the middle");
        Put(i, slots.columns[i], row);
      }
      if (columns_.empty()) ++from;  // a row of no columns is one byte
      ++read, ++record_;
      if (!fault_.empty()) [[unlikely]] {
        Refuse(slots, row, reject);
        continue;
      }
      if (!offsets.empty()) offsets[row] = record_ - 1;
      ++row;
    }
    at = static_cast<uint64_t>(from - block.bytes.data());
    return row;
  }

 private:
  void Put(size_t column, ColumnSlot& slot, uint64_t row) {
    const Cell& cell = cells_[column];
    if (cell.kind == CellKind::kNull) return slot.SetNull(row);
    if (PutValue(column, slot, row, cell)) return;
    const std::string& name = columns_[column].name;
    const bool zero = cell.kind == CellKind::kText && IsZeroDate(cell.bytes) &&
                      columns_[column].type != "VARCHAR";
    if (zero && rules_.zero_dates == ZeroDates::kNull) return slot.SetNull(row);
    if (!fault_.empty()) fault_ += "; ";
    fault_ += fmt::format(
        "column '{}': {} '{}' {}; to read it, declare columns: {{ {}: {} }}{}", name,
        cell.kind == CellKind::kBlob ? "the blob" : "the value", EscapeControl(ShownText(cell)),
        zero ? "is a zero date, which is no day" : "does not fit " + columns_[column].type, name,
        cell.kind == CellKind::kBlob ? "blob" : "varchar",
        zero ? ", or say zero_dates: as_null in the connection" : "");
  }

  bool PutValue(size_t column, ColumnSlot& slot, uint64_t row, const Cell& cell) {
    switch (slot.type) {
      case Physical::kBool:
        return PutBool(slot, row, cell);
      case Physical::kInt8:
        return PutWhole<int8_t>(slot, row, cell);
      case Physical::kInt16:
        return PutWhole<int16_t>(slot, row, cell);
      case Physical::kInt32:
        return PutWhole<int32_t>(slot, row, cell);
      case Physical::kInt64:
        return PutWhole<int64_t>(slot, row, cell);
      case Physical::kUint8:
        return PutWhole<uint8_t>(slot, row, cell);
      case Physical::kUint16:
        return PutWhole<uint16_t>(slot, row, cell);
      case Physical::kUint32:
        return PutWhole<uint32_t>(slot, row, cell);
      case Physical::kUint64:
        return PutWhole<uint64_t>(slot, row, cell);
      case Physical::kFloat: {
        double value = 0;
        if (!RealOf(cell, &value)) return false;
        static_cast<float*>(slot.values)[row] = static_cast<float>(value);
        return std::isfinite(value) == std::isfinite(static_cast<float>(value));
      }
      case Physical::kDouble:
        return RealOf(cell, static_cast<double*>(slot.values) + row);
      case Physical::kDate:
      case Physical::kTime:
      case Physical::kTimestamp:
      case Physical::kTimestampTz:
        return PutMoment(slot, row, cell);
      case Physical::kDecimal16:
      case Physical::kDecimal32:
      case Physical::kDecimal64:
      case Physical::kDecimal128:
        return PutDecimal(slot, row, cell, decimals_[column]);
      case Physical::kBlob:
        if (cell.kind != CellKind::kBlob && cell.kind != CellKind::kText) return false;
        slot.put_text(slot.text_owner, row, cell.bytes.data(), cell.bytes.size());
        return true;
      default:
        return PutText(slot, row, cell);
    }
  }

  bool PutText(ColumnSlot& slot, uint64_t row, const Cell& cell) const {
    if (cell.kind == CellKind::kBlob) return false;
    std::string made;
    std::string_view text = cell.bytes;
    if (cell.kind != CellKind::kText) {
      text = made = ShownText(cell);
    } else if (!rules_.texts_are_utf8 && !ValidUtf8(text)) {
      return false;
    }
    slot.put_text(slot.text_owner, row, text.data(), text.size());
    return true;
  }

  void Refuse(Slots& slots, uint64_t row, const Reject& reject) {
    std::string original = "{";
    for (size_t i = 0; i < columns_.size(); ++i) {
      slots.columns[i].validity[row / 64] |= uint64_t{1} << (row % 64);
      const bool null = cells_[i].kind == CellKind::kNull;
      original += fmt::format("{}{}: {}", i == 0 ? "" : ", ", QuoteJson(columns_[i].name),
                              null ? "null" : QuoteJson(ShownText(cells_[i])));
    }
    reject({.source = table_,
            .partition = table_,
            .offset = -1,
            .line = -1,
            .step = {},
            .code = "type",
            .message = std::exchange(fault_, {}),
            .original = original + "}"});
  }

  const Schema columns_;
  const std::string table_;
  const CellRules rules_;
  std::vector<DecimalShape> decimals_;
  std::vector<Cell> cells_;  // of the row at hand
  int64_t record_ = 0;
  std::string fault_;  // of the row at hand
};

}  // namespace

void AppendNull(std::vector<char>& into) { into.push_back(static_cast<char>(CellKind::kNull)); }

void AppendWhole(std::vector<char>& into, int64_t value) {
  into.push_back(static_cast<char>(CellKind::kWhole));
  AppendRaw(into, value);
}

void AppendReal(std::vector<char>& into, double value) {
  into.push_back(static_cast<char>(CellKind::kReal));
  AppendRaw(into, value);
}

void AppendBytes(std::vector<char>& into, CellKind kind, std::string_view bytes) {
  into.push_back(static_cast<char>(kind));
  AppendRaw(into, static_cast<uint32_t>(bytes.size()));
  into.insert(into.end(), bytes.begin(), bytes.end());
}

std::unique_ptr<Decoder> MakeCellDecoder(Schema columns, std::string table, CellRules rules) {
  return std::make_unique<CellDecoder>(std::move(columns), std::move(table), rules);
}

Physical PhysicalOfCells(std::string_view type) {
  const bool cast = type == "JSON" || type == "UUID" || type == "INTERVAL";
  return cast ? Physical::kText : NativeOf(type);
}

}  // namespace sluice::tables
