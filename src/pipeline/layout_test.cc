// One layout, and no word of the file changed by it.
#include "pipeline/layout.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "pipeline/project.h"

namespace sluice {
namespace {

std::string Laid(std::string_view text) {
  auto laid = LayOut(text, "p.yml");
  return laid.ok() ? *laid : "ERROR " + Format(laid.error());
}

TEST(LayoutTest, IndentsByTwo) {
  EXPECT_EQ(
      Laid("steps:\n    a:\n          filter: x > 1\n    b:\n        map:\n            c: d\n"),
      "steps:\n  a:\n    filter: x > 1\n  b:\n    map:\n      c: d\n");
}

TEST(LayoutTest, SpacesFlows) {
  EXPECT_EQ(Laid("a: {b: 1,c: [x,y ] ,d: {}, e: []}\n"), "a: { b: 1, c: [x, y], d: {}, e: [] }\n");
  EXPECT_EQ(Laid("a: { b: \"x,{y\", c: 'it''s, [z' }\n"), "a: { b: \"x,{y\", c: 'it''s, [z' }\n");
  EXPECT_EQ(Laid("a: {b: \"{{ ds }}\"}\n"), "a: { b: \"{{ ds }}\" }\n");
}

TEST(LayoutTest, KeepsAlignedValues) {
  EXPECT_EQ(Laid("steps:\n  a:    {filter: x}\n  long: {filter: y}\n"),
            "steps:\n  a:    { filter: x }\n  long: { filter: y }\n");
}

TEST(LayoutTest, KeepsCommentsAndOrder) {
  EXPECT_EQ(Laid("#top\nz: 1 #why\n\n\n\n# about a\na: 2\n#!keep\n"),
            "# top\nz: 1  # why\n\n# about a\na: 2\n#!keep\n");
  EXPECT_EQ(Laid("a:\n    # inside\n    b: 1\n    # after b\n# top\nc: 2\n"),
            "a:\n  # inside\n  b: 1\n  # after b\n# top\nc: 2\n");
}

TEST(LayoutTest, AHashInsideAValueIsNoComment) {
  EXPECT_EQ(Laid("a: x#y\nb: '#z'\nc: {d: e#f}\n"), "a: x#y\nb: '#z'\nc: { d: e#f }\n");
}

TEST(LayoutTest, LeavesBlockTextAlone) {
  EXPECT_EQ(
      Laid("a:\n    sql: |\n        SELECT  {x}\n\n\n          FROM y   # no comment\n    b: 1\n"),
      "a:\n  sql: |\n      SELECT  {x}\n\n\n        FROM y   # no comment\n  b: 1\n");
  EXPECT_EQ(Laid("a:\n  - |\n   x\n  - y\n"), "a:\n  - |\n   x\n  - y\n");
}

TEST(LayoutTest, MovesWhatGoesOn) {
  EXPECT_EQ(Laid("a:\n    b: { c: 1,\n         d: 2 }\n    e: \"x\n       y\"\n"),
            "a:\n  b: { c: 1,\n       d: 2 }\n  e: \"x\n     y\"\n");
}

TEST(LayoutTest, Lists) {
  EXPECT_EQ(Laid("a:\n-   b: 1\n    c: 2\n-   d\n"), "a:\n- b: 1\n  c: 2\n- d\n");
}

TEST(LayoutTest, LineEndsAndTheEndOfTheFile) {
  EXPECT_EQ(Laid("a: 1  \r\nb: 2\r\n\r\n"), "a: 1\nb: 2\n");
  EXPECT_EQ(Laid("\n\na: 1"), "a: 1\n");
}

TEST(LayoutTest, AWrongFileIsRefusedWithItsPlace) {
  EXPECT_EQ(Laid("a: 1\na: 2\n"), "ERROR p.yml:2:1: the key 'a' is given twice");
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The pipelines of a .test file: the indented lines below `pipeline`, and `project`.
std::vector<std::string> Sections(const std::string& text) {
  std::vector<std::string> found;
  bool inside = false;
  for (const std::string& line : Split(text, '\n')) {
    if (!line.empty() && line[0] != ' ' && line[0] != '#') {
      inside = StartsWith(line, "pipeline") || StartsWith(line, "project");
      if (inside) found.emplace_back();
    } else if (inside) {
      found.back() += (line.size() > 2 ? line.substr(2) : "") + "\n";
    }
  }
  return found;
}

TEST(LayoutTest, EveryPipelineKeepsItsMeaningAndASecondTimeItsText) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const char* folder : {"examples", "test/pipelines", "test/wrong"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      const std::string name = entry.path().string();
      if (EndsWith(name, ".yml")) texts.emplace_back(name, ReadFile(entry.path()));
      if (!EndsWith(name, ".test")) continue;
      for (std::string& text : Sections(ReadFile(entry.path()))) texts.emplace_back(name, text);
    }
  }
  EXPECT_GT(texts.size(), 250u);
  int wrong = 0;
  for (const auto& [name, text] : texts) {
    if (!ParseYaml(text, name).ok()) {
      EXPECT_FALSE(LayOut(text, name).ok()) << name;
      ++wrong;
      continue;
    }
    const auto laid = LayOut(text, name);
    ASSERT_TRUE(laid.ok()) << name << "\n" << text;
    EXPECT_EQ(LayOut(*laid, name).value(), *laid) << name;
  }
  EXPECT_LT(wrong, 15);
}

TEST(LayoutTest, FindsTheBracketThatCloses) {
  const std::string text = "a: { b: \"}\", c: [1, 2], # }\n  d: 'x}' } e";
  EXPECT_EQ(text.substr(AfterBracket(text, 3)), " e");
  EXPECT_EQ(AfterBracket("{ a: 1", 0), std::string::npos);
}

}  // namespace
}  // namespace sluice
