// The one way out: whoever opens a network connection asks here where it may go.
//
// A name is resolved once, every address it has is judged, and the caller connects to the addresses
// that were judged, never to the name again: what another resolution would say does not matter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace sluice {

// What a pipeline may reach. A run that the user starts may reach what the user may; one that a
// server runs for somebody must not reach the server's own network.
struct EgressPolicy {
  enum class Inside : uint8_t { kAllowed, kRefused };

  Inside inside = Inside::kAllowed;
  std::vector<std::string> allowed;  // hosts that may lie inside nevertheless, as connections name
                                     // them
};

struct Route {
  std::string host;  // as asked for: what TLS verifies, what a Host header says
  int port = 0;
  std::vector<std::string> addresses;  // numeric, judged, in the order to try
};

// kTransient where the name is not found now, kRejected where an address of it is inside and must
// not be.
Result<Route> FindRoute(const std::string& host, int64_t port, const EgressPolicy& policy);

// Not a public address: loopback, private, link-local, shared, reserved, multicast, and IPv6 forms
// that stand for such an IPv4 address. What is no address is inside too.
bool IsInside(const std::string& address);

}  // namespace sluice
