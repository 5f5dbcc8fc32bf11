// See table_name.h.
#include "connector/table_name.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"

namespace sluice {
namespace {

// `a."b.c".d` -> a, b.c, d; empty where a quote stays open or a part is empty.
std::vector<std::string> SplitName(std::string_view text) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (quoted && i + 1 < text.size() && text[i + 1] == '"') {
        parts.back() += text[i++];
      } else {
        quoted = !quoted;
      }
    } else if (text[i] == '.' && !quoted) {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  for (const std::string& part : parts) {
    if (part.empty()) return {};
  }
  return quoted ? std::vector<std::string>{} : parts;
}

}  // namespace

Result<TableName> ParseTableName(std::string_view text, std::string_view standard_schema) {
  const std::vector<std::string> parts = SplitName(text);
  if (parts.empty() || parts.size() > 2) {
    return ConfigError({},
                       fmt::format("'{}' is not the name of a table; write 'name' or 'schema.name'",
                                   EscapeControl(text)));
  }
  TableName table{.schema = std::string(standard_schema), .name = parts.back()};
  if (parts.size() == 2) table.schema = parts[0];
  if (StartsWith(ToLower(table.schema), "_sluice") || StartsWith(ToLower(table.name), "_sluice")) {
    return ConfigError(
        {}, fmt::format("'{}': names that begin with _sluice are reserved", EscapeControl(text)));
  }
  return table;
}

std::string WriteTableName(const TableName& table, std::string_view standard_schema) {
  const auto part = [](const std::string& name) {
    const bool plain = name.find_first_of(".\"") == std::string::npos;
    return plain ? name : QuoteIdentifier(name);
  };
  if (table.schema == standard_schema) return part(table.name);
  return part(table.schema) + "." + part(table.name);
}

}  // namespace sluice
