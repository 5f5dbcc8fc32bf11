// See settings.h.
#include "connector/sqlite/settings.h"

#include "connector/connection_keys.h"

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
  Settings settings = TRY(SettingsSpec().Bind(WithoutType(*connection)));
  if (settings.path.empty() || settings.path == ":memory:")
    return ConfigError(connection->mark,
                       "the 'path' of a sqlite connection is no file; name a file");
  return settings;
}

}  // namespace sluice::sqlite
