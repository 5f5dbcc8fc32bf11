// Tests of transform/verbs.
#include "transform/verbs_for_test.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class VerbsTest : public VerbTest {
 protected:
  void SetUp() override {
    VerbTest::SetUp();
    Execute(R"(
      CREATE TABLE orders (id BIGINT, customer INTEGER, amount VARCHAR, price DECIMAL(9,2), ts TIMESTAMP, address STRUCT(city VARCHAR, zip VARCHAR));
      INSERT INTO orders VALUES (1, 1, '5', 1.50, '2026-01-01 00:00:30', {'city': 'Bern', 'zip': '3000'}),
                                (2, 1, 'x', 2.50, '2026-01-01 00:01:00', {'city': 'Basel', 'zip': '4000'}),
                                (3, 2, NULL, NULL, '1969-12-31 23:59:30', NULL);
      CREATE TABLE customers (customer INTEGER, id BIGINT, name VARCHAR);
      INSERT INTO customers VALUES (1, 10, 'Ada'), (3, 30, 'Cid'))");
    orders_ = Table("orders");
    customers_ = Table("customers");
    both_ = {orders_, customers_};
  }
  std::string Gives(const std::string& verb, const std::string& body) {
    return Schemas(Lower(verb, body, {orders_}));
  }
  std::string Refused(const std::string& verb, const std::string& body) {
    return Complaint(Lower(verb, body, {orders_}));
  }
  std::string Joined(const std::string& body) { return Schemas(Lower("join", body, both_)); }
  std::vector<std::string> Rows(const Result<Lowered>& lowered) {
    return lowered.ok() ? Fused(lowered->rows).rows
                        : std::vector<std::string>{lowered.error().message};
  }

  StepInput orders_, customers_;
  std::vector<StepInput> both_;
};

TEST_F(VerbsTest, MapGivesExactlyTheNamedColumns) {
  EXPECT_EQ(Gives("map", R"j({"order": "id", "total": "price * 2", "city": "address.city"})j"),
            "(order BIGINT, total DECIMAL(18,2), city VARCHAR)");
  EXPECT_EQ(
      Gives(
          "map",
          R"j({"n": {"expr": "amount", "type": "hugeint"}, "t": {"value": "US"}, "d": {"value": "5", "type": "integer"}})j"),
      "(n HUGEINT, t VARCHAR, d INTEGER)");
  EXPECT_EQ(Gives("map", R"j({"a.b": "id", "a.c.d": "amount", "e": "1"})j"),
            "(a STRUCT(b BIGINT, c STRUCT(d VARCHAR)), e INTEGER)");
}

TEST_F(VerbsTest, DeriveReplacesWhereAColumnStandsAndAddsAtTheEnd) {
  EXPECT_EQ(Gives("derive",
                  R"j({"Customer": "'c'", "more": "id + 1", "address.country": {"value": "CH"}})j"),
            "(id BIGINT, Customer VARCHAR, amount VARCHAR, price DECIMAL(9,2), ts TIMESTAMP, "
            "address STRUCT(city VARCHAR, zip VARCHAR, country VARCHAR), more BIGINT)");
  auto replaced = Lower("derive", R"j({"address.zip": "lower(address.city)"})j", {orders_});
  EXPECT_THAT(Rows(replaced)[0], HasSubstr("{'city': Bern, 'zip': bern}"));
}

