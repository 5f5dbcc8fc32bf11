// Secrets are opened on purpose and leave nothing behind.
#include "base/secret.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <new>
#include <sstream>

namespace sluice {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(!Streamable<Secret>, "a secret must not reach a stream");
static_assert(!fmt::is_formattable<Secret>::value, "a secret must not reach a format");

TEST(SecretTest, OpensToItsValue) {
  const Secret secret("swordfish");
  EXPECT_EQ(secret.Open(), "swordfish");
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(Secret().empty());
}

TEST(SecretTest, DestructionWipesTheBytes) {
  // A value short enough to live inside the string, in memory that outlives it.
  alignas(Secret) unsigned char place[sizeof(Secret)];
  auto* secret = new (place) Secret("swordfish");
  const size_t at =
      std::string_view(reinterpret_cast<char*>(place), sizeof place).find("swordfish");
  ASSERT_NE(at, std::string_view::npos);
  secret->~Secret();
  EXPECT_EQ(std::string_view(reinterpret_cast<char*>(place), sizeof place).find("sword"),
            std::string_view::npos);
}

TEST(SecretTest, AssignmentReplacesTheValue) {
  Secret secret("swordfish");
  secret = Secret("perch");
  EXPECT_EQ(secret.Open(), "perch");
  const Secret copy = secret;
  secret = copy;
  EXPECT_EQ(secret.Open(), "perch");
}

}  // namespace
}  // namespace sluice
