// The connector `duckdb`: connection { type: duckdb, path }.
#pragma once

#include "connector/registry.h"

namespace sluice {

Connector DuckdbConnector();

}  // namespace sluice
