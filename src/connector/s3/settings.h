// What an `s3` connection in sluice.yml says. Nothing else reaches the requests: no variables, no
// profile, no metadata service.
#pragma once

#include <chrono>
#include <string>

#include "connector/registry.h"
#include "spec/field.h"

namespace sluice::s3 {

struct Settings {
  Written endpoint;  // https://host[:port]; empty: AWS in the region
  std::string region = "us-east-1";
  Written bucket, access_key, secret_key, session_token;
  std::string style = "auto";
  int64_t readers = 4;                 // requests at once
  uint64_t spool = uint64_t{8} << 30;  // bytes of local copies at once
  int64_t attempts = 5;                // of one request
  std::chrono::microseconds connect_timeout{std::chrono::seconds(10)};
  std::chrono::microseconds timeout{std::chrono::seconds(60)};  // without a byte
  std::string tls_root;

  // Where requests go, from the above.
  std::string scheme = "https", host;  // of requests: with the bucket where the style is virtual
  std::string base;                    // path before the key: "/" or "/bucket/"

  std::string Shown() const;  // "s3://lake at 127.0.0.1:9000": for messages
};

Spec<Settings> SettingsSpec();
// Where local copies of a project's objects lie.
std::string SpoolRoot(const ConnectorContext& context);
// kConfig with places. No I/O.
Result<Settings> ReadSettings(const Node* connection);

}  // namespace sluice::s3
