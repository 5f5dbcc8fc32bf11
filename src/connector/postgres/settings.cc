// See settings.h.
#include "connector/postgres/settings.h"

#include <fmt/format.h>

#include "connector/connection_keys.h"

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
  Settings settings = TRY(SettingsSpec().Bind(WithoutType(*connection)));
  TRY(CheckPassword(*connection, settings.password));
  TRY(CheckPort(*connection, settings.port, 5432));
  TRY(CheckReaders(*connection, settings.readers));
  if (settings.schema.empty())
    return ConfigError(PlaceOf(*connection, "schema"),
                       "the 'schema' of a postgres connection is empty; leave it out "
                       "for public");
  return settings;
}

}  // namespace sluice::postgres
