// See avro_shape.h.
#include "format/avro_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/text.h"

namespace sluice::format {
namespace {

bool IsName(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9');
  });
}

// Parts of a type's text between its brackets: "a INTEGER, b VARCHAR[]" at its commas.
std::vector<std::string> Parts(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(' || c == '[') {
      ++depth;
    } else if (c == ')' || c == ']') {
      --depth;
    } else if (c == ',' && depth == 0) {
      parts.emplace_back();
      continue;
    }
    if (!parts.back().empty() || c != ' ') parts.back() += c;
  }
  return parts;
}

std::string Unquoted(std::string_view text) {
  const char quote = text.front();
  std::string plain;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    plain += text[i];
    if (text[i] == quote) ++i;
  }
  return plain;
}

// "\"a b\" INTEGER" -> name, type.
std::pair<std::string, std::string> NameAndType(const std::string& part) {
  if (part.empty() || part[0] != '"') {
    const size_t space = part.find(' ');
    return {part.substr(0, space), part.substr(std::min(space, part.size() - 1) + 1)};
  }
  size_t end = 1;
  while (end < part.size() && (part[end] != '"' || (end + 1 < part.size() && part[end + 1] == '"')))
    end += part[end] == '"' ? 2 : 1;
  return {Unquoted(std::string_view(part).substr(0, end + 1)), part.substr(end + 2)};
}

std::string Inside(std::string_view type) {
  const size_t open = type.find('(');
  return std::string(type.substr(open + 1, type.size() - open - 2));
}

AvroShape Plain(AvroOut out, std::string cast, std::string schema) {
  AvroShape shape;
  shape.out = out;
  shape.cast = std::move(cast);
  shape.schema = std::move(schema);
  return shape;
}
AvroShape Logical(AvroOut out, std::string cast, std::string_view type, std::string_view logical) {
  return Plain(out, std::move(cast),
               fmt::format(R"({{"type":"{}","logicalType":"{}"}})", type, logical));
}

std::string Nullable(const AvroShape& shape) { return fmt::format("[\"null\",{}]", shape.schema); }

class Shapes {  // of one column
 public:
  Shapes(const Column& column, int& number) : column_(column), number_(number) {}

  Result<AvroShape> Of(const std::string& type, const std::string& path) {
    if (const auto decimal = ReadDecimal(type)) {
      AvroShape shape = Plain(
          AvroOut::kDecimal, type,
          fmt::format(R"({{"type":"bytes","logicalType":"decimal","precision":{},"scale":{}}})",
                      decimal->width, decimal->scale));
      shape.width = decimal->width;
      shape.scale = decimal->scale;
      return shape;
    }
    if (EndsWith(type, "]")) return List(type.substr(0, type.rfind('[')), path);
    if (StartsWith(type, "STRUCT(")) return Record(type, path);
    if (StartsWith(type, "MAP(")) return Map(type, path);
    if (StartsWith(type, "ENUM(")) return Enum(type, path);
    return Scalar(type, path);
  }

