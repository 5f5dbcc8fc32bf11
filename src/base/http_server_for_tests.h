// A server on a loopback port that gives what a test says, one answer per request, and keeps what
// it was asked.
#pragma once

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

// "HTTP/1.1 200 OK" with its length and body.
std::string HttpAnswerText(int status, const std::string& body, const std::string& headers = "");

}  // namespace sluice
