// See settings.h.
#include "connector/sqlite/settings.h"

namespace sluice::sqlite {

Spec<Settings> SettingsSpec() {
  return Spec<Settings>("sqlite", "Tables of an SQLite file.")
      .Main("path")
      .Text(&Settings::path, "path", "The file; created by the first load.", Need::kRequired)
      .Duration(&Settings::wait, "wait",
                "How long to wait for another program that holds the file.");
}

Result<Settings> ReadSettings(const Node* connection) {
  if (connection == nullptr)
    return ConfigError({}, "sqlite needs a connection: { type: sqlite, path: shop.db }");
  Node rest = *connection;
  std::erase_if(rest.map, [](const Node::Entry& entry) { return entry.key.scalar == "type"; });
  Settings settings = TRY(SettingsSpec().Bind(rest));
  if (settings.path.empty() || settings.path == ":memory:")
    return ConfigError(connection->mark,
                       "the 'path' of a sqlite connection is no file; name a file");
  return settings;
}

}  // namespace sluice::sqlite
