// See server_for_tests.h.
#include "connector/mysql/server_for_tests.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "connector/mysql/connection.h"

namespace sluice::mysql {
namespace {

namespace fs = std::filesystem;

constexpr const char* kServer = "/usr/sbin/mariadbd";
constexpr const char* kInstaller = "/usr/bin/mariadb-install-db";

int FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  socklen_t size = sizeof(address);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

// The server does not run as root: the package's own user does it.
std::string AsUser() { return ::getuid() == 0 ? "--user=mysql" : ""; }

}  // namespace

TestServer* TestServer::Shared() {
  static std::unique_ptr<TestServer> server = [] {
    std::unique_ptr<TestServer> made(new TestServer());
    if (made->Install() && made->Run()) return made;
    if (std::getenv("SLUICE_NO_SKIPS") != nullptr) ADD_FAILURE() << "no MariaDB server";
    std::fprintf(stderr, "skipped: no MariaDB server; apt-get install mariadb-server\n");
    return std::unique_ptr<TestServer>();
  }();
  return server.get();
}

bool TestServer::Install() {
  if (!fs::exists(kServer) || !fs::exists(kInstaller)) return false;
  std::string pattern = (fs::temp_directory_path() / "sluice_my_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return false;
  folder_ = pattern;
  ::setenv("SLUICE_TEST_PASSWORD", "secret", 1);
  std::ofstream(folder_ + "/init.sql")
      << "CREATE USER IF NOT EXISTS 'sluice'@'%' IDENTIFIED BY 'secret';\n"
         "GRANT ALL ON *.* TO 'sluice'@'%' WITH GRANT OPTION;\n";
  fs::permissions(folder_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  if (::getuid() == 0 && std::system(("chown -R mysql " + folder_).c_str()) != 0) return false;
  return std::system(fmt::format("{} --no-defaults {} --datadir={}/data --skip-test-db "
                                 "--auth-root-authentication-method=normal >/dev/null 2>&1",
                                 kInstaller, AsUser(), folder_)
                         .c_str()) == 0;
}

bool TestServer::Run() {
  port_ = FreePort();
  const std::vector<std::string> words{kServer,
                                       "--no-defaults",
                                       "--datadir=" + folder_ + "/data",
                                       "--socket=" + folder_ + "/s",
                                       "--pid-file=" + folder_ + "/pid",
                                       "--tmpdir=" + folder_ + "/data",  // emptied at the start
                                       "--init-file=" + folder_ + "/init.sql",
                                       "--bind-address=127.0.0.1",
                                       fmt::format("--port={}", port_),
                                       "--skip-name-resolve",
                                       "--innodb-flush-log-at-trx-commit=2",
                                       "--innodb-buffer-pool-size=64M",
                                       "--default-time-zone=+02:00",
                                       AsUser()};
  pid_ = ::fork();
  if (pid_ == 0) {
    std::vector<char*> arguments;
    for (const std::string& word : words) {
      if (!word.empty()) arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    const int log = ::open((folder_ + "/log").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0644);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::execv(kServer, arguments.data());
    ::_exit(127);
  }
  for (int i = 0; i < 600; ++i) {
    if (Connect(SettingsOf("mysql"), Secret("secret"), {}, {}).ok()) return true;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) break;
    ::usleep(50'000);  // until it answers
  }
  return false;
}

void TestServer::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

TestServer::~TestServer() {
  if (folder_.empty()) return;
  Kill();
  std::error_code none;
  fs::remove_all(folder_, none);
}

void TestServer::Restart() {
  Kill();
  EXPECT_TRUE(Run());
}

Settings TestServer::SettingsOf(const std::string& database) const {
  Settings settings;
  settings.host.text = "127.0.0.1";
  settings.port = port_;
  settings.database.text = database;
  settings.user.text = "sluice";
  settings.password.text = "env:SLUICE_TEST_PASSWORD";
  return settings;
}

Node TestServer::ConnectionTo(const std::string& database) const {
  const Mark mark{"p.yml", 2, 3};
  Node map{.kind = Node::Kind::kMap, .mark = mark};
  const std::vector<std::pair<std::string, std::string>> words{
      {"type", "mysql"},      {"host", "127.0.0.1"}, {"port", std::to_string(port_)},
      {"database", database}, {"user", "sluice"},    {"password", "env:SLUICE_TEST_PASSWORD"}};
  for (const auto& [key, value] : words) {
    map.map.push_back({{.kind = Node::Kind::kScalar, .scalar = key, .mark = mark},
                       {.kind = Node::Kind::kScalar, .scalar = value, .mark = mark}});
  }
  return map;
}

std::string TestServer::NewDatabase() {
  const std::string name = fmt::format("t{}", ++databases_);
  auto connection = Connect(SettingsOf("mysql"), Secret("secret"), {}, {});
  if (!connection.ok()) {
    ADD_FAILURE() << Format(connection.error());
    std::abort();
  }
  EXPECT_TRUE((*connection)->Run("CREATE DATABASE " + name).ok());
  return name;
}

}  // namespace sluice::mysql
