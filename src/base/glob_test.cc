// Which files a glob finds.
#include "base/glob.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"

namespace sluice {
namespace {

class GlobTest : public testing::Test {
 protected:
  GlobTest() {
    std::string name = testing::TempDir() + "glob_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~GlobTest() override { (void)files_->RemoveAll(folder_); }

  void Make(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const std::string path = folder_ + "/" + name;
      ASSERT_TRUE(files_->MakeFolders(ParentFolder(path)).ok());
      ASSERT_TRUE(files_->Open(path, Files::Mode::kTruncate).ok());
    }
  }

  // The names below the test's folder, joined by spaces.
  std::string Found(const std::string& pattern) {
    std::string found;
    for (const std::string& path : ExpandGlob(folder_ + "/" + pattern).value()) {
      found += (found.empty() ? "" : " ") + path.substr(folder_.size() + 1);
    }
    return found;
  }

  std::string folder_;
  std::unique_ptr<Files> files_ = LocalFiles();
};

TEST_F(GlobTest, StarsAndClassesWithinANameSorted) {
  Make({"b.csv", "a.csv", "a10.csv", "a2.csv", "c.json", "sub/d.csv", ".hidden.csv"});
  EXPECT_EQ(Found("*.csv"), "a.csv a10.csv a2.csv b.csv");
  EXPECT_EQ(Found("a?.csv"), "a2.csv");
  EXPECT_EQ(Found("a[0-9]*.csv"), "a10.csv a2.csv");
  EXPECT_EQ(Found("[!a]*"), "b.csv c.json");
  EXPECT_EQ(Found("[ab].csv"), "a.csv b.csv");
  EXPECT_EQ(Found("*/*.csv"), "sub/d.csv");
  EXPECT_EQ(Found("sub"), "") << "a folder is no file";
  EXPECT_EQ(Found(".*"), ".hidden.csv");
  EXPECT_EQ(Found("none/*.csv"), "");
  EXPECT_EQ(Found("a.csv/*"), "");
}

TEST_F(GlobTest, TwoStarsForAnyNumberOfFolders) {
  Make({"a.csv", "x/a.csv", "x/y/a.csv", "x/y/b.csv", ".git/a.csv"});
  EXPECT_EQ(Found("**/a.csv"), "a.csv x/a.csv x/y/a.csv");
  EXPECT_EQ(Found("x/**/a.csv"), "x/a.csv x/y/a.csv");
  EXPECT_EQ(Found("**"), "a.csv x/a.csv x/y/a.csv x/y/b.csv");
  EXPECT_EQ(Found("**/**/a.csv"), "a.csv x/a.csv x/y/a.csv");
  EXPECT_EQ(Found("**/y/*"), "x/y/a.csv x/y/b.csv");
}

TEST_F(GlobTest, ALinkThatLeadsBackUpIsNotWalkedForEver) {
  Make({"x/a.csv"});
  ASSERT_EQ(::symlink("..", (folder_ + "/x/up").c_str()), 0);
  EXPECT_EQ(Found("**/*.csv"), "x/a.csv");
  EXPECT_EQ(Found("x/up/x/*.csv"), "x/up/x/a.csv") << "a link that is named is followed";
}

TEST_F(GlobTest, NamesWithGlobCharacters) {
  Make({"report[1].csv", "report1.csv", "w*t.csv", "what.csv", "q?.csv", "back\\slash.csv"});
  EXPECT_EQ(Found("report\\[1].csv"), "report[1].csv");
  EXPECT_EQ(Found("report[[]1].csv"), "report[1].csv");
  EXPECT_EQ(Found("report[1].csv"), "report1.csv") << "a pattern first";
  EXPECT_EQ(Found("w\\*t.csv"), "w*t.csv");
  for (const char* name : {"report[1].csv", "w*t.csv", "q?.csv", "back\\slash.csv"}) {
    EXPECT_EQ(Found(EscapeGlob(name)), name);
  }
  ASSERT_TRUE(files_->Remove(folder_ + "/report1.csv").ok());
  EXPECT_EQ(Found("report[1].csv"), "report[1].csv") << "the name itself where nothing matches";
}

TEST_F(GlobTest, AnUnreadableFolderIsAnError) {
  if (::geteuid() == 0) {
    // Nothing is unreadable for root; a folder that is too long to name fails in its place.
    EXPECT_FALSE(ExpandGlob(folder_ + "/" + std::string(300, 'x') + "/*").ok());
    return;
  }
  Make({"secret/a.csv"});
  ASSERT_EQ(::chmod((folder_ + "/secret").c_str(), 0), 0);
  EXPECT_FALSE(ExpandGlob(folder_ + "/**/*.csv").ok());
  ASSERT_EQ(::chmod((folder_ + "/secret").c_str(), 0700), 0);
}

TEST(MatchesGlobTest, CharactersNotBytes) {
  EXPECT_TRUE(MatchesGlob("caf?", "café"));
  EXPECT_FALSE(MatchesGlob("caf??", "café"));
  EXPECT_TRUE(MatchesGlob("[à-ü]", "é"));
  EXPECT_FALSE(MatchesGlob("[a-z]", "é"));
  EXPECT_TRUE(MatchesGlob("?", "\xFF")) << "a byte that is no UTF-8 is one character";
}

TEST(MatchesGlobTest, OddClasses) {
  EXPECT_TRUE(MatchesGlob("[]a]", "]"));
  EXPECT_TRUE(MatchesGlob("[a-]", "-"));
  EXPECT_TRUE(MatchesGlob("[", "["));
  EXPECT_TRUE(MatchesGlob("[ab", "[ab"));
  EXPECT_TRUE(MatchesGlob("[\\]]", "]"));
  EXPECT_FALSE(MatchesGlob("[!a]", "a"));
  EXPECT_FALSE(MatchesGlob("", "a"));
  EXPECT_TRUE(MatchesGlob("*", ""));
  EXPECT_FALSE(MatchesGlob("?", ""));
}

TEST(MatchesGlobTest, ManyStarsEnd) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "a*";
  EXPECT_FALSE(MatchesGlob(pattern + "b", std::string(2'000, 'a')));
  EXPECT_TRUE(MatchesGlob(pattern, std::string(2'000, 'a')));
}

TEST(Glob, MatchesWholePaths) {
  for (const auto& [pattern, path] : std::vector<std::pair<const char*, const char*>>{
           {"a/*.csv", "a/b.csv"},
           {"a/b.csv", "a/b.csv"},
           {"a\\*/b", "a*/b"},
           {"**/b.csv", "b.csv"},
           {"**/b.csv", "x/y/b.csv"},
           {"a/**/b/*.csv", "a/b/c.csv"},
           {"a/**/b/*.csv", "a/b/b/b/c.csv"},
           {"a/**", "a/b/c"},
           {"day=*/x[0-9].csv", "day=2026-01-01/x7.csv"}}) {
    EXPECT_TRUE(MatchesPath(pattern, path)) << pattern << " " << path;
  }
  for (const auto& [pattern, path] :
       std::vector<std::pair<const char*, const char*>>{{"a/*.csv", "a/b/c.csv"},
                                                        {"a/*.csv", "a/.hidden.csv"},
                                                        {"a/*/x.json", "a/.sluice/x.json"},
                                                        {"**/x.json", ".sluice/x.json"},
                                                        {"a/**", "a"},
                                                        {"a/**/c", "a/.b/c"},
                                                        {"a/b", "a/b/c"},
                                                        {"a/b/c", "a/b"}}) {
    EXPECT_FALSE(MatchesPath(pattern, path)) << pattern << " " << path;
  }
  EXPECT_EQ(GlobPrefix("a/b*.csv"), "a/b");
  EXPECT_EQ(GlobPrefix("a/b.csv"), "a/b.csv");
  EXPECT_EQ(GlobPrefix("*"), "");
}

}  // namespace
}  // namespace sluice
