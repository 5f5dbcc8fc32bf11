// Rows of a DuckDB query on their way into a system that takes numbers, texts and blobs: what
// DuckDB casts each column to, and the vessel that is handed the rows.
#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "connector/tables/system.h"
#include "sql/pour.h"

namespace sluice::tables {

// How the values of a column arrive.
enum class Shape : uint8_t {
  kBool,
  kWhole,     // int64_t
  kUnsigned,  // uint64_t
  kFloat,
  kDouble,
  kText,
  kMoment,  // a text: a date or time, of UTC where it has a zone
  kBlob
};
Shape ShapeOf(const std::string& type);

// kData naming the column for a day that is not of the years 0 to 9999: which no other system has.
Status CheckMoment(const SentColumn& column, std::string_view text);

// Takes rows until something fails, and keeps what it was.
class KeepingVessel : public sql::Vessel {  // any thread
 public:
  Status Take(std::span<const sql::VectorView> columns, uint64_t rows) final;
  std::optional<Error> failed();

 protected:
  // On DuckDB's threads, several at a time.
  virtual Status Put(std::span<const sql::VectorView> columns, uint64_t rows) = 0;

 private:
  Mutex mutex_;
  std::optional<Error> failed_ GUARDED_BY(mutex_);
};

// Pours the query's rows; how many there were.
Result<uint64_t> Pour(const std::shared_ptr<KeepingVessel>& vessel,
                      const std::vector<SentColumn>& columns, const Outgoing& rows,
                      std::stop_token stop);

}  // namespace sluice::tables
