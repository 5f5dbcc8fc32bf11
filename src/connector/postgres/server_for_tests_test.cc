// See server_for_tests.h.
#include "connector/postgres/server_for_tests.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/text.h"

namespace sluice::postgres {
namespace {

namespace fs = std::filesystem;

std::string FindPrograms() {
  std::vector<fs::path> folders;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", none))
    folders.push_back(entry.path() / "bin");
  std::sort(folders.rbegin(), folders.rend());
  folders.emplace_back("/usr/bin");
  folders.emplace_back("/usr/local/bin");
  for (const fs::path& folder : folders) {
    if (fs::exists(folder / "initdb") && fs::exists(folder / "pg_ctl")) return folder.string();
  }
  return "";
}

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
bool RunAsUser(const std::string& command) {
  const std::string quiet = command + " >/dev/null 2>&1 </dev/null";
  if (::getuid() != 0) return std::system(quiet.c_str()) == 0;
  return std::system(fmt::format("su postgres -s /bin/sh -c {}", QuoteLiteral(quiet)).c_str()) == 0;
}

}  // namespace

TestServer* TestServer::Shared() {
  static std::unique_ptr<TestServer> server = [] {
    std::unique_ptr<TestServer> made(new TestServer());
    if (made->Start()) return made;
    if (std::getenv("SLUICE_NO_SKIPS") != nullptr) ADD_FAILURE() << "no PostgreSQL server";
    std::fprintf(stderr, "skipped: no PostgreSQL server; apt-get install postgresql\n");
    return std::unique_ptr<TestServer>();
  }();
  return server.get();
}

bool TestServer::Start() {
  bin_ = FindPrograms();
  if (bin_.empty()) return false;
  std::string pattern = (fs::temp_directory_path() / "sluice_pg_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return false;
  folder_ = pattern;
  ::setenv("SLUICE_TEST_PASSWORD", "secret", 1);
  if (::getuid() == 0 && std::system(("chown postgres " + folder_).c_str()) != 0) return false;
  fs::permissions(folder_, fs::perms::owner_all);
  if (!RunAsUser(fmt::format("echo secret > {0}/pw && {1}/initdb -D {0}/data -U postgres "
                             "--auth=scram-sha-256 --pwfile={0}/pw -E UTF8 --locale=C.UTF-8 "
                             "--no-sync",
                             folder_, bin_))) {
    return false;
  }
  port_ = FreePort();
  std::ofstream(folder_ + "/data/postgresql.conf", std::ios::app)
      << "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nshared_buffers = 64MB\n"
         "fsync = off\nfull_page_writes = off\nmax_connections = 60\n";
  return Control(fmt::format("-o \"-p {}\" start", port_));
}

bool TestServer::Control(const std::string& words) const {
  return RunAsUser(
      fmt::format("{1}/pg_ctl -D {0}/data -l {0}/log -w -t 60 {2}", folder_, bin_, words));
}

TestServer::~TestServer() {
  if (folder_.empty()) return;
  int pid = 0;
  std::ifstream(folder_ + "/data/postmaster.pid") >> pid;
  if (pid > 0) {
    ::kill(pid, SIGQUIT);
    for (int i = 0; i < 500 && ::kill(pid, 0) == 0; ++i) ::usleep(10000);  // until it has ended
  }
  std::error_code none;
  fs::remove_all(folder_, none);
}

void TestServer::Restart() {
  EXPECT_TRUE(Control("-m immediate stop"));
  EXPECT_TRUE(Control(fmt::format("-o \"-p {}\" start", port_)));
}

Settings TestServer::SettingsOf(const std::string& database) const {
  Settings settings;
  settings.host.text = "127.0.0.1";
  settings.port = port_;
  settings.database.text = database;
  settings.user.text = "postgres";
  settings.password.text = "env:SLUICE_TEST_PASSWORD";
  return settings;
}

Node TestServer::ConnectionTo(const std::string& database) const {
  const Mark mark{"p.yml", 2, 3};
  Node map{.kind = Node::Kind::kMap, .mark = mark};
  const std::vector<std::pair<std::string, std::string>> words{
      {"type", "postgres"},   {"host", "127.0.0.1"}, {"port", std::to_string(port_)},
      {"database", database}, {"user", "postgres"},  {"password", "env:SLUICE_TEST_PASSWORD"}};
  for (const auto& [key, value] : words) {
    map.map.push_back({{.kind = Node::Kind::kScalar, .scalar = key, .mark = mark},
                       {.kind = Node::Kind::kScalar, .scalar = value, .mark = mark}});
  }
  return map;
}

std::unique_ptr<Connection> TestServer::Connect(const std::string& database) const {
  auto connection = postgres::Connect(SettingsOf(database), Secret("secret"));
  if (!connection.ok()) {
    ADD_FAILURE() << Format(connection.error());
    std::abort();
  }
  return std::move(connection).value();
}

std::string TestServer::NewDatabase() {
  const std::string name = fmt::format("t{}", ++databases_);
  RowsOf(*Connect("postgres"), "CREATE DATABASE " + name);
  return name;
}

Result<Secret> EnvironmentSecrets::Open(std::string_view text, const Mark& mark) {
  const auto reference = ReadReference(text);
  const char* value = reference ? std::getenv(reference->name.c_str()) : nullptr;
  if (value == nullptr) return ConfigError(mark, "no such variable");
  return Secret(value);
}

std::vector<std::string> RowsOf(Connection& connection, const std::string& text) {
  auto answer = connection.Run(text);
  if (!answer.ok()) {
    ADD_FAILURE() << Format(answer.error()) << "\n" << text;
    return {Format(answer.error())};
  }
  std::vector<std::string> rows;
  for (const auto& row : answer->rows) {
    std::vector<std::string> values;
    for (const Value& value : row) values.push_back(value.value_or("NULL"));
    rows.push_back(Join(values, "|"));
  }
  return rows;
}

}  // namespace sluice::postgres
