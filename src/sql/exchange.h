// Rows of a query answered by us, vector by vector: each row gives none, one or many others.
//
//   SELECT unnest(_call.rows) FROM (SELECT sluice_exchange_4f…(17, a, b) AS _call FROM …)
//
// The function is volatile and gives STRUCT(fate INTEGER, message VARCHAR, rows STRUCT(…)[]). It
// runs on DuckDB's threads, several at once; blocking in it is the back-pressure. A query that
// needs each row to be asked about once puts a LIMIT barrier above the call.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/block.h"
#include "data/schema.h"
#include "sql/pour.h"

namespace sluice::sql {

inline constexpr int32_t kAnswered = 0;  // `rows` is what the row became
inline constexpr int32_t kNothing = 1;   // it became nothing
inline constexpr int32_t kRefused = 2;   // `message` says why

// The answer to one vector of rows; all rows begin as kAnswered with no rows.
class Replies {  // one thread
 public:
  virtual ~Replies() = default;
  virtual std::span<int32_t> fates() = 0;
  virtual std::span<ListEntry> entries() = 0;  // of each row, among the rows of the answer
  virtual void Refuse(uint64_t row, std::string_view message) = 0;
  // Where `capacity` rows of the answer go; at most once.
  virtual Slots Rows(uint64_t capacity) = 0;
  virtual void Filled(uint64_t rows) = 0;
};

class Exchange {  // any thread, several at once
 public:
  virtual ~Exchange() = default;
  // An error ends the query.
  virtual Status Answer(std::span<const VectorView> columns, uint64_t rows, Replies& replies) = 0;
};

class Exchanges {  // any thread
 public:
  virtual ~Exchanges() = default;
  // The function whose answers have these columns, each as decoders fill it (PhysicalOf). It is
  // seen by transactions that begin later.
  virtual Result<std::string> Function(const Schema& columns) = 0;
  // Lives until Remove, which must be after the queries that name it.
  virtual int64_t Add(std::shared_ptr<Exchange> exchange) = 0;
  virtual void Remove(int64_t number) = 0;
};

}  // namespace sluice::sql
