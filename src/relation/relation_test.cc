// Tests of relation/relation.
#include "relation/relation.h"

#include <gmock/gmock.h>

#include "relation/render.h"

namespace sluice::relation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Schema Columns(std::initializer_list<std::pair<std::string, std::string>> columns) {
  Schema schema;
  for (const auto& [name, type] : columns)
    schema.push_back({name, type, name.starts_with("_sluice_"), ""});
  return schema;
}
const Schema kTwo = Columns({{"a", "INTEGER"}, {"b", "VARCHAR"}});

Ref In(Schema schema = kTwo) { return Make(Input{"in"}, std::move(schema), "in"); }
Ref Filter(Ref from, const std::string& step, const std::string& leaves,
           FateKind kind = FateKind::kFiltered) {
  Schema schema = from->schema;
  return Make(Sift{from, {{.kind = kind, .step = step, .applies = {.sql = leaves}}}}, schema, step);
}
Ref Map(Ref from, const std::string& step, std::vector<Named> columns, Schema schema) {
  return Make(Project{std::move(from), std::move(columns)}, std::move(schema), step);
}

struct Rendering {
  std::string sql;
  std::vector<TapPlan> taps;
};
Rendering Show(const Ref& ref, Hidden hidden = Hidden::kLeaveOut, bool rows_known = true) {
  Rendering rendering;
  RenderOptions options{.input = [rows_known](const std::string&) -> Result<InputText> {
                          return InputText{.from = "t", .rows_known = rows_known};
                        },
                        .tap =
                            [&](const TapPlan& plan) {
                              return rendering.taps.push_back(plan),
                                     static_cast<int64_t>(rendering.taps.size());
                            }};
  auto text = Render(ref, options, hidden);
  EXPECT_TRUE(text.ok());
  if (text.ok()) rendering.sql = text->sql;
  return rendering;
}

TEST(Bound, EqualValuesShareANameAndOthersDoNot) {
  EXPECT_EQ(MakeBound("DATE", "2026-01-01").name, MakeBound("DATE", "2026-01-01").name);
  EXPECT_NE(MakeBound("DATE", "2026-01-01").name, MakeBound("VARCHAR", "2026-01-01").name);
  EXPECT_NE(MakeBound("VARCHAR", "").name, MakeBound("VARCHAR", std::nullopt).name);
  EXPECT_EQ(Refer(MakeBound("DATE", "x")), "CAST($" + MakeBound("DATE", "x").name + " AS DATE)");
}

TEST(Canonical, IgnoresPlacesStepNamesBlanksAndComments) {
  Ref one = Filter(In(), "f", "a > 1 AND b = 'x  y'");
  Ref other = Filter(In(), "g", "a >  1 -- why\n AND /* because */ b = 'x  y'");
  EXPECT_EQ(Canonical(one), Canonical(other));
}

TEST(Canonical, TellsWhatComputesSomethingElse) {
  Ref plain = Filter(In(), "f", "b = 'x  y'");
  EXPECT_NE(Canonical(plain), Canonical(Filter(In(), "f", "b = 'x y'")));
  EXPECT_NE(Canonical(plain), Canonical(Filter(In(), "f", "b = 'x  y'", FateKind::kRejected)));
  EXPECT_NE(Canonical(plain), Canonical(Filter(plain, "f", "a = 1")));
  EXPECT_NE(Canonical(In()), Canonical(Make(Input{"other"}, kTwo, "other")));
  EXPECT_NE(Canonical(Map(In(), "m", {{"a", {"a"}}}, kTwo)),
            Canonical(Map(In(), "m", {{"b", {"a"}}}, kTwo)));
}

TEST(Canonical, IsTheSameForASharedNodeAndForItsCopy) {
  Ref shared = Filter(In(), "f", "a = 1");
  Ref twice = Make(Union{{shared, shared}}, kTwo, "u");
  Ref copies = Make(Union{{Filter(In(), "f", "a = 1"), Filter(In(), "f", "a = 1")}}, kTwo, "u");
  EXPECT_EQ(Canonical(twice), Canonical(copies));
}

TEST(Render, ConsecutiveSiftsAreOneTapRightOnTheInput) {
  Rendering shown = Show(Filter(Filter(In(), "f1", "a IS NULL"), "f2", "b = ''"));
  ASSERT_EQ(shown.taps.size(), 1u);
  EXPECT_EQ(shown.taps[0].step_in, "in");
  EXPECT_EQ(shown.taps[0].step_out, "f2");
  EXPECT_FALSE(shown.taps[0].diverts);
  EXPECT_EQ(shown.sql,
            "SELECT \"a\", \"b\" FROM t WHERE sluice_keep(1, CASE WHEN a IS NULL THEN 1 WHEN b = "
            "'' THEN 2 ELSE 0 END)"
            " LIMIT 4611686018427387904");
}

TEST(Render, AProjectionBetweenSiftsMakesTwoTapsWithTheBarrierBetween) {
  Ref mapped = Map(Filter(In(), "f1", "a IS NULL"), "m", {{"c", {"CAST(b AS INTEGER)"}}},
                   Columns({{"c", "INTEGER"}}));
  Rendering shown = Show(Filter(mapped, "f2", "c = 0"));
  ASSERT_EQ(shown.taps.size(), 2u);
  EXPECT_EQ(shown.taps[1].step_in, "m");
  EXPECT_THAT(
      shown.sql,
      HasSubstr(
          "(SELECT CAST(b AS INTEGER) AS \"c\" FROM t WHERE sluice_keep(1, CASE WHEN a IS NULL"
          " THEN 1 ELSE 0 END) LIMIT 4611686018427387904) WHERE sluice_keep(2,"));
}

