// A MariaDB server of the test's own: a new data folder in a temporary one, listening on a loopback
// port, started with the first test that needs it and killed with the test binary.
#pragma once

#include <sys/types.h>

#include <string>

#include "connector/mysql/settings.h"

namespace sluice::mysql {

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
  void Restart();  // as after a crash of the server

 private:
  TestServer() = default;
  bool Install();
  bool Run();
  void Kill();

  std::string folder_;
  int port_ = 0;
  pid_t pid_ = 0;
  int databases_ = 0;
};

}  // namespace sluice::mysql
