// One function per shape of answers, because DuckDB wants to know its type when it is registered.
// Nulls are gathered beside DuckDB's vectors, as in a scan.
#include "sql/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/text.h"
#include "sql/classify.h"
#include "sql/functions.h"
#include "sql/handle.h"
#include "sql/numbered.h"
#include "sql/physical.h"

namespace sluice::sql {
namespace {

using Registry = Numbered<Exchange>;

struct Shape {  // what one registered function knows
  std::shared_ptr<Registry> registry;
  std::vector<Physical> types;
};

class DuckReplies final : public Replies {
 public:
  DuckReplies(const Shape& shape, duckdb_vector output, uint64_t rows)
      : shape_(shape),
        rows_(rows),
        messages_(duckdb_struct_vector_get_child(output, 1)),
        list_(duckdb_struct_vector_get_child(output, 2)),
        fates_(static_cast<int32_t*>(
            duckdb_vector_get_data(duckdb_struct_vector_get_child(output, 0)))),
        entries_(static_cast<ListEntry*>(duckdb_vector_get_data(list_))) {
    std::fill_n(fates_, rows, kAnswered);
    std::fill_n(entries_, rows, ListEntry{0, 0});
    duckdb_vector_ensure_validity_writable(messages_);
    std::fill_n(duckdb_vector_get_validity(messages_), (rows + 63) / 64, uint64_t{0});
  }

  std::span<int32_t> fates() override { return {fates_, rows_}; }
  std::span<ListEntry> entries() override { return {entries_, rows_}; }
  void Refuse(uint64_t row, std::string_view message) override {
    fates_[row] = kRefused;
    entries_[row] = {0, 0};
    duckdb_validity_set_row_valid(duckdb_vector_get_validity(messages_), row);
    PutText(messages_, row, message.data(), message.size());
  }
  Slots Rows(uint64_t capacity) override {
    duckdb_list_vector_reserve(list_, capacity);
    const duckdb_vector rows = duckdb_list_vector_get_child(list_);
    words_ = (capacity + 63) / 64;
    validity_.assign(shape_.types.size() * words_, ~uint64_t{0});
    slots_.clear();
    for (idx_t i = 0; i < shape_.types.size(); ++i) {
      const duckdb_vector vector = duckdb_struct_vector_get_child(rows, i);
      slots_.push_back(
          {.type = shape_.types[i],
           .values = IsText(shape_.types[i]) ? nullptr : duckdb_vector_get_data(vector),
           .validity = &validity_[i * words_],
           .text_owner = vector,
           .put_text = PutText});
    }
    return {slots_, capacity};
  }
  void Filled(uint64_t rows) override {
    const duckdb_vector child = duckdb_list_vector_get_child(list_);
    for (idx_t i = 0; rows > 0 && i < shape_.types.size(); ++i)
      CopyNulls(duckdb_struct_vector_get_child(child, i), &validity_[i * words_], rows);
    duckdb_list_vector_set_size(list_, rows);
  }

 private:
  const Shape& shape_;
  const uint64_t rows_;
  const duckdb_vector messages_, list_;
  int32_t* const fates_;
  ListEntry* const entries_;
  uint64_t words_ = 0;
  std::vector<uint64_t> validity_;
  std::vector<ColumnSlot> slots_;
};

Status RunExchange(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  const idx_t rows = duckdb_data_chunk_get_size(input);
  if (rows == 0) return Ok();
  const auto& shape = *static_cast<Shape*>(duckdb_scalar_function_get_extra_info(info));
  const auto* number =
      static_cast<int64_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0)));
  const auto exchange = shape.registry->Find(number[0]);
  if (exchange == nullptr) return InternalError("a query names an exchange that does not exist");
  std::vector<VectorView> columns;
  for (idx_t i = 1; i < duckdb_data_chunk_get_column_count(input); ++i) {
    const duckdb_vector vector = duckdb_data_chunk_get_vector(input, i);
    columns.push_back({.values = duckdb_vector_get_data(vector),
                       .validity = duckdb_vector_get_validity(vector),
                       .child = {}});
  }
  DuckReplies replies(shape, output, rows);
  return exchange->Answer(columns, rows, replies);
}

