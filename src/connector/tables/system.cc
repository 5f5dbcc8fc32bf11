// What all systems do alike.
#include "connector/tables/system.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "connector/duckdb/target.h"

namespace sluice::tables {

const TableColumn* Target::Find(std::string_view column) const {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const TableColumn& one) {
    return ToLower(one.name) == ToLower(column);
  });
  return found == columns.end() ? nullptr : &*found;
}

bool Target::HasUniqueKey(const std::vector<std::string>& key) const {
  std::set<std::string> wanted;
  for (const std::string& column : key) {
    const TableColumn* found = Find(column);
    wanted.insert(found == nullptr ? column : found->name);
  }
  return std::find(unique.begin(), unique.end(), wanted) != unique.end();
}

std::string System::ValueText(const sql::Bound& value) const {
  if (!value.text) return "NULL";
  if (value.type == "BOOLEAN") return ToLower(*value.text) == "true" ? "1" : "0";
  const bool number = duckdb::Widens(value.type, "HUGEINT") || value.type == "DOUBLE" ||
                      value.type == "FLOAT" || StartsWith(value.type, "DECIMAL(");
  const bool digits =
      !value.text->empty() && value.text->find_first_not_of("0123456789+-.eE") == std::string::npos;
  return number && digits ? *value.text : Literal(*value.text);
}

std::string System::Quoted(const TableName& table) const {
  return Quote(table.schema) + "." + Quote(table.name);
}

std::string System::QuoteAll(const std::vector<std::string>& names, std::string_view prefix) const {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(std::string(prefix) + Quote(name));
  return Join(quoted, ", ");
}

Result<int64_t> QueryNumber(Link& link, const std::string& text, std::stop_token stop) {
  const Answer answer = TRY(link.Run(text, std::move(stop)));
  if (answer.rows.empty() || answer.rows[0].empty() || !answer.rows[0][0]) return int64_t{0};
  const std::string& number = *answer.rows[0][0];
  int64_t value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value;
}

}  // namespace sluice::tables
