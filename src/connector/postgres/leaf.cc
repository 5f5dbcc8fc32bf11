// See leaf.h.
#include "connector/postgres/leaf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace sluice::postgres {
namespace {

// Of $1 as a partitioned table: how, by how many columns, whether it has a default partition, the
// column, its type, and whether equal values are the same bytes.
constexpr const char* kPartitioned =
    "SELECT p.partstrat, p.partnatts, p.partdefid <> 0, a.attname, format_type(a.atttypid, NULL), "
    "NOT EXISTS (SELECT FROM pg_catalog.pg_collation c WHERE c.oid IN (a.attcollation, "
    "p.partcollation[0]) AND NOT c.collisdeterministic) "
    "FROM pg_catalog.pg_partitioned_table p LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = "
    "p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = to_regclass($1)";

constexpr const char* kPartitions =
    "SELECT n.nspname, c.relname, c.relkind, pg_get_expr(c.relpartbound, c.oid), "
    "pg_get_partition_constraintdef(c.oid) FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class "
    "c "
    "ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
    "i.inhparent = to_regclass($1) AND pg_get_partition_constraintdef(c.oid) IS NOT NULL";

// What keeps the partition $2 of the table $1 where it is: what would act on the rows, or follow
// them, and what a new table would not have.
constexpr const char* kBonds = R"(
WITH both_tables AS (SELECT * FROM pg_catalog.pg_class
                     WHERE oid IN (to_regclass($1), to_regclass($2))),
     leaf AS (SELECT * FROM both_tables WHERE oid = to_regclass($2))
SELECT CASE
  WHEN EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN both_tables t
               ON t.oid IN (k.conrelid, k.confrelid) WHERE k.contype = 'f')
    THEN 'it has foreign keys, or is referred to by one'
  WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN both_tables t ON t.oid = g.tgrelid
               WHERE NOT g.tgisinternal)
    THEN 'it has triggers'
  WHEN EXISTS (SELECT FROM both_tables WHERE relhasrules OR relrowsecurity)
    THEN 'it has rules or row security'
  WHEN EXISTS (SELECT FROM pg_catalog.pg_publication WHERE puballtables)
    OR EXISTS (SELECT FROM pg_catalog.pg_publication_tables p JOIN pg_catalog.pg_namespace n
               ON n.nspname = p.schemaname JOIN both_tables t
               ON t.relname = p.tablename AND t.relnamespace = n.oid)
    THEN 'it is published to subscribers'
  WHEN EXISTS (SELECT FROM both_tables t JOIN pg_catalog.pg_roles r ON r.rolname = current_user
               WHERE t.relowner <> r.oid AND NOT r.rolsuper)
    THEN 'it belongs to another role'
  WHEN NOT has_schema_privilege((SELECT relnamespace FROM leaf), 'CREATE')
    THEN 'the role may create no table in its schema'
  WHEN EXISTS (SELECT FROM leaf WHERE relpersistence <> 'p' OR relreplident <> 'd')
    OR EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN leaf ON leaf.oid = a.attrelid
               WHERE a.attnum > 0 AND NOT a.attisdropped AND
               (a.attidentity <> '' OR a.attoptions IS NOT NULL OR a.attstattarget >= 0))
    OR EXISTS (SELECT FROM pg_catalog.pg_index i JOIN leaf ON leaf.oid = i.indrelid
               WHERE NOT i.indisvalid OR i.indisclustered OR i.indisexclusion OR NOT i.indimmediate)
    OR EXISTS (SELECT FROM pg_catalog.pg_seclabel s JOIN leaf ON leaf.oid = s.objoid)
    THEN 'its partition has settings that a new table would not have'
  WHEN EXISTS (
    SELECT FROM pg_catalog.pg_depend d JOIN leaf ON
      (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = leaf.oid) OR
      (d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid = leaf.reltype)
    WHERE d.classid NOT IN ('pg_catalog.pg_type'::regclass, 'pg_catalog.pg_attrdef'::regclass)
      AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS (SELECT FROM
               pg_catalog.pg_constraint k WHERE k.oid = d.objid AND k.contype IN ('c', 'p', 'u')))
      AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND EXISTS (SELECT FROM
               pg_catalog.pg_class c WHERE c.oid = d.objid AND c.relkind IN ('i', 't'))))
    THEN 'other objects depend on its partition'
  ELSE '' END)";

