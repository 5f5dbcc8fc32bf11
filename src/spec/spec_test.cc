// Binding: every key is read or refused, and each refusal says where, what, and what is valid.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_full.h"
#include "spec/describe.h"
#include "spec/field.h"

namespace sluice {
namespace {

using testing::HasSubstr;

Node Scalar(std::string text, int line = 1, int column = 1) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.scalar = std::move(text);
  node.mark = {"p.yml", line, column};
  return node;
}
Node List(std::vector<Node> items) {
  Node node;
  node.kind = Node::Kind::kList;
  node.list = std::move(items);
  node.mark = {"p.yml", 1, 1};
  return node;
}
Node Map(std::vector<Node::Entry> entries) {
  Node node;
  node.kind = Node::Kind::kMap;
  node.map = std::move(entries);
  node.mark = {"p.yml", 1, 1};
  return node;
}

struct Config {
  std::string path, format = "auto";
  std::vector<Written> by;
  std::vector<NamedWritten> select;
  int64_t count = 3;
  bool loud = false;
  std::chrono::microseconds wait{0};
};
Spec<Config> TestSpec() {
  return Spec<Config>("reader", "Reads.")
      .Main("path")
      .Text(&Config::path, "path", "Glob of the files.", Need::kRequired)
      .Choice(&Config::format, "format", "Format of the files.", {"auto", "csv", "parquet"})
      .List(&Config::by, "by", "Columns.", Slot::kColumn, "list of columns")
      .Names(&Config::select, "select", "Output.", Slot::kColumn,
             "names or a map name -> expression")
      .Integer(&Config::count, "count", "How many.")
      .Flag(&Config::loud, "loud", "Says more.")
      .Duration(&Config::wait, "wait", "How long.")
      .Reserved("pii", "Columns about people.", "security");
}
std::string ErrorOf(const Node& node) {
  auto config = TestSpec().Bind(node);
  return config.ok() ? "bound" : Format(config.error());
}

TEST(SpecTest, BindsEachKindOfField) {
  auto config = TestSpec().Bind(
      Map({{Scalar("path"), Scalar("a.csv")},
           {Scalar("format"), Scalar("csv")},
           {Scalar("by"), List({Scalar("a"), Scalar("b")})},
           {Scalar("select"), List({Scalar("a"), Map({{Scalar("n"), Scalar("count(*)")}})})},
           {Scalar("count"), Scalar("-7")},
           {Scalar("loud"), Scalar("on")},
           {Scalar("wait"), Scalar("1h30m")}}));
  ASSERT_TRUE(config.ok()) << Format(config.error());
  EXPECT_EQ(config->path, "a.csv");
  EXPECT_EQ(config->format, "csv");
  ASSERT_EQ(config->by.size(), 2u);
  EXPECT_EQ(config->by[1].text, "b");
  ASSERT_EQ(config->select.size(), 2u);
  EXPECT_TRUE(config->select[0].value.empty());
  EXPECT_EQ(config->select[1].name, "n");
  EXPECT_EQ(config->select[1].value.text, "count(*)");
  EXPECT_EQ(config->count, -7);
  EXPECT_TRUE(config->loud);
  EXPECT_EQ(config->wait, std::chrono::minutes(90));
}

TEST(SpecTest, MainKeyTakesWhatIsNoMap) {
  auto config = TestSpec().Bind(Scalar("a.csv"));
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->path, "a.csv");
  EXPECT_EQ(config->count, 3);
}

TEST(SpecTest, UnknownKeyNamesTheNearest) {
  EXPECT_EQ(ErrorOf(Map({{Scalar("fromat", 4, 9), Scalar("csv")}})),
            "p.yml:4:9: unknown key 'fromat' in reader; did you mean 'format'?");
  EXPECT_EQ(ErrorOf(Map({{Scalar("zzzzzz", 4, 9), Scalar("csv")}})),
            "p.yml:4:9: unknown key 'zzzzzz' in reader; valid: path, format, by, select, count, "
            "loud, wait");
}

