// The table function. Bind gives the columns, Init claims the scan (a second reader would get other
// blocks, so it is refused), each worker owns a decoder and the block it is in the middle of.
//
// A chunk holds rows of one block only, so its partition is one value; nulls are gathered beside
// DuckDB's vectors and copied only where there are any, so that columns without nulls stay known to
// have none.
#include "sql/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "sql/classify.h"
#include "sql/functions.h"
#include "sql/handle.h"
#include "sql/numbered.h"
#include "sql/physical.h"
#include "sql/stamp.h"

namespace sluice::sql {
namespace {

struct Entry {
  explicit Entry(std::shared_ptr<Scan> of) : scan(std::move(of)) {}
  std::shared_ptr<Scan> scan;
  std::atomic<bool> claimed{false};
};

using Registry = Numbered<Entry>;

struct Function {  // what the callbacks share
  std::shared_ptr<Registry> registry;
  int workers;
};

class DuckScans final : public Scans {
 public:
  explicit DuckScans(std::shared_ptr<Registry> registry) : registry_(std::move(registry)) {}
  int64_t Add(std::shared_ptr<Scan> scan) override {
    return registry_->Add(std::make_shared<Entry>(std::move(scan)));
  }
  void Remove(int64_t number) override { registry_->Remove(number); }

 private:
  std::shared_ptr<Registry> registry_;
};

constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

// Which column goes where: places are those of DuckDB's chunk.
struct Layout {
  std::vector<uint64_t> columns;  // for the decoder: indices into the schema, rising
  std::vector<uint64_t> places;   // of each of `columns`; kNone: only we look at it
  uint64_t partition = kNone;
  uint64_t offset = kNone;
  uint64_t watermark = kNone;
  uint64_t time = kNone;  // index into `columns`
};

Result<uint64_t> TimeColumn(const Scan& scan) {
  const Column* time = Find(scan.schema, scan.event_time->column);
  if (time == nullptr || PhysicalOf(time->type) != Physical::kTimestamp) {
    return InternalError(
        fmt::format("event time '{}' is no TIMESTAMP column of the scan", scan.event_time->column));
  }
  return static_cast<uint64_t>(time - scan.schema.data());
}

Result<Layout> LayOut(const Scan& scan, const std::vector<uint64_t>& projected) {
  Layout layout;
  std::map<uint64_t, uint64_t> places;  // of the columns that the decoder fills
  for (uint64_t place = 0; place < projected.size(); ++place) {
    if (projected[place] >= scan.schema.size()) continue;  // only rows are asked for: count(*)
    const Column& column = scan.schema[projected[place]];
    if (column.hidden && column.name == kPartitionColumn) {
      layout.partition = place;
    } else if (column.hidden && column.name == kOffsetColumn) {
      layout.offset = place;
    } else if (column.hidden && column.name == kWatermarkColumn) {
      layout.watermark = place;
    } else if (column.hidden) {
      return InternalError(fmt::format("a scan does not know the hidden column '{}'", column.name));
    } else {
      places.emplace(projected[place], place);
    }
  }
  if (scan.event_time) places.emplace(TRY(TimeColumn(scan)), kNone);
  for (const auto& [column, place] : places) {
    layout.columns.push_back(column);
    layout.places.push_back(place);
  }
  if (!scan.event_time) return layout;
  const auto time = places.find(TRY(TimeColumn(scan)));
  layout.time = static_cast<uint64_t>(std::distance(places.begin(), time));
  return layout;
}

struct Claimed {  // one query's reading of a scan
  std::shared_ptr<Scan> scan;
  Layout layout;
};

// One text in all rows: its bytes are stored once.
void PutSame(duckdb_vector vector, const std::string& text, uint64_t rows) {
  duckdb_vector_assign_string_element_len(vector, 0, text.data(), text.size());
  auto* strings = static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector));
  std::fill(strings + 1, strings + rows, strings[0]);
}

class Worker {  // one thread
 public:
  explicit Worker(std::shared_ptr<Claimed> claimed)
      : claimed_(std::move(claimed)),
        capacity_(duckdb_vector_size()),
        words_((capacity_ + 63) / 64),
        decoder_(claimed_->scan->decoder(claimed_->layout.columns)),
        validity_(claimed_->layout.columns.size() * words_),
        offsets_(capacity_),
        times_(capacity_) {
    for (const uint64_t column : claimed_->layout.columns) {
      const Scan& scan = *claimed_->scan;
      types_.push_back(scan.physical(scan.schema[column].type));
    }
    if (claimed_->scan->event_time) stamp_.emplace(*claimed_->scan->event_time);
  }

