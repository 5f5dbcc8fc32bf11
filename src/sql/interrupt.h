// Stopping queries. One thread per database, asleep until a stop is requested; then it interrupts
// the query every 20 ms until it has returned, because DuckDB forgets an interrupt that comes
// before the query has begun.
//
// A query costs no thread and no lock here unless somebody stops it.
#pragma once

#include <optional>
#include <set>
#include <stop_token>
#include <thread>

#include "base/mutex.h"
#include "sql/duckdb_1_5.h"

namespace sluice::sql {

class Interrupter {  // any thread
 public:
  // Of one running query: from its construction to its end, a stop interrupts the connection.
  class Watch {
   public:
    Watch(Interrupter& owner, duckdb_connection connection, const std::stop_token& stop);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    struct Begin {
      Watch* watch;
      void operator()() const noexcept;
    };

    Interrupter& owner_;
    duckdb_connection connection_;
    std::optional<std::stop_callback<Begin>> callback_;
  };

  Interrupter();

 private:
  void Add(duckdb_connection connection);
  void Remove(duckdb_connection connection);
  void Run(const std::stop_token& end);

  Mutex mutex_;
  Condition changed_;
  std::set<duckdb_connection> stopping_ GUARDED_BY(mutex_);
  std::jthread thread_;  // last: ends before the rest goes
};

}  // namespace sluice::sql
