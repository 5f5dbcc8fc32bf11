// HTTP requests, one after the other over connections that are kept: the only file that knows
// libcurl.
//
// Nothing of the environment reaches a request: no proxy, no .netrc, no cookies. A redirect is an
// answer like any other; who follows one makes a new request, and its host is judged again. Headers
// and queries may hold credentials and are in no message.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/egress.h"
#include "base/result.h"

namespace sluice {

struct HttpOptions {
  EgressPolicy egress = {};
  std::chrono::microseconds connect_timeout{std::chrono::seconds(10)};
  std::chrono::microseconds silence{std::chrono::seconds(60)};  // no byte either way for so long
  std::string authorities;  // file of the certificates that TLS trusts; empty: the system's
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // absolute, http or https, encoded
  std::vector<std::pair<std::string, std::string>> headers = {};
  uint64_t body_bytes = 0;
  // Gives the next bytes of the body, at least one until `body_bytes` are given.
  std::function<Result<size_t>(std::span<char>)> body = {};
  // Takes the body of an answer whose status is 2xx, piece by piece; absent: HttpAnswer::body does.
  std::function<Status(std::span<const char>)> into = {};
  uint64_t answer_limit = 16 << 20;  // of HttpAnswer::body
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; of repeated ones the last
  std::string body;
  std::chrono::milliseconds retry_after{0};  // what the server asked us to wait; 0: nothing

  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// 408, 425, 429 and the 5xx that pass are kTransient, the others kRejected.
ErrorKind KindOfStatus(int status);
// "12" or an HTTP date, as of `now`; 0 where it is neither, an hour at most.
std::chrono::milliseconds ReadRetryAfter(const std::string& text,
                                         std::chrono::system_clock::time_point now);

class HttpClient {  // one thread at a time
 public:
  static Result<std::unique_ptr<HttpClient>> Open(HttpOptions options);
  virtual ~HttpClient() = default;
  // Any status is an answer. An error: it did not come (kTransient: whether the server acted is not
  // known), it was not sent (kRejected: the certificate, the address), or what `body` or `into`
  // said.
  virtual Result<HttpAnswer> Send(const HttpRequest& request, std::stop_token stop) = 0;
};

}  // namespace sluice
