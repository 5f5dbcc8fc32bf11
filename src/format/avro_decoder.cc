// Each file has a plan: per field of its record how the value is read and where it goes. Files of
// one scan may have their fields in any order.
#include "format/avro_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/hex.h"
#include "base/text.h"
#include "data/decimal_slot.h"
#include "format/avro_text.h"

namespace sluice::format {
namespace {

using Kind = AvroType::Kind;
using Meaning = AvroType::Meaning;

constexpr size_t kMostOriginal = 64 << 10;
constexpr int64_t kDayMicros = 86'400'000'000;

enum class Put : uint8_t {
  kSkip,
  kNull,
  kBool,
  kWhole,
  kReal,
  kText,
  kBytes,
  kDecimal,
  kUuid,
  kDate,
  kTime,
  kMoment,
  kInterval,
  kShown,  // as text
  kJson
};

bool IsWhole(Physical physical) {
  return physical >= Physical::kInt8 && physical <= Physical::kUint64;
}
bool IsReal(Physical physical) {
  return physical == Physical::kFloat || physical == Physical::kDouble;
}
bool IsNested(const AvroType& type) {
  return type.kind == Kind::kArray || type.kind == Kind::kMap || type.kind == Kind::kRecord ||
         type.kind == Kind::kUnion;
}
bool IsNestedSql(std::string_view type) {
  return EndsWith(type, "]") || StartsWith(type, "STRUCT(") || StartsWith(type, "MAP(") ||
         StartsWith(type, "UNION(");
}

// How a value (never null) becomes one of a column; nullopt: it does not.
std::optional<Put> PutOf(const AvroType& type, const std::string& wanted) {
  const Physical physical = NativeOf(wanted);
  if (type.kind == Kind::kNull) return Put::kNull;
  if (physical == Physical::kJson) return Put::kJson;
  if (physical == Physical::kBlob && (type.kind == Kind::kBytes || type.kind == Kind::kFixed))
    return Put::kBytes;
  if (wanted == "VARCHAR") return type.kind == Kind::kString ? Put::kText : Put::kShown;
  if (physical == Physical::kText) {
    if (IsNested(type) && IsNestedSql(wanted)) return Put::kShown;
    return wanted == type.sql ? std::optional(Put::kShown) : std::nullopt;
  }
  switch (type.meaning) {
    case Meaning::kDate:
      return physical == Physical::kDate ? std::optional(Put::kDate) : std::nullopt;
    case Meaning::kTimeMillis:
    case Meaning::kTimeMicros:
      return physical == Physical::kTime ? std::optional(Put::kTime) : std::nullopt;
    case Meaning::kInstantMillis:
    case Meaning::kInstantMicros:
    case Meaning::kLocalMillis:
    case Meaning::kLocalMicros:
      return physical == Physical::kTimestamp || physical == Physical::kTimestampTz
                 ? std::optional(Put::kMoment)
                 : std::nullopt;
    case Meaning::kInstantNanos:
    case Meaning::kLocalNanos:
      return std::nullopt;
    case Meaning::kDecimal: {
      const auto shape = ReadDecimal(wanted);
      return shape && shape->scale == type.scale && shape->width >= type.precision
                 ? std::optional(Put::kDecimal)
                 : std::nullopt;
    }
    case Meaning::kUuid:
      return physical == Physical::kUuid ? std::optional(Put::kUuid) : std::nullopt;
    case Meaning::kDuration:
      return physical == Physical::kInterval ? std::optional(Put::kInterval) : std::nullopt;
    case Meaning::kPlain:
      break;
  }
  switch (type.kind) {
    case Kind::kBoolean:
      return physical == Physical::kBool ? std::optional(Put::kBool) : std::nullopt;
    case Kind::kInt:
    case Kind::kLong:
      if (IsReal(physical)) return Put::kReal;
      return IsWhole(physical) ? std::optional(Put::kWhole) : std::nullopt;
    case Kind::kFloat:
    case Kind::kDouble:
      return IsReal(physical) ? std::optional(Put::kReal) : std::nullopt;
    default:
      return std::nullopt;
  }
}

struct Field {
  const AvroType* type = nullptr;   // of a union the branch that is not null
  const AvroType* whole = nullptr;  // with its union
  int null_branch = -1;
  bool is_union = false;
  Put put = Put::kSkip;
  size_t slot = 0;
  const Column* column = nullptr;
};

Field FieldOf(const AvroType& type, const std::string& wanted) {
  Field field{.type = &type, .whole = &type};
  if (const AvroOptional optional = OptionalOf(type); optional.type != nullptr) {
    field.type = optional.type;
    field.null_branch = optional.null_branch;
    field.is_union = optional.is_union;
  }
  field.put = PutOf(*field.type, wanted).value_or(Put::kSkip);
  return field;
}

struct Wide {  // as DuckDB's hugeint lies
  uint64_t lower;
  int64_t upper;
};
struct Span {
  int32_t months, days;
  int64_t micros;
};

template <class T>
bool Narrow(int64_t value, ColumnSlot& slot, uint64_t row) {
  if constexpr (std::is_same_v<T, uint64_t>) {
    if (value < 0) return false;
  } else if (value < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
             value > static_cast<int64_t>(std::numeric_limits<T>::max())) {
    return false;
  }
  static_cast<T*>(slot.values)[row] = static_cast<T>(value);
  return true;
}

bool PutWhole(int64_t value, ColumnSlot& slot, uint64_t row) {
  switch (slot.type) {
    case Physical::kInt8:
      return Narrow<int8_t>(value, slot, row);
    case Physical::kInt16:
      return Narrow<int16_t>(value, slot, row);
    case Physical::kInt32:
      return Narrow<int32_t>(value, slot, row);
    case Physical::kUint8:
      return Narrow<uint8_t>(value, slot, row);
    case Physical::kUint16:
      return Narrow<uint16_t>(value, slot, row);
    case Physical::kUint32:
      return Narrow<uint32_t>(value, slot, row);
    case Physical::kUint64:
      return Narrow<uint64_t>(value, slot, row);
    default:
      static_cast<int64_t*>(slot.values)[row] = value;
      return true;
  }
}

// ASCII, as nearly all text is.
bool IsPlain(std::string_view text) {
  uint64_t bits = 0, word = 0;
  const char* at = text.data();
  size_t left = text.size();
  for (; left >= sizeof(word); at += sizeof(word), left -= sizeof(word)) {
    std::memcpy(&word, at, sizeof(word));
    bits |= word;
  }
  for (; left > 0; ++at, --left) bits |= static_cast<uint64_t>(static_cast<unsigned char>(*at));
  return (bits & 0x8080808080808080ULL) == 0;
}

bool UuidOf(std::string_view text, std::array<char, 16>& bytes) {
  if (text.size() != 36) return false;
  size_t digit = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return false;
      continue;
    }
    const int value = HexDigit(text[i]);
    if (value < 0) return false;
    char& byte = bytes.at(digit / 2);
    byte = static_cast<char>(digit % 2 == 0 ? value << 4 : byte | value);
    ++digit;
  }
  return true;
}

