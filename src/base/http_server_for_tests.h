// A server on a loopback port that gives what a test says, one answer per request, and keeps what
// it was asked. One thread, one connection at a time. All in the header, for the tests of any
// module.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace sluice {

class HttpServerForTests {
 public:
  struct Asked {
    std::string line, headers, body;
  };
  // The raw bytes of an answer; empty: the connection is closed without one.
  using Answer = std::function<std::string(const Asked&)>;

  explicit HttpServerForTests(Answer answer);
  ~HttpServerForTests();
  std::string url(const std::string& path) const;
  int port() const { return port_; }
  std::vector<Asked> asked();
  size_t connections();

 private:
  void Serve();
  bool ServeOne(int socket);

  const Answer answer_;
  int listener_ = -1, port_ = 0;
  Mutex mutex_;
  std::vector<Asked> asked_ GUARDED_BY(mutex_);
  size_t connections_ GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

inline HttpServerForTests::HttpServerForTests(Answer answer) : answer_(std::move(answer)) {
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

inline HttpServerForTests::~HttpServerForTests() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

inline std::string HttpServerForTests::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

inline std::vector<HttpServerForTests::Asked> HttpServerForTests::asked() {
  MutexLock lock(mutex_);
  return asked_;
}

inline size_t HttpServerForTests::connections() {
  MutexLock lock(mutex_);
  return connections_;
}

inline void HttpServerForTests::Serve() {
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

inline bool HttpServerForTests::ServeOne(int socket) {
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

// "HTTP/1.1 200 OK" with its length and body.
inline std::string HttpAnswerText(int status, const std::string& body,
                                  const std::string& headers = "") {
  return fmt::format("HTTP/1.1 {} Said\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(),
                     headers, body);
}

}  // namespace sluice
