// See position.h.
#include "connector/position.h"

#include <fmt/format.h>

#include <charconv>

#include "base/json_full.h"

namespace sluice {
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

Result<std::vector<std::string>> ReadPosition(const std::string& text) {
  const Json json = TRY(ParseJson(text));
  std::vector<std::string> values;
  for (const Json& value : json)
    values.push_back(value.is_string() ? value.get<std::string>() : "");
  return values;
}

std::string PositionText(const std::vector<std::optional<std::string>>& values) {
  Json json = Json::array();
  for (const auto& value : values) json.push_back(value.value_or(""));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> SplitNumbers(const std::string& quoted, const Cut& cut, int64_t readers) {
  std::vector<std::string> pieces;
  const auto to = ReadPosition(cut.to);
  const auto from = ReadPosition(cut.from.empty() ? "[\"0\"]" : cut.from);
  if (readers < 2 || !to.ok() || !from.ok() || to->empty() || from->empty()) return pieces;
  const auto first = WholeNumber(from->at(0)), last = WholeNumber(to->at(0));
  if (!first || !last || *first < 0 || *last - *first < kWorthSplitting) return pieces;
  const int64_t count = readers * kPiecesPerReader;
  int64_t begin = *first;
  for (int64_t i = 1; i <= count; ++i) {
    const int64_t end = i == count ? *last : *first + (*last - *first) / count * i;
    const std::string upper = fmt::format("{} <= {}", quoted, end);
    // The first of all begins wherever the keys do.
    const bool open = i == 1 && cut.from.empty();
    pieces.push_back(open ? upper : fmt::format("{} > {} AND {}", quoted, begin, upper));
    begin = end;
  }
  return pieces;
}

}  // namespace sluice