  Status Fill(duckdb_data_chunk output) {
    duckdb_data_chunk_set_size(output, 0);
    while (true) {
      if (!block_) {
        block_ = TRY(claimed_->scan->feed->Next(claimed_->scan->stop));
        at_ = 0;
        // A feed that ends because it was stopped has not given all its rows.
        if (!block_) return claimed_->scan->stop.stop_requested() ? Status(CancelledError()) : Ok();
      }
      const uint64_t before = at_;
      const uint64_t rows = TRY(FillFrom(*block_, output));
      if (rows == 0 && at_ == before && !UsedUp())
        return InternalError("a decoder does not get on");
      const bool used = UsedUp();
      if (rows > 0) Stamp(output, rows);
      if (used) block_.reset();
      if (rows == 0) continue;
      duckdb_data_chunk_set_size(output, rows);
      claimed_->scan->given.fetch_add(rows, std::memory_order_relaxed);
      return Ok();
    }
  }

 private:
  bool UsedUp() const {
    return at_ >= (block_->size == 0 && block_->records > 0 ? static_cast<uint64_t>(block_->records)
                                                            : block_->size);
  }

  Result<uint64_t> FillFrom(const Block& block, duckdb_data_chunk output) {
    const Layout& layout = claimed_->layout;
    std::fill(validity_.begin(), validity_.end(), ~uint64_t{0});
    slots_.clear();
    for (uint64_t i = 0; i < layout.columns.size(); ++i) slots_.push_back(SlotOf(output, i));
    const bool place = layout.offset != kNone;
    uint64_t read = 0;
    auto rows = decoder_->Fill(block, at_, Slots{slots_, capacity_},
                               std::span(offsets_.data(), place ? capacity_ : 0), read,
                               claimed_->scan->reject);
    claimed_->scan->read.fetch_add(read, std::memory_order_relaxed);
    if (rows.ok()) CopyNulls(output, rows.value());
    return rows;
  }

  ColumnSlot SlotOf(duckdb_data_chunk output, uint64_t i) {
    const Layout& layout = claimed_->layout;
    ColumnSlot slot;
    slot.type = types_[i];
    slot.validity = &validity_[i * words_];
    if (layout.places[i] == kNone) {
      slot.values = times_.data();
      return slot;
    }
    duckdb_vector vector = duckdb_data_chunk_get_vector(output, layout.places[i]);
    slot.values = IsText(slot.type) ? nullptr : duckdb_vector_get_data(vector);
    slot.text_owner = vector;
    slot.put_text = PutText;
    return slot;
  }

  void CopyNulls(duckdb_data_chunk output, uint64_t rows) {
    const Layout& layout = claimed_->layout;
    for (uint64_t i = 0; i < layout.columns.size(); ++i) {
      if (layout.places[i] != kNone) {
        sql::CopyNulls(duckdb_data_chunk_get_vector(output, layout.places[i]),
                       &validity_[i * words_], rows);
      }
    }
  }

  // The columns that say where the rows came from.
  void Stamp(duckdb_data_chunk output, uint64_t rows) {
    const Layout& layout = claimed_->layout;
    if (layout.partition != kNone) {
      PutSame(duckdb_data_chunk_get_vector(output, layout.partition), block_->partition, rows);
    }
    if (layout.offset != kNone) {
      auto* place = duckdb_vector_get_data(duckdb_data_chunk_get_vector(output, layout.offset));
      std::copy_n(offsets_.data(), rows, static_cast<int64_t*>(place));
    }
    if (stamp_) StampTimes(output, rows);
  }

  void StampTimes(duckdb_data_chunk output, uint64_t rows) {
    const Layout& layout = claimed_->layout;
    const std::span times(static_cast<const int64_t*>(slots_[layout.time].values), rows);
    const uint64_t* valid = slots_[layout.time].validity;
    stamps_.resize(rows);
    stamp_->Rows(block_->partition, times, valid, stamps_);
    if (layout.watermark == kNone) return;
    duckdb_vector vector = duckdb_data_chunk_get_vector(output, layout.watermark);
    auto* place = static_cast<int64_t*>(duckdb_vector_get_data(vector));
    std::vector<uint64_t> known(words_, ~uint64_t{0});
    for (uint64_t row = 0; row < rows; ++row) {
      place[row] = stamps_[row].value_or(0);
      if (!stamps_[row]) known[row / 64] &= ~(uint64_t{1} << (row % 64));
    }
    sql::CopyNulls(vector, known.data(), rows);
  }

