// One fused query against its steps run one after the other into tables: the same rows, and per
// step the same counts, whatever rule of the optimiser is off.
#include "transform/verbs_for_test.h"

namespace sluice {
namespace {

using relation::Ref;

class FusedTest : public VerbTest {
 protected:
  void SetUp() override {
    VerbTest::SetUp();
    Execute(R"(
      CREATE TABLE orders AS SELECT i AS id, hash(i) % 300 AS customer,
        CASE WHEN hash(i + 1) % 50 = 0 THEN 'oops' WHEN hash(i + 2) % 40 = 0 THEN NULL ELSE CAST(hash(i + 3) % 1000 / 10.0 AS VARCHAR) END AS amount,
        CAST(hash(i + 4) % 100 AS INTEGER) AS qty, ['red', 'green', 'blue', NULL][CAST(1 + hash(i + 5) % 4 AS BIGINT)] AS color,
        TIMESTAMP '2026-01-01' + to_seconds(CAST(hash(i + 6) % 200000 AS BIGINT)) AS ts FROM range(2600) t(i);
      CREATE TABLE customers AS SELECT i AS customer, 'c' || i AS name, i % 7 AS region FROM range(280) t(i);
      CREATE TABLE parts AS SELECT i % 900 AS part, CAST(hash(i) % 50 AS INTEGER) AS stock, 'p/' || (i % 3) AS _sluice_partition, i AS _sluice_offset
        FROM range(2400) t(i))");
  }

