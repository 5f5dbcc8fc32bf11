// YAML as nodes: scalars raw, places exact, everything that would surprise refused with a remedy.
#include <gtest/gtest.h>

#include <map>

#include "pipeline/project.h"

namespace sluice {
namespace {

std::string ErrorOf(std::string_view text) {
  auto node = ParseYaml(text, "p.yml");
  return node.ok() ? "parsed" : Format(node.error());
}

TEST(YamlTest, KeepsScalarsRawWithPlaces) {
  auto node = ParseYaml("on: 012\nb: 'yes'\nc: |\n  SELECT 1\nd: [1, ~]\n", "p.yml");
  ASSERT_TRUE(node.ok()) << Format(node.error());
  ASSERT_EQ(node->map.size(), 4u);
  EXPECT_EQ(node->map[0].key.scalar, "on");
  EXPECT_EQ(node->map[0].value.scalar, "012");
  EXPECT_FALSE(node->map[0].value.quoted);
  EXPECT_TRUE(node->Find("b")->quoted);
  EXPECT_EQ(node->Find("c")->scalar, "SELECT 1\n");
  EXPECT_TRUE(node->Find("c")->quoted);
  EXPECT_EQ(node->Find("d")->list[1].kind, Node::Kind::kNull);
  EXPECT_EQ(node->Find("d")->mark, (Mark{"p.yml", 5, 4}));
}

TEST(YamlTest, UnquotedTemplateIsShownQuoted) {
  EXPECT_EQ(ErrorOf("a: 1\nday: {{ ds }}\n"),
            "p.yml:2:6: an unquoted {{ }} begins a YAML map; quote it: day: \"{{ ds }}\"");
  EXPECT_EQ(ErrorOf("load: { partition: { day: {{ ds }} } }\n"),
            "p.yml:1:27: an unquoted {{ }} begins a YAML map; quote it: load: { partition: { day: "
            "\"{{ ds }}\" } }");
  EXPECT_EQ(ErrorOf("path: {{ ds }}/a.csv\n"),
            "p.yml:1:7: an unquoted {{ }} begins a YAML map; quote it: path: \"{{ ds }}/a.csv\"");
  EXPECT_EQ(ErrorOf("day: {{ ds - INTERVAL 1 DAY }}\n"),
            "p.yml:1:6: an unquoted {{ }} begins a YAML map; quote it: day: \"{{ ds - INTERVAL 1 "
            "DAY }}\"");
  // The whole value: quotes around a part of it are no YAML.
  const std::map<std::string, std::string> quoted{
      {"k: { filter: amount > {{ params.least }} }",
       "k: { filter: \"amount > {{ params.least }}\" }"},
      {"k: { filter: {{ ds }} > day, on_row_error: reject }",
       "k: { filter: \"{{ ds }} > day\", on_row_error: reject }"},
      {"k: { map: { a: round(b * {{ vars.x }}, 2), c: d } }",
       "k: { map: { a: \"round(b * {{ vars.x }}, 2)\", c: d } }"},
      {"k: { filter: \"a\" = {{ ds }} }", "k: { filter: '\"a\" = {{ ds }}' }"},
      {"k: [ a, {{ ds }} - 1 ]  # why", "k: [ a, \"{{ ds }} - 1\" ]  # why"},
      {"k: {{ ds }} or {{ run.id }}  # why", "k: \"{{ ds }} or {{ run.id }}\"  # why"}};
  for (const auto& [wrong, right] : quoted) {
    const std::string error = ErrorOf(wrong + "\n");
    EXPECT_EQ(error.substr(error.find("quote it: ") + 10), right);
    EXPECT_TRUE(ParseYaml(right, "p.yml").ok()) << right;
  }
}

TEST(YamlTest, RefusesWhatSurprises) {
  EXPECT_EQ(ErrorOf("a: 1\nb: 2\na: 3\n"), "p.yml:3:1: the key 'a' is given twice");
  EXPECT_EQ(ErrorOf("a: &x 1\n"),
            "p.yml:1:4: YAML anchors (&name) are not allowed; write the value again");
  EXPECT_EQ(ErrorOf("a: *x\n").substr(0, 8), "p.yml:1:");
  EXPECT_EQ(ErrorOf("a: !!int 1\n"),
            "p.yml:1:4: YAML tags (tag:yaml.org,2002:int) are not allowed");
  EXPECT_EQ(ErrorOf("a: @x\n"), "p.yml:1:4: a plain value cannot begin with '@'; put it in quotes");
  EXPECT_EQ(ErrorOf("a: 1\n---\nb: 2\n"), "p.yml:2:1: a second YAML document; a file holds one");
  EXPECT_EQ(ErrorOf("[a, b]: 1\n"), "p.yml:1:1: a key must be a plain name");
  EXPECT_EQ(ErrorOf("a: \xff\n"), "p.yml: not UTF-8; save the file as UTF-8");
  EXPECT_EQ(ErrorOf(std::string(40, '[') + std::string(40, ']')),
            "p.yml:1:33: more than 32 levels of nesting");
  EXPECT_EQ(ErrorOf(std::string(1 << 21, 'a')), "p.yml: 2.1 MB of YAML; at most 1 MB");
  EXPECT_EQ(ErrorOf("a: [1, 2\nb: 3\n").substr(0, 6), "p.yml:");
}

TEST(YamlTest, DeepNestingNeitherCrashesNorHangs) {
  for (const char* open : {"[", "{a: ", "- "}) {
    std::string text;
    for (int i = 0; i < 20000; ++i) text += open;
    EXPECT_NE(ErrorOf(text), "parsed");
  }
}

TEST(PipelineFileTest, StepsTakeTheStepAbove) {
  auto file = ParsePipeline(
      "steps:\n  a: { extract: { from: file, path: x.csv } }\n  b: { filter: x > 1 }\n"
      "  c: { extract: { from: file, path: y.csv } }\n  d: { map: { x: x }, from: [b, c] }\n",
      "pipelines/two.yml");
  ASSERT_TRUE(file.ok()) << Format(file.error());
  EXPECT_EQ(file->name, "two");
  ASSERT_EQ(file->steps.size(), 4u);
  EXPECT_TRUE(file->steps[0].from.empty());
  EXPECT_EQ(file->steps[1].from, std::vector<std::string>{"a"});
  EXPECT_TRUE(file->steps[2].from.empty());
  EXPECT_EQ(file->steps[3].from, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(file->steps[1].verb, "filter");
  EXPECT_EQ(file->steps[1].body.scalar, "x > 1");
}

}  // namespace
}  // namespace sluice
