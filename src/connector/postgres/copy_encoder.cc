// See copy_encoder.h.
#include "connector/postgres/copy_encoder.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "base/text.h"
#include "connector/postgres/bytes.h"
#include "connector/postgres/numeric.h"

namespace sluice::postgres {
namespace {

constexpr int64_t kEpochMicros = 946'684'800'000'000;  // 2000-01-01, where PostgreSQL counts from
constexpr int32_t kEpochDays = 10'957;
// 4714-11-24 BC to 294276-12-31 and 5874897-12-31, from 2000-01-01.
constexpr int64_t kFirstMicros = -211'813'488'000'000'000;
constexpr int32_t kFirstDay = -2'451'545, kLastDay = 2'145'031'948;

struct Interval {
  int32_t months, days;
  int64_t micros;
};
struct Wide {
  uint64_t lower;
  int64_t upper;
};

template <class T>
void Sized(std::vector<char>& into, T value) {
  AppendBig<int32_t>(into, sizeof(T));
  AppendBig<T>(into, value);
}

void Bytes(std::vector<char>& into, std::string_view bytes) {
  AppendBig<int32_t>(into, static_cast<int32_t>(bytes.size()));
  into.insert(into.end(), bytes.begin(), bytes.end());
}

Error OutOfRange(const std::string& column, const char* what) {
  return DataError(
      fmt::format("column '{}': a {} that PostgreSQL's calendar does not have", column, what));
}

}  // namespace

void AppendHeader(std::vector<char>& into) {
  constexpr char kSignature[] = "PGCOPY\n\377\r\n";
  into.insert(into.end(), kSignature, kSignature + 11);  // with its NUL
  AppendBig<int32_t>(into, 0);
  AppendBig<int32_t>(into, 0);
}

void AppendTrailer(std::vector<char>& into) { AppendBig<int16_t>(into, -1); }

CopyEncoder::CopyEncoder(std::vector<EncodedColumn> columns, std::optional<int64_t> constant)
    : constant_(constant) {
  for (EncodedColumn& column : columns) {
    Placed placed{.column = std::move(column), .cast = {}};
    placed.cast = placed.column.write.cast;
    if (placed.column.write.path == Path::kList) placed.cast.resize(placed.cast.size() - 2);
    if (const auto decimal = ReadDecimal(placed.cast)) {
      placed.scale = decimal->scale;
      placed.decimal_bytes = decimal->width <= 4    ? 2
                             : decimal->width <= 9  ? 4
                             : decimal->width <= 18 ? 8
                                                    : 16;
    }
    placed.text = placed.cast != "BLOB";
    columns_.push_back(std::move(placed));
  }
}

Status CopyEncoder::Append(std::span<const sql::VectorView> columns, uint64_t from, uint64_t to,
                           std::vector<char>& into) const {
  if (columns.size() != columns_.size()) return InternalError("rows of another shape are encoded");
  const auto fields = static_cast<int16_t>(columns_.size() + (constant_ ? 1 : 0));
  for (uint64_t row = from; row < to; ++row) {
    AppendBig<int16_t>(into, fields);
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns[i].Null(row)) {
        AppendBig<int32_t>(into, -1);
      } else if (columns_[i].column.write.path == Path::kList) {
        TRY(List(columns_[i], columns[i], row, into));
      } else {
        TRY(Value(columns_[i], columns[i], row, into));
      }
    }
    if (constant_) Sized<int64_t>(into, *constant_);
  }
  return Ok();
}

