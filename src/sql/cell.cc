// A value is rebuilt as a duckdb_value, which DuckDB itself then prints: no formatting of dates,
// decimals or structs here. Text and whole numbers, most of what is asked for, take a short way.
#include "sql/cell.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "base/text.h"

namespace sluice::sql {
namespace {

constexpr std::array<std::pair<duckdb_type, std::string_view>, 29> kNames{{
    {DUCKDB_TYPE_BOOLEAN, "BOOLEAN"},
    {DUCKDB_TYPE_TINYINT, "TINYINT"},
    {DUCKDB_TYPE_SMALLINT, "SMALLINT"},
    {DUCKDB_TYPE_INTEGER, "INTEGER"},
    {DUCKDB_TYPE_BIGINT, "BIGINT"},
    {DUCKDB_TYPE_HUGEINT, "HUGEINT"},
    {DUCKDB_TYPE_UTINYINT, "UTINYINT"},
    {DUCKDB_TYPE_USMALLINT, "USMALLINT"},
    {DUCKDB_TYPE_UINTEGER, "UINTEGER"},
    {DUCKDB_TYPE_UBIGINT, "UBIGINT"},
    {DUCKDB_TYPE_UHUGEINT, "UHUGEINT"},
    {DUCKDB_TYPE_FLOAT, "FLOAT"},
    {DUCKDB_TYPE_DOUBLE, "DOUBLE"},
    {DUCKDB_TYPE_VARCHAR, "VARCHAR"},
    {DUCKDB_TYPE_BLOB, "BLOB"},
    {DUCKDB_TYPE_BIT, "BIT"},
    {DUCKDB_TYPE_UUID, "UUID"},
    {DUCKDB_TYPE_DATE, "DATE"},
    {DUCKDB_TYPE_TIME, "TIME"},
    {DUCKDB_TYPE_TIME_NS, "TIME_NS"},
    {DUCKDB_TYPE_TIME_TZ, "TIME WITH TIME ZONE"},
    {DUCKDB_TYPE_TIMESTAMP, "TIMESTAMP"},
    {DUCKDB_TYPE_TIMESTAMP_S, "TIMESTAMP_S"},
    {DUCKDB_TYPE_TIMESTAMP_MS, "TIMESTAMP_MS"},
    {DUCKDB_TYPE_TIMESTAMP_NS, "TIMESTAMP_NS"},
    {DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE"},
    {DUCKDB_TYPE_INTERVAL, "INTERVAL"},
    {DUCKDB_TYPE_BIGNUM, "BIGNUM"},
    {DUCKDB_TYPE_SQLNULL, "\"NULL\""},
}};

using Keyword = std::function<bool(std::string_view)>;

std::string FieldName(std::string_view name, const Keyword& keyword) {
  bool plain = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0;
  for (char c : name)
    plain = plain && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_');
  return plain && !keyword(ToLower(name)) ? std::string(name) : QuoteIdentifier(name);
}

std::string EnumName(duckdb_logical_type type) {
  std::string name = "ENUM(";
  for (uint32_t i = 0; i < duckdb_enum_dictionary_size(type); ++i) {
    const TextHandle value(duckdb_enum_dictionary_value(type, i));
    name += (i == 0 ? "" : ", ") + QuoteLiteral(value.get());
  }
  return name + ")";
}

std::string FieldsName(duckdb_logical_type type, const Keyword& keyword, bool unioned) {
  std::string name = unioned ? "UNION(" : "STRUCT(";
  const idx_t count =
      unioned ? duckdb_union_type_member_count(type) : duckdb_struct_type_child_count(type);
  for (idx_t i = 0; i < count; ++i) {
    const TextHandle field(unioned ? duckdb_union_type_member_name(type, i)
                                   : duckdb_struct_type_child_name(type, i));
    const TypeHandle child(unioned ? duckdb_union_type_member_type(type, i)
                                   : duckdb_struct_type_child_type(type, i));
    if (i > 0) name += ", ";
    name += FieldName(field.get(), keyword) + " " + TypeName(child.get(), keyword);
  }
  return name + ")";
}

const char* At(duckdb_vector vector, idx_t row, size_t size) {
  return static_cast<const char*>(duckdb_vector_get_data(vector)) + row * size;
}

template <class T>
T Get(duckdb_vector vector, idx_t row) {
  return *reinterpret_cast<const T*>(At(vector, row, sizeof(T)));
}

std::string_view TextAt(duckdb_vector vector, idx_t row) {
  auto* text = reinterpret_cast<duckdb_string_t*>(
      const_cast<char*>(At(vector, row, sizeof(duckdb_string_t))));
  return {duckdb_string_t_data(text), duckdb_string_t_length(*text)};
}

bool NullAt(duckdb_vector vector, idx_t row) {
  uint64_t* validity = duckdb_vector_get_validity(vector);
  return validity != nullptr && !duckdb_validity_row_is_valid(validity, row);
}

duckdb_value DecimalAt(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  duckdb_hugeint whole{};
  if (const duckdb_type stored = duckdb_decimal_internal_type(type);
      stored == DUCKDB_TYPE_HUGEINT) {
    whole = Get<duckdb_hugeint>(vector, row);
  } else {
    const int64_t value = stored == DUCKDB_TYPE_SMALLINT  ? Get<int16_t>(vector, row)
                          : stored == DUCKDB_TYPE_INTEGER ? Get<int32_t>(vector, row)
                                                          : Get<int64_t>(vector, row);
    whole = {static_cast<uint64_t>(value), value < 0 ? -1 : 0};
  }
  return duckdb_create_decimal({duckdb_decimal_width(type), duckdb_decimal_scale(type), whole});
}

// DuckDB keeps the first bit flipped, so that its signed order is the order of UUIDs.
duckdb_value UuidAt(duckdb_vector vector, idx_t row) {
  const auto stored = Get<duckdb_hugeint>(vector, row);
  return duckdb_create_uuid(
      {stored.lower, static_cast<uint64_t>(stored.upper) ^ (uint64_t{1} << 63)});
}

uint64_t EnumAt(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  switch (duckdb_enum_internal_type(type)) {
    case DUCKDB_TYPE_UTINYINT:
      return Get<uint8_t>(vector, row);
    case DUCKDB_TYPE_USMALLINT:
      return Get<uint16_t>(vector, row);
    default:
      return Get<uint32_t>(vector, row);
  }
}

ValueHandle ValueAt(duckdb_vector vector, duckdb_logical_type type, idx_t row);

struct Values {  // owns the parts of a nested value while it is put together
  std::vector<ValueHandle> owned;
  std::vector<duckdb_value> raw;

  duckdb_value* Data() {
    raw.reserve(1);  // the C API takes no null pointer, not even for no values
    return raw.data();
  }
  bool Add(ValueHandle value) {
    if (!value) return false;
    raw.push_back(value.get());
    owned.push_back(std::move(value));
    return true;
  }
  bool AddRange(duckdb_vector vector, duckdb_logical_type type, idx_t from, idx_t count) {
    for (idx_t i = from; i < from + count; ++i) {
      if (!Add(ValueAt(vector, type, i))) return false;
    }
    return true;
  }
};

duckdb_value ListAt(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  const auto entry = Get<duckdb_list_entry>(vector, row);
  const TypeHandle child(duckdb_list_type_child_type(type));
  Values values;
  if (!values.AddRange(duckdb_list_vector_get_child(vector), child.get(), entry.offset,
                       entry.length)) {
    return nullptr;
  }
  return duckdb_create_list_value(child.get(), values.Data(), entry.length);
}

duckdb_value ArrayAt(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  const idx_t size = duckdb_array_type_array_size(type);
  const TypeHandle child(duckdb_array_type_child_type(type));
  Values values;
  if (!values.AddRange(duckdb_array_vector_get_child(vector), child.get(), row * size, size)) {
    return nullptr;
  }
  return duckdb_create_array_value(child.get(), values.Data(), size);
}

duckdb_value MapAt(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  const auto entry = Get<duckdb_list_entry>(vector, row);
  const TypeHandle key(duckdb_map_type_key_type(type));
  const TypeHandle value(duckdb_map_type_value_type(type));
  duckdb_vector pairs = duckdb_list_vector_get_child(vector);
  Values keys, values;
  if (!keys.AddRange(duckdb_struct_vector_get_child(pairs, 0), key.get(), entry.offset,
                     entry.length) ||
      !values.AddRange(duckdb_struct_vector_get_child(pairs, 1), value.get(), entry.offset,
                       entry.length)) {
    return nullptr;
  }
  return duckdb_create_map_value(type, keys.Data(), values.Data(), entry.length);
}

duckdb_value StructAt(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  Values values;
  for (idx_t i = 0; i < duckdb_struct_type_child_count(type); ++i) {
    const TypeHandle child(duckdb_struct_type_child_type(type, i));
    if (!values.Add(ValueAt(duckdb_struct_vector_get_child(vector, i), child.get(), row)))
      return nullptr;
  }
  return duckdb_create_struct_value(type, values.Data());
}

duckdb_value UnionAt(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  const idx_t tag = Get<uint8_t>(duckdb_struct_vector_get_child(vector, 0), row);
  const TypeHandle member(duckdb_union_type_member_type(type, tag));
  const ValueHandle value =
      ValueAt(duckdb_struct_vector_get_child(vector, tag + 1), member.get(), row);
  return value ? duckdb_create_union_value(type, tag, value.get()) : nullptr;
}

duckdb_value BlobAt(duckdb_vector vector, idx_t row) {
  const std::string_view bytes = TextAt(vector, row);
  return duckdb_create_blob(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

duckdb_value BitAt(duckdb_vector vector, idx_t row) {
  std::string bytes(TextAt(vector, row));
  return duckdb_create_bit({reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
}

duckdb_value VarcharAt(duckdb_vector vector, idx_t row) {
  const std::string_view text = TextAt(vector, row);
  return duckdb_create_varchar_length(text.data(), text.size());
}

duckdb_value ScalarAt(duckdb_vector vector, duckdb_type type, idx_t row) {
  switch (type) {
    case DUCKDB_TYPE_BOOLEAN:
      return duckdb_create_bool(Get<bool>(vector, row));
    case DUCKDB_TYPE_TINYINT:
      return duckdb_create_int8(Get<int8_t>(vector, row));
    case DUCKDB_TYPE_SMALLINT:
      return duckdb_create_int16(Get<int16_t>(vector, row));
    case DUCKDB_TYPE_INTEGER:
      return duckdb_create_int32(Get<int32_t>(vector, row));
    case DUCKDB_TYPE_BIGINT:
      return duckdb_create_int64(Get<int64_t>(vector, row));
    case DUCKDB_TYPE_UTINYINT:
      return duckdb_create_uint8(Get<uint8_t>(vector, row));
    case DUCKDB_TYPE_USMALLINT:
      return duckdb_create_uint16(Get<uint16_t>(vector, row));
    case DUCKDB_TYPE_UINTEGER:
      return duckdb_create_uint32(Get<uint32_t>(vector, row));
    case DUCKDB_TYPE_UBIGINT:
      return duckdb_create_uint64(Get<uint64_t>(vector, row));
    case DUCKDB_TYPE_HUGEINT:
      return duckdb_create_hugeint(Get<duckdb_hugeint>(vector, row));
    case DUCKDB_TYPE_UHUGEINT:
      return duckdb_create_uhugeint(Get<duckdb_uhugeint>(vector, row));
    case DUCKDB_TYPE_FLOAT:
      return duckdb_create_float(Get<float>(vector, row));
    case DUCKDB_TYPE_DOUBLE:
      return duckdb_create_double(Get<double>(vector, row));
    case DUCKDB_TYPE_DATE:
      return duckdb_create_date(Get<duckdb_date>(vector, row));
    case DUCKDB_TYPE_TIME:
      return duckdb_create_time(Get<duckdb_time>(vector, row));
    case DUCKDB_TYPE_TIME_NS:
      return duckdb_create_time_ns(Get<duckdb_time_ns>(vector, row));
    case DUCKDB_TYPE_TIME_TZ:
      return duckdb_create_time_tz_value(Get<duckdb_time_tz>(vector, row));
    case DUCKDB_TYPE_TIMESTAMP:
      return duckdb_create_timestamp(Get<duckdb_timestamp>(vector, row));
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return duckdb_create_timestamp_tz(Get<duckdb_timestamp>(vector, row));
    case DUCKDB_TYPE_TIMESTAMP_S:
      return duckdb_create_timestamp_s(Get<duckdb_timestamp_s>(vector, row));
    case DUCKDB_TYPE_TIMESTAMP_MS:
      return duckdb_create_timestamp_ms(Get<duckdb_timestamp_ms>(vector, row));
    case DUCKDB_TYPE_TIMESTAMP_NS:
      return duckdb_create_timestamp_ns(Get<duckdb_timestamp_ns>(vector, row));
    case DUCKDB_TYPE_INTERVAL:
      return duckdb_create_interval(Get<duckdb_interval>(vector, row));
    case DUCKDB_TYPE_VARCHAR:
      return VarcharAt(vector, row);
    case DUCKDB_TYPE_BLOB:
      return BlobAt(vector, row);
    case DUCKDB_TYPE_BIT:
      return BitAt(vector, row);
    case DUCKDB_TYPE_UUID:
      return UuidAt(vector, row);
    default:
      return nullptr;
  }
}

// Null where the C API has no way to make such a value.
ValueHandle ValueAt(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  if (NullAt(vector, row)) return ValueHandle(duckdb_create_null_value());
  const duckdb_type id = duckdb_get_type_id(type);
  switch (id) {
    case DUCKDB_TYPE_DECIMAL:
      return ValueHandle(DecimalAt(vector, type, row));
    case DUCKDB_TYPE_ENUM:
      return ValueHandle(duckdb_create_enum_value(type, EnumAt(vector, type, row)));
    case DUCKDB_TYPE_LIST:
      return ValueHandle(ListAt(vector, type, row));
    case DUCKDB_TYPE_ARRAY:
      return ValueHandle(ArrayAt(vector, type, row));
    case DUCKDB_TYPE_STRUCT:
      return ValueHandle(StructAt(vector, type, row));
    case DUCKDB_TYPE_MAP:
      return ValueHandle(MapAt(vector, type, row));
    case DUCKDB_TYPE_UNION:
      return ValueHandle(UnionAt(vector, type, row));
    default:
      return ValueHandle(ScalarAt(vector, id, row));
  }
}

}  // namespace

std::string TypeName(duckdb_logical_type type, const Keyword& keyword) {
  if (const TextHandle alias(duckdb_logical_type_get_alias(type)); *alias.get() != '\0') {
    return alias.get();
  }
  const duckdb_type id = duckdb_get_type_id(type);
  switch (id) {
    case DUCKDB_TYPE_DECIMAL:
      return fmt::format("DECIMAL({},{})", duckdb_decimal_width(type), duckdb_decimal_scale(type));
    case DUCKDB_TYPE_ENUM:
      return EnumName(type);
    case DUCKDB_TYPE_LIST:
      return TypeName(TypeHandle(duckdb_list_type_child_type(type)).get(), keyword) + "[]";
    case DUCKDB_TYPE_ARRAY:
      return fmt::format("{}[{}]",
                         TypeName(TypeHandle(duckdb_array_type_child_type(type)).get(), keyword),
                         duckdb_array_type_array_size(type));
    case DUCKDB_TYPE_MAP:
      return fmt::format("MAP({}, {})",
                         TypeName(TypeHandle(duckdb_map_type_key_type(type)).get(), keyword),
                         TypeName(TypeHandle(duckdb_map_type_value_type(type)).get(), keyword));
    case DUCKDB_TYPE_STRUCT:
      return FieldsName(type, keyword, false);
    case DUCKDB_TYPE_UNION:
      return FieldsName(type, keyword, true);
    default:
      break;
  }
  for (const auto& [known, name] : kNames) {
    if (known == id) return std::string(name);
  }
  return "UNKNOWN";
}

Result<Cell> ReadCell(duckdb_vector vector, duckdb_logical_type type, idx_t row) {
  if (NullAt(vector, row)) return Cell{"", true};
  switch (duckdb_get_type_id(type)) {
    case DUCKDB_TYPE_VARCHAR:
      return Cell{std::string(TextAt(vector, row))};
    case DUCKDB_TYPE_BOOLEAN:
      return Cell{Get<bool>(vector, row) ? "true" : "false"};
    case DUCKDB_TYPE_INTEGER:
      return Cell{std::to_string(Get<int32_t>(vector, row))};
    case DUCKDB_TYPE_BIGINT:
      return Cell{std::to_string(Get<int64_t>(vector, row))};
    case DUCKDB_TYPE_UBIGINT:
      return Cell{std::to_string(Get<uint64_t>(vector, row))};
    default:
      break;
  }
  const ValueHandle value = ValueAt(vector, type, row);
  if (!value) {
    return ConfigError({},
                       fmt::format("a value of type {} cannot be shown; write CAST(… AS VARCHAR)",
                                   TypeName(type, [](std::string_view) { return false; })));
  }
  const TextHandle text(duckdb_get_varchar(value.get()));
  return Cell{text.get()};
}

}  // namespace sluice::sql
