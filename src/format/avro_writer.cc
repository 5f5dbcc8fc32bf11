// See avro_writer.h.
#include "format/avro_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include "base/json_full.h"
#include "base/mutex.h"
#include "base/text.h"
#include "format/avro_file.h"
#include "format/avro_shape.h"
#include "format/avro_text.h"
#include "format/json_value.h"

namespace sluice::format {
namespace {

constexpr size_t kBlockBytes = 256 << 10;
constexpr int64_t kNotNull = 1;  // the branch of a value: all are ["null", type]

Error NoForm(const std::string& column, std::string_view value) {
  return RejectedError(
      fmt::format("column '{}': Avro has no form for {}; leave it out or make it NULL before the "
                  "load",
                  column, value));
}

void PutWide(std::string& into, AvroWide value) {
  // The fewest bytes that keep the sign.
  size_t size = 1;
  while (size < sizeof(value) && (value >> (8 * size - 1)) != 0 && (value >> (8 * size - 1)) != -1)
    ++size;
  PutAvroLong(into, static_cast<int64_t>(size));
  for (size_t i = size; i-- > 0;) into += static_cast<char>(value >> (8 * i));
}

template <class T>
void PutBits(std::string& into, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  into.append(bytes, sizeof(T));
}

// "\x41" -> "A", as DuckDB shows a BLOB.
std::string BytesOf(std::string_view shown) {
  std::string bytes;
  for (size_t i = 0; i < shown.size(); ++i) {
    int code = 0;
    if (shown[i] == '\\' && i + 3 < shown.size() &&
        std::from_chars(shown.data() + i + 2, shown.data() + i + 4, code, 16).ec == std::errc()) {
      bytes += static_cast<char>(code);
      i += 3;
    } else {
      bytes += shown[i];
    }
  }
  return bytes;
}

template <class T>
bool NumberOf(const std::string& text, T* value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return code == std::errc() && end == text.data() + text.size();
}

// "-12.50" of scale 2 -> -1250.
AvroWide DecimalOf(std::string_view text) {
  AvroWide value = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') value = value * 10 + (c - '0');
  }
  return StartsWith(text, "-") ? -value : value;
}

class Encoder {
 public:
  Encoder(const Schema& columns, AvroTable table) : table_(std::move(table)) {
    for (const Column& column : columns) names_.push_back(column.name);
  }

