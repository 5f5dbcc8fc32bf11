// The connector `mysql`: connection { type: mysql, host, database, user, password }.
#pragma once

#include "connector/registry.h"

namespace sluice {

Connector MysqlConnector();

}  // namespace sluice
