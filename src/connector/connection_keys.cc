// See connection_keys.h.
#include "connector/connection_keys.h"

#include <fmt/format.h>

#include "base/secrets.h"

namespace sluice {

Node WithoutType(const Node& connection) {
  Node rest = connection;
  std::erase_if(rest.map, [](const Node::Entry& entry) { return entry.key.scalar == "type"; });
  return rest;
}

const Mark& PlaceOf(const Node& connection, std::string_view key) {
  const Node* node = connection.Find(key);
  return node == nullptr ? connection.mark : node->mark;
}

Status CheckPassword(const Node& connection, const Written& password) {
  if (password.empty() || ReadReference(password.text)) return Ok();
  return ConfigError(PlaceOf(connection, "password"),
                     "a password is never written here: write a reference, as env:NAME (a "
                     "variable), file:PATH (a file) or secret:NAME (the encrypted store)");
}

Status CheckPort(const Node& connection, int64_t port, int64_t standard) {
  if (port >= 1 && port <= 65535) return Ok();
  return ConfigError(
      PlaceOf(connection, "port"),
      fmt::format("port {} is none; valid: 1 to 65535; standard is {}", port, standard));
}

Status CheckReaders(const Node& connection, int64_t readers) {
  if (readers >= 1 && readers <= 64) return Ok();
  return ConfigError(PlaceOf(connection, "readers"),
                     fmt::format("readers: {} is out of range; valid: 1 to 64", readers));
}

}  // namespace sluice