TEST(Render, ARejectedRowIsShownAsTheSourceGaveIt) {
  Ref mapped = Map(In(), "m", {{"c", {"a + 1"}}}, Columns({{"c", "INTEGER"}}));
  Rendering shown = Show(Filter(mapped, "f", "c = 0", FateKind::kRejected));
  ASSERT_EQ(shown.taps.size(), 1u);
  EXPECT_TRUE(shown.taps[0].diverts);
  EXPECT_THAT(shown.sql,
              HasSubstr("a + 1 AS \"c\", {'a': \"a\", 'b': \"b\"} AS _sluice_row FROM t"));
  EXPECT_THAT(shown.sql, HasSubstr("to_json(_sluice_row)"));
  EXPECT_TRUE(shown.sql.starts_with("SELECT \"c\" FROM")) << shown.sql;
}

TEST(Render, HiddenColumnsTravelUnaskedAndAreShownOnDemand) {
  Ref input = In(
      Columns({{"a", "INTEGER"}, {"_sluice_partition", "VARCHAR"}, {"_sluice_offset", "BIGINT"}}));
  Ref mapped = Map(input, "m", {{"c", {"a + 1"}}}, Columns({{"c", "INTEGER"}}));
  EXPECT_TRUE(Show(mapped).sql.starts_with("SELECT \"c\" FROM"));
  EXPECT_TRUE(Show(mapped, Hidden::kKeep)
                  .sql.starts_with("SELECT \"c\", \"_sluice_partition\", \"_sluice_offset\" FROM"));
}

TEST(Render, AnInputThatDoesNotCountItselfGetsATapUnlessOneIsAbove) {
  EXPECT_EQ(Show(In(), Hidden::kLeaveOut, true).taps.size(), 0u);
  Rendering alone = Show(In(), Hidden::kLeaveOut, false);
  ASSERT_EQ(alone.taps.size(), 1u);
  EXPECT_EQ(alone.taps[0].step_in, "in");
  EXPECT_EQ(Show(Filter(In(), "f", "a = 1"), Hidden::kLeaveOut, false).taps.size(), 1u);
}

TEST(Render, MoreFatesThanATapHoldsMakeSeveralTaps) {
  Ref rows = In();
  for (int i = 0; i < 70; ++i)
    rows = Filter(rows, "f" + std::to_string(i), "a = " + std::to_string(i));
  Rendering shown = Show(rows);
  ASSERT_EQ(shown.taps.size(), 2u);
  EXPECT_EQ(shown.taps[0].fates.size() + shown.taps[1].fates.size(), 70u);
  EXPECT_EQ(shown.taps[1].step_in, "f62");
}

TEST(Render, ANodeWithTwoReadersIsComputedOnce) {
  Ref shared = Filter(In(), "f", "a = 1");
  Ref twice =
      Make(Union{{shared, Map(shared, "m", {{"a", {"a"}}, {"b", {"b"}}}, kTwo)}}, kTwo, "u");
  Rendering shown = Show(twice);
  EXPECT_TRUE(shown.sql.starts_with("WITH _sluice_shared_1 AS MATERIALIZED (SELECT")) << shown.sql;
  EXPECT_EQ(shown.taps.size(), 2u);  // the filter once, the union's output
}

TEST(Render, WithoutTapsPlainConditionsRemain) {
  RenderOptions options{.input = [](const std::string&) -> Result<InputText> {
    return InputText{.from = EmptyInput(kTwo)};
  }};
  auto text = Render(Filter(In(), "f", "a = 1"), options, Hidden::kLeaveOut);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->sql,
            "SELECT \"a\", \"b\" FROM (SELECT CAST(NULL AS INTEGER) AS \"a\", CAST(NULL AS "
            "VARCHAR) AS \"b\" WHERE false)"
            " WHERE (CASE WHEN a = 1 THEN 1 ELSE 0 END) = 0");
}

TEST(Render, CollectsBoundValuesOnce) {
  Bound day = MakeBound("DATE", "2026-01-01");
  Ref one = Make(Sift{In(), {{.applies = {.sql = "a = " + Refer(day)}}}}, kTwo, "f", {day});
  Ref two = Make(Sift{one, {{.applies = {.sql = "a > " + Refer(day)}}}}, kTwo, "g", {day});
  RenderOptions options{
      .input = [](const std::string&) -> Result<InputText> { return InputText{.from = "t"}; }};
  auto text = Render(two, options, Hidden::kLeaveOut);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(text->bound, ElementsAre(day));
}

TEST(Keyed, TextsTakeTheirTables) {
  Keyed keyed{.fire = "SELECT * FROM {rows} JOIN {kept}", .keep = "SELECT k FROM ({fire})"};
  EXPECT_EQ(FireText(keyed, "r", "(k)"), "SELECT * FROM r JOIN (k)");
  EXPECT_EQ(KeepText(keyed, "r", "(k)"), "SELECT k FROM (SELECT * FROM r JOIN (k))");
}

}  // namespace
}  // namespace sluice::relation
