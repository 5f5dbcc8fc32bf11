// What is at the other end of a connection: for `sluice discover`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

struct FoundColumn {
  std::string name, shown;  // shown: its type, as the system says it
  std::string type;         // as an extract reads it; empty: it is not mapped, or not known yet
};

struct FoundTable {
  std::string schema, name, kind;  // kind: "table", "view", "file"
  std::string written;             // as `table:` or `path:` of an extract names it
  std::vector<FoundColumn> columns;
  std::vector<std::string> key;  // its primary key
  std::optional<int64_t> rows;   // the system's own estimate
  std::optional<uint64_t> bytes;
};

}  // namespace sluice
