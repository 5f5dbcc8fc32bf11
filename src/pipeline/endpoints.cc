// The connector behind a name in `from`, `into` or `in`.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/connections.h"
#include "pipeline/planner.h"
#include "pipeline/reserved.h"

namespace sluice {

Result<Endpoint> FindEndpoint(const Planning& planning, const Written& name) {
  if (const auto found = planning.project.connections.find(name.text);
      found != planning.project.connections.end()) {
    const Connection& connection = found->second;
    const Connector* connector = TRY(ConnectorOf(connection, planning.connectors));
    return Endpoint{connection.name, connector, &connection.node};
  }
  const Connector* built_in = Find(planning.connectors, name.text);
  if (built_in != nullptr && built_in->built_in) return Endpoint{name.text, built_in, nullptr};
  if (const Reserved* reserved = FindReserved(ReservedConnections(), name.text);
      reserved != nullptr && built_in == nullptr) {
    return ConfigError(name.mark, fmt::format("'{}' is not built yet: comes with {}", name.text,
                                              reserved->comes_with));
  }
  std::vector<std::string> known;
  for (const auto& [connection, facts] : planning.project.connections) known.push_back(connection);
  for (const Connector& one : planning.connectors) {
    if (one.built_in) known.push_back(one.type);
  }
  std::string message = fmt::format("no connection is called '{}'", EscapeControl(name.text));
  if (const auto nearest = Nearest(name.text, known))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else if (std::any_of(planning.file.steps.begin(), planning.file.steps.end(),
                       [&](const StepNode& s) { return s.name == name.text; }))
    message += "; it is a step: say `from:` beside the verb, not inside it";
  else
    message += fmt::format("; there are: {}", Join(known, ", "));
  return ConfigError(name.mark, std::move(message));
}

Status CheckEndpointKeys(const Node& body, const Endpoint& endpoint,
                         const std::vector<std::string>& common,
                         std::vector<std::string> Connector::*keys, const Connectors& connectors) {
  const auto has = [](const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  for (const auto& [key, value] : body.map) {
    if (has(common, key.scalar) || has(endpoint.connector->*keys, key.scalar)) continue;
    std::vector<std::string> owners;
    for (const Connector& one : connectors) {
      if (has(one.*keys, key.scalar)) owners.push_back(one.type);
    }
    std::string message =
        fmt::format("key '{}' is not for {}", EscapeControl(key.scalar), endpoint.connector->type);
    if (!owners.empty()) message += fmt::format(" but for {}", Join(owners, ", "));
    return ConfigError(key.mark, message + fmt::format("; {} takes: {}", endpoint.connector->type,
                                                       Join(endpoint.connector->*keys, ", ")));
  }
  return Ok();
}

}  // namespace sluice
