// The signing test suite of AWS (corpora/sigv4): each step of each of its 38 cases.
#include "connector/s3/sign.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice::s3 {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// As every service but S3 has it: `.`, `..` and empty parts go.
std::string Normalised(const std::string& path) {
  std::vector<std::string> parts;
  for (const std::string& part : Split(path.substr(1), '/')) {
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (part != ".." && part != "." && !part.empty()) parts.push_back(part);
  }
  const bool folder = EndsWith(path, "/") && !parts.empty();
  return "/" + Join(parts, "/") + (folder ? "/" : "");
}

std::string Decoded(const std::string& text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

struct Request {
  std::string method, path, query, body;
  Pairs headers;
};

Request ParseRequest(const std::string& text) {
  Request request;
  const size_t blank = text.find("\n\n");
  const std::vector<std::string> lines = Split(text.substr(0, blank), '\n');
  if (blank != std::string::npos) request.body = text.substr(blank + 2);
  const size_t first = lines[0].find(' '), last = lines[0].rfind(' ');
  request.method = lines[0].substr(0, first);
  std::string target = lines[0].substr(first + 1, last - first - 1);
  Pairs query;
  if (const size_t mark = target.find('?'); mark != std::string::npos) {
    for (const std::string& pair : Split(target.substr(mark + 1), '&')) {
      const size_t equals = pair.find('=');
      query.emplace_back(Decoded(pair.substr(0, equals)),
                         equals == std::string::npos ? "" : Decoded(pair.substr(equals + 1)));
    }
    target.resize(mark);
  }
  request.path = target;
  request.query = EncodeQuery(query);
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const size_t colon = lines[i].find(':');
    if (lines[i][0] == ' ' && !request.headers.empty()) {
      request.headers.back().second += "\n" + lines[i];  // goes on
    } else {
      request.headers.emplace_back(lines[i].substr(0, colon), lines[i].substr(colon + 1));
    }
  }
  return request;
}

TEST(SigV4, TheWholeSuite) {
  const char* corpora = std::getenv("SLUICE_CORPORA");
  const std::filesystem::path root =
      std::filesystem::path(corpora != nullptr ? corpora : "../shared/corpora") / "sigv4/v4";
  if (!std::filesystem::exists(root)) GTEST_SKIP() << "no corpora";
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    const std::string name = entry.path().filename();
    const Json context = ParseJson(ReadFile(entry.path() / "context.json")).value();
    const Json& credentials = context["credentials"];
    Request request = ParseRequest(ReadFile(entry.path() / "request.txt"));
    const auto now = std::chrono::system_clock::from_time_t(1'440'938'160);  // 2015-08-30T12:36:00Z
    ASSERT_EQ(context["timestamp"], "2015-08-30T12:36:00Z") << name;
    const std::string path =
        EncodePath(context["normalize"] == true ? Normalised(request.path) : request.path);
    const std::string hash = Sha256Hex(request.body);
    request.headers.emplace_back("X-Amz-Date", AmzDate(now));
    if (context["sign_body"] == true) request.headers.emplace_back("X-Amz-Content-Sha256", hash);
    const bool token = credentials.contains("token");
    if (token && !context.value("omit_session_token", false))
      request.headers.emplace_back("X-Amz-Security-Token", credentials["token"]);
    const Signer signer{.key_id = credentials["access_key_id"],
                        .key = Secret(credentials["secret_access_key"]),
                        .region = context["region"],
                        .service = context["service"]};
    const Signed done =
        Sign(signer, request.method, path, request.query, request.headers, hash, now);
    EXPECT_EQ(done.canonical, ReadFile(entry.path() / "header-canonical-request.txt")) << name;
    EXPECT_EQ(done.to_sign, ReadFile(entry.path() / "header-string-to-sign.txt")) << name;
    EXPECT_EQ(done.signature, ReadFile(entry.path() / "header-signature.txt")) << name;
    const std::string sent = ReadFile(entry.path() / "header-signed-request.txt");
    EXPECT_NE(sent.find(done.authorization), std::string::npos) << name;
    ++cases;
  }
  EXPECT_EQ(cases, 38);
}

TEST(SigV4, EncodesOnceAndEverything) {
  EXPECT_EQ(EncodePath("/a b/ü+%&=~()'!*:@,;$"),
            "/a%20b/%C3%BC%2B%25%26%3D~%28%29%27%21%2A%3A%40%2C%3B%24");
  EXPECT_EQ(EncodeQuery({{"prefix", "raw/"}, {"list-type", "2"}, {"a", ""}}),
            "a=&list-type=2&prefix=raw%2F");
}

TEST(SigV4, HashesInPieces) {
  Sha256 hash;
  hash.Add("ab");
  hash.Add("c");
  EXPECT_EQ(hash.Hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace sluice::s3