  Status Append(std::span<const sql::VectorView> columns, uint64_t rows, std::string& into) const {
    for (uint64_t row = 0; row < rows; ++row) {
      for (size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].Null(row)) {
          PutAvroLong(into, 0);
          continue;
        }
        PutAvroLong(into, kNotNull);
        TRY(Value(i, columns[i], row, into));
      }
    }
    return Ok();
  }
  const AvroTable& table() const { return table_; }

 private:
  Status Value(size_t column, const sql::VectorView& view, uint64_t row, std::string& into) const {
    const AvroShape& shape = table_.columns[column];
    switch (shape.out) {
      case AvroOut::kBoolean:
        into += view.At<bool>(row) ? '\1' : '\0';
        return Ok();
      case AvroOut::kInt:
        PutAvroLong(into, view.At<int32_t>(row));
        return Ok();
      case AvroOut::kLong:
      case AvroOut::kTime:
        PutAvroLong(into, view.At<int64_t>(row));
        return Ok();
      case AvroOut::kFloat:
        PutBits(into, view.At<float>(row));
        return Ok();
      case AvroOut::kDouble:
        PutBits(into, view.At<double>(row));
        return Ok();
      case AvroOut::kText:
      case AvroOut::kBytes:
        PutAvroBytes(into, view.Text(row));
        return Ok();
      case AvroOut::kDecimal:
        PutWide(into, shape.width <= 4    ? view.At<int16_t>(row)
                      : shape.width <= 9  ? view.At<int32_t>(row)
                      : shape.width <= 18 ? view.At<int64_t>(row)
                                          : view.At<AvroWide>(row));
        return Ok();
      case AvroOut::kDate:
        if (std::abs(int64_t{view.At<int32_t>(row)}) >= std::numeric_limits<int32_t>::max())
          return NoForm(names_[column], "the date infinity");
        PutAvroLong(into, view.At<int32_t>(row));
        return Ok();
      case AvroOut::kMoment:
        if (view.At<int64_t>(row) == std::numeric_limits<int64_t>::max() ||
            view.At<int64_t>(row) == -std::numeric_limits<int64_t>::max())
          return NoForm(names_[column], "the timestamp infinity");
        PutAvroLong(into, view.At<int64_t>(row));
        return Ok();
      case AvroOut::kEnum:
        return Symbol(shape, view.Text(row), column, into);
      default:
        break;
    }
    const auto json = ParseJson(view.Text(row));
    if (!json.ok()) return InternalError("DuckDB's JSON of a nested value cannot be read");
    return Inside(shape, *json, column, into);
  }

  Status Symbol(const AvroShape& shape, std::string_view text, size_t column,
                std::string& into) const {
    const auto found = std::find(shape.symbols.begin(), shape.symbols.end(), text);
    if (found == shape.symbols.end()) return NoForm(names_[column], text);
    PutAvroLong(into, found - shape.symbols.begin());
    return Ok();
  }

  Status Optional(const AvroShape& shape, const Json& json, size_t column,
                  std::string& into) const {
    PutAvroLong(into, json.is_null() ? 0 : kNotNull);
    return json.is_null() ? Ok() : Inside(shape, json, column, into);
  }

  // A value inside another: all but lists, maps and records are text there.
  Status Inside(const AvroShape& shape, const Json& json, size_t column, std::string& into) const {
    if (shape.out == AvroOut::kRecord) {
      for (size_t i = 0; i < shape.parts.size(); ++i) {
        const auto found = json.find(shape.names[i]);
        TRY(Optional(shape.parts[i], found == json.end() ? Json() : *found, column, into));
      }
      return Ok();
    }
    if (shape.nested()) {
      if (!json.empty()) {
        PutAvroLong(into, static_cast<int64_t>(json.size()));
        for (const auto& [key, value] : json.items()) {
          if (shape.out == AvroOut::kMap) PutAvroBytes(into, key);
          TRY(Optional(shape.parts[0], value, column, into));
        }
      }
      PutAvroLong(into, 0);
      return Ok();
    }
    return Leaf(shape, json.is_string() ? json.get<std::string>() : json.dump(), column, into);
  }

  Status Leaf(const AvroShape& shape, const std::string& text, size_t column,
              std::string& into) const {
    int64_t whole = 0;
    int32_t days = 0;
    double real = 0;
    bool held = true;
    switch (shape.out) {
      case AvroOut::kBoolean:
        into += text == "true" ? '\1' : '\0';
        return Ok();
      case AvroOut::kInt:
      case AvroOut::kLong:
        held = NumberOf(text, &whole);
        break;
      case AvroOut::kFloat:
      case AvroOut::kDouble:
        held = NumberOf(text, &real);
        if (held && shape.out == AvroOut::kFloat)
          PutBits(into, static_cast<float>(real));
        else if (held)
          PutBits(into, real);
        return held ? Ok() : Status(NoForm(names_[column], text));
      case AvroOut::kBytes:
        PutAvroBytes(into, BytesOf(text));
        return Ok();
      case AvroOut::kDecimal:
        PutWide(into, DecimalOf(text));
        return Ok();
      case AvroOut::kDate:
        held = DateOf(text, &days) == ValueFault::kNone;
        whole = days;
        break;
      case AvroOut::kTime:
        held = TimestampOf("1970-01-01 " + text, &whole) == ValueFault::kNone;
        break;
      case AvroOut::kMoment:
        held = TimestampOf(text, &whole) == ValueFault::kNone;
        break;
      case AvroOut::kEnum:
        return Symbol(shape, text, column, into);
      default:
        PutAvroBytes(into, text);
        return Ok();
    }
    if (!held) return NoForm(names_[column], "'" + text + "'");
    PutAvroLong(into, whole);
    return Ok();
  }

  const AvroTable table_;
  std::vector<std::string> names_;
};

class Container final : public sql::Vessel {
 public:
  Container(std::unique_ptr<File> file, Encoder encoder, AvroCodec codec)
      : encoder_(std::move(encoder)), codec_(codec), file_(std::move(file)) {
    // Only no other file must have the same.
    std::random_device random;
    for (size_t i = 0; i < mark_.size(); i += 4) {
      const uint32_t word = random();
      std::memcpy(&mark_[i], &word, 4);
    }
  }

