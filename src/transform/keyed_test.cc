// Keyed state: what fires over crafted rows, and that a window in parts gives what the batch GROUP
// BY gives.
#include "transform/verbs_for_test.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class KeyedTest : public VerbTest {
 protected:
  void SetUp() override {
    VerbTest::SetUp();
    Execute(R"(
      CREATE TABLE events AS SELECT i AS id, ['a', 'b', NULL][CAST(1 + i % 3 AS BIGINT)] AS kind, CAST(i * 7 % 50 AS DECIMAL(9,2)) / 2 AS value,
          CAST(i % 11 AS HUGEINT) * 100000000000000000000 AS big, CASE WHEN i % 5 > 0 THEN CAST(i % 9 AS INTEGER) END AS due,
          'p' || (i % 2) AS _sluice_partition, i AS _sluice_offset,
          TIMESTAMP '2026-01-01' + to_seconds(i * 7) AS _sluice_time, TIMESTAMP '2026-01-01' + to_seconds(i * 7 - 20) AS _sluice_watermark
        FROM range(300) t(i))");
    events_ = Table("events");
  }
  const relation::Keyed& Keyed(const Result<Lowered>& lowered) {
    return std::get<relation::Keyed>(lowered->rows->op);
  }
  std::vector<std::string> Fire(const relation::Keyed& keyed, const std::string& rows,
                                const std::string& kept) {
    return Query(relation::FireText(keyed, rows, kept));
  }

  StepInput events_;
};

TEST_F(KeyedTest, AWindowOfPartialsEqualsTheGroupBy) {
  for (
      const char* select :
      {R"j({"n": "count(*)", "k": "count(due)", "s": "sum(value)", "b": "sum(big)", "lo": "min(kind)", "hi": "max(value)", "m": "avg(due)", "d": "avg(value)"})j",
       R"j({"n": "count(*)", "u": "count(DISTINCT due)", "s": "sum(value) FILTER (WHERE due > 2)", "l": "list(due ORDER BY id)"})j"}) {
    auto lowered = Lower(
        "window",
        fmt::format(
            R"j({{"tumbling": "1m", "by": ["kind", {{"half": "id % 2"}}], "select": {}, "offset": "15s"}})j",
            select),
        {events_});
    ASSERT_TRUE(lowered.ok()) << lowered.error().message;
    EXPECT_EQ(lowered->reach, Reach::kKeyed);
    EXPECT_EQ(Keyed(lowered).partial, std::string(select).find("DISTINCT") == std::string::npos);
    StepInput plain = events_;
    plain.event_time = false;
    Schema schema = events_.rows->schema;
    schema.push_back({"at", "TIMESTAMP", false, ""});
    Execute("CREATE OR REPLACE VIEW timed AS SELECT *, _sluice_time AS at FROM events");
    plain = {.step = "timed", .rows = relation::Make(relation::Input{"timed"}, schema, "timed")};
    auto batch = Lower(
        "window",
        fmt::format(
            R"j({{"tumbling": "1m", "time": "at", "by": ["kind", {{"half": "id % 2"}}], "select": {}, "offset": "15s"}})j",
            select),
        {plain});
    ASSERT_TRUE(batch.ok()) << batch.error().message;
    EXPECT_EQ(lowered->rows->schema, batch->rows->schema);
    Run whole = Fused(lowered->rows);
    EXPECT_EQ(whole.rows, Fused(batch->rows).rows);
    // In three epochs, the state between them in a table.
    std::vector<std::string> states;
    for (const char* part : {"id < 70", "id BETWEEN 70 AND 71", "id > 71"}) {
      Execute(fmt::format("CREATE OR REPLACE TABLE part_{} AS SELECT * FROM events WHERE {}",
                          states.size(), part));
      auto epoch = Lower(
          "window",
          fmt::format(
              R"j({{"tumbling": "1m", "by": ["kind", {{"half": "id % 2"}}], "select": {}, "offset": "15s"}})j",
              select),
          {Table(fmt::format("part_{}", states.size()))});
      relation::RenderOptions options{
          .input = [](const std::string& step) -> Result<relation::InputText> {
            return relation::InputText{.from = step};
          }};
      auto text =
          relation::Render(relation::Pending(epoch->rows), options, relation::Hidden::kLeaveOut);
      ASSERT_TRUE(text.ok());
      EXPECT_EQ(session_->Describe(text->sql).value(), Keyed(epoch).state);
      states.push_back("(" + text->sql + ")");
    }
    EXPECT_EQ(Fire(Keyed(lowered),
                   "(SELECT * FROM " + sluice::Join(states, " UNION ALL SELECT * FROM ") + ")", ""),
              whole.rows);
  }
}

TEST_F(KeyedTest, ARowIsLateWhenItsPartitionHasPassedItsWindow) {
  Execute(R"(CREATE TABLE late AS SELECT * FROM (VALUES
      (1, TIMESTAMP '2026-01-01 00:00:59.999999', TIMESTAMP '2026-01-01 00:00:59.999999'),
      (2, TIMESTAMP '2026-01-01 00:00:10', TIMESTAMP '2026-01-01 00:01:00'),
      (3, TIMESTAMP '2026-01-01 00:00:20', TIMESTAMP '2026-01-01 01:15:00'),
      (4, TIMESTAMP '2026-01-01 00:01:00', TIMESTAMP '2026-01-01 00:01:00')) v(id, _sluice_time, _sluice_watermark))");
  auto lowered =
      Lower("window", R"j({"tumbling": "1m", "select": {"ids": "list(id ORDER BY id)"}})j",
            {Table("late")}, "w");
  ASSERT_TRUE(lowered.ok()) << lowered.error().message;
  Run run = Fused(lowered->rows);
  EXPECT_THAT(run.rows, ElementsAre("2026-01-01 00:00:00|2026-01-01 00:01:00|[1]",
                                    "2026-01-01 00:01:00|2026-01-01 00:02:00|[4]"));
  EXPECT_EQ(run.gone["w late"], 2u);
  ASSERT_EQ(run.diverted.size(), 2u);
  std::vector<std::string> messages = {run.diverted[0].message, run.diverted[1].message};
  EXPECT_THAT(messages, testing::UnorderedElementsAre(
                            HasSubstr("late by 0.0s: its window ended 2026-01-01 00:01:00, the "
                                      "watermark of its partition was 2026-01-01 00:01:00"),
                            HasSubstr("late by 1h14m: its window ended 2026-01-01 00:01:00")));
}

