// See physical.h.
#include "sql/physical.h"

#include <algorithm>
#include <array>

namespace sluice::sql {

TypeHandle DuckType(Physical physical, std::string_view name) {
  if (const auto decimal = ReadDecimal(name); decimal && physical >= Physical::kDecimal16) {
    return TypeHandle(duckdb_create_decimal_type(static_cast<uint8_t>(decimal->width),
                                                 static_cast<uint8_t>(decimal->scale)));
  }
  constexpr std::array kTypes{DUCKDB_TYPE_BOOLEAN,   DUCKDB_TYPE_TINYINT,  DUCKDB_TYPE_SMALLINT,
                              DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_BIGINT,   DUCKDB_TYPE_UTINYINT,
                              DUCKDB_TYPE_USMALLINT, DUCKDB_TYPE_UINTEGER, DUCKDB_TYPE_UBIGINT,
                              DUCKDB_TYPE_FLOAT,     DUCKDB_TYPE_DOUBLE,   DUCKDB_TYPE_DATE,
                              DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_VARCHAR};
  constexpr std::array kNative{DUCKDB_TYPE_TIME, DUCKDB_TYPE_TIMESTAMP_TZ, DUCKDB_TYPE_INTERVAL,
                               DUCKDB_TYPE_UUID, DUCKDB_TYPE_BLOB,         DUCKDB_TYPE_VARCHAR};
  const auto index = static_cast<size_t>(physical);
  const auto native = static_cast<size_t>(Physical::kTime);
  TypeHandle type(
      duckdb_create_logical_type(index < native ? kTypes.at(index) : kNative.at(index - native)));
  if (physical == Physical::kJson) duckdb_logical_type_set_alias(type.get(), "JSON");
  return type;
}

bool IsText(Physical type) {
  return type == Physical::kText || type == Physical::kBlob || type == Physical::kJson;
}

void PutText(void* owner, uint64_t row, const char* bytes, uint64_t size) {
  auto* const vector = static_cast<duckdb_vector>(owner);
  duckdb_string_t text{};
  if (size > sizeof(text.value.inlined.inlined)) {
    duckdb_unsafe_vector_assign_string_element_len(vector, row, bytes, size);
    return;
  }
  // It lies in its place itself, what is left of which is zero.
  text.value.inlined.length = static_cast<uint32_t>(size);
  std::copy_n(bytes, size, text.value.inlined.inlined);
  static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector))[row] = text;
}

void CopyNulls(duckdb_vector vector, const uint64_t* validity, uint64_t rows) {
  const uint64_t words = (rows + 63) / 64;
  if (std::all_of(validity, validity + words, [](uint64_t word) { return word == ~uint64_t{0}; }))
    return;
  duckdb_vector_ensure_validity_writable(vector);
  std::copy(validity, validity + words, duckdb_vector_get_validity(vector));
}

}  // namespace sluice::sql
