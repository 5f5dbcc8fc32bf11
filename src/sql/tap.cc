// Counting: one pass over a vector's fates into a table on the stack, then one atomic add per fate
// that occurred. The registry is asked once per vector, so the functions hold nothing between calls
// and any worker may run them.
#include "sql/tap.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <span>
#include <type_traits>
#include <utility>

#include "base/text.h"
#include "sql/classify.h"
#include "sql/functions.h"
#include "sql/handle.h"
#include "sql/numbered.h"

namespace sluice::sql {
namespace {

constexpr uint64_t kLetterOverhead = sizeof(Diverted);

using Histogram = std::array<uint64_t, kMaxFates>;

class TapState {  // any thread
 public:
  explicit TapState(uint64_t limit) : limit_(limit) {}

  void Add(const Histogram& seen) {
    for (int fate = 0; fate < kMaxFates; ++fate) {
      if (seen[fate] > 0) counts_[fate].fetch_add(seen[fate], std::memory_order_relaxed);
    }
  }
  uint64_t Count(int fate) const {
    return fate < 0 || fate >= kMaxFates ? 0 : counts_[fate].load(std::memory_order_relaxed);
  }
  Status Keep(std::vector<Diverted> rows) {
    uint64_t bytes = 0;
    for (const Diverted& row : rows) {
      bytes += kLetterOverhead + row.partition.size() + row.message.size() + row.row.size();
    }
    MutexLock lock(mutex_);
    if (bytes > limit_ - held_) {
      return RejectedError(
          fmt::format("more than {} of rejected rows in one epoch; correct the rows or the check, "
                      "or take fewer rows per epoch",
                      FormatBytes(limit_)));
    }
    held_ += bytes;
    diverted_.insert(diverted_.end(), std::make_move_iterator(rows.begin()),
                     std::make_move_iterator(rows.end()));
    return Ok();
  }
  std::vector<Diverted> Take() {
    MutexLock lock(mutex_);
    held_ = 0;
    return std::exchange(diverted_, {});
  }

 private:
  const uint64_t limit_;
  std::array<std::atomic<uint64_t>, kMaxFates> counts_{};
  Mutex mutex_;
  uint64_t held_ GUARDED_BY(mutex_) = 0;
  std::vector<Diverted> diverted_ GUARDED_BY(mutex_);
};

using Registry = Numbered<TapState>;

class DuckTap final : public Tap {
 public:
  DuckTap(std::shared_ptr<Registry> registry, uint64_t limit)
      : registry_(std::move(registry)),
        state_(std::make_shared<TapState>(limit)),
        number_(registry_->Add(state_)) {}
  ~DuckTap() override { registry_->Remove(number_); }

  int64_t number() const override { return number_; }
  uint64_t Count(int fate) const override { return state_->Count(fate); }
  uint64_t Total() const override {
    uint64_t total = 0;
    for (int fate = 0; fate < kMaxFates; ++fate) total += state_->Count(fate);
    return total;
  }
  std::vector<Diverted> TakeDiverted() override { return state_->Take(); }

 private:
  std::shared_ptr<Registry> registry_;
  std::shared_ptr<TapState> state_;
  int64_t number_;
};

class DuckTaps final : public Taps {
 public:
  explicit DuckTaps(std::shared_ptr<Registry> registry) : registry_(std::move(registry)) {}
  std::unique_ptr<Tap> Add(uint64_t limit) override {
    return std::make_unique<DuckTap>(registry_, limit);
  }

 private:
  std::shared_ptr<Registry> registry_;
};

// An argument of a call, as one flat vector.
template <class T>
class Argument {
 public:
  Argument(duckdb_data_chunk chunk, idx_t column) {
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, column);
    data_ = static_cast<T*>(duckdb_vector_get_data(vector));
    validity_ = duckdb_vector_get_validity(vector);
  }
  bool Null(idx_t row) const {
    return validity_ != nullptr && !duckdb_validity_row_is_valid(validity_, row);
  }
  T& operator[](idx_t row) const { return data_[row]; }
  std::string Text(idx_t row) const requires std::is_same_v<T, duckdb_string_t> {
    if (Null(row)) return {};
    return {duckdb_string_t_data(&data_[row]), duckdb_string_t_length(data_[row])};
  }

