// See pour.h.
#include "sql/pour.h"

#include <utility>

#include "sql/classify.h"
#include "sql/functions.h"
#include "sql/handle.h"
#include "sql/numbered.h"

namespace sluice::sql {
namespace {

using Registry = Numbered<Vessel>;

class DuckVessels final : public Vessels {
 public:
  explicit DuckVessels(std::shared_ptr<Registry> registry) : registry_(std::move(registry)) {}
  int64_t Add(std::shared_ptr<Vessel> vessel) override { return registry_->Add(std::move(vessel)); }
  void Remove(int64_t number) override { registry_->Remove(number); }

 private:
  std::shared_ptr<Registry> registry_;
};

VectorView ViewOf(duckdb_vector vector) {
  VectorView view{.values = duckdb_vector_get_data(vector),
                  .validity = duckdb_vector_get_validity(vector),
                  .child = {}};
  const TypeHandle type(duckdb_vector_get_column_type(vector));
  if (duckdb_get_type_id(type.get()) == DUCKDB_TYPE_LIST)
    view.child.push_back(ViewOf(duckdb_list_vector_get_child(vector)));
  return view;
}

Status Pour(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  const idx_t rows = duckdb_data_chunk_get_size(input);
  if (rows == 0) return Ok();
  auto& registry =
      **static_cast<std::shared_ptr<Registry>*>(duckdb_scalar_function_get_extra_info(info));
  const auto* number =
      static_cast<int64_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0)));
  const auto vessel = registry.Find(number[0]);
  if (vessel == nullptr) return InternalError("a query names a vessel that does not exist");
  std::vector<VectorView> columns;
  for (idx_t i = 1; i < duckdb_data_chunk_get_column_count(input); ++i)
    columns.push_back(ViewOf(duckdb_data_chunk_get_vector(input, i)));
  TRY(vessel->Take(columns, rows));
  auto* taken = static_cast<bool*>(duckdb_vector_get_data(output));
  std::fill(taken, taken + rows, true);
  return Ok();
}

void Call(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  auto done = Pour(info, input, output);
  if (!done.ok()) duckdb_scalar_function_set_error(info, Raise(done.error()).c_str());
}

}  // namespace

Result<std::unique_ptr<Vessels>> RegisterVessels(duckdb_connection connection) {
  auto registry = std::make_shared<Registry>();
  const ScalarFunctionHandle function(duckdb_create_scalar_function());
  const TypeHandle number(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  const TypeHandle any(duckdb_create_logical_type(DUCKDB_TYPE_ANY));
  const TypeHandle boolean(duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN));
  duckdb_scalar_function_set_name(function.get(), "sluice_pour");
  duckdb_scalar_function_add_parameter(function.get(), number.get());
  duckdb_scalar_function_set_varargs(function.get(), any.get());
  duckdb_scalar_function_set_return_type(function.get(), boolean.get());
  duckdb_scalar_function_set_volatile(function.get());
  duckdb_scalar_function_set_special_handling(function.get());
  duckdb_scalar_function_set_extra_info(
      function.get(), new std::shared_ptr<Registry>(registry),
      [](void* held) { delete static_cast<std::shared_ptr<Registry>*>(held); });
  duckdb_scalar_function_set_function(function.get(), Call);
  if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess)
    return InternalError("DuckDB refuses the function 'sluice_pour'");
  return std::unique_ptr<Vessels>(std::make_unique<DuckVessels>(std::move(registry)));
}

}  // namespace sluice::sql
