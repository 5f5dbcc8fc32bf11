// See avro_schema.h. Names are resolved while the text is walked: a name means the type that was
// last defined under it, so a record may hold itself.
#include "format/avro_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice::format {
namespace {

using Kind = AvroType::Kind;
using Meaning = AvroType::Meaning;

constexpr int kMostNested = 64;
constexpr int kMostDigits = 38;
constexpr size_t kMostTypeBytes = 32 << 10;
constexpr std::string_view kJson = "JSON";  // what has no type of its own, as text

constexpr std::array<std::pair<std::string_view, Kind>, 8> kPrimitives{{
    {"null", Kind::kNull},
    {"boolean", Kind::kBoolean},
    {"int", Kind::kInt},
    {"long", Kind::kLong},
    {"float", Kind::kFloat},
    {"double", Kind::kDouble},
    {"bytes", Kind::kBytes},
    {"string", Kind::kString},
}};

struct Logical {
  std::string_view name;
  Kind kind;
  Meaning meaning;
};
constexpr std::array<Logical, 10> kLogical{{
    {"date", Kind::kInt, Meaning::kDate},
    {"time-millis", Kind::kInt, Meaning::kTimeMillis},
    {"time-micros", Kind::kLong, Meaning::kTimeMicros},
    {"timestamp-millis", Kind::kLong, Meaning::kInstantMillis},
    {"timestamp-micros", Kind::kLong, Meaning::kInstantMicros},
    {"timestamp-nanos", Kind::kLong, Meaning::kInstantNanos},
    {"local-timestamp-millis", Kind::kLong, Meaning::kLocalMillis},
    {"local-timestamp-micros", Kind::kLong, Meaning::kLocalMicros},
    {"local-timestamp-nanos", Kind::kLong, Meaning::kLocalNanos},
    {"uuid", Kind::kString, Meaning::kUuid},
}};

std::string NameOfKind(Kind kind) {
  for (const auto& [name, known] : kPrimitives) {
    if (known == kind) return std::string(name);
  }
  switch (kind) {
    case Kind::kFixed:
      return "fixed";
    case Kind::kEnum:
      return "enum";
    case Kind::kArray:
      return "array";
    case Kind::kMap:
      return "map";
    case Kind::kRecord:
      return "record";
    default:
      return "union";
  }
}

int64_t IntegerIn(const Json& object, const char* key, int64_t otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : otherwise;
}
std::string TextIn(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Values inside others come as JSON, which holds no bytes: they are text there, with \xNN.
std::string InnerSql(const AvroType& type) { return type.sql == "BLOB" ? "VARCHAR" : type.sql; }

std::string SqlTypeOf(const AvroType& type) {
  switch (type.meaning) {
    case Meaning::kPlain:
      break;
    case Meaning::kDate:
      return "DATE";
    case Meaning::kTimeMillis:
    case Meaning::kTimeMicros:
      return "TIME";
    case Meaning::kInstantMillis:
    case Meaning::kInstantMicros:
      return "TIMESTAMP WITH TIME ZONE";
    case Meaning::kLocalMillis:
    case Meaning::kLocalMicros:
      return "TIMESTAMP";
    case Meaning::kInstantNanos:
    case Meaning::kLocalNanos:
      return "TIMESTAMP_NS";
    case Meaning::kDecimal:
      return fmt::format("DECIMAL({},{})", type.precision, type.scale);
    case Meaning::kUuid:
      return "UUID";
    case Meaning::kDuration:
      return "INTERVAL";
  }
  switch (type.kind) {
    case Kind::kBoolean:
      return "BOOLEAN";
    case Kind::kInt:
      return "INTEGER";
    case Kind::kLong:
      return "BIGINT";
    case Kind::kFloat:
      return "FLOAT";
    case Kind::kDouble:
      return "DOUBLE";
    case Kind::kBytes:
    case Kind::kFixed:
      return "BLOB";
    case Kind::kNull:
    case Kind::kString:
    case Kind::kEnum:
      return "VARCHAR";
    case Kind::kArray:
      return InnerSql(*type.parts[0].second) + "[]";
    case Kind::kMap:
      return fmt::format("MAP(VARCHAR, {})", InnerSql(*type.parts[0].second));
    case Kind::kRecord: {
      if (type.recursive || type.parts.empty()) return std::string(kJson);
      std::string fields;
      for (const auto& [name, part] : type.parts)
        fields += fmt::format("{}{} {}", fields.empty() ? "" : ", ", QuoteIdentifier(name),
                              InnerSql(*part));
      return fields.size() > kMostTypeBytes ? std::string(kJson)
                                            : fmt::format("STRUCT({})", fields);
    }
    case Kind::kUnion: {
      const AvroOptional optional = OptionalOf(type);
      return optional.type ? optional.type->sql : std::string(kJson);
    }
  }
  return std::string(kJson);
}

void ReadMeaning(const Json& object, AvroType& type) {
  const std::string logical = TextIn(object, "logicalType");
  for (const Logical& known : kLogical) {
    if (known.name == logical && known.kind == type.kind) type.meaning = known.meaning;
  }
  if (type.kind == Kind::kFixed && logical == "uuid" && type.size == 16)
    type.meaning = Meaning::kUuid;
  if (type.kind == Kind::kFixed && logical == "duration" && type.size == 12)
    type.meaning = Meaning::kDuration;
  if (logical != "decimal" || (type.kind != Kind::kBytes && type.kind != Kind::kFixed)) return;
  const int64_t precision = IntegerIn(object, "precision", 0);
  const int64_t scale = IntegerIn(object, "scale", 0);
  // More digits than DuckDB has: the bytes as they are.
  if (precision < 1 || precision > kMostDigits || scale < 0 || scale > precision) return;
  type.meaning = Meaning::kDecimal;
  type.precision = static_cast<int>(precision);
  type.scale = static_cast<int>(scale);
}

}  // namespace

class AvroSchemaReader {
 public:
  explicit AvroSchemaReader(AvroSchema& schema) : schema_(schema) {}

