// What a `mysql` connection in sluice.yml says. Every key is known here and nothing else reaches
// the client library: no my.cnf, no variables of the environment.
#pragma once

#include <chrono>
#include <string>

#include "connector/registry.h"
#include "spec/field.h"

namespace sluice::mysql {

struct Settings {
  Written host{.text = "localhost", .mark = {}, .quoted = false};
  int64_t port = 3306;
  Written database, user, password;
  std::string tls = "prefer";
  std::string tls_root;  // file of the authorities that `verify` trusts
  std::chrono::microseconds connect_timeout{std::chrono::seconds(10)};
  std::chrono::microseconds statement_timeout{0};  // 0: none
  int64_t readers = 2;                             // connections that read one range at a time
  std::string zero_dates = "reject";

  std::string Shown() const;  // "shop at localhost:3306": for messages, without user and password
};

Spec<Settings> SettingsSpec();
// kConfig with places. No I/O.
Result<Settings> ReadSettings(const Node* connection);

}  // namespace sluice::mysql
