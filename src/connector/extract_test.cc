// Tests of connector/extract.
#include "connector/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connector/registry.h"

namespace sluice {
namespace {

using testing::HasSubstr;

Node Plain(const std::string& text) {
  return {.kind = Node::Kind::kScalar, .scalar = text, .mark = {"p.yml", 4, 9}};
}
Node MapOf(std::vector<std::pair<std::string, Node>> entries) {
  Node map{.kind = Node::Kind::kMap, .mark = {"p.yml", 3, 3}};
  for (auto& [key, value] : entries) map.map.push_back({Plain(key), value});
  return map;
}
std::string ErrorOf(std::vector<std::pair<std::string, Node>> entries) {
  entries.emplace_back("from", Plain("file"));
  const auto bound = ExtractSpec().Bind(MapOf(std::move(entries)));
  return bound.ok() ? "none" : Format(bound.error());
}

TEST(ExtractSpec, BindsItsKeys) {
  const auto bound = ExtractSpec().Bind(MapOf(
      {{"from", Plain("generator")},
       {"count", Plain("0")},
       {"path", Plain("a.csv")},
       {"incremental", MapOf({{"cursor", Plain("updated_at")}, {"lookback", Plain("5m")}})}}));
  ASSERT_TRUE(bound.ok()) << Format(bound.error());
  EXPECT_EQ(bound->count, 0);
  EXPECT_EQ(bound->path.at(0).text, "a.csv");
  EXPECT_EQ(bound->incremental->cursor.text, "updated_at");
  EXPECT_EQ(bound->incremental->lookback, std::chrono::minutes(5));
  EXPECT_FALSE(ExtractSpec().Bind(MapOf({{"from", Plain("generator")}}))->count.has_value());
}

TEST(ExtractSpec, RefusesByName) {
  EXPECT_THAT(ErrorOf({{"format", Plain("orc")}}),
              HasSubstr("auto, csv, ndjson, json, avro, parquet"));
  EXPECT_THAT(ErrorOf({{"format", Plain("csw")}}), HasSubstr("csv"));
  EXPECT_THAT(ErrorOf({{"topic", Plain("t")}}), HasSubstr("comes with"));
  EXPECT_THAT(ErrorOf({{"pth", Plain("t")}}), HasSubstr("path"));
  EXPECT_THAT(ErrorOf({{"on_null_time", Plain("keep")}}), HasSubstr("reject"));
  EXPECT_THAT(ErrorOf({{"incremental", MapOf({{"lookback", Plain("5m")}})}}), HasSubstr("cursor"));
}

TEST(BuiltinConnectors, NameKeysThatExist) {
  const Connectors all = BuiltinConnectors();
  const SpecFacts facts = ExtractSpec().facts();
  for (const char* type : {"file", "inline", "generator"}) {
    const Connector* connector = Find(all, type);
    ASSERT_NE(connector, nullptr) << type;
    EXPECT_TRUE(connector->built_in);
    for (const std::string& key : connector->extract_keys) {
      EXPECT_TRUE(std::any_of(facts.fields.begin(), facts.fields.end(), [&](const auto& field) {
        return field.name == key;
      })) << key;
    }
  }
  EXPECT_EQ(Find(all, "kafka"), nullptr);
}

}  // namespace
}  // namespace sluice