  Result<const AvroType*> Read(const Json& json, const std::string& space, int depth) {
    AvroType* type = TRY(Unnamed(json, space, depth));
    // One that is still open is named inside itself: there it is JSON.
    if (type->sql.empty()) type->sql = open_.contains(type) ? kJson : SqlTypeOf(*type);
    return type;
  }

 private:
  Result<AvroType*> Unnamed(const Json& json, const std::string& space, int depth) {
    if (depth > kMostNested)
      return RejectedError(fmt::format("types are nested deeper than {}", kMostNested));
    if (json.is_string()) return Named(json.get<std::string>(), space);
    if (json.is_array()) return Union(json, space, depth);
    if (!json.is_object()) return RejectedError("a type is neither a name, a list nor an object");
    const auto type = json.find("type");
    if (type == json.end()) return RejectedError("an object without 'type'");
    if (!type->is_string()) return Unnamed(*type, space, depth + 1);
    return Object(json, type->get<std::string>(), space, depth);
  }

  AvroType& Add(Kind kind) {
    schema_.types_.push_back({});
    schema_.types_.back().kind = kind;
    return schema_.types_.back();
  }

  Result<AvroType*> Named(const std::string& name, const std::string& space) {
    for (const auto& [known, kind] : kPrimitives) {
      if (known != name) continue;
      AvroType& type = Add(kind);
      type.may_be_empty = kind == Kind::kNull;
      return &type;
    }
    auto found = names_.find(
        name.find('.') == std::string::npos && !space.empty() ? space + "." + name : name);
    if (found == names_.end()) found = names_.find(name);
    if (found == names_.end()) return RejectedError(fmt::format("an unknown type '{}'", name));
    if (open_.contains(found->second)) found->second->recursive = true;
    return found->second;
  }

  Result<AvroType*> Union(const Json& json, const std::string& space, int depth) {
    AvroType& type = Add(Kind::kUnion);
    for (const Json& branch : json)
      type.parts.emplace_back("", TRY(Read(branch, space, depth + 1)));
    if (type.parts.empty()) return RejectedError("a union of nothing");
    return &type;
  }

