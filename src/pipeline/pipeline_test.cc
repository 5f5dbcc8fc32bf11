// What a plan says about small projects: values, graph, publication, identity, warnings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_full.h"
#include "pipeline/template_scan.h"
#include "pipeline/test_project.h"

namespace sluice {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kOrders =
    "  orders: { extract: { from: inline, columns: { id: bigint, day: date, amount: double }, "
    "rows: [{ id: 1, day: 2026-01-01, amount: 2.5 }] } }\n";

std::string Steps(const std::string& rest, const std::string& head = "") {
  return head + "steps:\n" + kOrders + rest;
}

const Flow& OnlyFlow(const Plan& plan) {
  EXPECT_EQ(plan.stages.size(), 1u);
  return std::get<Flow>(plan.stages.at(0));
}

bool Warned(const Plan& plan, std::string_view text) {
  for (const Warning& warning : plan.warnings) {
    if (warning.text.find(text) != std::string::npos) return true;
  }
  return false;
}

TEST(PlanTest, ChainOfStepsIsOneFlow) {
  TestProject project;
  const Plan plan =
      project.MustPlan(Steps("  big: { filter: amount > 1 }\n  total: { map: { id: id, twice: "
                             "amount * 2 } }\n  out: { load: { into: warehouse, table: a.t } }\n"));
  const Flow& flow = OnlyFlow(plan);
  EXPECT_EQ(flow.id, "out");
  EXPECT_EQ(flow.steps, (std::vector<std::string>{"orders", "big", "total", "out"}));
  EXPECT_EQ(flow.reach, Reach::kRow);
  EXPECT_FALSE(flow.needs_intent);
  EXPECT_FALSE(flow.publish_at_end);
  EXPECT_EQ(flow.delivery, "exactly once: warehouse decides");
  EXPECT_EQ(Format(plan.steps[2].schema), "(id BIGINT, twice DOUBLE)");
  EXPECT_EQ(plan.steps[2].from, std::vector<std::string>{"big"});
  EXPECT_EQ(plan.interval_text, "stream");
  EXPECT_THAT(Describe(plan), StartsWith("p: everything new since the last run\n"));
}

TEST(PlanTest, IntervalIsOnTheFirstLine) {
  TestProject project;
  const std::string text = Steps(
      "  some: { filter: \"day = {{ ds }}\" }\n  out: { load: { into: warehouse, table: t } }\n",
      "schedule: { cron: \"0 6 * * *\", interval: day }\n");
  const Plan plan = project.MustPlan(text);
  EXPECT_EQ(plan.interval_text, "2026-01-04T00:00:00Z/2026-01-05T00:00:00Z");
  EXPECT_THAT(Describe(plan), StartsWith("p: 2026-01-04T00:00:00Z to 2026-01-05T00:00:00Z\n"));
  EXPECT_THAT(Describe(plan), HasSubstr("2026-01-04 (DATE)"));
  project.request.date = "2026-01-01";
  EXPECT_EQ(project.MustPlan(text).interval_text, "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z");
}

TEST(PlanTest, TemplatesAreTypedBoundValues) {
  TestProject project;
  project.request.date = "2026-01-10";
  const auto sql = [&](const std::string& where) {
    return Describe(
        project.MustPlan(Steps("  some: { filter: { where: " + QuoteJson(where) +
                                   " } }\n  out: { load: { into: warehouse, table: t } }\n",
                               "params: { region: EU, top: { type: integer, default: 3 } }\n")));
  };
  EXPECT_THAT(sql("day = {{ ds - INTERVAL 1 DAY }}"),
              HasSubstr("= 2026-01-09 00:00:00 (TIMESTAMP)"));
  EXPECT_THAT(sql("day = '{{ ds }}'"), HasSubstr("= 2026-01-10 (DATE)"));
  EXPECT_THAT(sql("day < {{ interval.end }}"), HasSubstr("= 2026-01-11 00:00:00 (TIMESTAMP)"));
  EXPECT_THAT(sql("id < {{ params.top + 1 }}"), HasSubstr("= 4 (INTEGER)"));
  EXPECT_THAT(sql("id < {{ vars.limit }}"), HasSubstr("= 10 (BIGINT)"));
  EXPECT_THAT(sql("'x' = {{ params.region || '''; DROP TABLE t' }}"),
              HasSubstr("= EU'; DROP TABLE t (VARCHAR)"));
  project.request.params["top"] = "7";
  EXPECT_THAT(sql("id < {{ params.top }}"), HasSubstr("= 7 (INTEGER)"));
}

TEST(PlanTest, TextSlotsAreSpliced) {
  TestProject project;
  project.request.date = "2026-01-10";
  const Plan plan = project.MustPlan(
      Steps("  out: { load: { into: file, path: \"out/{{ vars.bucket }}-{{ ds }}.csv\" } }\n"));
  EXPECT_EQ(OnlyFlow(plan).loads[0].load.target, "out/raw-2026-01-10.csv");
}

TEST(PlanTest, SqlComesFromFilesAndReadsWhatItMentions) {
  TestProject project;
  project.Write("sql/both.sql",
                "SELECT a.id FROM small a JOIN big b ON a.id = b.id WHERE b.day <= {{ ds }}");
  const Plan plan = project.MustPlan(
      Steps("  small: { filter: amount < 1 }\n  big: { filter: amount > 5, from: orders }\n"
            "  both: { sql: sql/both.sql }\n  out: { load: { into: warehouse, table: t } }\n"));
  EXPECT_EQ(plan.steps[3].from, (std::vector<std::string>{"small", "big"}));
  EXPECT_EQ(OnlyFlow(plan).reach, Reach::kWhole);
  const std::string before = plan.revision;
  project.Write("sql/both.sql",
                "SELECT a.id FROM small a JOIN big b ON a.id = b.id WHERE b.day < {{ ds }}");
  const Plan after = project.MustPlan(
      Steps("  small: { filter: amount < 1 }\n  big: { filter: amount > 5, from: orders }\n"
            "  both: { sql: sql/both.sql }\n  out: { load: { into: warehouse, table: t } }\n"));
  EXPECT_NE(after.revision, before);
}

TEST(PlanTest, FingerprintIsOfWhatIsComputed) {
  TestProject project;
  const auto fingerprint = [&](const std::string& rest, const std::string& head = "") {
    return OnlyFlow(project.MustPlan(Steps(rest, head))).fingerprint;
  };
  const std::string load = "  out: { load: { into: warehouse, table: t } }\n";
  const std::string base = fingerprint("  a: { filter: id > 1 }\n" + load);
  EXPECT_EQ(fingerprint("  a: { filter: id > 1, description: new words } # a comment\n" + load,
                        "owner: me\n"),
            base);
  EXPECT_EQ(fingerprint("  a:\n    filter: { where: id   > 1 }\n" + load), base);
  EXPECT_NE(fingerprint("  a: { filter: id > 2 }\n" + load), base);
  EXPECT_NE(
      fingerprint("  a: { filter: id > 1 }\n  out: { load: { into: warehouse, table: u } }\n"),
      base);
  EXPECT_NE(fingerprint("  a: { filter: id > 1 }\n  out: { load: { into: warehouse, table: t, "
                        "mode: upsert, key: id } }\n"),
            base);
  EXPECT_NE(fingerprint("  a: { filter: \"id > {{ params.n }}\" }\n" + load, "params: { n: 1 }\n"),
            fingerprint("  a: { filter: \"id > {{ params.n }}\" }\n" + load, "params: { n: 2 }\n"));
}

TEST(PlanTest, DatabaseDecidesBeforeFiles) {
  TestProject project;
  const Plan plan =
      project.MustPlan(Steps("  copy: { load: { into: file, path: out.csv } }\n  out: { load: { "
                             "into: warehouse, table: t } }\n"
                             "  more: { load: { into: warehouse, table: u } }\n"));
  const Flow& flow = OnlyFlow(plan);
  ASSERT_EQ(flow.sinks.size(), 2u);
  EXPECT_EQ(flow.sinks[0].name, "warehouse");
  EXPECT_TRUE(flow.needs_intent);
  EXPECT_EQ(flow.delivery, "exactly once: warehouse decides; file follows by its own record");
}

TEST(PlanTest, ReplacementIsPublishedAtTheEnd) {
  TestProject project;
  project.request.date = "2026-01-01";
  EXPECT_TRUE(OnlyFlow(project.MustPlan(Steps(
                           "  out: { load: { into: warehouse, table: t, mode: overwrite } }\n")))
                  .publish_at_end);
  EXPECT_TRUE(OnlyFlow(project.MustPlan(Steps("  out: { load: { into: warehouse, table: t } }\n",
                                              "max_rejects: 5%\n")))
                  .publish_at_end);
  const Plan plan =
      project.MustPlan(Steps("  out: { load: { into: warehouse, table: t, mode: replace_partition, "
                             "partition: { day: \"{{ ds }}\" } } }\n"));
  const Load& load = OnlyFlow(plan).loads[0].load;
  EXPECT_TRUE(OnlyFlow(plan).publish_at_end);
  ASSERT_EQ(load.partition.size(), 1u);
  EXPECT_EQ(load.partition[0].column, "day");
  EXPECT_EQ(load.partition[0].value->type, "DATE");
  EXPECT_EQ(load.partition[0].value->text, "2026-01-01");
}

TEST(PlanTest, ActionsStandBetweenFlows) {
  TestProject project;
  const Plan plan = project.MustPlan(
      Steps("  out: { load: { into: warehouse, table: t } }\n"
            "  tidy: { sql: { query: \"DELETE FROM t WHERE id = {{ 1 + 1 }}\", in: warehouse } }\n"
            "  tidier: { sql: { query: DELETE FROM t WHERE id = 3, in: warehouse } }\n"
            "  again: { extract: { from: inline, columns: { x: bigint }, rows: [{ x: 1 }] }, "
            "after: tidier }\n"
            "  last: { load: { into: warehouse, table: u } }\n"));
  ASSERT_EQ(plan.stages.size(), 4u);
  EXPECT_EQ(std::get<Flow>(plan.stages[0]).id, "out");
  EXPECT_EQ(std::get<Action>(plan.stages[1]).step, "tidy");
  ASSERT_EQ(std::get<Action>(plan.stages[1]).bound.size(), 1u);
  EXPECT_EQ(std::get<Action>(plan.stages[1]).bound[0].text, "2");
  EXPECT_EQ(std::get<Action>(plan.stages[2]).step, "tidier");
  EXPECT_EQ(std::get<Flow>(plan.stages[3]).id, "last");
}

TEST(PlanTest, ListInFromIsUnionByName) {
  TestProject project;
  const Plan plan = project.MustPlan(
      Steps("  a: { map: { id: id, x: 1 } }\n  b: { map: { y: 2.5, id: id }, from: orders }\n"
            "  both: { filter: id > 0, from: [a, b] }\n  out: { load: { into: warehouse, table: t "
            "} }\n"));
  EXPECT_EQ(Format(plan.steps[3].schema), "(id BIGINT, x INTEGER, y DECIMAL(2,1))");
}

TEST(PlanTest, NullEventTimeHasAFate) {
  TestProject project;
  const auto plan = [&](const std::string& word) {
    return Describe(project.MustPlan(
        "steps:\n  e: { extract: { from: generator, count: 10, event_time: ts, on_null_time: " +
        word + " } }\n  out: { load: { into: warehouse, table: t } }\n"));
  };
  EXPECT_THAT(plan("reject"), HasSubstr("event time ''ts'' is null"));
  EXPECT_THAT(plan("fail"), HasSubstr("error("));
  EXPECT_THAT(plan("drop"), Not(HasSubstr("is null'")));
}

TEST(PlanTest, AllIndependentErrorsAreTold) {
  TestProject project;
  std::vector<Error> errors;
  auto plan = project.TryPlan(Steps("  a: { filter: amont > 1 }\n  b: { map: { x: nope }, from: "
                                    "orders }\n  c: { filter: x > 1 }\n"
                                    "  out: { load: { into: nowhere, table: t }, from: orders }\n"),
                              &errors);
  ASSERT_FALSE(plan.ok());
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].mark.line, 3);
  EXPECT_EQ(errors[1].mark.line, 4);
  EXPECT_EQ(errors[2].mark.line, 6);
}

