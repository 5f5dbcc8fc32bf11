// How a user names a table of a database.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice {

struct TableName {
  std::string schema = "main";
  std::string name;

  auto operator<=>(const TableName&) const = default;
};

// "orders", "shop.orders", "\"odd name\".t". kConfig for another shape and for names that are ours
// (_sluice…).
Result<TableName> ParseTableName(std::string_view text, std::string_view standard_schema);

// The text that ParseTableName reads as these.
std::string WriteTableName(const TableName& table, std::string_view standard_schema);

}  // namespace sluice
