// See types.h.
#include "connector/postgres/types.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/text.h"
#include "connector/duckdb/target.h"

namespace sluice::postgres {
namespace {

struct Plain {
  std::string_view name, type;
  Wire wire;
};

// Read and written as they are. numeric depends on its modifier.
constexpr std::array<Plain, 21> kPlain{{
    {"bool", "BOOLEAN", Wire::kBool},
    {"int2", "SMALLINT", Wire::kInt2},
    {"int4", "INTEGER", Wire::kInt4},
    {"int8", "BIGINT", Wire::kInt8},
    {"oid", "UINTEGER", Wire::kOid},
    {"float4", "FLOAT", Wire::kFloat4},
    {"float8", "DOUBLE", Wire::kFloat8},
    {"date", "DATE", Wire::kDate},
    {"timestamp", "TIMESTAMP", Wire::kTimestamp},
    {"timestamptz", "TIMESTAMP WITH TIME ZONE", Wire::kTimestamp},
    {"time", "TIME", Wire::kTime},
    {"interval", "INTERVAL", Wire::kInterval},
    {"uuid", "UUID", Wire::kUuid},
    {"bytea", "BLOB", Wire::kBytes},
    {"text", "VARCHAR", Wire::kBytes},
    {"varchar", "VARCHAR", Wire::kBytes},
    {"bpchar", "VARCHAR", Wire::kBytes},
    {"name", "VARCHAR", Wire::kBytes},
    {"citext", "VARCHAR", Wire::kBytes},
    {"json", "JSON", Wire::kBytes},
    {"jsonb", "JSON", Wire::kJsonb},
}};

// Their text is all there is to say.
constexpr std::array<std::string_view, 33> kTexts{
    "timetz",       "money",        "bit",      "varbit",        "xml",         "inet",
    "cidr",         "macaddr",      "macaddr8", "point",         "line",        "lseg",
    "box",          "path",         "polygon",  "circle",        "tsvector",    "tsquery",
    "pg_lsn",       "hstore",       "char",     "regclass",      "regtype",     "regproc",
    "regprocedure", "regnamespace", "regrole",  "txid_snapshot", "pg_snapshot", "xid8",
    "xid",          "int2vector",   "oidvector"};

// Elements of an array that DuckDB reads back from their text.
constexpr std::array<std::string_view, 14> kElements{
    "bool",      "int2",        "int4", "int8", "float4", "float8",  "date",
    "timestamp", "timestamptz", "time", "uuid", "text",   "varchar", "bpchar"};

template <class Names>
bool In(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const Plain* FindPlain(std::string_view name) {
  for (const Plain& plain : kPlain) {
    if (plain.name == name) return &plain;
  }
  return nullptr;
}

// numeric(p, s), where DuckDB has it: a modifier holds p in its upper half and s, of 11 bits with a
// sign, in its lower.
std::optional<std::string> DecimalOf(int32_t modifier) {
  if (modifier < 4) return std::nullopt;
  const int width = ((modifier - 4) >> 16) & 0xFFFF;
  const int scale = (((modifier - 4) & 0x7FF) ^ 1024) - 1024;
  if (width > 38 || scale < 0 || scale > width) return std::nullopt;
  return fmt::format("DECIMAL({},{})", width, scale);
}

bool IsList(std::string_view type) { return EndsWith(type, "[]"); }
std::string ElementOf(const std::string& type) { return type.substr(0, type.size() - 2); }
bool IsNested(std::string_view type) {
  return EndsWith(type, "]") || StartsWith(type, "STRUCT(") || StartsWith(type, "MAP(") ||
         StartsWith(type, "UNION(");
}

std::string ReadDuckType(const std::string& name, char kind, int32_t modifier) {
  if (name == "numeric") return DecimalOf(modifier).value_or("VARCHAR");
  const bool known = kind == 'b' && In(kElements, name);
  return known ? std::string(FindPlain(name)->type) : "VARCHAR";
}

// Numbers whose every value is a number of unlimited numeric.
std::optional<std::string> ExactNumber(const std::string& row) {
  if (ReadDecimal(row)) return row;
  if (row == "HUGEINT" || row == "UHUGEINT") return std::nullopt;  // more than 38 digits
  if (row == "UBIGINT") return "DECIMAL(20,0)";
  if (duckdb::Widens(row, "BIGINT")) return "DECIMAL(19,0)";
  return std::nullopt;
}

std::optional<WriteAs> ToWriteScalar(const std::string& row, const Type& target) {
  if (target.name == "numeric") {
    if (const auto decimal = DecimalOf(target.modifier)) {
      if (!duckdb::Widens(row, *decimal)) return std::nullopt;
      return WriteAs{.cast = *decimal, .wire = Wire::kNumeric};
    }
    if (target.modifier < 4) {
      if (const auto exact = ExactNumber(row))
        return WriteAs{.cast = *exact, .wire = Wire::kNumeric};
    }
    if (IsNested(row) || row == "BLOB") return std::nullopt;
    return WriteAs{.cast = "VARCHAR", .path = Path::kThroughText};
  }
  const Plain* plain = target.kind == 'b' ? FindPlain(target.name) : nullptr;
  const bool json = target.name == "json" || target.name == "jsonb";
  if (plain != nullptr && json) {
    // The server reads a text as JSON, or refuses it.
    if (row == "VARCHAR") return WriteAs{.cast = "VARCHAR", .wire = plain->wire};
    if (row != "JSON" && !IsNested(row)) return std::nullopt;
    // JSON goes as it is written; only what is no text yet is made one.
    return WriteAs{.cast = row == "JSON" ? "VARCHAR" : "JSON", .wire = plain->wire};
  }
  if (plain != nullptr) {
    if (row != "JSON" && !duckdb::Widens(row, std::string(plain->type))) return std::nullopt;
    if (row == "JSON" && plain->type != "VARCHAR") return std::nullopt;
    return WriteAs{.cast = std::string(plain->type), .wire = plain->wire};
  }
  if (target.kind == 'e') {
    if (!duckdb::Widens(row, "VARCHAR")) return std::nullopt;
    return WriteAs{.cast = "VARCHAR", .wire = Wire::kBytes};
  }
  const bool text = In(kTexts, target.name) || target.kind == 'c' || target.kind == 'r' ||
                    target.kind == 'm' || target.kind == 'd';
  if (!text || !duckdb::Widens(row, "VARCHAR")) return std::nullopt;
  return WriteAs{.cast = "VARCHAR", .path = Path::kThroughText};
}

}  // namespace

std::optional<ReadAs> ToRead(const Type& type) {
  if (type.element != 0) {
    return ReadAs{.type = ReadDuckType(type.element_name, type.element_kind, type.modifier) + "[]",
                  .fetch = Fetch::kList};
  }
  if (type.kind == 'e') return ReadAs{.type = "VARCHAR"};
  if (type.kind == 'c' || type.kind == 'r' || type.kind == 'm')
    return ReadAs{.type = "VARCHAR", .fetch = Fetch::kText};
  if (type.name == "numeric") {
    if (const auto decimal = DecimalOf(type.modifier))
      return ReadAs{.type = *decimal, .wire = Wire::kNumeric};
    return ReadAs{.type = "VARCHAR", .fetch = Fetch::kText};
  }
  if (const Plain* plain = FindPlain(type.name))
    return ReadAs{.type = std::string(plain->type), .wire = plain->wire};
  if (In(kTexts, type.name)) return ReadAs{.type = "VARCHAR", .fetch = Fetch::kText};
  return std::nullopt;
}

std::optional<WriteAs> ToWrite(const std::string& row, const Type& target) {
  if (row == "NULL" || row == "\"NULL\"") return ToWrite("VARCHAR", {.name = "text"});
  if (target.element == 0) return ToWriteScalar(row, target);
  if (!IsList(row) || IsNested(ElementOf(row))) return std::nullopt;
  auto element = ToWriteScalar(ElementOf(row), {.oid = target.element,
                                                .modifier = target.modifier,
                                                .name = target.element_name,
                                                .kind = target.element_kind});
  if (!element || element->path != Path::kDirect) return std::nullopt;
  return WriteAs{.cast = element->cast + "[]",
                 .wire = element->wire,
                 .path = Path::kList,
                 .element = target.element};
}

std::optional<std::string> ColumnTypeFor(const std::string& type) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kTypes{{
      {"BOOLEAN", "boolean"},
      {"TINYINT", "smallint"},
      {"SMALLINT", "smallint"},
      {"INTEGER", "integer"},
      {"BIGINT", "bigint"},
      {"UTINYINT", "smallint"},
      {"USMALLINT", "integer"},
      {"UINTEGER", "bigint"},
      {"UBIGINT", "numeric(20,0)"},
      {"HUGEINT", "numeric"},
      {"UHUGEINT", "numeric"},
      {"FLOAT", "real"},
      {"DOUBLE", "double precision"},
      {"VARCHAR", "text"},
      {"BLOB", "bytea"},
      {"DATE", "date"},
      {"TIME", "time"},
      {"TIMESTAMP", "timestamp"},
      {"TIMESTAMP_S", "timestamp"},
      {"TIMESTAMP_MS", "timestamp"},
      {"TIMESTAMP WITH TIME ZONE", "timestamptz"},
      {"INTERVAL", "interval"},
      {"UUID", "uuid"},
      {"JSON", "json"},
  }};
  for (const auto& [name, column] : kTypes) {
    if (name == type) return std::string(column);
  }
  if (const auto decimal = ReadDecimal(type))
    return fmt::format("numeric({},{})", decimal->width, decimal->scale);
  if (type == "NULL" || type == "\"NULL\"" || type == "BIT" || type == "TIME WITH TIME ZONE" ||
      StartsWith(type, "ENUM("))
    return "text";
  if (IsList(type) && !IsNested(ElementOf(type))) {
    const auto element = ColumnTypeFor(ElementOf(type));
    // A list of json would be an array of texts that nobody asked for.
    if (element && *element != "json" && *element != "numeric") return *element + "[]";
  }
  if (IsNested(type)) return "json";
  return std::nullopt;
}

Type CreatedType(const std::string& type) {
  for (const Plain& plain : kPlain) {
    if (plain.type == type) return {.name = std::string(plain.name)};
  }
  return {.name = "text"};
}

std::string FetchText(const std::string& quoted_column, const ReadAs& read) {
  switch (read.fetch) {
    case Fetch::kText:
      return quoted_column + "::text";
    case Fetch::kList:
      return "to_json(" + quoted_column + "::text[])::text";
    case Fetch::kPlain:
      break;
  }
  return read.cast.empty() ? quoted_column
                           : fmt::format("CAST({} AS {})", quoted_column, read.cast);
}

Result<std::vector<TypedColumn>> ColumnsOf(Connection& connection, const std::string& from,
                                           std::stop_token stop) {
  const Answer answer =
      TRY(connection.Run(fmt::format("SELECT * FROM {} LIMIT 0", from), {}, stop));
  std::vector<TypedColumn> columns;
  std::string asked;
  for (const AnswerColumn& column : answer.columns) {
    asked += fmt::format("{}({},{},{})", asked.empty() ? "" : ",", columns.size(), column.type,
                         column.modifier);
    columns.push_back({column.name, {.oid = column.type, .modifier = column.modifier}});
  }
  if (columns.empty()) return columns;
  const Answer types = TRY(connection.Run(
      fmt::format("SELECT a.place, t.typname, t.typtype, format_type(a.type::oid, a.modifier), "
                  "CASE WHEN t.typcategory = 'A' AND t.typname LIKE '\\_%' THEN e.oid ELSE 0 END, "
                  "e.typname, e.typtype "
                  "FROM (VALUES {}) AS a(place, type, modifier) "
                  "JOIN pg_catalog.pg_type t ON t.oid = a.type::oid "
                  "LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem",
                  asked),
      {}, stop));
  for (const auto& row : types.rows) {
    Type& type = columns.at(std::stoul(*row[0])).type;
    type.name = *row[1];
    type.kind = row[2]->at(0);
    type.shown = *row[3];
    type.element = static_cast<uint32_t>(std::stoul(row[4].value_or("0")));
    if (type.element == 0) continue;
    type.element_name = *row[5];
    type.element_kind = row[6]->at(0);
  }
  return columns;
}

std::optional<ComparedAs> ToCompare(const Type& type, Wire wire) {
  switch (wire) {
    case Wire::kInt2:
    case Wire::kInt4:
    case Wire::kInt8:
    case Wire::kFloat8:
    case Wire::kNumeric:
      return ComparedAs::kNumber;
    case Wire::kBool:
      return ComparedAs::kBoolean;
    case Wire::kDate:
      return ComparedAs::kDate;
    case Wire::kTimestamp:
      return type.name == "timestamptz" ? ComparedAs::kTimestampZone : ComparedAs::kTimestamp;
    case Wire::kBytes:
      if (type.name == "text" || type.name == "varchar") return ComparedAs::kText;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace sluice::postgres