  Status WriteHead() {
    std::string head("Obj\1", 4);
    PutAvroLong(head, 2);
    PutAvroBytes(head, "avro.schema");
    PutAvroBytes(head, encoder_.table().schema);
    PutAvroBytes(head, "avro.codec");
    PutAvroBytes(head, NameOf(codec_));
    PutAvroLong(head, 0);
    head.append(mark_.data(), mark_.size());
    MutexLock lock(mutex_);
    return file_->Append(head);
  }

  Status Take(std::span<const sql::VectorView> columns, uint64_t rows) override {
    std::string bytes;
    bytes.reserve(rows * 64);
    Status done = encoder_.Append(columns, rows, bytes);
    std::string full;
    uint64_t count = 0;
    if (done.ok()) {
      MutexLock lock(mutex_);
      pending_ += bytes;
      pending_rows_ += rows;
      if (pending_.size() < kBlockBytes) return Ok();
      full = std::exchange(pending_, {});
      count = std::exchange(pending_rows_, 0);
    }
    if (done.ok()) done = WriteBlock(full, count);
    if (done.ok()) return done;
    MutexLock lock(mutex_);
    if (!failed_) failed_ = done.error();
    return done;
  }

  Status Finish() {
    std::string last;
    uint64_t count = 0;
    {
      MutexLock lock(mutex_);
      last = std::exchange(pending_, {});
      count = std::exchange(pending_rows_, 0);
    }
    return count == 0 ? Ok() : WriteBlock(last, count);
  }
  std::optional<Error> failed() {
    MutexLock lock(mutex_);
    return failed_;
  }

 private:
  Status WriteBlock(std::string_view bytes, uint64_t rows) {
    const std::string packed = TRY(PackAvro(codec_, bytes));
    std::string head;
    PutAvroLong(head, static_cast<int64_t>(rows));
    PutAvroLong(head, static_cast<int64_t>(packed.size()));
    MutexLock lock(mutex_);
    TRY(file_->Append(head));
    TRY(file_->Append(packed));
    return file_->Append({mark_.data(), mark_.size()});
  }

  const Encoder encoder_;
  const AvroCodec codec_;
  std::array<char, kAvroMarkBytes> mark_{};
  Mutex mutex_;
  std::unique_ptr<File> file_ GUARDED_BY(mutex_);
  std::string pending_ GUARDED_BY(mutex_);
  uint64_t pending_rows_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> failed_ GUARDED_BY(mutex_);
};

std::string Argument(const std::string& name, const AvroShape& shape) {
  const std::string cast = fmt::format("CAST({} AS {})", QuoteIdentifier(name), shape.cast);
  return shape.nested() ? fmt::format("CAST(to_json({}) AS VARCHAR)", cast) : cast;
}

}  // namespace

Result<uint64_t> WriteAvro(sql::Session& session, const AvroTarget& target, const Schema& columns,
                           const std::string& select, const std::vector<sql::Bound>& bound,
                           std::stop_token stop) {
  AvroTable table = TRY(AvroTableOf(columns));
  std::vector<std::string> arguments;
  for (size_t i = 0; i < columns.size(); ++i)
    arguments.push_back(Argument(columns[i].name, table.columns[i]));
  auto file = TRY(target.files.Open(target.path, Files::Mode::kTruncate));
  auto container = std::make_shared<Container>(std::move(file), Encoder(columns, std::move(table)),
                                               target.codec);
  TRY(container->WriteHead());
  const int64_t number = target.vessels.Add(container);
  const auto poured =
      session.Query(fmt::format("SELECT count(sluice_pour({}, {})) FROM ({}) AS _rows", number,
                                Join(arguments, ", "), select),
                    bound, std::move(stop));
  target.vessels.Remove(number);
  if (!poured.ok()) {
    const auto failed = container->failed();
    return failed ? *failed : poured.error();
  }
  TRY(container->Finish());
  uint64_t rows = 0;
  NumberOf(poured->rows.at(0).at(0).text, &rows);
  return rows;
}

}  // namespace sluice::format
