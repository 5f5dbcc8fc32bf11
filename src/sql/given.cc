// See given.h.
#include "sql/given.h"

#include <fmt/format.h>

#include <cctype>
#include <utility>

#include "sql/classify.h"
#include "sql/functions.h"

namespace sluice::sql {
namespace {

using Held = std::shared_ptr<GivenValues>;

Status Give(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  const idx_t rows = duckdb_data_chunk_get_size(input);
  if (rows == 0) return Ok();
  const auto& lines = **static_cast<Held*>(duckdb_scalar_function_get_extra_info(info));
  const auto argument = [&](idx_t column) {
    return static_cast<const int64_t*>(
        duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, column)))[0];
  };
  const auto line = lines.Find(argument(0));
  const auto at = static_cast<size_t>(argument(1));
  if (line == nullptr || at >= line->values.size())
    return InternalError("a kept statement asks for a value that was not given");
  const std::optional<std::string>& value = line->values[at];
  if (!value) {
    duckdb_vector_ensure_validity_writable(output);
    uint64_t* validity = duckdb_vector_get_validity(output);
    for (idx_t row = 0; row < rows; ++row) duckdb_validity_set_row_invalid(validity, row);
    return Ok();
  }
  for (idx_t row = 0; row < rows; ++row)
    duckdb_vector_assign_string_element_len(output, row, value->data(), value->size());
  return Ok();
}

void Call(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  auto done = Give(info, input, output);
  if (!done.ok()) duckdb_scalar_function_set_error(info, Raise(done.error()).c_str());
}

}  // namespace

std::string GivenOfLine::Asking(std::string text, const std::vector<Bound>& bound) const {
  for (size_t i = 0; i < bound.size(); ++i) {
    const std::string name = "$" + bound[i].name;
    const std::string call = fmt::format("sluice_given({}, {})", number_, i);
    for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
      const size_t end = at + name.size();
      const bool longer = end < text.size() && (text[end] == '_' || std::isalnum(text[end]) != 0);
      if (!longer) text.replace(at, name.size(), call);
    }
  }
  return text;
}

void GivenOfLine::Set(const std::vector<Bound>& bound) {
  own_->values.clear();
  for (const Bound& value : bound) own_->values.push_back(value.text);
}

Status RegisterGiven(duckdb_connection connection, std::shared_ptr<GivenValues> all) {
  const ScalarFunctionHandle function(duckdb_create_scalar_function());
  const TypeHandle number(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  const TypeHandle text(duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR));
  duckdb_scalar_function_set_name(function.get(), "sluice_given");
  duckdb_scalar_function_add_parameter(function.get(), number.get());
  duckdb_scalar_function_add_parameter(function.get(), number.get());
  duckdb_scalar_function_set_return_type(function.get(), text.get());
  duckdb_scalar_function_set_volatile(function.get());
  duckdb_scalar_function_set_special_handling(function.get());
  duckdb_scalar_function_set_extra_info(function.get(), new Held(std::move(all)),
                                        [](void* held) { delete static_cast<Held*>(held); });
  duckdb_scalar_function_set_function(function.get(), Call);
  if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess)
    return InternalError("DuckDB refuses the function 'sluice_given'");
  return Ok();
}

}  // namespace sluice::sql