TEST_F(VerbsTest, MistakesInMapNameThePlaceAndTheRemedy) {
  EXPECT_EQ(Refused("map", R"j({"total": "pric * 2"})j"),
            "p.yml:2:11: no column 'pric' here; did you mean 'price'?");
  EXPECT_EQ(Refused("map", R"j({"a": "1", "total": "2 * pric"})j"),
            "p.yml:3:15: no column 'pric' here; did you mean 'price'?");
  EXPECT_THAT(Refused("map", R"j({"country": "US"})j"),
              HasSubstr("for the text write { value: US }"));
  EXPECT_THAT(Refused("dedupe", R"j({"key": "nope"})j"), Not(HasSubstr("value:")));
  EXPECT_THAT(Refused("map", R"j({"total": "round(price", "2)": null})j"), HasSubstr("p.yml:2:"));
  EXPECT_THAT(Refused("map", R"j({"2)": null})j"),
              HasSubstr("an expression with a comma: quote it or give it its own line"));
  EXPECT_THAT(Refused("map", R"j({"x": "id +"})j"),
              AllOf(HasSubstr("p.yml:2:"), HasSubstr("syntax error")));
  EXPECT_THAT(Refused("map", R"j({"x": "lower(id, id)"})j"),
              AllOf(HasSubstr("p.yml:2:11: 'lower(id, id)':"), HasSubstr("lower")));
  EXPECT_THAT(Refused("map", R"j({"x": "sum(id)"})j"),
              HasSubstr("'sum(id)' is an aggregate; use an aggregate or window step"));
  EXPECT_THAT(Refused("map", R"j({"x": "row_number() OVER ()"})j"), HasSubstr("use an sql step"));
  EXPECT_THAT(Refused("map", R"j({"x": "(SELECT 1)"})j"), HasSubstr("use a join or an sql step"));
  EXPECT_THAT(Refused("map", R"j({"x": "COLUMNS(*)"})j"), HasSubstr("name the columns"));
  EXPECT_THAT(Refused("map", R"j({"x": "id", "X": "id"})j"),
              HasSubstr("p.yml:3:5: 'x' is named twice"));
  EXPECT_THAT(Refused("map", R"j({"x": "id", "x.y": "id"})j"), HasSubstr("named twice"));
  EXPECT_THAT(Refused("map", R"j({"x": {"expr": "id", "typ": "int"}})j"),
              HasSubstr("did you mean 'type'?"));
  EXPECT_THAT(Refused("map", R"j({"x": {"expr": "id", "type": "int) AS"}})j"),
              HasSubstr("is not a type like"));
  EXPECT_THAT(Refused("map", R"j({"x": {"expr": "id", "value": "a"}})j"),
              HasSubstr("either expr or value"));
  EXPECT_THAT(Refused("map", R"j({"x": "orders.id"})j"), HasSubstr("write id"));
  EXPECT_THAT(Refused("map", R"j({"_sluice_x": "id"})j"), HasSubstr("are taken"));
  EXPECT_THAT(Refused("map", R"j({"x": "_sluice_offset"})j"),
              HasSubstr("no column '_sluice_offset'"));
  EXPECT_THAT(Refused("derive", R"j({"a": "id + 1", "b": "a * 2"})j"),
              HasSubstr("'a' is made by this same derive; put it into a derive step of its own"));
  EXPECT_THAT(Refused("derive", R"j({"id.x": "1"})j"),
              HasSubstr("'id' is a BIGINT without fields"));
}

TEST_F(VerbsTest, WarnsOfWhatCannotBeRepeated) {
  ASSERT_TRUE(Lower("map", R"j({"x": "now()", "y": "current_date"})j", {orders_}).ok());
  EXPECT_THAT(warnings_,
              ElementsAre(HasSubstr("now() in step"), HasSubstr("current_date in step")));
}

TEST_F(VerbsTest, FilterTakesRowsForWhichTheConditionIsTrue) {
  EXPECT_EQ(Rows(Lower("filter", R"j("price > 2")j", {orders_})).size(), 1u);
  EXPECT_EQ(Rows(Lower("filter", R"j({"where": "NOT (price > 2)"})j", {orders_})).size(),
            1u);  // null is not true
  EXPECT_THAT(Refused("filter", R"j("price")j"), HasSubstr("is a DECIMAL(9,2), not a condition"));
  EXPECT_THAT(Refused("filter", R"j({"when": "true"})j"), HasSubstr("unknown key 'when'"));
}

TEST_F(VerbsTest, RejectedRowsSayWhy) {
  auto lowered =
      Lower("derive", R"j({"n": "CAST(amount AS INTEGER)"})j", {orders_}, "d", OnRowError::kReject);
  ASSERT_TRUE(lowered.ok());
  Run run = Fused(lowered->rows);
  EXPECT_EQ(run.rows.size(), 2u);
  ASSERT_EQ(run.diverted.size(), 1u);
  EXPECT_EQ(run.diverted[0].message, "n: 'x' is not a valid INTEGER");
  EXPECT_THAT(run.diverted[0].row, HasSubstr("\"amount\":\"x\""));
  EXPECT_EQ(std::get<relation::Sift>(std::get<relation::Project>(lowered->rows->op).from->op)
                .fates[0]
                .code,
            "cast");
}

TEST_F(VerbsTest, AggregateGroups) {
  EXPECT_EQ(Gives("aggregate",
                  R"j({"by": "customer", "select": {"n": "count(*)", "most": "max(price)"}})j"),
            "(customer INTEGER, n BIGINT, most DECIMAL(9,2))");
  EXPECT_EQ(
      Gives("aggregate",
            R"j({"by": {"day": "CAST(ts AS DATE)"}, "select": {"n": "sum(id) / count(*)"}})j"),
      "(day DATE, n DOUBLE)");
  EXPECT_THAT(Rows(Lower("aggregate", R"j({"select": {"n": "count(*)"}})j", {orders_})),
              ElementsAre("3"));
  EXPECT_THAT(Refused("aggregate", R"j({"by": "customer", "select": {"n": "price"}})j"),
              HasSubstr("'price' is not an aggregate like sum"));
  EXPECT_THAT(Refused("aggregate", R"j({"by": "custommer", "select": {"n": "count(*)"}})j"),
              HasSubstr("did you mean 'customer'?"));
  EXPECT_THAT(Refused("aggregate", R"j({"by": ["lower(amount)"], "select": {"n": "count(*)"}})j"),
              HasSubstr("needs a name"));
  EXPECT_THAT(Refused("aggregate", R"j({"by": "customer", "select": {"customer": "count(*)"}})j"),
              HasSubstr("named twice"));
  EXPECT_THAT(Refused("aggregate", R"j({"by": "customer"})j"),
              HasSubstr("aggregate needs 'select'"));
}

