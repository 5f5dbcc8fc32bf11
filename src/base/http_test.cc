// The client against a server that says what each test wants.
#include "base/http.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/http_server_for_tests.h"

namespace sluice {
namespace {

using Asked = HttpServerForTests::Asked;

std::unique_ptr<HttpClient> Client(HttpOptions options = {}) {
  auto client = HttpClient::Open(std::move(options));
  EXPECT_TRUE(client.ok());
  return std::move(client).value();
}

TEST(Http, AsksAndIsAnswered) {
  HttpServerForTests server(
      [](const Asked&) { return HttpAnswerText(404, "none", "X-One: 1\r\n"); });
  auto client = Client();
  auto answer =
      client->Send({.url = server.url("/a%2Fb/../c?x=1"), .headers = {{"X-Two", "2"}}}, {});
  ASSERT_TRUE(answer.ok()) << Format(answer.error());
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "none");
  EXPECT_EQ(answer->Header("x-one"), "1");
  // What was signed must be what is sent: no path is tidied up.
  EXPECT_EQ(server.asked()[0].line, "GET /a%2Fb/../c?x=1 HTTP/1.1");
  EXPECT_NE(server.asked()[0].headers.find("X-Two: 2"), std::string::npos);
}

TEST(Http, StreamsBothWaysOverOneConnection) {
  HttpServerForTests server([](const Asked& asked) { return HttpAnswerText(200, asked.body); });
  auto client = Client();
  const std::string sent(300'000, 'x');
  for (int i = 0; i < 3; ++i) {
    size_t at = 0;
    std::string got;
    HttpRequest request{.method = "PUT", .url = server.url("/k"), .body_bytes = sent.size()};
    request.body = [&](std::span<char> into) -> Result<size_t> {
      const size_t count = sent.copy(into.data(), std::min<size_t>(into.size(), 1000), at);
      at += count;
      return count;
    };
    request.into = [&](std::span<const char> bytes) -> Status {
      got.append(bytes.data(), bytes.size());
      return Ok();
    };
    auto answer = client->Send(request, {});
    ASSERT_TRUE(answer.ok()) << Format(answer.error());
    EXPECT_EQ(got, sent);
    EXPECT_TRUE(answer->body.empty());
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST(Http, ARedirectIsAnAnswer) {
  HttpServerForTests server([](const Asked&) {
    return HttpAnswerText(302, "", "Location: http://169.254.169.254/latest\r\n");
  });
  auto answer = Client()->Send({.url = server.url("/")}, {});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(server.asked().size(), 1u);
}

TEST(Http, NeitherProxyNorQueryReachesAnything) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  HttpServerForTests server([](const Asked&) { return std::string(); });
  auto answer = Client()->Send(
      {.url = server.url("/k?X-Amz-Signature=canary"), .headers = {{"Authorization", "canary"}}},
      {});
  ::unsetenv("http_proxy");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kTransient);
  EXPECT_EQ(answer.error().message.find("canary"), std::string::npos) << answer.error().message;
  EXPECT_GE(server.asked().size(), 1u);  // reached without the proxy
}

TEST(Http, WhatWasCutOffIsNoAnswer) {
  HttpServerForTests server([](const Asked&) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc");
  });
  auto answer = Client()->Send({.url = server.url("/")}, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kTransient);
  EXPECT_NE(answer.error().message.find("cut off"), std::string::npos) << answer.error().message;
}

TEST(Http, AStopEndsAWait) {
  std::stop_source stop;
  HttpServerForTests server([&](const Asked&) {
    stop.request_stop();  // the answer never ends
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  });
  auto answer = Client()->Send({.url = server.url("/")}, stop.get_token());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kCancelled);
}

TEST(Http, SilenceEnds) {
  HttpServerForTests server(
      [](const Asked&) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"); });
  auto answer = Client({.silence = std::chrono::seconds(1)})->Send({.url = server.url("/")}, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kTransient);
}

TEST(Http, AnAnswerIsBounded) {
  HttpServerForTests server(
      [](const Asked&) { return HttpAnswerText(200, std::string(5000, 'x')); });
  auto answer = Client()->Send({.url = server.url("/"), .answer_limit = 1000}, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kRejected);
}

TEST(Http, GoesOnlyWhereItMay) {
  HttpServerForTests server([](const Asked&) { return HttpAnswerText(200, "inside"); });
  auto client = Client({.egress = {.inside = EgressPolicy::Inside::kRefused, .allowed = {}}});
  auto answer = client->Send({.url = server.url("/")}, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kRejected);
  EXPECT_TRUE(server.asked().empty());
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/", "no url", ""}) {
    auto refused = client->Send({.url = url}, {});
    ASSERT_FALSE(refused.ok()) << url;
    EXPECT_EQ(refused.error().kind, ErrorKind::kRejected) << url;
  }
}

TEST(Http, ReadsRetryAfter) {
  using std::chrono::seconds;
  const auto now = std::chrono::system_clock::from_time_t(1'445'412'480);  // Wed, 21 Oct 2015 07:28
  EXPECT_EQ(ReadRetryAfter("7", now), seconds(7));
  EXPECT_EQ(ReadRetryAfter("Wed, 21 Oct 2015 07:28:30 GMT", now), seconds(30));
  EXPECT_EQ(ReadRetryAfter("Wed, 21 Oct 2014 07:28:30 GMT", now), seconds(0));
  EXPECT_EQ(ReadRetryAfter("soon", now), seconds(0));
  EXPECT_EQ(ReadRetryAfter("", now), seconds(0));
  EXPECT_EQ(ReadRetryAfter("-5", now), seconds(0));
  EXPECT_EQ(ReadRetryAfter("999999999999", now), seconds(3600));
}

}  // namespace
}  // namespace sluice