Status CopyEncoder::Value(const Placed& placed, const sql::VectorView& view, uint64_t row,
                          std::vector<char>& into) const {
  constexpr int64_t kInfinity = std::numeric_limits<int64_t>::max();
  constexpr int32_t kInfiniteDay = std::numeric_limits<int32_t>::max();
  switch (placed.column.write.wire) {
    case Wire::kBool:
      Sized<int8_t>(into, view.At<bool>(row) ? 1 : 0);
      return Ok();
    case Wire::kInt2:
      Sized<int16_t>(into, view.At<int16_t>(row));
      return Ok();
    case Wire::kInt4:
      Sized<int32_t>(into, view.At<int32_t>(row));
      return Ok();
    case Wire::kInt8:
    case Wire::kTime:
      Sized<int64_t>(into, view.At<int64_t>(row));
      return Ok();
    case Wire::kOid:
      Sized<uint32_t>(into, view.At<uint32_t>(row));
      return Ok();
    case Wire::kFloat4:
      Sized<float>(into, view.At<float>(row));
      return Ok();
    case Wire::kFloat8:
      Sized<double>(into, view.At<double>(row));
      return Ok();
    case Wire::kNumeric: {
      const Int128 value = placed.decimal_bytes == 2   ? view.At<int16_t>(row)
                           : placed.decimal_bytes == 4 ? view.At<int32_t>(row)
                           : placed.decimal_bytes == 8 ? view.At<int64_t>(row)
                                                       : view.At<Int128>(row);
      const size_t at = into.size();
      AppendBig<int32_t>(into, 0);
      WriteNumeric(value, placed.scale, into);
      const auto size = Swapped(static_cast<int32_t>(into.size() - at - 4));
      std::memcpy(into.data() + at, &size, sizeof(size));
      return Ok();
    }
    case Wire::kDate: {
      const auto days = view.At<int32_t>(row);
      if (days == kInfiniteDay || days == -kInfiniteDay) {
        Sized<int32_t>(into,
                       days == kInfiniteDay ? kInfiniteDay : std::numeric_limits<int32_t>::min());
        return Ok();
      }
      const int64_t since = int64_t{days} - kEpochDays;
      if (since < kFirstDay || since > kLastDay) return OutOfRange(placed.column.name, "date");
      Sized<int32_t>(into, static_cast<int32_t>(since));
      return Ok();
    }
    case Wire::kTimestamp: {
      const auto micros = view.At<int64_t>(row);
      if (micros == kInfinity || micros == -kInfinity) {
        Sized<int64_t>(into, micros == kInfinity ? kInfinity : std::numeric_limits<int64_t>::min());
        return Ok();
      }
      if (micros < kFirstMicros + kEpochMicros) return OutOfRange(placed.column.name, "time");
      Sized<int64_t>(into, micros - kEpochMicros);
      return Ok();
    }
    case Wire::kInterval: {
      const auto& interval = view.At<Interval>(row);
      AppendBig<int32_t>(into, 16);
      AppendBig<int64_t>(into, interval.micros);
      AppendBig<int32_t>(into, interval.days);
      AppendBig<int32_t>(into, interval.months);
      return Ok();
    }
    case Wire::kUuid: {
      const auto& wide = view.At<Wide>(row);
      AppendBig<int32_t>(into, 16);
      AppendBig<uint64_t>(into, static_cast<uint64_t>(wide.upper) ^ (uint64_t{1} << 63));
      AppendBig<uint64_t>(into, wide.lower);
      return Ok();
    }
    case Wire::kJsonb:
    case Wire::kBytes:
      break;
  }
  const std::string_view text = view.Text(row);
  if (placed.text && text.find('\0') != std::string_view::npos) {
    return DataError(
        fmt::format("column '{}': the text '{}' has a NUL, which no text of PostgreSQL "
                    "can hold; remove it: replace({}, chr(0), '')",
                    placed.column.name, EscapeControl(text.substr(0, 100)),
                    QuoteIdentifier(placed.column.name)));
  }
  if (text.size() > size_t{1} << 30) {
    return DataError(fmt::format("column '{}': a value of {} is more than PostgreSQL takes",
                                 placed.column.name, FormatBytes(text.size())));
  }
  if (placed.column.write.wire == Wire::kJsonb) {
    AppendBig<int32_t>(into, static_cast<int32_t>(text.size() + 1));
    into.push_back(1);
    into.insert(into.end(), text.begin(), text.end());
  } else {
    Bytes(into, text);
  }
  return Ok();
}

Status CopyEncoder::List(const Placed& placed, const sql::VectorView& view, uint64_t row,
                         std::vector<char>& into) const {
  const auto& entry = view.At<sql::ListEntry>(row);
  const sql::VectorView& elements = view.child.at(0);
  const size_t at = into.size();
  AppendBig<int32_t>(into, 0);
  bool nulls = false;
  for (uint64_t i = 0; i < entry.length; ++i) nulls = nulls || elements.Null(entry.offset + i);
  AppendBig<int32_t>(into, entry.length == 0 ? 0 : 1);  // dimensions
  AppendBig<int32_t>(into, nulls ? 1 : 0);
  AppendBig<uint32_t>(into, placed.column.write.element);
  if (entry.length > 0) {
    AppendBig<int32_t>(into, static_cast<int32_t>(entry.length));
    AppendBig<int32_t>(into, 1);  // the first index
  }
  for (uint64_t i = 0; i < entry.length; ++i) {
    if (elements.Null(entry.offset + i)) {
      AppendBig<int32_t>(into, -1);
    } else {
      TRY(Value(placed, elements, entry.offset + i, into));
    }
  }
  const auto size = Swapped(static_cast<int32_t>(into.size() - at - 4));
  std::memcpy(into.data() + at, &size, sizeof(size));
  return Ok();
}

}  // namespace sluice::postgres