TEST_F(VerbsTest, JoinGivesTheKeyOnceAndRefusesClashes) {
  EXPECT_THAT(Joined(R"j({"with": "customers", "on": "customer"})j"),
              HasSubstr("both 'orders' and 'customers' have id; name what you want"));
  EXPECT_EQ(
      Joined(
          R"j({"with": "customers", "on": "customer", "select": ["customer", "name", {"order": "orders.id"}]})j"),
      "(customer INTEGER, name VARCHAR, order BIGINT)");
  EXPECT_EQ(
      Joined(
          R"j({"with": "customers", "on": "orders.customer = customers.customer", "select": ["customers.name"]})j"),
      "(name VARCHAR)");
  EXPECT_THAT(
      Rows(Lower(
          "join",
          R"j({"with": "customers", "on": "customer", "type": "full", "select": ["customer", "name"]})j",
          both_)),
      ElementsAre("1|Ada", "1|Ada", "2|NULL", "3|Cid"));
  EXPECT_THAT(
      Rows(Lower(
          "join",
          R"j({"with": "customers", "on": "customer", "type": "anti", "select": ["customer"]})j",
          both_)),
      ElementsAre("2"));
}

TEST_F(VerbsTest, MistakesInJoin) {
  EXPECT_THAT(Joined(R"j({"with": "customers", "on": "id = 1", "select": ["name"]})j"),
              HasSubstr("'id' is a column of both; write orders.id or customers.id"));
  EXPECT_THAT(Joined(R"j({"with": "customers", "on": "ts"})j"),
              AllOf(HasSubstr("in the rows of 'customers'"), HasSubstr("where names differ")));
  EXPECT_THAT(Joined(R"j({"with": "customers", "on": "orders.custmer = customers.id"})j"),
              HasSubstr("did you mean 'customer'?"));
  EXPECT_THAT(Joined(R"j({"with": "customers", "on": "customer", "within": "1h"})j"),
              HasSubstr("comes with streams"));
  EXPECT_THAT(Joined(R"j({"with": "customers", "on": "customer", "type": "iner"})j"),
              HasSubstr("did you mean 'inner'?"));
  EXPECT_THAT(
      Joined(R"j({"with": "customers", "on": "customer", "type": "semi", "select": ["name"]})j"),
      HasSubstr("no column 'name'"));
  EXPECT_THAT(
      Complaint(Lower("join", R"j({"with": "orders", "on": "customer"})j", {orders_, orders_})),
      HasSubstr("cannot be joined with itself"));
}

TEST_F(VerbsTest, SqlFindsItsInputs) {
  LowerContext context = Context("s", OnRowError::kFail);
  int line = 1;
  auto mentions =
      Find(verbs_, "sql")
          ->mentions(
              ToNode(Json("WITH x AS (SELECT * FROM orders) SELECT * FROM x, customers"), line),
              context);
  ASSERT_TRUE(mentions.ok());
  EXPECT_THAT(*mentions, testing::UnorderedElementsAre("orders", "customers"));
  auto lowered = Lower(
      "sql",
      R"j("SELECT name, count(*) AS n FROM Orders JOIN customers USING (customer) GROUP BY name; -- done")j",
      both_);
  EXPECT_EQ(Schemas(lowered), "(name VARCHAR, n BIGINT)");
  EXPECT_THAT(Rows(lowered), ElementsAre("Ada|2"));
}