void Call(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  auto done = RunExchange(info, input, output);
  if (!done.ok()) duckdb_scalar_function_set_error(info, Raise(done.error()).c_str());
}

TypeHandle StructOf(std::vector<std::pair<std::string, TypeHandle>>& members) {
  std::vector<duckdb_logical_type> types;
  std::vector<const char*> names;
  for (const auto& [name, type] : members) {
    types.push_back(type.get());
    names.push_back(name.c_str());
  }
  return TypeHandle(duckdb_create_struct_type(types.data(), names.data(), types.size()));
}

TypeHandle AnswerType(const Schema& columns) {
  std::vector<std::pair<std::string, TypeHandle>> row, answer;
  for (const Column& column : columns)
    row.emplace_back(column.name, DuckType(PhysicalOf(column.type), column.type));
  const TypeHandle one = StructOf(row);
  answer.emplace_back("fate", TypeHandle(duckdb_create_logical_type(DUCKDB_TYPE_INTEGER)));
  answer.emplace_back("message", TypeHandle(duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR)));
  answer.emplace_back("rows", TypeHandle(duckdb_create_list_type(one.get())));
  return StructOf(answer);
}

Status Register(duckdb_connection connection, const std::string& name, const Schema& columns,
                const std::shared_ptr<Registry>& registry) {
  const ScalarFunctionHandle function(duckdb_create_scalar_function());
  const TypeHandle number(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  const TypeHandle any(duckdb_create_logical_type(DUCKDB_TYPE_ANY));
  const TypeHandle answer = AnswerType(columns);
  auto shape = std::make_unique<Shape>(Shape{registry, {}});
  for (const Column& column : columns) shape->types.push_back(PhysicalOf(column.type));
  duckdb_scalar_function_set_name(function.get(), name.c_str());
  duckdb_scalar_function_add_parameter(function.get(), number.get());
  duckdb_scalar_function_set_varargs(function.get(), any.get());
  duckdb_scalar_function_set_return_type(function.get(), answer.get());
  duckdb_scalar_function_set_volatile(function.get());
  duckdb_scalar_function_set_special_handling(function.get());
  duckdb_scalar_function_set_extra_info(function.get(), shape.release(),
                                        [](void* held) { delete static_cast<Shape*>(held); });
  duckdb_scalar_function_set_function(function.get(), Call);
  if (duckdb_register_scalar_function(connection, function.get()) == DuckDBSuccess) return Ok();
  return InternalError(fmt::format("DuckDB refuses the function '{}'", name));
}

class DuckExchanges final : public Exchanges {
 public:
  explicit DuckExchanges(ConnectionHandle connection) : connection_(std::move(connection)) {}

  Result<std::string> Function(const Schema& columns) override {
    std::string shape;
    for (const Column& column : columns) {
      const Physical physical = PhysicalOf(column.type);
      shape += fmt::format("{}\x1f{}\x1e", column.name, static_cast<int>(physical));
    }
    std::string name = "sluice_exchange_" + Fingerprint(shape);
    MutexLock lock(mutex_);
    if (!registered_.contains(name)) TRY(Register(connection_.get(), name, columns, registry_));
    registered_.insert(name);
    return name;
  }
  int64_t Add(std::shared_ptr<Exchange> exchange) override {
    return registry_->Add(std::move(exchange));
  }
  void Remove(int64_t number) override { registry_->Remove(number); }

 private:
  const std::shared_ptr<Registry> registry_ = std::make_shared<Registry>();
  Mutex mutex_;
  ConnectionHandle connection_ GUARDED_BY(mutex_);
  std::set<std::string> registered_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Exchanges> MakeExchanges(ConnectionHandle connection) {
  return std::make_unique<DuckExchanges>(std::move(connection));
}

}  // namespace sluice::sql
