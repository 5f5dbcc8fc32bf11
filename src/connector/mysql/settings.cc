// See settings.h.
#include "connector/mysql/settings.h"

#include <fmt/format.h>

#include "connector/connection_keys.h"

namespace sluice::mysql {

std::string Settings::Shown() const {
  return fmt::format("{} at {}:{}", database.text, host.text, port);
}

Spec<Settings> SettingsSpec() {
  return Spec<Settings>("mysql", "Tables of a MySQL or MariaDB database.")
      .TextSlot(&Settings::host, "host", "Host name, address, or path of the server's socket.")
      .Integer(&Settings::port, "port", "Port of the server.")
      .TextSlot(&Settings::database, "database",
                "The database: of tables that are named without one, and of the epoch records.",
                Need::kRequired)
      .TextSlot(&Settings::user, "user", "The account.", Need::kRequired)
      .SecretSlot(&Settings::password, "password",
                  "A reference: `secret:NAME`, `env:NAME` or `file:PATH`.")
      .Choice(&Settings::tls, "tls", "How the connection is encrypted; `verify` checks the name.",
              {"off", "prefer", "require", "verify"})
      .Text(&Settings::tls_root, "tls_root", "File of the authorities that `verify` trusts.")
      .Duration(&Settings::connect_timeout, "connect_timeout", "How long to wait for the server.")
      .Duration(&Settings::statement_timeout, "statement_timeout",
                "How long one statement may run.")
      .Integer(&Settings::readers, "readers", "Connections that read one range at a time.")
      .Choice(&Settings::zero_dates, "zero_dates",
              "What a date like 0000-00-00 is: a bad row, or NULL.", {"reject", "as_null"});
}

Result<Settings> ReadSettings(const Node* connection) {
  if (connection == nullptr) {
    return ConfigError({},
                       "mysql needs a connection: { type: mysql, host: localhost, database: shop, "
                       "user: shop, password: env:SHOP_PASSWORD }");
  }
  Settings settings = TRY(SettingsSpec().Bind(WithoutType(*connection)));
  TRY(CheckPassword(*connection, settings.password));
  TRY(CheckPort(*connection, settings.port, 3306));
  TRY(CheckReaders(*connection, settings.readers));
  if (settings.tls == "verify" && settings.tls_root.empty()) {
    return ConfigError(PlaceOf(*connection, "tls"),
                       "tls: verify needs 'tls_root', the file of the authorities to trust");
  }
  return settings;
}

}  // namespace sluice::mysql