TEST_F(VerbsTest, MistakesInSql) {
  const auto refused = [&](const std::string& text) {
    return Complaint(Lower("sql", Json(text).dump(), both_));
  };
  EXPECT_EQ(refused("SELECT * FROM ordrs"), "p.yml:1:25: no step 'ordrs'; did you mean 'orders'?");
  EXPECT_THAT(refused("SELECT * FROM shop.orders"), HasSubstr("read by an extract step"));
  EXPECT_THAT(refused("SELECT * FORM orders"), HasSubstr("syntax error"));
  EXPECT_THAT(refused("SELECT nope FROM orders"),
              AllOf(HasSubstr("p.yml:1:18"), HasSubstr("nope")));
  EXPECT_THAT(refused("DELETE FROM orders"), HasSubstr("not one SELECT"));
  EXPECT_THAT(refused("SELECT 1; SELECT 2"), HasSubstr("not one SELECT"));
  EXPECT_THAT(refused("SELECT * FROM read_csv('a.csv')"), HasSubstr("use an extract step"));
  EXPECT_THAT(refused("SELECT orders.id, customers.id FROM orders, customers"),
              HasSubstr("two columns 'id'"));
  EXPECT_THAT(
      refused("WITH x AS (SELECT 1) SELECT orders.id, customers.id FROM orders, customers, x"),
      HasSubstr("two columns 'id'"));
  EXPECT_EQ(refused("SELECT * FROM orders LIMIT 1"), "no error");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("LIMIT without ORDER BY")));
  EXPECT_THAT(Complaint(Lower("sql", R"j({"query": "SELECT 1", "per": "epoch"})j", {})),
              HasSubstr("comes with streams"));
}

TEST_F(VerbsTest, DedupeKeepsOneRowPerKey) {
  EXPECT_THAT(Rows(Lower("dedupe", R"j({"key": "customer", "order_by": "ts"})j", {orders_})),
              ElementsAre(HasSubstr("2|1|x"), HasSubstr("3|2|")));
  EXPECT_THAT(
      Rows(Lower("dedupe", R"j({"key": ["customer"], "order_by": ["ts"], "keep": "first"})j",
                 {orders_})),
      ElementsAre(HasSubstr("1|1|5"), HasSubstr("3|2|")));
  EXPECT_TRUE(warnings_.empty());
  ASSERT_TRUE(Lower("dedupe", R"j("customer")j", {orders_}).ok());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("without order_by")));
  EXPECT_THAT(Refused("dedupe", R"j({"key": "customer", "order_by": "ts desc"})j"),
              HasSubstr("keep: first or last"));
  EXPECT_THAT(Refused("dedupe", R"j({"key": "customer", "within": "1h"})j"),
              HasSubstr("needs event time"));
  StepInput endless = orders_;
  endless.endless = true;
  EXPECT_THAT(Complaint(Lower("dedupe", R"j("customer")j", {endless})), HasSubstr("needs within"));
}

TEST_F(VerbsTest, AWindowOnABatchIsAGroupBy) {
  auto lowered =
      Lower("window",
            R"j({"tumbling": "1m", "time": "ts", "by": "customer", "select": {"n": "count(*)"}})j",
            {orders_});
  EXPECT_EQ(Schemas(lowered),
            "(window_start TIMESTAMP, window_end TIMESTAMP, customer INTEGER, n BIGINT)");
  EXPECT_EQ(lowered->reach, Reach::kWhole);
  EXPECT_THAT(Rows(lowered), ElementsAre("1969-12-31 23:59:00|1970-01-01 00:00:00|2|1",
                                         "2026-01-01 00:00:00|2026-01-01 00:01:00|1|1",
                                         "2026-01-01 00:01:00|2026-01-01 00:02:00|1|1"));
}

TEST_F(VerbsTest, MistakesInWindow) {
  EXPECT_THAT(Refused("window", R"j({"tumbling": "1m", "select": {"n": "count(*)"}})j"),
              HasSubstr("window needs time"));
  EXPECT_THAT(
      Refused("window", R"j({"tumbling": "1m", "time": "amount", "select": {"n": "count(*)"}})j"),
      HasSubstr("is a VARCHAR, not a timestamp"));
  EXPECT_THAT(
      Refused("window",
              R"j({"tumbling": "1m", "time": "ts", "select": {"window_end": "count(*)"}})j"),
      HasSubstr("every window gives"));
  EXPECT_THAT(
      Refused("window", R"j({"sliding": "1m", "time": "ts", "select": {"n": "count(*)"}})j"),
      HasSubstr("comes with streams"));
  EXPECT_THAT(
      Refused("window", R"j({"tumbling": "0s", "time": "ts", "select": {"n": "count(*)"}})j"),
      HasSubstr("longer than 0s"));
  StepInput endless = orders_;
  endless.endless = true;
  EXPECT_THAT(Complaint(Lower("window",
                              R"j({"tumbling": "1m", "time": "ts", "select": {"n": "count(*)"}})j",
                              {endless})),
              HasSubstr("needs event time"));
}

TEST_F(VerbsTest, PlacesErrorsInBlocksByLine) {
  Written block{.text = "SELECT *\nFROM x\nWHERE y\n", .mark = {"p.yml", 7, 12}, .quoted = true};
  Error error = PlaceError(ConfigError({}, "no x"), block, 14);
  EXPECT_EQ(error.mark.line, 9);
  EXPECT_EQ(error.mark.column, 0);
}

}  // namespace
}  // namespace sluice
