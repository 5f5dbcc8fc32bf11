// Signature Version 4 of AWS, in the headers: what S3 and all that speak like it ask for. Pure
// functions, held to the signing test suite.
//
// Ours and not libcurl's (7.88), because that one signs a query in the order it finds it, and the
// payload by reading it twice.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace sluice::s3 {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Every byte but A-Z a-z 0-9 - . _ ~ as %XX; `/` too, unless it is of a path.
std::string EncodeValue(std::string_view text);
std::string EncodePath(std::string_view path);
// Sorted by name, then value, both encoded: what is signed and what is sent.
std::string EncodeQuery(const Pairs& query);

std::string Sha256Hex(std::string_view bytes);
class Sha256 {  // of bytes that come in pieces
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Add(std::string_view bytes);
  std::string Hex();  // once

 private:
  void* context_;
};

struct Signer {
  std::string key_id;
  Secret key;
  std::string region, service = "s3";
};

struct Signed {  // every step, for tests; `authorization` is the header's value
  std::string canonical, to_sign, signature, authorization;
};

// `path` and `query` encoded; `headers` all that are signed, Host and X-Amz-Date among them, names
// in any case; `payload_hash` as in X-Amz-Content-Sha256.
Signed Sign(const Signer& signer, std::string_view method, std::string_view path,
            std::string_view query, const Pairs& headers, std::string_view payload_hash,
            std::chrono::system_clock::time_point now);

// "20150830T123600Z": the X-Amz-Date header.
std::string AmzDate(std::chrono::system_clock::time_point now);

}  // namespace sluice::s3
