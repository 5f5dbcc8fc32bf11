// See settings.h.
#include "connector/mysql/settings.h"

#include <fmt/format.h>

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
        fmt::format("port {} is none; valid: 1 to 65535; standard is 3306", settings.port));
  }
  if (settings.readers < 1 || settings.readers > 64) {
    return ConfigError(at("readers"), fmt::format("readers: {} is out of range; valid: 1 to 64",
                                                  settings.readers));
  }
  if (settings.tls == "verify" && settings.tls_root.empty()) {
    return ConfigError(at("tls"),
                       "tls: verify needs 'tls_root', the file of the authorities to trust");
  }
  return settings;
}

}  // namespace sluice::mysql