TEST_F(KeyedTest, WindowsOfAStreamTakeNoTime) {
  EXPECT_THAT(Complaint(Lower("window",
                              R"j({"tumbling": "1m", "time": "due", "select": {"n": "count(*)"}})j",
                              {events_})),
              HasSubstr("without event time"));
}

TEST_F(KeyedTest, DedupeWithinKeepsTheFirstAndGoesOnFromWhatItKept) {
  Execute(R"(CREATE TABLE clicks AS SELECT * FROM (VALUES
      ('a', 1, 'p0', 5, 0), ('a', 2, 'p0', 6, 10), ('a', 3, 'p0', 7, 11), ('a', 4, 'p1', 1, 11), ('a', 5, 'p1', 2, 21), ('a', 6, 'p1', 3, 22),
      ('b', 7, 'p0', 8, 3), (NULL, 8, 'p0', 9, 100), (NULL, 9, 'p0', 10, 105), (NULL, 10, 'p1', 4, 111))
      v(k, id, _sluice_partition, _sluice_offset, s))");
  Execute(
      R"(CREATE TABLE typed AS SELECT k, id, _sluice_partition, CAST(_sluice_offset AS BIGINT) AS _sluice_offset,
      TIMESTAMP '2026-01-01' + to_seconds(s) AS _sluice_time, TIMESTAMP '2026-01-01' AS _sluice_watermark FROM clicks)");
  auto lowered = Lower("dedupe", R"j({"key": "k", "within": "10s"})j", {Table("typed")}, "d");
  ASSERT_TRUE(lowered.ok()) << lowered.error().message;
  EXPECT_EQ(lowered->reach, Reach::kKeyed);
  EXPECT_EQ(lowered->rows->schema, Table("typed").rows->schema);
  // 0 stays, 10 is within 10 s of it; 11 stays (of two rows at 11 the one of p0), 21 goes, 22
  // stays.
  std::vector<std::string> all = {"NULL|10", "NULL|8", "a|1", "a|3", "a|6", "b|7"};
  EXPECT_EQ(Fused(lowered->rows).rows, all);
  // In two firings, with what the first kept: the same.
  const relation::Keyed& keyed = Keyed(lowered);
  relation::RenderOptions options{
      .input = [](const std::string& step) -> Result<relation::InputText> {
        return relation::InputText{.from = step};
      }};
  auto pending =
      relation::Render(relation::Pending(lowered->rows), options, relation::Hidden::kLeaveOut);
  ASSERT_TRUE(pending.ok());
  for (int cut = 0; cut <= 120; cut += 1) {
    std::string instant = fmt::format("(TIMESTAMP '2026-01-01' + to_seconds({}))", cut);
    std::string old_rows =
        fmt::format("(SELECT * FROM ({}) WHERE due <= {})", pending->sql, instant);
    std::string new_rows =
        fmt::format("(SELECT * FROM ({}) WHERE due > {})", pending->sql, instant);
    Execute("CREATE OR REPLACE TABLE fired AS " +
            relation::FireText(keyed, old_rows, relation::EmptyInput(keyed.kept)));
    std::string keep = keyed.keep;
    keep.replace(keep.find("{fire}"), 6, "SELECT * FROM fired");
    Execute(fmt::format("CREATE OR REPLACE TABLE kept AS SELECT * FROM ({}) WHERE due > {}", keep,
                        instant));
    std::vector<std::string> rows = Query("SELECT k, id FROM fired");
    for (const std::string& row :
         Query(fmt::format("SELECT k, id FROM ({})", relation::FireText(keyed, new_rows, "kept"))))
      rows.push_back(row);
    std::sort(rows.begin(), rows.end());
    EXPECT_EQ(rows, all) << "cut at " << cut;
  }
}

TEST_F(KeyedTest, DedupeWithinRefusesAnotherOrder) {
  EXPECT_THAT(Complaint(Lower("dedupe", R"j({"key": "kind", "within": "10s", "keep": "last"})j",
                              {events_})),
              HasSubstr("keep: first"));
  EXPECT_THAT(Complaint(Lower("dedupe", R"j({"key": "kind", "within": "10s", "order_by": "id"})j",
                              {events_})),
              HasSubstr("leave order_by out"));
}

TEST_F(KeyedTest, HiddenColumnsGoThroughRowWiseSteps) {
  StepInput rows = Step("map", R"({"id": "id + 1"})", {events_}, "m");
  rows = Step("filter", R"("id > 3")", {rows}, "f");
  EXPECT_TRUE(rows.event_time);
  EXPECT_TRUE(rows.ordered);
  EXPECT_EQ(Format(Visible(rows.rows->schema)), "(id BIGINT)");
}

}  // namespace
}  // namespace sluice
