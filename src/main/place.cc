// See place.h.
#include "main/place.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/hex.h"
#include "base/text.h"

namespace sluice {
namespace {

struct Uri {
  std::string scheme, user, password, host, port;
  bool has_password = false;
  std::string path;  // without the slash before it, not decoded
  std::vector<std::pair<std::string, std::string>> options;
  std::string shown;
};

// `part` is never quoted in a message: it may be a password.
Result<std::string> Decode(std::string_view part, std::string_view what) {
  std::string text;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      text += part[i];
      continue;
    }
    const int byte = HexByte(part, i + 1);
    if (byte <= 0) {
      return ConfigError({}, fmt::format("the {} of the URI has a % that is no %XX; write %25 for "
                                         "one",
                                         what));
    }
    text += static_cast<char>(byte);
    i += 2;
  }
  return text;
}

// The URI up to its options, without what lies between the user and the host. A password may hold
// any character that should have been written %XX.
std::string WithoutPassword(std::string_view text) {
  const size_t begin = text.find("://") + 3, at = text.rfind('@');
  if (at == std::string_view::npos || at < begin)
    return std::string(text.substr(0, text.find('?')));
  const std::string_view place = text.substr(at, text.find('?', at) - at);
  const size_t colon = text.find(':', begin);
  if (colon == std::string_view::npos || colon > at)
    return fmt::format("{}{}", text.substr(0, at), place);
  return fmt::format("{}:***{}", text.substr(0, colon), place);
}

Error Wrong(const Uri& uri, const std::string& what) {
  return ConfigError({}, fmt::format("'{}': {}", EscapeControl(uri.shown), what));
}

Result<Uri> ReadUri(std::string_view text) {
  Uri uri;
  uri.shown = WithoutPassword(text);
  const size_t begin = text.find("://");
  uri.scheme = ToLower(text.substr(0, begin));
  std::string_view rest = text.substr(begin + 3);
  std::string_view options;
  if (const size_t at = rest.find('?'); at != std::string_view::npos)
    options = rest.substr(at + 1), rest = rest.substr(0, at);
  const size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) uri.path = rest.substr(slash + 1);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view account = authority.substr(0, at);
    authority = authority.substr(at + 1);
    const size_t colon = account.find(':');
    uri.user = TRY(Decode(account.substr(0, colon), "user"));
    uri.has_password = colon != std::string_view::npos;
    if (uri.has_password) uri.password = TRY(Decode(account.substr(colon + 1), "password"));
  }
  const size_t bracket = authority.rfind(']');  // of an IPv6 address
  const size_t colon = authority.rfind(':');
  const bool ported =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  uri.host = TRY(Decode(authority.substr(0, ported ? colon : authority.size()), "host"));
  if (StartsWith(uri.host, "[") && EndsWith(uri.host, "]"))
    uri.host = uri.host.substr(1, uri.host.size() - 2);
  if (ported) uri.port = authority.substr(colon + 1);
  for (const std::string& option :
       options.empty() ? std::vector<std::string>{} : Split(std::string(options), '&')) {
    const size_t sign = option.find('=');
    if (sign == std::string::npos)
      return Wrong(uri, "an option has no value; write ?key=value&key=value");
    uri.options.emplace_back(TRY(Decode(std::string_view(option).substr(0, sign), "option")),
                             TRY(Decode(std::string_view(option).substr(sign + 1), "option")));
  }
  return uri;
}

// Only keys of the connection's own spec, and none that the URI says otherwise.
Status AddOptions(const Uri& uri, const Connector& connector, CopyPlace& place) {
  std::vector<std::string> names;
  for (const FieldFacts& field : connector.connection.fields) {
    const bool said = std::any_of(place.keys.begin(), place.keys.end(),
                                  [&](const auto& key) { return key.first == field.name; });
    if (!said) names.push_back(field.name);
  }
  for (const auto& [name, value] : uri.options) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const auto near = Nearest(name, names);
      return Wrong(
          uri,
          fmt::format("the option '{}' is unknown here; {}valid: {}", EscapeControl(name),
                      near ? fmt::format("did you mean '{}'? ", *near) : "", Join(names, ", ")));
    }
    place.keys.emplace_back(name, value);
  }
  return Ok();
}

Result<CopyPlace> DatabaseServer(const Uri& uri, const std::string& type, const std::string& side) {
  CopyPlace place{.type = type};
  const size_t slash = uri.path.find('/');
  if (uri.host.empty() || slash == std::string::npos || slash == 0 ||
      slash + 1 == uri.path.size() || uri.path.find('/', slash + 1) != std::string::npos) {
    return Wrong(uri, fmt::format("write {}://USER:PASSWORD@HOST/DATABASE/TABLE, where TABLE may "
                                  "be SCHEMA.TABLE and a '/' in a name is %2F",
                                  uri.scheme));
  }
  place.keys = {{"host", uri.host},
                {"database", TRY(Decode(std::string_view(uri.path).substr(0, slash), "database"))},
                {"user", uri.user}};
  if (uri.user.empty()) return Wrong(uri, "it names no user: " + uri.scheme + "://USER@HOST/…");
  place.table = TRY(Decode(std::string_view(uri.path).substr(slash + 1), "table"));
  if (!uri.port.empty()) place.keys.emplace_back("port", uri.port);
  if (uri.has_password) {
    place.password = Secret(uri.password);
    place.keys.emplace_back("password", SecretOf(side));
  }
  return place;
}

