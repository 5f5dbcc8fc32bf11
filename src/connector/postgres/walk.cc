// See walk.h.
#include "connector/postgres/walk.h"

#include <fmt/format.h>

#include "base/text.h"
#include "connector/position.h"

namespace sluice::postgres {
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

std::vector<std::string> SplitKeys(const Walk& walk, const Cut& cut, int64_t readers) {
  const bool number =
      walk.columns.size() == 1 && (walk.types[0] == "bigint" || walk.types[0] == "integer");
  return number ? SplitNumbers(QuoteIdentifier(walk.columns[0]), cut, readers)
                : std::vector<std::string>();
}

}  // namespace sluice::postgres
