// See walk.h.
#include "connector/tables/walk.h"

#include <fmt/format.h>

#include "base/text.h"
#include "connector/position.h"

namespace sluice::tables {
std::vector<std::string> Walk::Names() const {
  std::vector<std::string> names;
  for (const TableColumn& column : columns) names.push_back(column.name);
  return names;
}

std::string Walk::Texts() const {
  std::vector<std::string> texts;
  // Named otherwise: ORDER BY "id" would mean the text.
  for (const TableColumn& column : columns)
    texts.push_back(fmt::format("{} AS _sluice_{}", system->PositionOf(column), texts.size()));
  return Join(texts, ", ");
}

std::string Walk::OrderBy(std::string_view direction) const {
  std::vector<std::string> order;
  for (const TableColumn& column : columns)
    order.push_back(system->Quote(column.name) + std::string(direction));
  return Join(order, ", ");
}

Result<std::vector<std::string>> Walk::Literals(const std::string& position) const {
  const auto values = TRY(ReadPosition(position));
  if (values.size() != columns.size())
    return InternalError("the position '" + EscapeControl(position) + "' is of another walk");
  std::vector<std::string> literals;
  for (size_t i = 0; i < columns.size(); ++i)
    literals.push_back(TRY(system->FromPosition(columns[i], values[i])));
  return literals;
}

Result<std::string> Walk::Beyond(const std::string& position) const {
  const auto literals = TRY(Literals(position));
  std::string text;
  for (size_t i = columns.size(); i-- > 0;) {
    const std::string name = system->Quote(columns[i].name);
    text = text.empty()
               ? fmt::format("{} > {}", name, literals[i])
               : fmt::format("{0} > {1} OR ({0} = {1} AND ({2}))", name, literals[i], text);
  }
  return text;
}

Result<std::string> Walk::UpTo(const std::string& position) const {
  const auto literals = TRY(Literals(position));
  std::string text;
  for (size_t i = columns.size(); i-- > 0;) {
    const std::string name = system->Quote(columns[i].name);
    text = text.empty()
               ? fmt::format("{} <= {}", name, literals[i])
               : fmt::format("{0} < {1} OR ({0} = {1} AND ({2}))", name, literals[i], text);
  }
  return text;
}

bool Walk::IsOneNumber() const {
  return columns.size() == 1 && (columns[0].type == "BIGINT" || columns[0].type == "INTEGER" ||
                                 columns[0].type == "UINTEGER" || columns[0].type == "UBIGINT");
}

std::vector<std::string> Walk::Split(const Cut& cut, int64_t readers) const {
  return IsOneNumber() ? SplitNumbers(system->Quote(columns[0].name), cut, readers)
                       : std::vector<std::string>();
}

}  // namespace sluice::tables
