// See walk.h.
#include "connector/postgres/walk.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice::postgres {
namespace {

constexpr int64_t kWorthSplitting = 200'000;  // keys of a range that several readers share
constexpr int64_t kPiecesPerReader = 4;

std::optional<int64_t> WholeNumber(const std::string& text) {
  int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string Walk::Columns() const {
  std::vector<std::string> quoted;
  for (const std::string& column : columns) quoted.push_back(QuoteIdentifier(column));
  return "(" + Join(quoted, ", ") + ")";
}

std::string Walk::OrderBy(std::string_view direction) const {
  std::vector<std::string> order;
  for (const std::string& column : columns)
    order.push_back(QuoteIdentifier(column) + std::string(direction));
  return Join(order, ", ");
}

std::string Walk::Texts() const {
  std::vector<std::string> texts;
  // Named otherwise: ORDER BY "id" would mean the text.
  for (const std::string& column : columns)
    texts.push_back(fmt::format("{}::text AS _sluice_{}", QuoteIdentifier(column), texts.size()));
  return Join(texts, ", ");
}

std::string Walk::Tuple(const std::vector<std::string>& values) const {
  std::vector<std::string> texts;
  for (size_t i = 0; i < columns.size(); ++i) {
    texts.push_back(
        fmt::format("CAST({} AS {})", QuoteLiteral(i < values.size() ? values[i] : ""), types[i]));
  }
  return "(" + Join(texts, ", ") + ")";
}

Result<std::vector<std::string>> ReadPosition(const std::string& text) {
  const Json json = TRY(ParseJson(text));
  std::vector<std::string> values;
  for (const Json& value : json)
    values.push_back(value.is_string() ? value.get<std::string>() : "");
  return values;
}

std::string PositionText(const std::vector<Value>& values) {
  Json json = Json::array();
  for (const Value& value : values) json.push_back(value.value_or(""));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> SplitKeys(const Walk& walk, const Cut& cut, int64_t readers) {
  std::vector<std::string> pieces;
  const bool number =
      walk.columns.size() == 1 && (walk.types[0] == "bigint" || walk.types[0] == "integer");
  const auto to = ReadPosition(cut.to);
  const auto from = ReadPosition(cut.from.empty() ? "[\"0\"]" : cut.from);
  if (!number || readers < 2 || !to.ok() || !from.ok()) return pieces;
  const auto first = WholeNumber(from->at(0)), last = WholeNumber(to->at(0));
  if (!first || !last || *first < 0 || *last - *first < kWorthSplitting) return pieces;
  const int64_t count = readers * kPiecesPerReader;
  const std::string name = QuoteIdentifier(walk.columns[0]);
  int64_t begin = *first;
  for (int64_t i = 1; i <= count; ++i) {
    const int64_t end = i == count ? *last : *first + (*last - *first) / count * i;
    const std::string upper = fmt::format("{} <= {}", name, end);
    // The first of all begins wherever the keys do.
    const bool open = i == 1 && cut.from.empty();
    pieces.push_back(open ? upper : fmt::format("{} > {} AND {}", name, begin, upper));
    begin = end;
  }
  return pieces;
}

}  // namespace sluice::postgres