  // The oracle.
  struct Plain {
    std::map<std::string, uint64_t> gone, passed;
    std::map<const relation::Node*, std::string> tables;
    int made = 0;
  };
  std::string Store(Plain& plain, const std::string& select,
                    const std::vector<relation::Bound>& bound) {
    std::string name = fmt::format("plain_{}", ++plain.made);
    auto done = session_->Execute(
        fmt::format("CREATE OR REPLACE TEMP TABLE {} AS {}", name, select), ToSql(bound));
    EXPECT_TRUE(done.ok()) << select << "\n" << (done.ok() ? "" : done.error().message);
    return name;
  }
  uint64_t CountOf(const std::string& from) {
    return std::stoull(Query("SELECT count(*) FROM " + from)[0]);
  }
  static std::string Items(const std::vector<relation::Named>& columns, const Ref& from) {
    std::string text;
    for (const auto& column : columns)
      text += (text.empty() ? "" : ", ") +
              fmt::format("{} AS {}", column.expr.sql, QuoteIdentifier(column.name));
    if (!from) return text;
    for (const Column& column : from->schema) text += column.hidden ? ", " + column.name : "";
    return text;
  }
  static std::string VisibleOf(const Ref& ref, const std::string& table) {
    return fmt::format("SELECT \"{}\" FROM {}", sluice::Join(VisibleNames(ref->schema), "\", \""),
                       table);
  }
  std::string Evaluate(const Ref& ref, Plain& plain) {
    if (plain.tables.contains(ref.get())) return plain.tables[ref.get()];
    std::string table = std::visit([&](const auto& op) { return One(op, ref, plain); }, ref->op);
    plain.passed[ref->step] = CountOf(table);
    return plain.tables[ref.get()] = table;
  }
  std::string One(const relation::Input& op, const Ref&, Plain&) { return op.step; }
  std::string One(const relation::Project& op, const Ref& ref, Plain& plain) {
    return Store(
        plain,
        fmt::format("SELECT {} FROM {}", Items(op.columns, op.from), Evaluate(op.from, plain)),
        ref->bound);
  }
  std::string One(const relation::Sift& op, const Ref& ref, Plain& plain) {
    std::string table = Evaluate(op.from, plain);
    for (const relation::Fate& fate : op.fates) {
      std::string rest = Store(
          plain, fmt::format("SELECT * FROM {} WHERE ({}) IS NOT TRUE", table, fate.applies.sql),
          ref->bound);
      plain.gone[fmt::format("{} {}", fate.step, KindName(fate.kind))] +=
          CountOf(table) - CountOf(rest);
      table = rest;
    }
    return table;
  }
  std::string One(const relation::Aggregate& op, const Ref& ref, Plain& plain) {
    std::vector<relation::Named> all = op.keys;
    all.insert(all.end(), op.values.begin(), op.values.end());
    return Store(plain,
                 fmt::format("SELECT {} FROM {}{}", Items(all, nullptr), Evaluate(op.from, plain),
                             op.keys.empty() ? "" : " GROUP BY ALL"),
                 ref->bound);
  }
  std::string One(const relation::Join& op, const Ref& ref, Plain& plain) {
    static constexpr std::string_view kKinds[] = {"INNER", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI"};
    std::string left = Evaluate(op.left, plain), right = Evaluate(op.right, plain);
    return Store(plain,
                 fmt::format("SELECT {} FROM {} AS {} {} JOIN {} AS {} ON {}",
                             Items(op.columns, nullptr), left, op.left_name,
                             kKinds[static_cast<int>(op.kind)], right, op.right_name, op.on.sql),
                 ref->bound);
  }
  std::string One(const relation::Distinct& op, const Ref& ref, Plain& plain) {
    std::string keys, table = Evaluate(op.from, plain);
    for (const auto& key : op.keys) keys += (keys.empty() ? "" : ", ") + key.expr.sql;
    std::string rest = Store(
        plain,
        fmt::format("SELECT * FROM {} QUALIFY row_number() OVER (PARTITION BY {} ORDER BY {}) = 1",
                    table, keys, sluice::Join(op.order, ", ")),
        ref->bound);
    plain.gone[op.step + " deduplicated"] += CountOf(table) - CountOf(rest);
    return rest;
  }
  std::string One(const relation::Union& op, const Ref&, Plain& plain) {
    std::string text;
    for (const Ref& part : op.parts)
      text += (text.empty() ? "" : " UNION ALL BY NAME ") + VisibleOf(part, Evaluate(part, plain));
    return Store(plain, text, {});
  }
  std::string One(const relation::Sql& op, const Ref& ref, Plain& plain) {
    std::string with;
    for (const auto& [name, input] : op.inputs)
      with += fmt::format("{}{} AS ({})", with.empty() ? "WITH " : ", ", name,
                          VisibleOf(input, Evaluate(input, plain)));
    return Store(plain, with + " SELECT * FROM (" + op.text + ")", ref->bound);
  }
  std::string One(const relation::Keyed&, const Ref&, Plain&) { return ""; }
  std::string One(const relation::Call&, const Ref&, Plain&) { return ""; }

  void Agrees(const StepInput& last, const std::string& what) {
    Plain plain;
    std::string table = Evaluate(last.rows, plain);
    std::vector<std::string> right = Query(VisibleOf(last.rows, table));
    ASSERT_FALSE(right.empty()) << what << " gives nothing, so it proves nothing";
    std::vector<std::string> rules = {""};
    for (const std::string& rule : Query("SELECT name FROM duckdb_optimizers()"))
      rules.push_back(rule);
    ASSERT_GT(rules.size(), 20u);
    for (const std::string& rule : rules) {
      Execute(fmt::format("SET disabled_optimizers = 'join_filter_pushdown{}{}'",
                          rule.empty() ? "" : ",", rule));
      Run run = Fused(last.rows);
      EXPECT_EQ(run.rows, right) << what << " without '" << rule << "'\n" << run.sql;
      EXPECT_EQ(run.gone, plain.gone) << what << " without '" << rule << "'\n" << run.sql;
      for (const auto& [step, count] : run.passed)
        EXPECT_EQ(count, plain.passed[step])
            << what << ", step " << step << " without '" << rule << "'\n"
            << run.sql;
      if (HasFailure()) break;
    }
    Execute("SET disabled_optimizers = 'join_filter_pushdown'");
  }
};

constexpr auto kReject = OnRowError::kReject;

TEST_F(FusedTest, FiltersInARow) {
  StepInput rows = Step("filter", R"j("qty > 10")j", {Table("orders")}, "f1");
  rows = Step("filter", R"j("color = 'red' OR color = 'blue'")j", {rows}, "f2");
  Agrees(Step("filter", R"j("customer % 3 = 1")j", {rows}, "f3"), "three filters");
}

TEST_F(FusedTest, AGuardedCastIsNotEvaluatedForRemovedRows) {
  StepInput rows =
      Step("filter", R"j("amount IS NOT NULL AND amount <> 'oops'")j", {Table("orders")}, "f1");
  rows = Step("derive", R"j({"amount": "CAST(amount AS DOUBLE)"})j", {rows}, "d");
  Agrees(Step("filter", R"j("amount > 20")j", {rows}, "f2"), "guarded cast");
}

TEST_F(FusedTest, RejectsBetweenProjections) {
  StepInput rows = Step("derive", R"j({"price": "CAST(amount AS DECIMAL(9,2))"})j",
                        {Table("orders")}, "d", kReject);
  rows = Step("filter", R"j("price > 5")j", {rows}, "f1", kReject);
  rows = Step("map",
              R"j({"id": "id", "ratio": "CAST(qty AS TINYINT) * 2::TINYINT", "color": "color"})j",
              {rows}, "m", kReject);
  rows = Step("filter", R"j("ratio % 3 <> 0")j", {rows}, "f2", kReject);
  Agrees(rows, "rejects");
  Run run = Fused(rows.rows);
  ASSERT_EQ(run.diverted.size(), run.gone["d rejected"] + run.gone["m rejected"]);
  ASSERT_GT(run.gone["d rejected"], 0u);
  ASSERT_GT(run.gone["m rejected"], 0u);
  for (const sql::Diverted& row : run.diverted) {
    EXPECT_THAT(row.row, testing::HasSubstr("\"amount\":"))
        << "the letter shows the row of the source";
    EXPECT_THAT(row.message,
                testing::AnyOf(testing::HasSubstr("price: 'oops' is not a valid DECIMAL(9,2)"),
                               testing::HasSubstr("ratio: cannot compute")));
  }
}

TEST_F(FusedTest, AJoinOfFilteredSides) {
  StepInput left = Step("filter", R"j("qty > 50")j", {Table("orders")}, "f1");
  StepInput right = Step("filter", R"j("region < 3")j", {Table("customers")}, "f2");
  StepInput rows = Step("join", R"j({"with": "f2", "on": "customer"})j", {left, right}, "j");
  Agrees(rows, "join");
  Agrees(Step("filter", R"j("region = 1")j", {rows}, "f3"), "join and filter");
}

TEST_F(FusedTest, AJoinThatDropsMostRows) {
  StepInput rows = Step(
      "join",
      R"({"with": "customers", "on": ["orders.customer = customers.customer", "orders.qty < 3"], "select": ["id", "name"]})",
      {Table("orders"), Table("customers")}, "j");
  Agrees(Step("filter", R"j("id < 2200")j", {rows}, "f"), "join first");
}

TEST_F(FusedTest, OuterAndSemiJoins) {
  StepInput left = Step("filter", R"j("qty > 90")j", {Table("orders")}, "f1");
  StepInput right = Step("filter", R"j("region < 5")j", {Table("customers")}, "f2");
  for (const char* type : {"left", "right", "full", "semi", "anti"}) {
    StepInput rows =
        Step("join", fmt::format(R"j({{"with": "f2", "on": "customer", "type": "{}"}})j", type),
             {left, right}, "j");
    Agrees(Step("filter", R"j("customer > 20")j", {rows}, "f3"), type);
  }
}

TEST_F(FusedTest, AnAggregateBetweenFilters) {
  StepInput rows = Step("filter", R"j("qty > 10")j", {Table("orders")}, "f1");
  rows = Step(
      "aggregate",
      R"j({"by": ["color", {"day": "CAST(ts AS DATE)"}], "select": {"n": "count(*)", "most": "max(qty)"}})j",
      {rows}, "a");
  Agrees(rows, "aggregate");
  Agrees(Step("filter", R"j("n > 200")j", {rows}, "f2"), "aggregate and filter");
}

TEST_F(FusedTest, SqlOverTwoSteps) {
  StepInput orders = Step("filter", R"j("qty > 10")j", {Table("orders")}, "good");
  StepInput rows = Step(
      "sql",
      R"("WITH x AS (SELECT * FROM good WHERE id % 2 = 0) SELECT name, count(*) AS n FROM x JOIN customers USING (customer) GROUP BY name")",
      {orders, Table("customers")}, "s");
  Agrees(Step("filter", R"j("n > 1")j", {rows}, "f2"), "sql");
}

TEST_F(FusedTest, SqlThatReadsAStepTwice) {
  StepInput orders = Step("filter", R"j("qty > 95")j", {Table("orders")}, "good");
  Agrees(
      Step(
          "sql",
          R"j("SELECT a.id, b.id AS other FROM good a JOIN good b ON a.customer = b.customer AND a.id < b.id")j",
          {orders}, "s"),
      "self join");
}

TEST_F(FusedTest, DedupeCountsWhatItDrops) {
  StepInput rows = Step("filter", R"j("stock > 5")j", {Table("parts")}, "f1");
  rows = Step("dedupe", R"j({"key": "part", "order_by": "stock"})j", {rows}, "d");
  Agrees(rows, "dedupe");
  Agrees(Step("filter", R"j("stock < 40")j", {rows}, "f2"), "dedupe and filter");
}

TEST_F(FusedTest, AStepWithTwoReaders) {
  StepInput rows = Step("filter", R"j("qty > 50")j", {Table("orders")}, "f1");
  StepInput red = Step("filter", R"j("color = 'red'")j", {rows}, "red");
  StepInput counts =
      Step("aggregate", R"j({"by": "customer", "select": {"n": "count(*)"}})j", {rows}, "counts");
  Agrees(Step("join", R"j({"with": "counts", "on": "customer"})j", {red, counts}, "j"), "diamond");
}

TEST_F(FusedTest, AUnionOfFilteredParts) {
  StepInput a = Step("filter", R"j("qty > 50")j", {Table("orders")}, "a");
  StepInput b =
      Step("map", R"j({"id": "customer + 100000", "color": {"value": "none"}, "qty": "1"})j",
           {Table("customers")}, "b");
  a = Step("map", R"j({"id": "id", "color": "color", "qty": "qty"})j", {a}, "am");
  Schema schema = a.rows->schema;
  StepInput both{.step = "u",
                 .rows = relation::Make(relation::Union{{a.rows, b.rows}}, schema, "u")};
  Agrees(Step("filter", R"j("qty < 90 AND id % 2 = 0")j", {both}, "f"), "union");
}

TEST_F(FusedTest, ABatchWindow) {
  StepInput rows = Step("filter", R"j("color IS NOT NULL")j", {Table("orders")}, "f");
  Agrees(
      Step(
          "window",
          R"j({"tumbling": "1h", "time": "ts", "by": "color", "select": {"n": "count(*)"}, "offset": "10m"})j",
          {rows}, "w"),
      "window");
}

TEST_F(FusedTest, BoundValuesReachTheQuery) {
  StepInput rows = Step("filter", R"j("CAST(ts AS DATE) = {{ ds }}")j", {Table("orders")}, "f");
  rows =
      Step("derive", R"j({"day": "{{ ds }}", "label": {"value": "of {{ ds }}!"}})j", {rows}, "d");
  Agrees(rows, "bound");
  EXPECT_THAT(Fused(rows.rows).rows[0], testing::HasSubstr("2026-01-02|of 2026-01-02!"));
}

}  // namespace
}  // namespace sluice
