// Starting MinIO needs a program (scripts/setup s3) and a free port; ready is when it says so.
#include "connector/s3/server_for_tests.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/http.h"

extern char** environ;

namespace sluice::s3 {
namespace {

constexpr const char* kKey = "sluice-of-the-test";
constexpr const char* kSecret = "s3-secret-of-the-test";

std::string Program() {
  const char* named = std::getenv("SLUICE_MINIO");
  const char* home = std::getenv("HOME");
  for (const std::string& path :
       {std::string(named != nullptr ? named : ""),
        std::string(home != nullptr ? home : "") + "/.cache/sluice/bin/minio",
        std::string("/usr/local/bin/minio")}) {
    if (!path.empty() && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

int FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  (void)::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

}  // namespace

TestServer* TestServer::Shared() {
  static const std::unique_ptr<TestServer> server = [] {
    auto one = std::make_unique<TestServer>();
    const std::string program = Program();
    if (program.empty() || !one->Start(program)) one.reset();
    return one;
  }();
  return server.get();
}

bool TestServer::Start(const std::string& program) {
  folder_ = (std::filesystem::temp_directory_path() / fmt::format("sluice_s3_{}", ::getpid()));
  std::filesystem::create_directories(folder_);
  port_ = FreePort();
  for (const auto& [name, value] : {std::pair("MINIO_ROOT_USER", kKey),
                                    {"MINIO_ROOT_PASSWORD", kSecret},
                                    {"MINIO_BROWSER", "off"},
                                    {"MINIO_UPDATE", "off"},
                                    {"SLUICE_TEST_S3_SECRET", kSecret}})
    ::setenv(name, value, 1);
  const std::string address = fmt::format("127.0.0.1:{}", port_), data = folder_ + "/data";
  const char* words[] = {program.c_str(), "server",     "--quiet", "--address",
                         address.c_str(), data.c_str(), nullptr};
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  const std::string log = folder_ + "/log";
  ::posix_spawn_file_actions_addopen(&quiet, 1, log.c_str(), O_WRONLY | O_CREAT, 0600);
  ::posix_spawn_file_actions_adddup2(&quiet, 1, 2);
  const int failed =
      ::posix_spawn(&pid_, program.c_str(), &quiet, nullptr, const_cast<char**>(words), environ);
  ::posix_spawn_file_actions_destroy(&quiet);
  if (failed != 0) return false;
  auto client = HttpClient::Open({});
  for (int i = 0; client.ok() && i < 600; ++i) {
    auto answer = (*client)->Send({.url = "http://" + address + "/minio/health/live"}, {});
    if (answer.ok() && answer->status == 200) return true;
    ::usleep(50000);  // until it answers
  }
  ADD_FAILURE() << "the S3 server did not start, see " << log;
  return false;
}

TestServer::~TestServer() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code none;
  std::filesystem::remove_all(folder_, none);
}

Node TestServer::ConnectionTo(const std::string& bucket) const {
  const Mark mark{"p.yml", 2, 3};
  Node map{.kind = Node::Kind::kMap, .mark = mark};
  const std::vector<std::pair<std::string, std::string>> words{
      {"type", "s3"},
      {"endpoint", fmt::format("http://127.0.0.1:{}", port_)},
      {"bucket", bucket},
      {"access_key", kKey},
      {"secret_key", "env:SLUICE_TEST_S3_SECRET"}};
  for (const auto& [key, value] : words) {
    map.map.push_back({{.kind = Node::Kind::kScalar, .scalar = key, .mark = mark},
                       {.kind = Node::Kind::kScalar, .scalar = value, .mark = mark}});
  }
  return map;
}

std::unique_ptr<Bucket> TestServer::Connect(const std::string& bucket,
                                            const ConnectorContext& context) const {
  const Node node = ConnectionTo(bucket);
  auto settings = ReadSettings(&node);
  EXPECT_TRUE(settings.ok());
  auto connected = Bucket::Open(*settings, context);
  EXPECT_TRUE(connected.ok());
  return std::move(connected).value();
}

std::string TestServer::NewBucket(const ConnectorContext& context) {
  const std::string name = fmt::format("test-{}-{}", ::getpid(), ++buckets_);
  // A PUT of the bucket itself makes it. The server answers before it is ready, to each in turn.
  const auto bucket = Connect(name, context);
  Status made = Ok();
  for (const std::string key : {"", "ready"}) {
    made = bucket->Put(key, "", {});
    for (int i = 0; !made.ok() && made.error().kind == ErrorKind::kTransient && i < 20; ++i)
      made = bucket->Put(key, "", {});
  }
  if (made.ok()) made = bucket->Remove("ready", {});
  EXPECT_TRUE(made.ok()) << Format(made.error());
  return name;
}

}  // namespace sluice::s3
