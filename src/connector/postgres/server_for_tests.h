// A PostgreSQL server of the test's own: a new cluster in a temporary folder, listening on a
// loopback port, started with the first test that needs it and killed with the test binary.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connector/postgres/connection.h"

namespace sluice::postgres {

class TestServer {
 public:
  // One per process. Null where no server is installed, which is said once on stderr; with
  // SLUICE_NO_SKIPS in the environment (CI) it is a failure instead.
  static TestServer* Shared();
  ~TestServer();

  // A new, empty database; its name.
  std::string NewDatabase();
  Node ConnectionTo(const std::string& database) const;  // as sluice.yml would say it
  Settings SettingsOf(const std::string& database) const;
  std::unique_ptr<Connection> Connect(const std::string& database) const;
  void Restart();  // as after a crash of the server

 private:
  TestServer() = default;
  bool Start();
  bool Control(const std::string& words) const;

  std::string folder_, bin_;
  int port_ = 0;
  int databases_ = 0;
};

// Opens env: references, as the program does.
class EnvironmentSecrets final : public Secrets {
 public:
  Result<Secret> Open(std::string_view text, const Mark& mark) override;
};

// "a|b" per row, NULL as "NULL"; what went wrong where it did.
std::vector<std::string> RowsOf(Connection& connection, const std::string& text);

}  // namespace sluice::postgres
