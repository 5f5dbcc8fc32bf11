// Judging works on bytes, not on texts: there are many ways to write 127.0.0.1.
#include "base/egress.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace sluice {
namespace {

struct Network {
  uint32_t address;
  int bits;
};
// What is not a public IPv4 address (the registry of special-purpose addresses, RFC 6890).
constexpr std::array<Network, 14> kInside4{{{0x00000000, 8},
                                            {0x0A000000, 8},
                                            {0x64400000, 10},
                                            {0x7F000000, 8},
                                            {0xA9FE0000, 16},
                                            {0xAC100000, 12},
                                            {0xC0000000, 24},
                                            {0xC0000200, 24},
                                            {0xC0A80000, 16},
                                            {0xC6120000, 15},
                                            {0xC6336400, 24},
                                            {0xCB007100, 24},
                                            {0xE0000000, 4},
                                            {0xF0000000, 4}}};

bool Inside4(uint32_t address) {
  return std::any_of(kInside4.begin(), kInside4.end(), [&](const Network& network) {
    return (address >> (32 - network.bits)) == (network.address >> (32 - network.bits));
  });
}

uint32_t Big(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

bool Inside6(const std::array<uint8_t, 16>& bytes) {
  const auto begins = [&](std::initializer_list<uint8_t> prefix) {
    return std::equal(prefix.begin(), prefix.end(), bytes.begin());
  };
  if (begins({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return Inside4(Big(&bytes[12]));
  if (begins({0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return Inside4(Big(&bytes[12]));
  if (begins({0x20, 0x02})) return Inside4(Big(&bytes[2]));
  // Public unicast is 2000::/3, less the documentation's, Teredo and the other protocols'.
  if ((bytes[0] & 0xE0) != 0x20) return true;
  return begins({0x20, 0x01, 0x0D, 0xB8}) || (begins({0x20, 0x01}) && bytes[2] < 2);
}

struct Freed {
  void operator()(addrinfo* found) const { ::freeaddrinfo(found); }
};

}  // namespace

bool IsInside(const std::string& address) {
  std::array<uint8_t, 16> bytes{};
  // A zone (fe80::1%eth0) belongs to addresses of a link.
  if (address.find('%') != std::string::npos) return true;
  if (::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return Inside4(Big(bytes.data()));
  if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return Inside6(bytes);
  return true;
}

Result<Route> FindRoute(const std::string& host, int64_t port, const EgressPolicy& policy) {
  Route route{.host = host, .port = static_cast<int>(port), .addresses = {}};
  std::string name = host;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']')
    name = name.substr(1, name.size() - 2);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_family = AF_UNSPEC;
  addrinfo* answer = nullptr;
  const int code = ::getaddrinfo(name.c_str(), nullptr, &wanted, &answer);
  const std::unique_ptr<addrinfo, Freed> found(answer);
  if (code != 0) {
    return TransientError(
        fmt::format("the name '{}' is not found: {}", EscapeControl(host), ::gai_strerror(code)));
  }
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) != 0)
      continue;
    if (std::find(route.addresses.begin(), route.addresses.end(), text.data()) ==
        route.addresses.end())
      route.addresses.emplace_back(text.data());
  }
  if (route.addresses.empty())
    return TransientError(fmt::format("the name '{}' has no address", EscapeControl(host)));
  const bool excepted =
      std::find(policy.allowed.begin(), policy.allowed.end(), host) != policy.allowed.end();
  if (policy.inside == EgressPolicy::Inside::kAllowed || excepted) return route;
  // One of them is enough: a name that also leads inside is not used at all.
  for (const std::string& address : route.addresses) {
    if (!IsInside(address)) continue;
    return RejectedError(
        fmt::format("'{}' leads to {}, an address of this machine's own network, which pipelines "
                    "here may not reach; whoever runs this server can allow the host by name",
                    EscapeControl(host), address));
  }
  return route;
}

}  // namespace sluice