TEST(PlanTest, Warnings) {
  TestProject project;
  const std::string load = "  out: { load: { into: warehouse, table: t } }\n";
  const Plan clock = project.MustPlan(Steps("  a: { derive: { at: now() } }\n" + load));
  EXPECT_TRUE(Warned(clock, "now() in step 'a'"));
  EXPECT_EQ(clock.warnings.size(), 1u) << "one hazard is told once";
  EXPECT_EQ(project.MustPlan(Steps("  a: { sql: SELECT * FROM orders LIMIT 5 }\n" + load))
                .warnings.size(),
            1u);
  EXPECT_TRUE(Warned(project.MustPlan(Steps("  a: { derive: { r: random() } }\n" + load)),
                     "random() in step 'a'"));
  EXPECT_TRUE(Warned(project.MustPlan(Steps("  a: { sql: SELECT * FROM orders LIMIT 5 }\n" + load)),
                     "LIMIT without ORDER BY"));
  EXPECT_FALSE(Warned(
      project.MustPlan(Steps("  a: { sql: SELECT * FROM orders ORDER BY id LIMIT 5 }\n" + load)),
      "LIMIT"));
  EXPECT_TRUE(Warned(project.MustPlan(Steps("  warehouse: { filter: id > 1 }\n" + load)),
                     "'warehouse' is a step and a connection"));
  EXPECT_TRUE(Warned(project.MustPlan(Steps("  a: { filter: id > 1 }\n" + load +
                                            "  dead: { map: { id: id }, from: a }\n")),
                     "go nowhere"));
  const std::string hourly = "schedule: { cron: \"0 * * * *\", interval: hour }\n";
  EXPECT_TRUE(
      Warned(project.MustPlan(Steps("  out: { load: { into: warehouse, table: t, mode: "
                                    "replace_partition, partition: { day: \"{{ ds }}\" } } }\n",
                                    hourly)),
             "the interval cuts the partition"));
  EXPECT_TRUE(Warned(project.MustPlan(Steps("  out: { load: { into: warehouse, table: t, mode: "
                                            "replace_partition, partition: day } }\n",
                                            hourly)),
                     "a day that lost all its rows keeps the old ones"));
}

