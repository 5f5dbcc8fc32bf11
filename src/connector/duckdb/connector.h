// The connector `duckdb`: connection { type: duckdb, path }.
#pragma once

#include "connector/registry.h"

namespace sluice {

Connector DuckdbConnector();
// The file that a connection of that type names; `folder` is the project's.
Result<DuckdbFile> DuckdbFileOf(const Node& connection, const std::string& folder);

}  // namespace sluice