  std::shared_ptr<Claimed> claimed_;
  const uint64_t capacity_;
  const uint64_t words_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<Physical> types_;  // of each of the layout's columns
  std::optional<Block> block_;
  uint64_t at_ = 0;
  std::vector<uint64_t> validity_;
  std::vector<int64_t> offsets_;
  std::vector<int64_t> times_;
  std::vector<ColumnSlot> slots_;
  std::optional<Stamper> stamp_;
  std::vector<std::optional<int64_t>> stamps_;
};

template <class T>
void Delete(void* held) {
  delete static_cast<T*>(held);
}

using EntryPointer = std::shared_ptr<Entry>;
using ClaimedPointer = std::shared_ptr<Claimed>;

Status Bind(duckdb_bind_info info) {
  const auto& function = *static_cast<Function*>(duckdb_bind_get_extra_info(info));
  const ValueHandle number(duckdb_bind_get_parameter(info, 0));
  auto entry = function.registry->Find(duckdb_get_int64(number.get()));
  if (entry == nullptr) return InternalError("a query names a scan that does not exist");
  for (const Column& column : entry->scan->schema) {
    const TypeHandle type = DuckType(entry->scan->physical(column.type), column.type);
    duckdb_bind_add_result_column(info, column.name.c_str(), type.get());
  }
  duckdb_bind_set_bind_data(info, new EntryPointer(std::move(entry)), Delete<EntryPointer>);
  return Ok();
}

Status Init(duckdb_init_info info) {
  const auto& function = *static_cast<Function*>(duckdb_init_get_extra_info(info));
  const auto& entry = *static_cast<EntryPointer*>(duckdb_init_get_bind_data(info));
  std::vector<uint64_t> projected;
  for (idx_t i = 0; i < duckdb_init_get_column_count(info); ++i) {
    projected.push_back(duckdb_init_get_column_index(info, i));
  }
  auto layout = TRY(LayOut(*entry->scan, projected));
  if (entry->claimed.exchange(true))
    return InternalError("a scan is read twice; stage it where several read it");
  duckdb_init_set_max_threads(info, entry->scan->event_time || entry->scan->in_order
                                        ? 1
                                        : static_cast<idx_t>(function.workers));
  auto claimed = std::make_shared<Claimed>(Claimed{entry->scan, std::move(layout)});
  duckdb_init_set_init_data(info, new ClaimedPointer(std::move(claimed)), Delete<ClaimedPointer>);
  return Ok();
}

// A worker is made at its first call, where the reading that Init began is at hand.
struct Local {
  std::unique_ptr<Worker> worker;
};

Status RunScan(duckdb_function_info info, duckdb_data_chunk output) {
  auto& local = *static_cast<Local*>(duckdb_function_get_local_init_data(info));
  if (local.worker == nullptr) {
    local.worker = std::make_unique<Worker>(
        *static_cast<ClaimedPointer*>(duckdb_function_get_init_data(info)));
  }
  return local.worker->Fill(output);
}

void CallBind(duckdb_bind_info info) {
  if (auto done = Bind(info); !done.ok()) duckdb_bind_set_error(info, Raise(done.error()).c_str());
}
void CallInit(duckdb_init_info info) {
  if (auto done = Init(info); !done.ok()) duckdb_init_set_error(info, Raise(done.error()).c_str());
}
void CallLocalInit(duckdb_init_info info) {
  duckdb_init_set_init_data(info, new Local, Delete<Local>);
}
void CallScan(duckdb_function_info info, duckdb_data_chunk output) {
  if (auto done = RunScan(info, output); !done.ok())
    duckdb_function_set_error(info, Raise(done.error()).c_str());
}

}  // namespace

Result<std::unique_ptr<Scans>> RegisterScans(duckdb_connection connection, int workers) {
  auto registry = std::make_shared<Registry>();
  const TableFunctionHandle function(duckdb_create_table_function());
  const TypeHandle number(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  duckdb_table_function_set_name(function.get(), "sluice_scan");
  duckdb_table_function_add_parameter(function.get(), number.get());
  duckdb_table_function_set_extra_info(function.get(), new Function{registry, std::max(workers, 1)},
                                       Delete<Function>);
  duckdb_table_function_set_bind(function.get(), CallBind);
  duckdb_table_function_set_init(function.get(), CallInit);
  duckdb_table_function_set_local_init(function.get(), CallLocalInit);
  duckdb_table_function_set_function(function.get(), CallScan);
  duckdb_table_function_supports_projection_pushdown(function.get(), true);
  if (duckdb_register_table_function(connection, function.get()) == DuckDBError) {
    return InternalError("DuckDB refuses the function 'sluice_scan'");
  }
  return std::make_unique<DuckScans>(std::move(registry));
}

}  // namespace sluice::sql