TEST(PlanTest, JsonHasTheSameFacts) {
  TestProject project;
  const Plan plan = project.MustPlan(
      Steps("  out: { load: { into: warehouse, table: t, mode: upsert, key: id } }\n"));
  const Json json = Json::parse(DescribeJson(plan));
  EXPECT_EQ(json["pipeline"], "p");
  EXPECT_TRUE(json["interval"].is_null());
  EXPECT_EQ(json["stages"][0]["loads"][0]["mode"], "upsert");
  EXPECT_EQ(json["stages"][0]["loads"][0]["key"], Json({"id"}));
  EXPECT_EQ(json["steps"][0]["schema"][1]["type"], "DATE");
}

TEST(TemplateScanTest, FindsTemplatesOutsideOfQuotesAndComments) {
  const auto kinds = [](std::string_view sql) {
    std::string text;
    for (const Piece& piece : ScanSql(sql)) text += "tvlno"[static_cast<int>(piece.kind)];
    return text;
  };
  EXPECT_EQ(kinds("a = {{ ds }} AND b"), "tvt");
  EXPECT_EQ(kinds("a = '{{ ds }}'"), "tv");
  EXPECT_EQ(kinds("a = 'x {{ ds }}'"), "tl");
  EXPECT_EQ(kinds("\"{{ ds }}\""), "n");
  EXPECT_EQ(kinds("a -- {{ ds }}\n"), "t");
  EXPECT_EQ(kinds("a /* {{ ds }} */"), "t");
  EXPECT_EQ(kinds("{{ {'a': {'b': 1}} }}"), "v");
  EXPECT_EQ(kinds("{{ '}}' }}"), "v");
  EXPECT_EQ(kinds("{{ ds"), "o");
  EXPECT_EQ(kinds("$$ {{ ds }} x $$"), "l");
  EXPECT_EQ(kinds("{'a': {'b': 1}}"), "t");
  EXPECT_EQ(Concatenated("day {{ ds }}, it's"), "'day ' || {{ ds }} || ', it''s'");
  EXPECT_EQ(QuoteIntervalNames("interval.start + INTERVAL 1 DAY || 'interval.end'"),
            "\"interval\".\"start\" + INTERVAL 1 DAY || 'interval.end'");
}