TEST(SpecTest, ReservedKeyIsRefusedByName) {
  EXPECT_EQ(ErrorOf(Map({{Scalar("pii", 2, 3), Scalar("name")}})),
            "p.yml:2:3: 'pii' in reader is not built yet: comes with security");
}

TEST(SpecTest, MissingAndRepeatedKeys) {
  EXPECT_EQ(ErrorOf(Map({})), "p.yml:1:1: reader needs 'path': Glob of the files.");
  EXPECT_EQ(ErrorOf(Map({{Scalar("path"), Scalar("a")}, {Scalar("path", 3, 1), Scalar("b")}})),
            "p.yml:3:1: 'path' is given twice in reader");
}

TEST(SpecTest, WrongShapes) {
  const auto with = [](std::string key, Node value) {
    return ErrorOf(Map({{Scalar("path"), Scalar("a")}, {Scalar(key), std::move(value)}}));
  };
  EXPECT_EQ(with("count", Scalar("1.5", 2, 8)),
            "p.yml:2:8: 'count' takes a whole number, not '1.5'");
  EXPECT_EQ(with("loud", Scalar("maybe", 2, 8)), "p.yml:2:8: 'loud' takes on or off, not 'maybe'");
  EXPECT_EQ(with("wait", Scalar("5", 2, 8)),
            "p.yml:2:8: 'wait' takes a duration like 5m or 1h30m, not '5'");
  EXPECT_EQ(with("format", Scalar("parqet", 2, 8)),
            "p.yml:2:8: 'format' takes one of: auto, csv, parquet, not 'parqet'; did you mean "
            "'parquet'?");
  EXPECT_EQ(with("by", Map({})), "p.yml:1:1: 'by' takes a value or a list of values, not a map");
  Node null;
  null.mark = {"p.yml", 5, 2};
  EXPECT_EQ(with("format", null),
            "p.yml:5:2: 'format' has no value; it takes one of: auto, csv, parquet");
}

TEST(SpecTest, ExpressionCutByAComma) {
  EXPECT_EQ(ErrorOf(Map({{Scalar("path"), Scalar("a")},
                         {Scalar("select"), Map({{Scalar("x"), Scalar("round(a")},
                                                 {Scalar("2)", 3, 30), Node{}}})}})),
            "p.yml:3:30: '2)' has no value; an expression with a comma: quote it or give it its "
            "own line");
  EXPECT_EQ(ErrorOf(Map({{Scalar("path"), Scalar("round(a")}, {Scalar("2) > 1", 3, 30), Node{}}})),
            "p.yml:3:30: '2) > 1' has no value; an expression with a comma: quote it or give it "
            "its own line");
  EXPECT_EQ(ErrorOf(Map({{Scalar("path"), Scalar("a")},
                         {Scalar("by"), List({Scalar("coalesce(a", 3, 8), Scalar("b)")})}})),
            "p.yml:3:8: 'coalesce(a' is cut off; an expression with a comma: quote it or give it "
            "its own line");
}

TEST(SpecTest, DescribesAllKeys) {
  const std::string text = Describe(TestSpec().facts());
  EXPECT_THAT(text, HasSubstr("reader: Reads."));
  EXPECT_THAT(text, HasSubstr("path    Glob of the files. (main key; text; required)"));
  EXPECT_THAT(text, HasSubstr("one of auto, csv, parquet; default auto"));
  EXPECT_THAT(text, HasSubstr("Not built yet: pii"));
  const Json schema = JsonSchema(TestSpec().facts());
  const Json& map = schema["anyOf"][1];
  EXPECT_EQ(map["required"], Json({"path"}));
  EXPECT_EQ(map["properties"]["format"]["anyOf"][0]["enum"][2], "parquet");
  EXPECT_FALSE(map["properties"].contains("pii"));
  EXPECT_EQ(map["additionalProperties"], false);
}

}  // namespace
}  // namespace sluice