 private:
  T* data_;
  uint64_t* validity_;
};

Result<std::shared_ptr<TapState>> FindTap(duckdb_function_info info, duckdb_data_chunk input) {
  auto& registry =
      **static_cast<std::shared_ptr<Registry>*>(duckdb_scalar_function_get_extra_info(info));
  const Argument<int64_t> number(input, 0);
  auto tap = number.Null(0) ? nullptr : registry.Find(number[0]);
  if (tap == nullptr) return InternalError("a query names a tap that does not exist");
  return tap;
}

// Fills `output` with "lives" and gives the counts.
Result<Histogram> Judge(duckdb_data_chunk input, duckdb_vector output) {
  const idx_t rows = duckdb_data_chunk_get_size(input);
  const Argument<int32_t> fates(input, 1);
  bool* lives = static_cast<bool*>(duckdb_vector_get_data(output));
  Histogram seen{};
  for (idx_t row = 0; row < rows; ++row) {
    const auto fate = static_cast<uint32_t>(fates[row]);
    if (fates.Null(row) || fate >= kMaxFates)
      return InternalError("a row's fate is NULL or out of range");
    ++seen[fate];
    lives[row] = fate == 0;
  }
  return seen;
}

Status RunKeep(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  if (duckdb_data_chunk_get_size(input) == 0) return Ok();
  auto tap = TRY(FindTap(info, input));
  tap->Add(TRY(Judge(input, output)));
  return Ok();
}

std::vector<Diverted> CollectDiverted(duckdb_data_chunk input) {
  const Argument<int32_t> fates(input, 1);
  const Argument<duckdb_string_t> partitions(input, 2);
  const Argument<int64_t> offsets(input, 3);
  const Argument<duckdb_string_t> messages(input, 4);
  const Argument<duckdb_string_t> texts(input, 5);
  std::vector<Diverted> diverted;
  for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) {
    if (texts.Null(row)) continue;
    diverted.push_back({.fate = fates[row],
                        .partition = partitions.Text(row),
                        .offset = offsets.Null(row) ? -1 : offsets[row],
                        .message = messages.Text(row),
                        .row = texts.Text(row)});
  }
  return diverted;
}

Status RunDivert(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  if (duckdb_data_chunk_get_size(input) == 0) return Ok();
  auto tap = TRY(FindTap(info, input));
  const Histogram seen = TRY(Judge(input, output));
  auto diverted = CollectDiverted(input);
  if (!diverted.empty()) TRY(tap->Keep(std::move(diverted)));
  tap->Add(seen);
  return Ok();
}

using Run = Status (*)(duckdb_function_info, duckdb_data_chunk, duckdb_vector);

template <Run run>
void Call(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  auto done = run(info, input, output);
  if (!done.ok()) duckdb_scalar_function_set_error(info, Raise(done.error()).c_str());
}

void AddParameter(duckdb_scalar_function function, duckdb_type type) {
  const TypeHandle handle(duckdb_create_logical_type(type));
  duckdb_scalar_function_add_parameter(function, handle.get());
}

Status Register(duckdb_connection connection, const char* name,
                std::span<const duckdb_type> parameters, duckdb_scalar_function_t run,
                const std::shared_ptr<Registry>& registry) {
  const ScalarFunctionHandle function(duckdb_create_scalar_function());
  duckdb_scalar_function_set_name(function.get(), name);
  for (duckdb_type type : parameters) AddParameter(function.get(), type);
  const TypeHandle boolean(duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN));
  duckdb_scalar_function_set_return_type(function.get(), boolean.get());
  duckdb_scalar_function_set_volatile(function.get());
  duckdb_scalar_function_set_special_handling(function.get());
  duckdb_scalar_function_set_extra_info(
      function.get(), new std::shared_ptr<Registry>(registry),
      [](void* held) { delete static_cast<std::shared_ptr<Registry>*>(held); });
  duckdb_scalar_function_set_function(function.get(), run);
  if (duckdb_register_scalar_function(connection, function.get()) == DuckDBSuccess) return Ok();
  return InternalError(fmt::format("DuckDB refuses the function '{}'", name));
}

}  // namespace

Result<std::unique_ptr<Taps>> RegisterTaps(duckdb_connection connection) {
  constexpr std::array kKeep{DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_INTEGER};
  constexpr std::array kDivert{DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_INTEGER, DUCKDB_TYPE_VARCHAR,
                               DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_VARCHAR};
  auto registry = std::make_shared<Registry>();
  TRY(Register(connection, "sluice_keep", kKeep, Call<RunKeep>, registry));
  TRY(Register(connection, "sluice_divert", kDivert, Call<RunDivert>, registry));
  return std::make_unique<DuckTaps>(std::move(registry));
}

}  // namespace sluice::sql
