// What is stored opens with its key, under its own name and version, and nowhere else.
#include "base/secret_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;
using testing::Not;

constexpr char kCanary[] = "canary-4f1c9e";

class SecretStoreTest : public testing::Test {
 protected:
  SecretStoreTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("sluice_secrets_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
    ::setenv("XDG_CONFIG_HOME", (folder_ / "config").c_str(), 1);
    ::unsetenv("SLUICE_KEY");
    ::unsetenv("SLUICE_KEY_FILE");
  }
  ~SecretStoreTest() override {
    std::error_code code;
    std::filesystem::remove_all(folder_, code);
  }

  SecretStore Store() {
    return SecretStore(*files_, (folder_ / "secrets.json").string(),
                       [](const char* name) -> const char* { return std::getenv(name); });
  }
  std::string ReadOf(const std::string& name) {
    const auto value = Store().Read(name);
    return value.ok() ? std::string(value->Open()) : "ERROR " + Format(value.error());
  }
  std::string Bytes(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::filesystem::path KeyFile() { return Store().KeyPlace().value(); }

  std::unique_ptr<Files> files_ = LocalFiles();
  std::filesystem::path folder_;
};

TEST_F(SecretStoreTest, GivesBackWhatWasSet) {
  EXPECT_EQ(Store().Set("shop_db", Secret(kCanary), microseconds(7)).value(), 1);
  EXPECT_EQ(Store().Set("shop_db", Secret("second"), microseconds(8)).value(), 2);
  EXPECT_EQ(Store().Set("hook", Secret("third"), microseconds(9)).value(), 1);
  EXPECT_EQ(ReadOf("shop_db"), "second");
  EXPECT_EQ(ReadOf("hook"), "third");
  const auto facts = Store().List().value();
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_EQ(facts[1].name, "shop_db");
  EXPECT_EQ(facts[1].version, 2);
  EXPECT_EQ(facts[1].set_at, microseconds(8));
}

TEST_F(SecretStoreTest, HoldsNoValueInTheClear) {
  ASSERT_TRUE(Store().Set("shop_db", Secret(kCanary), microseconds(1)).ok());
  EXPECT_THAT(Bytes(folder_ / "secrets.json"), Not(HasSubstr(kCanary)));
  EXPECT_THAT(Bytes(folder_ / "secrets.json"), HasSubstr("shop_db"));
}

TEST_F(SecretStoreTest, SaysWhichSecretsThereAre) {
  ASSERT_TRUE(Store().Set("shop_db", Secret(kCanary), microseconds(1)).ok());
  EXPECT_EQ(ReadOf("shop_bd"),
            "ERROR there is no secret 'shop_bd' (did you mean 'shop_db'?); sluice secrets set "
            "shop_bd stores it");
  EXPECT_EQ(Store().Remove("nothing").ok(), false);
  EXPECT_TRUE(Store().Remove("shop_db").ok());
  EXPECT_TRUE(Store().List()->empty());
}

TEST_F(SecretStoreTest, TheKeyFileIsTheOwnersAlone) {
  ASSERT_TRUE(Store().Set("a", Secret(kCanary), microseconds(1)).ok());
  struct stat facts {};
  ASSERT_EQ(::stat(KeyFile().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  std::filesystem::permissions(KeyFile(), std::filesystem::perms(0640));
  EXPECT_THAT(ReadOf("a"), HasSubstr("has mode 640: others may read it; chmod 600 it"));
}

TEST_F(SecretStoreTest, AnotherKeyOpensNothing) {
  ASSERT_TRUE(Store().Set("a", Secret(kCanary), microseconds(1)).ok());
  ::setenv("SLUICE_KEY", std::string(64, 'a').c_str(), 1);
  EXPECT_THAT(ReadOf("a"), HasSubstr("which is not in SLUICE_KEY; give that key"));
  ::setenv("SLUICE_KEY", "12", 1);
  EXPECT_EQ(ReadOf("a"), "ERROR SLUICE_KEY holds no key: 64 hexadecimal digits are valid");
  ::unsetenv("SLUICE_KEY");
  EXPECT_EQ(ReadOf("a"), kCanary);
}

// A sealed value that is moved to another name, or given another version, does not open.
TEST_F(SecretStoreTest, ValuesCannotChangePlaces) {
  ASSERT_TRUE(Store().Set("a", Secret("value of a"), microseconds(1)).ok());
  ASSERT_TRUE(Store().Set("b", Secret("value of b"), microseconds(1)).ok());
  const std::string text = Bytes(folder_ / "secrets.json");
  Json swapped = *ParseJson(text);
  std::swap(swapped["secrets"]["a"], swapped["secrets"]["b"]);
  std::ofstream(folder_ / "secrets.json") << swapped.dump();
  EXPECT_THAT(ReadOf("a"), HasSubstr("secret 'a' does not open"));
  Json older = *ParseJson(text);
  older["secrets"]["a"]["version"] = 2;
  std::ofstream(folder_ / "secrets.json") << older.dump();
  EXPECT_THAT(ReadOf("a"), HasSubstr("does not open"));
  EXPECT_EQ(ReadOf("b"), "value of b");
  Json changed = *ParseJson(text);
  std::string sealed = changed["secrets"]["a"]["sealed"];
  sealed[3] = sealed[3] == '0' ? '1' : '0';
  changed["secrets"]["a"]["sealed"] = sealed;
  std::ofstream(folder_ / "secrets.json") << changed.dump();
  EXPECT_THAT(ReadOf("a"), HasSubstr("does not open"));
}

TEST_F(SecretStoreTest, RotationLeavesOneNewKey) {
  ASSERT_TRUE(Store().Set("a", Secret("value of a"), microseconds(1)).ok());
  ASSERT_TRUE(Store().Set("b", Secret("value of b"), microseconds(1)).ok());
  const std::string before = Bytes(KeyFile());
  EXPECT_EQ(Store().Rotate().value(), 2u);
  const std::string after = Bytes(KeyFile());
  EXPECT_EQ(after.size(), 65u);
  EXPECT_NE(after, before);
  EXPECT_EQ(ReadOf("a"), "value of a");
  EXPECT_EQ(ReadOf("b"), "value of b");
  EXPECT_EQ(Store().List()->at(0).version, 1);
}

// Killed between its steps, a rotation leaves both keys: what either sealed still opens.
TEST_F(SecretStoreTest, BothKeysOfARotationOpen) {
  ASSERT_TRUE(Store().Set("a", Secret("value of a"), microseconds(1)).ok());
  const std::string old_store = Bytes(folder_ / "secrets.json"), old_key = Bytes(KeyFile());
  ASSERT_TRUE(Store().Rotate().ok());
  const std::string new_store = Bytes(folder_ / "secrets.json"), new_key = Bytes(KeyFile());
  std::ofstream(KeyFile()) << new_key << old_key;
  EXPECT_EQ(ReadOf("a"), "value of a");
  std::ofstream(folder_ / "secrets.json") << old_store;
  EXPECT_EQ(ReadOf("a"), "value of a");
}

TEST_F(SecretStoreTest, KeysOfTheEnvironmentRotateTheFirst) {
  const std::string one(64, '1'), two(64, '2');
  ::setenv("SLUICE_KEY", one.c_str(), 1);
  ASSERT_TRUE(Store().Set("a", Secret("value of a"), microseconds(1)).ok());
  ::setenv("SLUICE_KEY", (two + "," + one).c_str(), 1);
  EXPECT_EQ(Store().Rotate().value(), 1u);
  ::setenv("SLUICE_KEY", two.c_str(), 1);
  EXPECT_EQ(ReadOf("a"), "value of a");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "config"));
}

TEST_F(SecretStoreTest, RefusesWhatIsNoSecret) {
  EXPECT_THAT(Format(Store().Set("a b", Secret("x"), microseconds(1)).error()),
              HasSubstr("'a b' is no name for a secret"));
  EXPECT_THAT(Format(Store().Set("a", Secret(""), microseconds(1)).error()),
              HasSubstr("the value of 'a' is empty"));
  EXPECT_THAT(Format(Store().Set("a", Secret(std::string(70'000, 'x')), microseconds(1)).error()),
              HasSubstr("larger than 65.5 KB"));
  std::ofstream(folder_ / "secrets.json") << "{\"format\": 2}";
  EXPECT_THAT(ReadOf("a"), HasSubstr("is damaged; restore it from a backup"));
}

TEST_F(SecretStoreTest, ReferencesAreOpened) {
  ASSERT_TRUE(Store().Set("shop_db", Secret(kCanary), microseconds(1)).ok());
  ::setenv("SLUICE_TEST_VALUE", "from the environment", 1);
  ::setenv("SLUICE_TEST_EMPTY", "", 1);
  std::ofstream(folder_ / "password.txt") << "from a file\n";
  auto secrets = MakeSecrets(*files_, folder_.string(), (folder_ / "secrets.json").string());
  const auto open = [&](std::string_view text) {
    auto value = secrets->Open(text, {"sluice.yml", 3, 7});
    return value.ok() ? std::string(value->Open()) : Format(value.error());
  };
  EXPECT_EQ(open("secret:shop_db"), kCanary);
  EXPECT_EQ(open("env:SLUICE_TEST_VALUE"), "from the environment");
  EXPECT_EQ(open("file:password.txt"), "from a file");
  EXPECT_EQ(open("plain"), "plain");
  EXPECT_EQ(open("env:SLUICE_TEST_NONE"),
            "sluice.yml:3:7: the environment variable SLUICE_TEST_NONE is not set");
  EXPECT_EQ(open("env:SLUICE_TEST_EMPTY"),
            "sluice.yml:3:7: the environment variable SLUICE_TEST_EMPTY is empty");
  EXPECT_EQ(open("file:none.txt"), "sluice.yml:3:7: file:none.txt: there is no such file");
  EXPECT_THAT(open("secret:none"), HasSubstr("sluice.yml:3:7: there is no secret 'none'"));
}

TEST_F(SecretStoreTest, TwoWritersLoseNothing) {
  for (int child = 0; child < 4; ++child) {
    if (::fork() != 0) continue;
    bool all = true;
    for (int i = 0; i < 10; ++i) {
      const std::string name = "s" + std::to_string(child) + "_" + std::to_string(i);
      all = all && Store().Set(name, Secret(name), microseconds(1)).ok();
    }
    ::_exit(all ? 0 : 1);
  }
  for (int child = 0; child < 4; ++child) {
    int status = 0;
    ASSERT_GT(::wait(&status), 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Store().List()->size(), 40u);
  EXPECT_EQ(ReadOf("s3_9"), "s3_9");
}

}  // namespace
}  // namespace sluice
