// See path_values.h.
#include "connector/file/path_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "base/text.h"
#include "connector/file/hive.h"

namespace sluice {
namespace {

// SQL of the text `v` as the number that its column's memory holds, NULL where it is none; empty:
// no column of that kind is filled from a path.
std::string NumberOf(Physical physical, const std::string& type) {
  switch (physical) {
    case Physical::kText:
      return "v";
    case Physical::kBool:
      return "TRY_CAST(v AS BOOLEAN)::INTEGER";
    case Physical::kDate:
      return "TRY_CAST(v AS DATE) - DATE '1970-01-01'";
    case Physical::kTimestamp:
      return "epoch_us(TRY_CAST(v AS TIMESTAMP))";
    default:
      return physical < Physical::kDate ? fmt::format("TRY_CAST(v AS {})", type) : "";
  }
}

PathValue ValueOf(const std::string& text, Physical physical) {
  PathValue value;
  const char* end = text.data() + text.size();
  uint64_t bits = 0;
  if (physical == Physical::kText)
    value.text = text;
  else if (physical == Physical::kFloat || physical == Physical::kDouble)
    std::from_chars(text.data(), end, value.real);
  else if (physical == Physical::kUint64 && std::from_chars(text.data(), end, bits).ptr == end)
    value.whole = static_cast<int64_t>(bits);
  else
    std::from_chars(text.data(), end, value.whole);
  return value;
}

template <class T>
void PutNumber(ColumnSlot& slot, uint64_t row, T value) {
  static_cast<T*>(slot.values)[row] = value;
}

void Put(ColumnSlot& slot, uint64_t row, const PathValue& value) {
  slot.validity[row / 64] |= uint64_t{1} << (row % 64);
  const int64_t whole = value.whole;
  switch (slot.type) {
    case Physical::kBool:
    case Physical::kInt8:
    case Physical::kUint8:
      return PutNumber(slot, row, static_cast<int8_t>(whole));
    case Physical::kInt16:
    case Physical::kUint16:
      return PutNumber(slot, row, static_cast<int16_t>(whole));
    case Physical::kInt32:
    case Physical::kUint32:
    case Physical::kDate:
      return PutNumber(slot, row, static_cast<int32_t>(whole));
    case Physical::kFloat:
      return PutNumber(slot, row, static_cast<float>(value.real));
    case Physical::kDouble:
      return PutNumber(slot, row, value.real);
    case Physical::kText:
      return slot.put_text(slot.text_owner, row, value.text.data(), value.text.size());
    default:
      return PutNumber(slot, row, whole);
  }
}

class PathDecoder final : public Decoder {
 public:
  struct Place {
    size_t slot;      // among the projected
    size_t said;      // among PathValues::columns
    bool may_be_own;  // a record may have it
  };
  PathDecoder(std::shared_ptr<const PathValues> said, std::unique_ptr<Decoder> own,
              std::vector<size_t> own_slots, std::vector<Place> places)
      : said_(std::move(said)),
        own_(std::move(own)),
        own_slots_(std::move(own_slots)),
        places_(std::move(places)) {}

  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject& reject) override {
    std::vector<ColumnSlot> columns;
    for (const size_t slot : own_slots_) columns.push_back(slots.columns[slot]);
    const uint64_t rows = TRY(own_->Fill(
        block, at, {.columns = columns, .capacity = slots.capacity}, offsets, read, reject));
    const auto& values = said_->of.at(block.partition);
    for (const Place& place : places_) {
      ColumnSlot& slot = slots.columns[place.slot];
      const std::optional<PathValue>& value = values[place.said];
      for (uint64_t row = 0; row < rows; ++row) {
        const bool has = (slot.validity[row / 64] >> (row % 64) & 1) != 0;
        if (place.may_be_own && has) continue;
        if (value)
          Put(slot, row, *value);
        else
          slot.SetNull(row);
      }
    }
    return rows;
  }