// FILE/TABLE, where FILE is absolute after three slashes.
Result<CopyPlace> DatabaseFile(const Uri& uri) {
  CopyPlace place{.type = uri.scheme};
  const std::string whole = uri.host + "/" + uri.path;
  const size_t slash = whole.rfind('/');
  if (!uri.user.empty() || !uri.port.empty() || slash == 0 || slash == std::string::npos ||
      slash + 1 == whole.size()) {
    return Wrong(uri, fmt::format("write {0}://FILE/TABLE, or {0}:///FOLDER/FILE/TABLE where the "
                                  "path is absolute",
                                  uri.scheme));
  }
  place.keys = {{"path", TRY(Decode(std::string_view(whole).substr(0, slash), "path"))}};
  place.table = TRY(Decode(std::string_view(whole).substr(slash + 1), "table"));
  return place;
}

// Credentials and region as the other tools of S3 take them: from the environment.
Result<CopyPlace> Objects(const Uri& uri) {
  CopyPlace place{.type = "s3"};
  if (uri.host.empty() || uri.has_password || !uri.user.empty() || uri.path.empty()) {
    return Wrong(uri,
                 "write s3://BUCKET/PATH; the key comes from AWS_ACCESS_KEY_ID and "
                 "AWS_SECRET_ACCESS_KEY, or from ?access_key=…&secret_key=env:NAME");
  }
  place.keys = {{"bucket", uri.host}};
  place.path = TRY(Decode(uri.path, "path"));
  const auto said = [&](std::string_view name) {
    return std::any_of(uri.options.begin(), uri.options.end(),
                       [&](const auto& option) { return option.first == name; });
  };
  const auto take = [&](const char* variable, const std::string& key, bool reference) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0' || said(key)) return;
    place.keys.emplace_back(key, reference ? fmt::format("env:{}", variable) : value);
  };
  take(std::getenv("AWS_REGION") != nullptr ? "AWS_REGION" : "AWS_DEFAULT_REGION", "region", false);
  take("AWS_ENDPOINT_URL", "endpoint", false);
  if (said("access_key")) return place;
  take("AWS_ACCESS_KEY_ID", "access_key", false);
  take("AWS_SECRET_ACCESS_KEY", "secret_key", true);
  take("AWS_SESSION_TOKEN", "session_token", true);
  return place;
}

Result<CopyPlace> OfUri(const std::string& text, const std::string& side,
                        const Connectors& connectors) {
  const Uri uri = TRY(ReadUri(text));
  CopyPlace place;
  if (uri.scheme == "file") {
    place.path = TRY(Decode(uri.host + "/" + uri.path, "path"));
    if (!uri.options.empty()) return Wrong(uri, "a file has no options");
    return place;
  }
  if (uri.scheme == "postgres" || uri.scheme == "postgresql") {
    place = TRY(DatabaseServer(uri, "postgres", side));
  } else if (uri.scheme == "mysql" || uri.scheme == "mariadb") {
    place = TRY(DatabaseServer(uri, "mysql", side));
  } else if (uri.scheme == "sqlite" || uri.scheme == "duckdb") {
    place = TRY(DatabaseFile(uri));
  } else if (uri.scheme == "s3") {
    place = TRY(Objects(uri));
  } else {
    return ConfigError(
        {}, fmt::format("'{}://' is no scheme that is known; valid: postgres://, mysql://, "
                        "sqlite://, duckdb://, s3://, file://, or a path",
                        EscapeControl(uri.scheme)));
  }
  const Connector* connector = Find(connectors, place.type);
  if (connector == nullptr) return Wrong(uri, place.type + " is not built in");
  place.shown = uri.shown;
  TRY(AddOptions(uri, *connector, place));
  return place;
}

}  // namespace

std::string SecretOf(const std::string& side) { return "secret:the password of the " + side; }

Result<CopyPlace> ReadCopyPlace(const std::string& text, const std::string& side,
                                const Connectors& connectors) {
  if (text.find("://") != std::string::npos) return OfUri(text, side, connectors);
  for (std::string_view ending : {".duckdb:", ".db:", ".ddb:"}) {
    const size_t at = text.rfind(ending);
    if (at == std::string::npos) continue;
    const std::string file = text.substr(0, at + ending.size() - 1);
    CopyPlace place{.type = "duckdb", .table = text.substr(at + ending.size())};
    if (place.table.empty())
      return ConfigError({}, fmt::format("'{}' names no table: write {}:TABLE", text, file));
    place.keys = {{"path", file}};
    return place;
  }
  for (std::string_view ending : {".duckdb", ".ddb"}) {
    if (EndsWith(text, ending))
      return ConfigError({}, fmt::format("'{}' names no table: write {}:TABLE", text, text));
  }
  return CopyPlace{.path = text};
}

}  // namespace sluice
