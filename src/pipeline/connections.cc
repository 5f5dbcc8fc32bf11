// See connections.h.
#include "pipeline/connections.h"

#include <fmt/format.h>

#include "base/text.h"
#include "pipeline/reserved.h"

namespace sluice {

Result<const Connector*> ConnectorOf(const Connection& connection, const Connectors& connectors) {
  const Connector* connector = Find(connectors, connection.type);
  if (connector != nullptr && !connector->built_in) {
    if (connector->check) TRY(connector->check(connection.node));
    return connector;
  }
  const Node* type = connection.node.Find("type");
  const Mark mark = type != nullptr ? type->mark : connection.node.mark;
  if (const Reserved* reserved = FindReserved(ReservedConnections(), connection.type)) {
    return ConfigError(mark,
                       fmt::format("connections of type '{}' are not built yet: they come with {}",
                                   connection.type, reserved->comes_with));
  }
  if (connector != nullptr) {
    return ConfigError(mark, fmt::format("'{}' needs no connection: name it in from or into as it "
                                         "is",
                                         connection.type));
  }
  std::vector<std::string> types;
  for (const Connector& one : connectors) {
    if (!one.built_in) types.push_back(one.type);
  }
  std::string message = fmt::format("connection '{}' has the unknown type '{}'", connection.name,
                                    EscapeControl(connection.type));
  if (connection.type == "mariadb")
    message += "; MariaDB is reached as type: mysql";
  else if (const auto nearest = Nearest(connection.type, types))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else
    message += fmt::format("; types: {}", Join(types, ", "));
  return ConfigError(mark, std::move(message));
}

}  // namespace sluice
