// See sign.h. Hashes by libcrypto.
#include "connector/s3/sign.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <span>

#include "base/text.h"

namespace sluice::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
using Digest = std::array<unsigned char, 32>;

std::string Hex(std::span<const unsigned char> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Digest Hmac(std::span<const unsigned char> key, std::string_view text) {
  Digest digest{};
  unsigned size = digest.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return digest;
}

std::span<const unsigned char> Bytes(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

std::string Encode(std::string_view text, std::string_view besides) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' ||
                       besides.find(c) != std::string_view::npos;
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

// Blanks at the ends go, several within become one.
std::string Squeezed(std::string_view value) {
  std::string text;
  for (const char c : Trim(value)) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank)
      text += c;
    else if (!text.empty() && text.back() != ' ')
      text += ' ';
  }
  return text;
}

}  // namespace

std::string EncodeValue(std::string_view text) { return Encode(text, ""); }
std::string EncodePath(std::string_view path) { return Encode(path, "/"); }

std::string EncodeQuery(const Pairs& query) {
  Pairs encoded;
  for (const auto& [name, value] : query)
    encoded.emplace_back(EncodeValue(name), EncodeValue(value));
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded)
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, value);
  return text;
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr);
}
Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }
void Sha256::Add(std::string_view bytes) {
  EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size());
}
std::string Sha256::Hex() {
  Digest digest{};
  EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest.data(), nullptr);
  return s3::Hex(digest);
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.Hex();
}

std::string AmzDate(std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

Signed Sign(const Signer& signer, std::string_view method, std::string_view path,
            std::string_view query, const Pairs& headers, std::string_view payload_hash,
            std::chrono::system_clock::time_point now) {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : headers) {
    std::string& all = sorted[ToLower(name)];
    all += (all.empty() ? "" : ",") + Squeezed(value);
  }
  std::string lines, names;
  for (const auto& [name, value] : sorted) {
    lines += fmt::format("{}:{}\n", name, value);
    names += (names.empty() ? "" : ";") + name;
  }
  Signed done;
  done.canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", method, path, query, lines, names, payload_hash);
  const std::string date = AmzDate(now), day = date.substr(0, 8);
  const std::string scope =
      fmt::format("{}/{}/{}/aws4_request", day, signer.region, signer.service);
  done.to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, date, scope, Sha256Hex(done.canonical));
  const Secret first("AWS4" + std::string(signer.key.Open()));
  Digest key = Hmac(Bytes(first.Open()), day);
  for (const std::string_view part :
       {std::string_view(signer.region), std::string_view(signer.service),
        std::string_view("aws4_request")})
    key = Hmac(key, part);
  done.signature = Hex(Hmac(key, done.to_sign));
  done.authorization = fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}",
                                   kAlgorithm, signer.key_id, scope, names, done.signature);
  return done;
}

}  // namespace sluice::s3
