// See settings.h.
#include "connector/postgres/settings.h"

#include <fmt/format.h>

namespace sluice::postgres {

std::string Settings::Shown() const {
  return fmt::format("{} at {}:{}", database.text, host.text, port);
}

Spec<Settings> SettingsSpec() {
  return Spec<Settings>("postgres", "Tables of a PostgreSQL database.")
      .TextSlot(&Settings::host, "host", "Host name, address, or folder of the server's socket.")
      .Integer(&Settings::port, "port", "Port of the server.")
      .TextSlot(&Settings::database, "database", "The database.", Need::kRequired)
      .TextSlot(&Settings::user, "user", "The role.", Need::kRequired)
      .SecretSlot(&Settings::password, "password",
                  "A reference: `secret:NAME`, `env:NAME` or `file:PATH`.")
      .Text(&Settings::schema, "schema",
            "Schema of tables that are named without one, and of the epoch records.")
      .Choice(&Settings::tls, "tls", "How the connection is encrypted; `verify` checks the name.",
              {"off", "prefer", "require", "verify-ca", "verify"})
      .Text(&Settings::tls_root, "tls_root", "File of the authorities that `verify` trusts.")
      .Duration(&Settings::connect_timeout, "connect_timeout", "How long to wait for the server.")
      .Duration(&Settings::statement_timeout, "statement_timeout",
                "How long one statement may run.")
      .Integer(&Settings::readers, "readers", "Connections that read one range at a time.");
}

Result<Settings> ReadSettings(const Node* connection) {
  if (connection == nullptr) {
    return ConfigError({},
                       "postgres needs a connection: { type: postgres, host: localhost, "
                       "database: shop, user: shop, password: env:SHOP_PASSWORD }");
  }
  Node rest = *connection;
  std::erase_if(rest.map, [](const Node::Entry& entry) { return entry.key.scalar == "type"; });
  Settings settings = TRY(SettingsSpec().Bind(rest));
  const auto at = [&](std::string_view key) {
    const Node* node = connection->Find(key);
    return node == nullptr ? connection->mark : node->mark;
  };
  if (!settings.password.empty() && !ReadReference(settings.password.text)) {
    return ConfigError(at("password"),
                       "a password is never written here: write a reference, as env:NAME (a "
                       "variable), file:PATH (a file) or secret:NAME (the encrypted store)");
  }
  if (settings.port < 1 || settings.port > 65535) {
    return ConfigError(
        at("port"),
        fmt::format("port {} is none; valid: 1 to 65535; standard is 5432", settings.port));
  }
  if (settings.readers < 1 || settings.readers > 64) {
    return ConfigError(at("readers"), fmt::format("readers: {} is out of range; valid: 1 to 64",
                                                  settings.readers));
  }
  if (settings.schema.empty())
    return ConfigError(at("schema"),
                       "the 'schema' of a postgres connection is empty; leave it out "
                       "for public");
  return settings;
}

}  // namespace sluice::postgres
