// The connector `sqlite`: connection { type: sqlite, path }.
#pragma once

#include "connector/registry.h"

namespace sluice {

Connector SqliteConnector();

}  // namespace sluice
