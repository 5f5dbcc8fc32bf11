// Addresses in every writing, and what a server's pipelines may reach.
#include "base/egress.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

const EgressPolicy kServer{.inside = EgressPolicy::Inside::kRefused, .allowed = {"localhost"}};

TEST(Egress, KnowsWhatIsInside) {
  for (const char* address :
       {"127.0.0.1",       "127.255.1.2",     "10.1.2.3",    "172.16.0.1", "172.31.255.255",
        "192.168.1.1",     "169.254.169.254", "100.64.0.1",  "0.0.0.0",    "224.0.0.1",
        "255.255.255.255", "198.18.0.1",      "::",          "::1",        "fe80::1",
        "fe80::1%eth0",    "fc00::1",         "fd12::1",     "ff02::1",    "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::",   "2001:db8::1", "2001::1",    "nothing"}) {
    EXPECT_TRUE(IsInside(address)) << address;
  }
  for (const char* address : {"1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "11.0.0.1",
                              "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"}) {
    EXPECT_FALSE(IsInside(address)) << address;
  }
}

TEST(Egress, GivesNumericAddresses) {
  auto route = FindRoute("localhost", 5432, {});
  ASSERT_TRUE(route.ok()) << Format(route.error());
  EXPECT_EQ(route->host, "localhost");
  EXPECT_EQ(route->port, 5432);
  ASSERT_FALSE(route->addresses.empty());
  for (const std::string& address : route->addresses) EXPECT_TRUE(IsInside(address)) << address;
}

// However it is written, it is the address that counts.
TEST(Egress, AServersPipelineStaysOutside) {
  for (const char* host : {"127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "::1",
                           "169.254.169.254", "::ffff:127.0.0.1"}) {
    auto route = FindRoute(host, 80, kServer);
    ASSERT_FALSE(route.ok()) << host;
    EXPECT_EQ(route.error().kind, ErrorKind::kRejected) << host;
    EXPECT_TRUE(FindRoute(host, 80, {}).ok()) << host;
  }
  EXPECT_TRUE(FindRoute("8.8.8.8", 80, kServer).ok());
  EXPECT_TRUE(FindRoute("localhost", 80, kServer).ok());  // named as allowed
}

TEST(Egress, ANameThatIsNotFound) {
  auto route = FindRoute("no-such-host.invalid", 80, {});
  ASSERT_FALSE(route.ok());
  EXPECT_EQ(route.error().kind, ErrorKind::kTransient);
  EXPECT_NE(route.error().message.find("no-such-host.invalid"), std::string::npos);
}

}  // namespace
}  // namespace sluice
