// See declared_type.h.
#include "connector/declared_type.h"

#include <array>
#include <cctype>
#include <utility>

#include "base/text.h"
#include "data/schema.h"

namespace sluice {

std::string CanonicalType(const std::string& type) {
  std::string upper;
  for (const char c : Trim(type)) upper += static_cast<char>(std::toupper(c));
  constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kAliases{
      {{"BOOL", "BOOLEAN"},
       {"INT", "INTEGER"},
       {"INT2", "SMALLINT"},
       {"INT4", "INTEGER"},
       {"INT8", "BIGINT"},
       {"LONG", "BIGINT"},
       {"REAL", "FLOAT"},
       {"FLOAT4", "FLOAT"},
       {"FLOAT8", "DOUBLE"},
       {"TEXT", "VARCHAR"},
       {"STRING", "VARCHAR"},
       {"DOUBLE PRECISION", "DOUBLE"},
       {"DATETIME", "TIMESTAMP"},
       {"TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"},
       {"NUMERIC", "DECIMAL(18,3)"},
       {"DECIMAL", "DECIMAL(18,3)"}}};
  for (const auto& [alias, name] : kAliases) {
    if (upper == alias) return std::string(name);
  }
  if (StartsWith(upper, "NUMERIC(")) upper = "DECIMAL" + upper.substr(7);
  std::erase(upper, ReadDecimal(upper) ? ' ' : '\0');
  return upper;
}

}  // namespace sluice
