// One thread, one connection at a time.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/http_server_for_tests.h"

namespace sluice {

HttpServerForTests::HttpServerForTests(Answer answer) : answer_(std::move(answer)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  (void)::listen(listener_, 16);
  (void)::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

HttpServerForTests::~HttpServerForTests() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

std::string HttpServerForTests::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::vector<HttpServerForTests::Asked> HttpServerForTests::asked() {
  MutexLock lock(mutex_);
  return asked_;
}

size_t HttpServerForTests::connections() {
  MutexLock lock(mutex_);
  return connections_;
}

void HttpServerForTests::Serve() {
  while (true) {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    {
      MutexLock lock(mutex_);
      ++connections_;
    }
    while (ServeOne(socket)) continue;
    ::close(socket);
  }
}

bool HttpServerForTests::ServeOne(int socket) {
  std::string text;
  char buffer[4096];
  size_t end = std::string::npos, length = 0;
  while (end == std::string::npos || text.size() < end + 4 + length) {
    pollfd both[2] = {{.fd = socket, .events = POLLIN, .revents = 0},
                      {.fd = listener_, .events = POLLIN, .revents = 0}};
    ::poll(both, 2, -1);
    // A shut listener ends the test; another connection means this one is not used any more.
    if (both[0].revents == 0) return false;
    const ssize_t count = ::read(socket, buffer, sizeof buffer);
    if (count <= 0) return false;
    text.append(buffer, static_cast<size_t>(count));
    if (end == std::string::npos) end = text.find("\r\n\r\n");
    const size_t at = text.find("Content-Length: ");
    if (end != std::string::npos && at < end) length = std::stoul(text.substr(at + 16));
  }
  const size_t line = text.find("\r\n");
  const Asked asked{text.substr(0, line), text.substr(line + 2, end - line), text.substr(end + 4)};
  {
    MutexLock lock(mutex_);
    asked_.push_back(asked);
  }
  const std::string answer = answer_(asked);
  for (size_t sent = 0; sent < answer.size();) {
    const ssize_t count = ::send(socket, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
  }
  return !answer.empty() && answer.find("Connection: close") == std::string::npos;
}

std::string HttpAnswerText(int status, const std::string& body, const std::string& headers) {
  return fmt::format("HTTP/1.1 {} Said\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(),
                     headers, body);
}

}  // namespace sluice