TEST(ProjectTest, SettingsAreChecked) {
  TestProject project;
  const auto error = [&](std::string_view text) {
    project.Write("other/sluice.yml", text);
    auto files = LocalFiles();
    auto read = ReadProject(*files, project.folder() + "/other");
    std::string message = read.ok() ? "read" : Format(read.error());
    const size_t at = message.find("sluice.yml:");
    return at == std::string::npos ? message : message.substr(at);
  };
  EXPECT_EQ(error("project: x\n"), "read");
  EXPECT_EQ(error("projet: x\n"),
            "sluice.yml:1:1: unknown key 'projet' in sluice.yml; did you mean 'project'?");
  EXPECT_EQ(error("channels: {}\n"),
            "sluice.yml:1:1: 'channels' in sluice.yml is not built yet: comes with the scheduler");
  EXPECT_EQ(error("connections: { file: { type: duckdb } }\n"),
            "sluice.yml:1:16: 'file' is a built-in name; call the connection something else");
  EXPECT_EQ(error("connections: { a: { path: x } }\n"),
            "sluice.yml:1:16: connection 'a' needs 'type'");
  EXPECT_EQ(error("memory: lots\n"),
            "sluice.yml:1:9: 'memory' takes a size like 512MB, not 'lots'");
  EXPECT_EQ(error("parallelism: 0\n"),
            "sluice.yml:1:14: 'parallelism' takes a whole number from 1 to 1024, not '0'");
}

}  // namespace
}  // namespace sluice