 private:
  const std::shared_ptr<const PathValues> said_;
  const std::unique_ptr<Decoder> own_;
  const std::vector<size_t> own_slots_;
  const std::vector<Place> places_;
};

using Said = std::map<std::string, std::optional<std::string>>;

const std::optional<std::string>* SaidOf(const Said& said, const std::string& column) {
  for (const auto& [name, value] : said) {
    if (ToLower(name) == ToLower(column)) return &value;
  }
  return nullptr;
}

// The values of one column, each as its memory holds it.
Result<std::map<std::string, PathValue>> Convert(sql::Session& session, const Column& column,
                                                 const std::map<std::string, std::string>& files,
                                                 Physical physical) {
  std::map<std::string, PathValue> values;
  if (files.empty()) return values;
  const std::string number = NumberOf(physical, column.type);
  if (number.empty()) {
    return RejectedError(fmt::format(
        "column '{}' is {}, which no path of such files can say; declare it as varchar and cast it",
        column.name, column.type));
  }
  std::string texts;
  for (const auto& [text, file] : files)
    texts += fmt::format("{}({})", texts.empty() ? "" : ", ", QuoteLiteral(text));
  const sql::Rows rows =
      TRY(session.Query(fmt::format("SELECT v, {} FROM (VALUES {}) t(v)", number, texts)));
  for (const auto& row : rows.rows) {
    const std::string& text = row.at(0).text;
    if (row.at(1).null) {
      return RejectedError(fmt::format("'{}' says that column '{}' is '{}', which is no {}",
                                       files.at(text), column.name, EscapeControl(text),
                                       column.type));
    }
    values[text] = ValueOf(row.at(1).text, physical);
  }
  return values;
}

}  // namespace

Result<std::shared_ptr<const PathValues>> ReadPathValues(sql::Session& session,
                                                         const std::vector<ListedFile>& files,
                                                         const Schema& schema, const Schema& own,
                                                         Physical (*physical)(std::string_view)) {
  auto all = std::make_shared<PathValues>();
  std::vector<Said> said;
  for (const ListedFile& file : files) {
    said.push_back(HiveValues(file.partition));
    all->of[file.partition];
  }
  for (size_t i = 0; i < schema.size(); ++i) {
    const Column& column = schema[i];
    std::map<std::string, std::string> texts;  // value -> a file that says it
    bool any = false;
    for (size_t k = 0; k < files.size(); ++k) {
      const auto* value = SaidOf(said[k], column.name);
      any = any || value != nullptr;
      if (value != nullptr && *value) texts.emplace(**value, files[k].partition);
    }
    if (!any || Find(own, column.name)) continue;
    const auto values = TRY(Convert(session, column, texts, physical(column.type)));
    all->columns.push_back(i);
    for (size_t k = 0; k < files.size(); ++k) {
      const auto* value = SaidOf(said[k], column.name);
      all->of[files[k].partition].push_back(
          value != nullptr && *value ? std::optional<PathValue>(values.at(**value)) : std::nullopt);
    }
  }
  return std::shared_ptr<const PathValues>(std::move(all));
}

Schema WithoutPathValues(const Schema& schema, const PathValues& said) {
  Schema own;
  for (size_t i = 0; i < schema.size(); ++i) {
    if (std::find(said.columns.begin(), said.columns.end(), i) == said.columns.end())
      own.push_back(schema[i]);
  }
  return own;
}

std::unique_ptr<Decoder> MakePathDecoder(std::shared_ptr<const PathValues> said,
                                         const std::vector<uint64_t>& projected,
                                         const MakeDecoder& make, OwnDecoder own) {
  if (said->columns.empty()) return make(projected);
  std::vector<uint64_t> columns;  // for the files' own decoder
  std::vector<size_t> own_slots;
  std::vector<PathDecoder::Place> places;
  for (size_t slot = 0; slot < projected.size(); ++slot) {
    const auto found =
        std::lower_bound(said->columns.begin(), said->columns.end(), projected[slot]);
    const bool by_path = found != said->columns.end() && *found == projected[slot];
    const auto before = static_cast<uint64_t>(found - said->columns.begin());
    if (by_path) places.push_back({slot, before, own == OwnDecoder::kKnowsThem});
    if (by_path && own == OwnDecoder::kLacksThem) continue;
    columns.push_back(projected[slot] - (own == OwnDecoder::kLacksThem ? before : 0));
    own_slots.push_back(slot);
  }
  auto decoder = make(columns);
  return std::make_unique<PathDecoder>(std::move(said), std::move(decoder), std::move(own_slots),
                                       std::move(places));
}

}  // namespace sluice