bool Among(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// "FOR VALUES IN (1)": there is no comma between values.
bool OneValue(std::string_view bound) {
  bool quoted = false;
  for (const char c : bound) {
    if (c == '\'') quoted = !quoted;
    if (c == ',' && !quoted) return false;
  }
  return StartsWith(bound, "FOR VALUES IN (");
}

class Search {
 public:
  Search(Connection& connection, const Target& target, const Load& load, std::stop_token stop)
      : connection_(connection), target_(target), load_(load), stop_(std::move(stop)) {}

  Result<Leaving> Run() {
    const Answer how = TRY(connection_.Run(kPartitioned, {target_.quoted}, stop_));
    if (how.rows.empty()) return Leaving{};
    std::string why = WhyNot(how.rows[0]);
    if (why.empty()) why = TRY(Find(how.rows[0][0] == "r"));
    if (why.empty()) {
      const Answer bonds = TRY(connection_.Run(kBonds, {target_.quoted, leaf_.quoted}, stop_));
      why = bonds.rows.at(0).at(0).value_or("");
    }
    if (!why.empty()) return Leaving{.leaf = {}, .why = std::move(why)};
    return Leaving{.leaf = std::move(leaf_), .why = {}};
  }

 private:
  // By what the table and the load say; sets column_ and value_.
  std::string WhyNot(const std::vector<Value>& table) {
    if (table[0] == "h") return "it is partitioned by hash";
    if (table[1] != "1") return "it is partitioned by several columns";
    if (!table[3]) return "it is partitioned by an expression";
    if (table[2] == "t") return "it has a default partition, which would be searched under a lock";
    if (load_.partition.size() != 1 || target_.Find(load_.partition[0].column) == nullptr ||
        target_.Find(load_.partition[0].column)->name != *table[3])
      return fmt::format("it is partitioned by {} and nothing else", *table[3]);
    const auto& value = load_.partition[0].value;
    if (!value) return "only the rows say which values are replaced";
    if (!value->text) return "the value is NULL";
    if (load_.in_pieces()) return "its rows are taken in pieces (on_row_error, batch_size)";
    const auto columns = EncodingFor(target_, load_);
    const bool direct =
        columns.ok() && std::all_of(columns->begin(), columns->end(), [](const EncodedColumn& one) {
          return one.write.path != Path::kThroughText;
        });
    if (!direct) return "a column of its rows is read by the server from a text";
    type_ = table[4].value_or("");
    if (!SameType(ColumnTypeFor(value->type).value_or("")))
      return fmt::format("its column {} is {}, the value {}", *table[3], type_, value->type);
    if (table[5] != "t") return "its column takes different texts as equal";
    column_ = QuoteIdentifier(*table[3]);
    value_ = fmt::format("CAST({} AS {})", QuoteLiteral(*value->text), type_);
    return "";
  }

  bool SameType(const std::string& type) const {
    const auto whole = {std::string_view("smallint"), std::string_view("integer"),
                        std::string_view("bigint")};
    const auto text = {std::string_view("text"), std::string_view("character varying")};
    return (Among(type, whole) && Among(type_, whole)) ||
           (Among(type, text) && Among(type_, text)) ||
           (type == type_ && Among(type, {"date", "boolean", "uuid"}));
  }

  // Sets leaf_; else why not.
  Result<std::string> Find(bool range) {
    const Answer partitions = TRY(connection_.Run(kPartitions, {target_.quoted}, stop_));
    std::string cases;
    for (size_t i = 0; i < partitions.rows.size(); ++i)
      cases += fmt::format(" WHEN {} THEN {}", partitions.rows[i][4].value_or("false"), i);
    if (cases.empty()) return std::string("it has no partition");
    const int64_t at =
        TRY(QueryNumber(connection_,
                        fmt::format("SELECT CASE{} ELSE -1 END FROM (SELECT {} AS {}) AS s", cases,
                                    value_, column_),
                        {}, stop_));
    if (at < 0) return std::string("it has no partition for the value");
    const auto& row = partitions.rows.at(static_cast<size_t>(at));
    leaf_.name = {.schema = row[0].value_or(""), .name = row[1].value_or("")};
    leaf_.quoted = Quoted(leaf_.name);
    leaf_.bound = row[3].value_or("");
    leaf_.constraint = row[4].value_or("");
    const std::string shown = fmt::format("its partition {} ", leaf_.name.name);
    if (row[2] == "p") return shown + "is partitioned itself";
    if (row[2] != "r") return shown + "is a foreign table";
    const bool alone = range ? TRY(NoNeighbour()) : OneValue(leaf_.bound);
    return alone ? std::string() : shown + "holds other values too";
  }

  // Whether the range of the partition is the value alone: neither the one before nor the one after
  // is in it.
  Result<bool> NoNeighbour() {
    if (!Among(type_, {"date", "smallint", "integer", "bigint"})) return false;
    // A date at the end of time has no next one; it is its own neighbour, and so not alone.
    const std::string next =
        type_ == "date"
            ? fmt::format(
                  "CASE WHEN {0} BETWEEN date '0001-01-01' AND date '9999-12-31' THEN {0} + "
                  "d ELSE {0} END",
                  value_)
            : fmt::format("{}::numeric + d", value_);
    return TRY(QueryNumber(
               connection_,
               fmt::format("SELECT count(*) FROM (SELECT {} AS {} FROM (VALUES (-1), (1)) AS v(d)) "
                           "AS s WHERE {}",
                           next, column_, leaf_.constraint),
               {}, stop_)) == 0;
  }

  Connection& connection_;
  const Target& target_;
  const Load& load_;
  const std::stop_token stop_;
  std::string column_, type_, value_;  // as SQL writes them
  Leaf leaf_;
};

}  // namespace

Result<Leaving> FindLeaf(Connection& connection, const Target& target, const Load& load,
                         std::stop_token stop) {
  return Search(connection, target, load, std::move(stop)).Run();
}

}  // namespace sluice::postgres
