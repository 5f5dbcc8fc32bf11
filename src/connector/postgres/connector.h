// The entry of `postgres` in the table of contents.
#pragma once

#include "connector/registry.h"

namespace sluice {

Connector PostgresConnector();

}  // namespace sluice
