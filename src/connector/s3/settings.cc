// See settings.h.
#include "connector/s3/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "connector/connection_keys.h"

namespace sluice::s3 {
namespace {

using Where = std::function<const Mark&(std::string_view key)>;

bool IsHost(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-._:[]").find(c) != std::string_view::npos;
  });
}

// S3's own rules, which also keep a name from being more than a part of a host or a path.
bool IsBucket(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 &&
         std::all_of(name.begin(), name.end(),
                     [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                              c == '.' || c == '_' || (c >= 'A' && c <= 'Z');
                     }) &&
         name.find("..") == std::string_view::npos;
}

Status CheckEndpoint(Settings& settings, const Where& at) {
  std::string host = settings.endpoint.text;
  if (host.empty()) {
    host = fmt::format("s3.{}.amazonaws.com", settings.region);
  } else if (StartsWith(host, "http://")) {
    settings.scheme = "http";
    host = host.substr(7);
  } else if (StartsWith(host, "https://")) {
    host = host.substr(8);
  } else {
    host.clear();
  }
  while (EndsWith(host, "/")) host.pop_back();
  if (!IsHost(host)) {
    return ConfigError(at("endpoint"),
                       fmt::format("endpoint '{}' is none; write it as https://HOST or "
                                   "http://HOST:PORT, without a path",
                                   EscapeControl(settings.endpoint.text)));
  }
  // Servers of one's own rarely have names for their buckets.
  const bool in_host =
      settings.style == "virtual" || (settings.style == "auto" && settings.endpoint.empty());
  settings.host = in_host ? settings.bucket.text + "." + host : host;
  settings.base = in_host ? "/" : "/" + settings.bucket.text + "/";
  return Ok();
}

Status CheckCredentials(const Settings& settings, const Where& at) {
  for (const auto& [key, value] : {std::pair("secret_key", &settings.secret_key),
                                   {"session_token", &settings.session_token}}) {
    if (value->empty() || ReadReference(value->text)) continue;
    return ConfigError(at(key), fmt::format("a {} is never written here: write a reference, as "
                                            "env:NAME (a variable), file:PATH (a file) or "
                                            "secret:NAME (the encrypted store)",
                                            key));
  }
  if (settings.access_key.empty() == settings.secret_key.empty()) return Ok();
  return ConfigError(at(settings.access_key.empty() ? "secret_key" : "access_key"),
                     "access_key and secret_key belong together; without both requests are not "
                     "signed, as public buckets allow");
}

Status CheckNumbers(const Settings& settings, const Where& at) {
  if (settings.attempts < 1 || settings.attempts > 20) {
    return ConfigError(at("attempts"), fmt::format("attempts: {} is out of range; valid: 1 to 20",
                                                   settings.attempts));
  }
  if (settings.spool < (uint64_t{1} << 20))
    return ConfigError(at("spool"), "spool is less than 1 MiB; it must hold the largest object");
  return Ok();
}

}  // namespace

std::string Settings::Shown() const { return fmt::format("s3://{} at {}", bucket.text, host); }

std::string SpoolRoot(const ConnectorContext& context) {
  return JoinPath(context.folder, ".sluice/spool");
}

Spec<Settings> SettingsSpec() {
  return Spec<Settings>("s3", "Objects of a bucket, at AWS or at a server that speaks like it.")
      .TextSlot(&Settings::endpoint, "endpoint",
                "Where the server is, as https://HOST:PORT; without it AWS in the region.")
      .Text(&Settings::region, "region", "The region that requests are signed for.")
      .TextSlot(&Settings::bucket, "bucket", "The bucket.", Need::kRequired)
      .TextSlot(&Settings::access_key, "access_key",
                "The id of the key; without it requests are not signed.")
      .SecretSlot(&Settings::secret_key, "secret_key",
                  "A reference: `secret:NAME`, `env:NAME` or `file:PATH`.")
      .SecretSlot(&Settings::session_token, "session_token",
                  "Of temporary credentials; a reference as above.")
      .Choice(&Settings::style, "style",
              "Where the bucket's name goes: into the path or before the host (virtual); auto is "
              "path where there is an endpoint.",
              {"auto", "path", "virtual"})
      .Integer(&Settings::readers, "readers", "Requests at once.")
      .Read("spool", "How much is copied to this machine at once; must hold the largest object.",
            Slot::kBytes, "size",
            [](Settings& settings, const Node& node, const std::string& field) -> Status {
              settings.spool = TRY(ReadBytes(node, field));
              return Ok();
            })
      .Integer(&Settings::attempts, "attempts", "Tries of one request, the first one counted.")
      .Duration(&Settings::connect_timeout, "connect_timeout", "How long to wait for the server.")
      .Duration(&Settings::timeout, "timeout", "How long a request may go without a byte.")
      .Text(&Settings::tls_root, "tls_root",
            "File of the authorities that TLS trusts; without it the system's.");
}

Result<Settings> ReadSettings(const Node* connection) {
  if (connection == nullptr) {
    return ConfigError({},
                       "s3 needs a connection: { type: s3, bucket: lake, region: eu-central-1, "
                       "access_key: AKIA…, secret_key: secret:lake }");
  }
  Settings settings = TRY(SettingsSpec().Bind(WithoutType(*connection)));
  const Where at = [&](std::string_view key) -> const Mark& { return PlaceOf(*connection, key); };
  if (!IsBucket(settings.bucket.text)) {
    return ConfigError(at("bucket"),
                       fmt::format("'{}' is no name of a bucket: 3 to 63 letters, digits, '-' and "
                                   "'.'; what lies within goes into `path`",
                                   EscapeControl(settings.bucket.text)));
  }
  if (!IsHost(settings.region))
    return ConfigError(at("region"), fmt::format("'{}' is no region, as eu-central-1 is one",
                                                 EscapeControl(settings.region)));
  TRY(CheckEndpoint(settings, at));
  TRY(CheckCredentials(settings, at));
  TRY(CheckReaders(*connection, settings.readers));
  TRY(CheckNumbers(settings, at));
  return settings;
}

}  // namespace sluice::s3