uint64_t BigEndian(const char* bytes) {
  uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap64(value);
}

class AvroDecoder final : public Decoder {
 public:
  AvroDecoder(std::shared_ptr<const std::map<std::string, std::shared_ptr<const AvroFile>>> files,
              Schema schema, std::vector<uint64_t> projected)
      : files_(std::move(files)), schema_(std::move(schema)), projected_(std::move(projected)) {}

  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject& reject) override {
    if (at == 0) TRY(Start(block));
    uint64_t row = 0;
    while (row < slots.capacity && index_ < head_.records) {
      const AvroCursor before = cursor_;
      fault_.clear();
      if (!Record(slots, row)) return Damaged();
      ++read;
      if (fault_.empty()) {
        if (!offsets.empty()) offsets[row] = block.first + static_cast<int64_t>(index_);
        ++row;
      } else {
        Refuse(block, before, slots, row, reject);
      }
      ++index_;
    }
    if (index_ < head_.records) {
      at = std::min<uint64_t>(at + 1, block.size - 1);
      return row;
    }
    if (cursor_.left() > 0)
      return Broken(fmt::format("has {} bytes after its last record", cursor_.left()));
    at = block.size;
    return row;
  }

 private:
  Status Start(const Block& block) {
    if (partition_ != block.partition || file_ == nullptr) {
      const auto found = files_->find(block.partition);
      if (found == files_->end())
        return InternalError(fmt::format("'{}' is not among the files", block.partition));
      file_ = found->second;
      partition_ = block.partition;
      PlanFields();
    }
    std::memcpy(&head_, block.bytes.data(), sizeof(head_));
    const std::string_view packed(block.bytes.data() + sizeof(head_), block.size - sizeof(head_));
    auto bytes = unpacker_.Unpack(file_->codec, packed, buffer_);
    if (!bytes.ok()) {
      if (bytes.error().kind != ErrorKind::kData) return bytes.error();
      return Broken(
          fmt::format("cannot be unpacked ({}): {}", NameOf(file_->codec), bytes.error().message));
    }
    cursor_ = AvroCursor(*bytes);
    index_ = 0;
    return Ok();
  }

  void PlanFields() {
    fields_.clear();
    for (const auto& [name, type] : file_->schema.root().parts) {
      Field field{.type = type, .whole = type};
      for (size_t i = 0; i < projected_.size(); ++i) {
        const Column& column = schema_[projected_[i]];
        if (ToLower(column.name) != ToLower(name)) continue;
        field = FieldOf(*type, column.type);
        field.slot = i;
        field.column = &column;
      }
      fields_.push_back(field);
    }
  }

  Error Broken(std::string_view how) const {
    return RejectedError(
        fmt::format("'{}' is damaged: the block at byte {} {}", file_->name, head_.at, how));
  }
  Error Damaged() const {
    return Broken(fmt::format("does not hold its record {} of {}", index_ + 1, head_.records));
  }

  // False: the bytes are no record.
  bool Record(Slots& slots, uint64_t row) {
    for (const Field& field : fields_) {
      if (field.put == Put::kSkip) {
        if (SkipAvro(*field.whole, cursor_) != AvroFault::kNone) return false;
        continue;
      }
      ColumnSlot& slot = slots.columns[field.slot];
      if (field.is_union) {
        int64_t branch = 0;
        if (!cursor_.Long(&branch) || branch < 0 ||
            branch >= static_cast<int64_t>(field.whole->parts.size()))
          return false;
        if (branch == field.null_branch) {
          slot.SetNull(row);
          continue;
        }
      }
      if (!Value(field, slot, row)) return false;
    }
    return true;
  }

  bool Value(const Field& field, ColumnSlot& slot, uint64_t row) {
    switch (field.put) {
      case Put::kText: {
        std::string_view text;
        if (!cursor_.Bytes(&text)) return false;
        if (!IsPlain(text) && !ValidUtf8(text)) return Fault(field, "is not UTF-8");
        slot.put_text(slot.text_owner, row, text.data(), text.size());
        return true;
      }
      case Put::kWhole:
      case Put::kDate:
      case Put::kTime:
      case Put::kMoment:
        return Number(field, slot, row);
      case Put::kReal:
        return Real(field, slot, row);
      case Put::kBool: {
        const char* byte = cursor_.Take(1);
        if (byte == nullptr || static_cast<unsigned char>(*byte) > 1) return false;
        static_cast<bool*>(slot.values)[row] = *byte != 0;
        return true;
      }
      case Put::kNull:
        slot.SetNull(row);
        return true;
      case Put::kBytes:
      case Put::kDecimal:
      case Put::kUuid:
      case Put::kInterval:
        return Bytes(field, slot, row);
      default:
        return Shown(field, slot, row);
    }
  }

  bool Number(const Field& field, ColumnSlot& slot, uint64_t row) {
    int64_t value = 0;
    if (!cursor_.Long(&value)) return false;
    if (field.type->kind == Kind::kInt && value != static_cast<int32_t>(value)) return false;
    const Meaning meaning = field.type->meaning;
    if (field.put == Put::kWhole) {
      return PutWhole(value, slot, row) || Fault(field, fmt::format("is {}", value));
    }
    if (field.put == Put::kDate) {
      // The outermost values are DuckDB's infinities.
      if (std::abs(value) >= std::numeric_limits<int32_t>::max())
        return Fault(field, fmt::format("is day {}", value));
      static_cast<int32_t*>(slot.values)[row] = static_cast<int32_t>(value);
      return true;
    }
    const bool millis = meaning == Meaning::kTimeMillis || meaning == Meaning::kInstantMillis ||
                        meaning == Meaning::kLocalMillis;
    int64_t micros = value;
    const bool overflows = millis && __builtin_mul_overflow(value, 1000, &micros);
    const bool fits = field.put == Put::kTime
                          ? micros >= 0 && micros <= kDayMicros
                          : micros > -std::numeric_limits<int64_t>::max() + kDayMicros &&
                                micros < std::numeric_limits<int64_t>::max();
    if (overflows || !fits) return Fault(field, fmt::format("is {}", value));
    static_cast<int64_t*>(slot.values)[row] = micros;
    return true;
  }

  bool Real(const Field& field, ColumnSlot& slot, uint64_t row) {
    double value = 0;
    if (field.type->kind == Kind::kFloat) {
      float single = 0;
      const char* bytes = cursor_.Take(sizeof(single));
      if (bytes == nullptr) return false;
      std::memcpy(&single, bytes, sizeof(single));
      value = static_cast<double>(single);
    } else if (field.type->kind == Kind::kDouble) {
      const char* bytes = cursor_.Take(sizeof(value));
      if (bytes == nullptr) return false;
      std::memcpy(&value, bytes, sizeof(value));
    } else {
      int64_t whole = 0;
      if (!cursor_.Long(&whole)) return false;
      value = static_cast<double>(whole);
    }
    if (slot.type == Physical::kDouble)
      static_cast<double*>(slot.values)[row] = value;
    else
      static_cast<float*>(slot.values)[row] = static_cast<float>(value);
    return true;
  }

  bool Bytes(const Field& field, ColumnSlot& slot, uint64_t row) {
    std::string_view bytes;
    if (field.type->kind == Kind::kFixed) {
      const char* taken = cursor_.Take(field.type->size);
      if (taken == nullptr) return false;
      bytes = {taken, static_cast<size_t>(field.type->size)};
    } else if (!cursor_.Bytes(&bytes)) {
      return false;
    }
    if (field.put == Put::kBytes) {
      slot.put_text(slot.text_owner, row, bytes.data(), bytes.size());
      return true;
    }
    if (field.put == Put::kDecimal) return Decimal(field, slot, row, bytes);
    if (field.put == Put::kInterval) {
      uint32_t parts[3];
      std::memcpy(parts, bytes.data(), sizeof(parts));
      if (std::max(parts[0], parts[1]) > std::numeric_limits<int32_t>::max())
        return Fault(field, "is too long an interval");
      static_cast<Span*>(slot.values)[row] = {.months = static_cast<int32_t>(parts[0]),
                                              .days = static_cast<int32_t>(parts[1]),
                                              .micros = int64_t{1000} * parts[2]};
      return true;
    }
    std::array<char, 16> uuid{};
    if (field.type->kind == Kind::kFixed)
      std::copy(bytes.begin(), bytes.end(), uuid.begin());
    else if (!UuidOf(bytes, uuid))
      return Fault(field, fmt::format("is '{}'", EscapeControl(bytes.substr(0, 100))));
    // DuckDB orders UUIDs as signed numbers, so it keeps them with the first bit flipped.
    static_cast<Wide*>(slot.values)[row] = {
        .lower = BigEndian(uuid.data() + 8),
        .upper = static_cast<int64_t>(BigEndian(uuid.data()) ^ (uint64_t{1} << 63))};
    return true;
  }

  bool Decimal(const Field& field, ColumnSlot& slot, uint64_t row, std::string_view bytes) {
    AvroWide value = 0;
    if (!ReadAvroWide(bytes, &value) || !FitsDigits(value, field.type->precision))
      return Fault(field, fmt::format("has more than {} digits", field.type->precision));
    PutDecimal(slot, row, value);
    return true;
  }

  bool Shown(const Field& field, ColumnSlot& slot, uint64_t row) {
    shown_.clear();
    // A union of several types may hold null too.
    const AvroCursor before = cursor_;
    int64_t branch = 0;
    if (field.type->kind == Kind::kUnion && cursor_.Long(&branch) && branch >= 0 &&
        branch < static_cast<int64_t>(field.type->parts.size()) &&
        field.type->parts[static_cast<size_t>(branch)].second->kind == Kind::kNull) {
      slot.SetNull(row);
      return true;
    }
    cursor_ = before;
    const AvroQuotes quotes = field.put == Put::kJson ? AvroQuotes::kJson : AvroQuotes::kNone;
    switch (ShowAvro(*field.type, cursor_, quotes, shown_)) {
      case AvroFault::kDamaged:
        return false;
      case AvroFault::kUtf8:
        return Fault(field, "is not UTF-8");
      case AvroFault::kRange:
        return Fault(field, fmt::format("is {}", shown_.substr(0, 200)));
      case AvroFault::kNone:
        break;
    }
    slot.put_text(slot.text_owner, row, shown_.data(), shown_.size());
    return true;
  }

  // The record is read on, to where the next begins.
  bool Fault(const Field& field, std::string_view what) {
    if (!fault_.empty()) return true;
    fault_ = fmt::format("column '{}': {} {}, which {} does not hold", field.column->name,
                         NameOf(*field.type), what, field.column->type);
    return true;
  }

  void Refuse(const Block& block, AvroCursor record, Slots& slots, uint64_t row,
              const Reject& reject) {
    Letter letter;
    letter.source = letter.partition = block.partition;
    letter.offset = block.first + static_cast<int64_t>(index_);
    letter.line = letter.offset + 1;
    letter.code = "type";
    letter.message = fault_;
    (void)ShowAvro(file_->schema.root(), record, AvroQuotes::kJson, letter.original);
    letter.original.resize(std::min(letter.original.size(), kMostOriginal));
    reject(std::move(letter));
    for (ColumnSlot& slot : slots.columns) slot.validity[row / 64] |= uint64_t{1} << (row % 64);
  }

  const std::shared_ptr<const std::map<std::string, std::shared_ptr<const AvroFile>>> files_;
  const Schema schema_;
  const std::vector<uint64_t> projected_;
  std::shared_ptr<const AvroFile> file_;
  std::string partition_;
  std::vector<Field> fields_;
  AvroUnpacker unpacker_;
  std::vector<char> buffer_;
  AvroCursor cursor_{nullptr, nullptr};
  AvroBlockHead head_;
  uint64_t index_ = 0;
  std::string fault_, shown_;
};

}  // namespace

Status FitAvro(const AvroFile& file, const Schema& schema) {
  for (const auto& [name, type] : file.schema.root().parts) {
    const Column* column = Find(schema, name);
    if (column == nullptr || FieldOf(*type, column->type).put != Put::kSkip) continue;
    return RejectedError(fmt::format(
        "'{}': column '{}' is {}, which {} does not hold; say {} in `columns:` and cast it in a "
        "map",
        file.name, name, NameOf(*type), column->type, type->sql));
  }
  return Ok();
}

std::unique_ptr<Decoder> MakeAvroDecoder(
    std::shared_ptr<const std::map<std::string, std::shared_ptr<const AvroFile>>> files,
    const Schema& schema, const std::vector<uint64_t>& projected) {
  return std::make_unique<AvroDecoder>(std::move(files), schema, projected);
}

}  // namespace sluice::format
