// sluice secrets: the project's encrypted store. A value comes from standard input or is asked for;
// never from the command line, where other users and the shell's history see it.
#include <fmt/core.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/json_full.h"
#include "base/secret_store.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "main/table.h"

namespace sluice {

namespace {

constexpr size_t kMaxBytes = 64 << 10;

// Turns off the terminal's echo until destroyed.
class Silence {
 public:
  Silence() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() {
    if (quiet_) (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool quiet_ = false;
};

Result<Secret> ReadValue(const std::string& name) {
  const bool terminal = ::isatty(STDIN_FILENO) != 0;
  if (terminal) std::fprintf(stderr, "value of %s (not shown): ", name.c_str());
  Silence silence;
  std::string bytes(kMaxBytes + 2, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count = ::read(STDIN_FILENO, bytes.data() + size, bytes.size() - size);
    if (count < 0) return SystemError("reading the value from standard input", errno);
    if (count == 0) break;
    size += static_cast<size_t>(count);
    if (terminal && bytes[size - 1] == '\n') break;  // one line
  }
  if (terminal) std::fprintf(stderr, "\n");
  if (size > 0 && bytes[size - 1] == '\n') --size;
  if (size > 0 && bytes[size - 1] == '\r') --size;
  Secret value{bytes.substr(0, size)};
  explicit_bzero(bytes.data(), bytes.size());
  return value;
}

Result<int> Set(const Invocation& invocation, ProjectSession& session, SecretStore& store) {
  const std::string name = invocation.Get("name");
  const Secret value = TRY(ReadValue(name));
  TRY(session.ledger());  // the store's folder, hidden from git
  const int64_t version = TRY(store.Set(name, value, session.clock().Now()));
  std::printf("stored %s, version %lld, sealed with the key in %s; use it as secret:%s\n",
              name.c_str(), static_cast<long long>(version), TRY(store.KeyPlace()).c_str(),
              name.c_str());
  return kExitOk;
}

Result<int> List(const Invocation& invocation, SecretStore& store) {
  const std::vector<SecretFacts> secrets = TRY(store.List());
  std::vector<std::vector<std::string>> rows;
  for (const SecretFacts& secret : secrets) {
    if (invocation.Get("--output") == "json") {
      std::printf("%s\n", Json{{"name", secret.name},
                               {"version", secret.version},
                               {"set_at", FormatInstant(secret.set_at)}}
                              .dump()
                              .c_str());
    }
    rows.push_back({secret.name, std::to_string(secret.version), FormatInstant(secret.set_at)});
  }
  if (invocation.Get("--output") == "json") return kExitOk;
  if (rows.empty())
    std::printf("no secrets: sluice secrets set NAME\n");
  else
    std::fputs(FormatTable({"name", "version", "set"}, rows).c_str(), stdout);
  return kExitOk;
}

Result<int> ManageSecrets(const Invocation& invocation) {
  const std::string action = invocation.Get("action", "list");
  if (invocation.Has("value")) {
    return ConfigError({},
                       "a value on the command line is seen by others and kept in the shell's "
                       "history; pipe it in, or leave it out to be asked");
  }
  if ((action == "set" || action == "remove") && !invocation.Has("name"))
    return ConfigError({}, "which one? sluice secrets " + action + " NAME");
  auto session = TRY(ProjectSession::Open(invocation));
  SecretStore store(session->files(), session->SecretsPath(),
                    [](const char* name) -> const char* { return std::getenv(name); });
  if (action == "set") return Set(invocation, *session, store);
  if (action == "list") return List(invocation, store);
  if (action == "remove") {
    TRY(store.Remove(invocation.Get("name")));
    std::printf("removed %s\n", invocation.Get("name").c_str());
    return kExitOk;
  }
  if (action == "rotate") {
    const size_t count = TRY(store.Rotate());
    std::printf("sealed %zu secret%s with a new key, in %s\n", count, count == 1 ? "" : "s",
                TRY(store.KeyPlace()).c_str());
    return kExitOk;
  }
  return ConfigError({}, "'" + action + "' is unknown; valid: set, list, remove, rotate");
}

}  // namespace

Command SecretsCommand() {
  return {.name = "secrets",
          .summary = "Store secrets encrypted, for connections to refer to as secret:NAME",
          .example = "sluice secrets set shop_db < password.txt",
          .arguments = {{"action", "set, list (default), remove or rotate (a new key)",
                         Argument::Count::kOptional},
                        {"name", "Which one, for set and remove", Argument::Count::kOptional},
                        {"value", "Never: the value comes from standard input, or is asked for",
                         Argument::Count::kOptional}},
          .options = {ProjectOption(), OutputOption()},
          .run = ManageSecrets};
}

}  // namespace sluice
