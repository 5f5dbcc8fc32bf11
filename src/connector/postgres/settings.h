// What a `postgres` connection in sluice.yml says. Every key is known here and nothing else reaches
// libpq: no service file, no password file, no `options`.
#pragma once

#include <chrono>
#include <string>

#include "connector/registry.h"
#include "spec/field.h"

namespace sluice::postgres {

struct Settings {
  Written host{.text = "localhost", .mark = {}, .quoted = false};
  int64_t port = 5432;
  Written database, user, password;
  std::string schema = "public";  // of tables that are named without one, and of our records
  std::string tls = "prefer";
  std::string tls_root;  // file of the authorities that `verify` trusts
  std::chrono::microseconds connect_timeout{std::chrono::seconds(10)};
  std::chrono::microseconds statement_timeout{0};  // 0: none
  int64_t readers = 2;                             // connections that read one range at a time

  std::string Shown() const;  // "shop at localhost:5432": for messages, without user and password
};

Spec<Settings> SettingsSpec();
// kConfig with places. No I/O.
Result<Settings> ReadSettings(const Node* connection);

}  // namespace sluice::postgres
