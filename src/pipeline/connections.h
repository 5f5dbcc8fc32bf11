// What stands behind a connection of sluice.yml: the same refusals wherever it is used, checked or
// tried.
#pragma once

#include "connector/registry.h"
#include "pipeline/project.h"

namespace sluice {

// Refuses a type that is unknown, reserved or needs no connection, and keys that are not its own.
Result<const Connector*> ConnectorOf(const Connection& connection, const Connectors& connectors);

}  // namespace sluice
