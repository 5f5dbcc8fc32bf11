// Tests of connector/inline/source.
#include "connector/inline/source.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connector/source_probe.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using Row = std::vector<std::string>;

Node Plain(const std::string& text) {
  return {.kind = Node::Kind::kScalar, .scalar = text, .mark = {"p.yml", 1, 1}};
}
Node Quoted(const std::string& text) {
  return {.kind = Node::Kind::kScalar, .scalar = text, .quoted = true, .mark = {"p.yml", 1, 1}};
}
Node RowOf(int line, std::vector<std::pair<std::string, Node>> values) {
  Node row{.kind = Node::Kind::kMap, .mark = {"p.yml", line, 5}};
  for (auto& [key, value] : values) row.map.push_back({Plain(key), value});
  return row;
}
Node ListOf(std::vector<Node> items) {
  return {.kind = Node::Kind::kList, .list = std::move(items), .mark = {"p.yml", 2, 3}};
}

ExtractRequest RequestOf(Node rows,
                         const std::vector<std::pair<std::string, std::string>>& columns = {}) {
  ExtractRequest request = FileRequest("", columns);
  request.config.rows = std::move(rows);
  return request;
}
std::unique_ptr<Source> Make(ExtractRequest request) {
  auto made = MakeInlineSource(std::move(request));
  EXPECT_TRUE(made.ok()) << Format(made.error());
  return std::move(made).value();
}

TEST(InlineSource, GuessesTypesAndKeepsQuotedScalarsText) {
  SourceProbe probe;
  auto source = Make(RequestOf(ListOf({
      RowOf(5, {{"id", Plain("1")},
                {"zip", Quoted("01234")},
                {"x", Plain("1")},
                {"ok", Plain("true")},
                {"at", Plain("2026-01-02")}}),
      RowOf(6, {{"id", Node{}},
                {"x", Plain("2.5")},
                {"at", Plain("2026-01-02 03:04:05")},
                {"n", ListOf({Plain("1"), Quoted("a")})}}),
  })));
  EXPECT_EQ(Format(source->Describe(*probe.session, {})->schema),
            "(id BIGINT, zip VARCHAR, x DOUBLE, ok BOOLEAN, at TIMESTAMP, n JSON)");
  EXPECT_THAT(RowsOf(*probe.ReadAll(*source, {})),
              ElementsAre(Row{"1", "01234", "1.0", "true", "2026-01-02 00:00:00", "NULL"},
                          Row{"NULL", "NULL", "2.5", "NULL", "2026-01-02 03:04:05", "[1,\"a\"]"}));
}

TEST(InlineSource, ABadRowIsALetterAtItsLine) {
  SourceProbe probe;
  auto source =
      Make(RequestOf(ListOf({RowOf(5, {{"id", Plain("1")}}), RowOf(9, {{"id", Plain("x")}})}),
                     {{"id", "bigint"}}));
  const auto epochs = probe.ReadAll(*source, {});
  ASSERT_TRUE(epochs.ok()) << Format(epochs.error());
  EXPECT_THAT(RowsOf(*epochs), ElementsAre(Row{"1"}));
  ASSERT_THAT(LettersOf(*epochs), SizeIs(1));
  EXPECT_EQ(LettersOf(*epochs)[0].line, 9);
  EXPECT_EQ(LettersOf(*epochs)[0].offset, 1);
  EXPECT_EQ(LettersOf(*epochs)[0].original, "{\"id\":\"x\"}");
}

TEST(InlineSource, EveryCutGivesEveryRowOnceFromAnyPosition) {
  SourceProbe probe;
  Node rows{.kind = Node::Kind::kMap};
  std::vector<Row> expected;
  for (int p = 0; p < 3; ++p) {
    std::vector<Node> list;
    for (int i = 0; i < p * 4 + 1; ++i) {
      expected.push_back({std::to_string(p * 100 + i)});
      list.push_back(RowOf(i, {{"id", Plain(expected.back()[0])}}));
    }
    rows.map.push_back({Plain(fmt::format("p{}", p)), ListOf(list)});
  }
  std::sort(expected.begin(), expected.end());
  for (const Limits& limits :
       {Limits{}, Limits{.rows = 1}, Limits{.rows = 4}, Limits{.bytes = 20}}) {
    auto source = Make(RequestOf(rows));
    const auto epochs = probe.ReadAll(*source, limits);
    ASSERT_TRUE(epochs.ok()) << Format(epochs.error());
    EXPECT_EQ(RowsOf(*epochs), expected);
    Position at;
    std::vector<Row> before;
    for (const auto& epoch : *epochs) {
      if (limits.rows) {
        EXPECT_LE(epoch.rows.size(), limits.rows);
      }
      auto rest = RowsOf(*probe.ReadAll(*Make(RequestOf(rows)), limits, at));
      rest.insert(rest.end(), before.begin(), before.end());
      std::sort(rest.begin(), rest.end());
      EXPECT_EQ(rest, expected);
      at = source->After(at, epoch.range);
      before.insert(before.end(), epoch.rows.begin(), epoch.rows.end());
    }
    EXPECT_TRUE(epochs->back().range.final);
    EXPECT_FALSE(source->Freeze(at, limits, {})->has_value());
  }
}

TEST(InlineSource, OtherRowsHaveAnotherIdentity) {
  const auto identity = [](const std::string& value) {
    return (*Make(RequestOf(ListOf({RowOf(5, {{"id", Plain(value)}})})))->Freeze({}, {}, {}))
        ->cuts[0]
        .identity;
  };
  EXPECT_EQ(identity("1"), identity("1"));
  EXPECT_NE(identity("1"), identity("2"));
}

TEST(InlineSource, RefusesWhatAreNoRows) {
  EXPECT_THAT(Format(MakeInlineSource(RequestOf(Plain("x"))).error()),
              HasSubstr("`rows` is a value, not a list of maps"));
  EXPECT_THAT(Format(MakeInlineSource(RequestOf(ListOf({Plain("x")}))).error()),
              HasSubstr("a row is a value"));
  EXPECT_THAT(Format(MakeInlineSource(RequestOf(ListOf({}))).error()), HasSubstr("columns"));
  EXPECT_FALSE(MakeInlineSource(RequestOf(Node{})).ok());
}

}  // namespace
}  // namespace sluice
