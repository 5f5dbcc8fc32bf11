// See discover.h.
#include "connector/postgres/discover.h"

#include <charconv>

#include "base/text.h"
#include "connector/position.h"
#include "connector/postgres/types.h"
#include "connector/table_name.h"

namespace sluice::postgres {
namespace {

std::optional<int64_t> Number(const Value& value) {
  int64_t number = 0;
  if (!value) return std::nullopt;
  const auto read = std::from_chars(value->data(), value->data() + value->size(), number);
  return read.ec == std::errc() && number >= 0 ? std::optional(number) : std::nullopt;
}

}  // namespace

Result<std::vector<FoundTable>> FindTables(Connection& connection, const std::string& schema,
                                           const std::string& standard_schema) {
  const Answer answer = TRY(connection.Run(
      "SELECT n.nspname, c.relname, c.relkind IN ('v', 'm'), "
      "CASE WHEN c.relkind IN ('r', 'm') THEN c.reltuples::bigint END, "
      "CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END, "
      "(SELECT array_to_json(array_agg(a.attname ORDER BY array_position(i.indkey::int2[], "
      "a.attnum)))::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = "
      "i.indrelid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary) "
      "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
      "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition "
      "AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' "
      "AND n.nspname NOT LIKE '\\_sluice%' AND c.relname NOT LIKE '\\_sluice%' "
      "AND has_table_privilege(c.oid, 'SELECT') AND ($1 = '' OR n.nspname = $1) ORDER BY 1, 2",
      {schema}));
  std::vector<FoundTable> tables;
  for (const auto& row : answer.rows) {
    FoundTable table{.schema = *row[0], .name = *row[1], .kind = row[2] == "t" ? "view" : "table"};
    table.written = WriteTableName({table.schema, table.name}, standard_schema);
    table.rows = Number(row[3]);
    if (const auto bytes = Number(row[4])) table.bytes = static_cast<uint64_t>(*bytes);
    if (row[5]) table.key = TRY(ReadPosition(*row[5]));
    const std::string relation = QuoteIdentifier(table.schema) + "." + QuoteIdentifier(table.name);
    for (const TypedColumn& column : TRY(ColumnsOf(connection, relation, {}))) {
      const auto read = ToRead(column.type);
      table.columns.push_back({column.name, column.type.shown, read ? read->type : ""});
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace sluice::postgres