 private:
  Result<AvroShape> Scalar(const std::string& type, const std::string& path) {
    for (const char* small : {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT"}) {
      if (type == small) return Plain(AvroOut::kInt, "INTEGER", "\"int\"");
    }
    if (type == "BOOLEAN") return Plain(AvroOut::kBoolean, type, "\"boolean\"");
    if (type == "BIGINT" || type == "UINTEGER") return Plain(AvroOut::kLong, "BIGINT", "\"long\"");
    if (type == "FLOAT") return Plain(AvroOut::kFloat, type, "\"float\"");
    if (type == "DOUBLE") return Plain(AvroOut::kDouble, type, "\"double\"");
    if (type == "VARCHAR" || type == "JSON") return Plain(AvroOut::kText, "VARCHAR", "\"string\"");
    if (type == "BLOB") return Plain(AvroOut::kBytes, type, "\"bytes\"");
    if (type == "UUID") return Logical(AvroOut::kText, "VARCHAR", "string", "uuid");
    if (type == "DATE") return Logical(AvroOut::kDate, type, "int", "date");
    if (type == "TIME") return Logical(AvroOut::kTime, type, "long", "time-micros");
    if (type == "TIMESTAMP" || type == "TIMESTAMP_S" || type == "TIMESTAMP_MS")
      return Logical(AvroOut::kMoment, "TIMESTAMP", "long", "local-timestamp-micros");
    if (type == "TIMESTAMP WITH TIME ZONE")
      return Logical(AvroOut::kMoment, type, "long", "timestamp-micros");
    const std::string to = type == "UBIGINT"                         ? "decimal(20,0)"
                           : type == "HUGEINT" || type == "UHUGEINT" ? "decimal(38,0)"
                           : type == "TIMESTAMP_NS"                  ? "timestamp"
                                                                     : "varchar";
    return Refuse(path, type,
                  path == column_.name ? fmt::format("CAST({} AS {})", QuoteIdentifier(path), to)
                                       : fmt::format("a cast of it to {}", to));
  }

  Error Refuse(const std::string& path, const std::string& type, const std::string& cast) const {
    return ConfigError({}, fmt::format("column '{}' is {}, which Avro cannot hold; write {} in a "
                                       "map before the load",
                                       path, type, cast));
  }

  Result<AvroShape> List(const std::string& element, const std::string& path) {
    AvroShape shape = Plain(AvroOut::kList, "", "");
    shape.parts.push_back(TRY(Of(element, path)));
    const AvroShape& inner = shape.parts[0];
    shape.cast = TextOf(inner) + "[]";
    shape.schema = fmt::format(R"({{"type":"array","items":{}}})", Nullable(inner));
    return shape;
  }

  Result<AvroShape> Map(const std::string& type, const std::string& path) {
    const std::vector<std::string> parts = Parts(Inside(type));
    if (parts.size() != 2 || parts[0] != "VARCHAR") {
      return Refuse(path, type,
                    fmt::format("CAST({} AS MAP(VARCHAR, {}))", QuoteIdentifier(path),
                                parts.size() == 2 ? parts[1] : "VARCHAR"));
    }
    AvroShape shape = Plain(AvroOut::kMap, "", "");
    shape.parts.push_back(TRY(Of(parts[1], path)));
    const AvroShape& inner = shape.parts[0];
    shape.cast = fmt::format("MAP(VARCHAR, {})", TextOf(inner));
    shape.schema = fmt::format(R"({{"type":"map","values":{}}})", Nullable(inner));
    return shape;
  }

  Result<AvroShape> Record(const std::string& type, const std::string& path) {
    AvroShape shape = Plain(AvroOut::kRecord, "", "");
    const std::string name = NewName(path);
    std::string fields, cast;
    for (const std::string& part : Parts(Inside(type))) {
      const auto [field, of] = NameAndType(part);
      const std::string inner = path + "." + field;
      if (!IsName(field)) return BadName("field", inner);
      shape.parts.push_back(TRY(Of(of, inner)));
      shape.names.push_back(field);
      const AvroShape& shaped = shape.parts.back();
      const char* comma = cast.empty() ? "" : ", ";
      cast += fmt::format("{}{} {}", comma, QuoteIdentifier(field), TextOf(shaped));
      fields += fmt::format(R"({}{{"name":{},"type":{},"default":null}})",
                            fields.empty() ? "" : ",", QuoteJson(field), Nullable(shaped));
    }
    shape.cast = fmt::format("STRUCT({})", cast);
    shape.schema = fmt::format(R"({{"type":"record","name":"{}","fields":[{}]}})", name, fields);
    return shape;
  }

  // An enum whose words Avro does not allow is text.
  Result<AvroShape> Enum(const std::string& type, const std::string& path) {
    AvroShape shape = Plain(AvroOut::kEnum, "VARCHAR", "");
    std::string symbols;
    for (const std::string& part : Parts(Inside(type))) {
      const std::string symbol = part.size() < 2 ? "" : Unquoted(part);
      if (!IsName(symbol)) return Plain(AvroOut::kText, "VARCHAR", "\"string\"");
      symbols += (symbols.empty() ? "" : ",") + QuoteJson(symbol);
      shape.symbols.push_back(symbol);
    }
    shape.schema =
        fmt::format(R"({{"type":"enum","name":"{}","symbols":[{}]}})", NewName(path), symbols);
    return shape;
  }

  // Types inside have names; each must be another.
  std::string NewName(const std::string& path) {
    std::string name = path;
    std::replace(name.begin(), name.end(), '.', '_');
    return fmt::format("{}_{}", name, ++number_);
  }

  // The type of a value inside another, as text.
  static std::string TextOf(const AvroShape& shape) {
    return shape.nested() ? shape.cast : "VARCHAR";
  }

 public:
  static Error BadName(std::string_view what, const std::string& name) {
    return ConfigError(
        {},
        fmt::format("{} '{}': a name in Avro has letters, digits and _ only, and begins with no "
                    "digit; give it another in a map before the load",
                    what, EscapeControl(name)));
  }

 private:
  const Column& column_;
  int& number_;
};

}  // namespace

Result<AvroTable> AvroTableOf(const Schema& columns) {
  AvroTable table;
  std::string fields;
  int number = 0;
  for (const Column& column : columns) {
    if (!IsName(column.name)) return Shapes::BadName("column", column.name);
    table.columns.push_back(TRY(Shapes(column, number).Of(column.type, column.name)));
    fields += fmt::format(R"({}{{"name":{},"type":{},"default":null}})", fields.empty() ? "" : ",",
                          QuoteJson(column.name), Nullable(table.columns.back()));
  }
  table.schema = fmt::format(R"({{"type":"record","name":"row","fields":[{}]}})", fields);
  return table;
}

}  // namespace sluice::format
