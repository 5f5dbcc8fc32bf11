// The rows of one load of one epoch, held by DuckDB while a destination that may refuse some of
// them takes them piece by piece. The query behind them is run once: it counts its rows.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/load.h"
#include "connector/sink.h"
#include "sql/database.h"

namespace sluice {

class Batch {  // the session's thread; the session outlives it
 public:
  // In the order of their source where the rows say it. Ends the session's transaction and begins
  // another: a query that fails must not take the batch with it.
  static Result<Batch> Gather(sql::Session& session, const std::string& select,
                              const std::vector<sql::Bound>& bound, std::stop_token stop);
  Batch(Batch&& other) noexcept;
  Batch& operator=(Batch&&) = delete;
  ~Batch();

  // `take` is given queries of some of the rows, as Sifting's is given units.
  Result<Landed> TakeBy(const Load& load,
                        const std::function<Result<Landed>(const std::string& select)>& take) const;

 private:
  std::string Select(uint64_t from, uint64_t to) const;
  Result<Letter> LetterOf(uint64_t row, const Load& load, const Error& why) const;
  Batch(sql::Session& session, uint64_t rows, Schema schema)
      : session_(&session), rows_(rows), schema_(std::move(schema)) {}

  sql::Session* session_;
  uint64_t rows_;
  Schema schema_;
};

// A row that the destination of `load` refused: `original` is the row as JSON.
Letter RefusedLetter(const Load& load, const Error& why, std::string original);

}  // namespace sluice