  Result<AvroType*> Object(const Json& json, const std::string& word, const std::string& space,
                           int depth) {
    if (word == "record" || word == "error") return Record(json, space, depth);
    if (word == "array" || word == "map") {
      const auto inner = json.find(word == "array" ? "items" : "values");
      if (inner == json.end()) return RejectedError(fmt::format("an {} without its type", word));
      AvroType& type = Add(word == "array" ? Kind::kArray : Kind::kMap);
      type.parts.emplace_back("", TRY(Read(*inner, space, depth + 1)));
      return &type;
    }
    if (word == "enum") {
      AvroType& type = Define(json, Kind::kEnum, space);
      const auto symbols = json.find("symbols");
      if (symbols == json.end() || !symbols->is_array())
        return RejectedError(fmt::format("the enum '{}' has no symbols", type.name));
      for (const Json& symbol : *symbols) {
        if (!symbol.is_string())
          return RejectedError(
              fmt::format("the enum '{}' has a symbol that is no text", type.name));
        type.symbols.push_back(symbol.get<std::string>());
      }
      return &type;
    }
    if (word == "fixed") {
      AvroType& type = Define(json, Kind::kFixed, space);
      const int64_t size = IntegerIn(json, "size", -1);
      if (size < 0) return RejectedError(fmt::format("the fixed '{}' has no size", type.name));
      type.size = static_cast<uint64_t>(size);
      type.may_be_empty = size == 0;
      ReadMeaning(json, type);
      return &type;
    }
    AvroType* named = TRY(Named(word, space));
    if (named->kind <= Kind::kString) ReadMeaning(json, schema_.types_.back());
    return named;
  }

  Result<AvroType*> Record(const Json& json, const std::string& space, int depth) {
    AvroType& type = Define(json, Kind::kRecord, space);
    const size_t dot = type.name.rfind('.');
    const std::string inner = dot == std::string::npos ? "" : type.name.substr(0, dot);
    const auto fields = json.find("fields");
    if (fields == json.end() || !fields->is_array())
      return RejectedError(fmt::format("the record '{}' has no fields", type.name));
    open_[&type] = true;
    type.may_be_empty = true;
    for (const Json& field : *fields) {
      const auto of = field.is_object() ? field.find("type") : field.end();
      if (!field.is_object() || of == field.end() || TextIn(field, "name").empty())
        return RejectedError(
            fmt::format("the record '{}' has a field without name or type", type.name));
      // A logical type that stands beside the name is none by the specification.
      const AvroType* part = TRY(Read(*of, inner, depth + 1));
      type.may_be_empty = type.may_be_empty && part->may_be_empty;
      type.parts.emplace_back(TextIn(field, "name"), part);
    }
    open_.erase(&type);
    type.sql.clear();  // said while it was open
    return &type;
  }

  AvroType& Define(const Json& json, Kind kind, const std::string& space) {
    AvroType& type = Add(kind);
    std::string name = TextIn(json, "name");
    const std::string own = json.contains("namespace") ? TextIn(json, "namespace") : space;
    if (name.find('.') == std::string::npos && !own.empty()) name = own + "." + name;
    type.name = name;
    names_[name] = &type;
    return type;
  }

  AvroSchema& schema_;
  std::map<std::string, AvroType*> names_;
  std::map<const AvroType*, bool> open_;  // whose fields are being read
};

Result<AvroSchema> AvroSchema::Parse(std::string_view text) {
  const Json json = TRY(ParseJson(text));
  AvroSchema schema;
  schema.root_ = TRY(AvroSchemaReader(schema).Read(json, "", 0));
  return schema;
}

AvroOptional OptionalOf(const AvroType& type) {
  if (type.kind != Kind::kUnion) return {&type, -1, false};
  const auto is_null = [](const auto& part) { return part.second->kind == Kind::kNull; };
  const auto& parts = type.parts;
  if (parts.size() == 1) return {parts[0].second, -1, true};
  if (parts.size() != 2 || is_null(parts[0]) == is_null(parts[1])) return {};
  const int null = is_null(parts[0]) ? 0 : 1;
  return {parts[static_cast<size_t>(1 - null)].second, null, true};
}

std::string NameOf(const AvroType& type) {
  for (const Logical& known : kLogical) {
    if (type.meaning == known.meaning && type.kind == known.kind) return std::string(known.name);
  }
  if (type.meaning == Meaning::kDecimal)
    return fmt::format("decimal({}, {})", type.precision, type.scale);
  if (type.meaning == Meaning::kUuid) return "uuid";
  if (type.meaning == Meaning::kDuration) return "duration";
  if (const AvroOptional optional = OptionalOf(type); optional.is_union && optional.type)
    return fmt::format("null or {}", NameOf(*optional.type));
  return NameOfKind(type.kind);
}

Schema ColumnsOf(const AvroType& root) {
  Schema schema;
  for (const auto& [name, part] : root.parts) {
    schema.push_back({});
    schema.back().name = name;
    schema.back().type = part->sql;
  }
  return schema;
}

}  // namespace sluice::format
