// The programs that a flow's functions run, for as long as the flow runs. Opened before any
// transaction of an epoch begins, for each is a function of DuckDB's that only later ones see.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "pipeline/plan.h"
#include "sql/database.h"
#include "transform/program_exchange.h"
#include "transform/program_pool.h"

namespace sluice {

class Programs {  // the driver's thread
 public:
  explicit Programs(sql::Database& database) : database_(database) {}

  Status Open(const Flow& flow);
  // Has the processes of all functions at hand.
  Status Ready(const std::stop_token& stop);
  Status Rest(ProgramPool::Then then, const std::stop_token& stop);

  // One function in one epoch; it is there for queries until it is dropped.
  class Turn {
   public:
    Turn(sql::Database& database, std::string step, std::shared_ptr<ProgramExchange> exchange);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    int64_t number() const { return number_; }
    const std::string& step() const { return step_; }
    const ProgramExchange& exchange() const { return *exchange_; }

   private:
    sql::Database& database_;
    const std::string step_;
    const std::shared_ptr<ProgramExchange> exchange_;
    const int64_t number_;
  };
  Result<std::unique_ptr<Turn>> Begin(const relation::Call& call, const std::stop_token& stop);
  // Of sql::Exchanges, for the call.
  Result<std::string> FunctionOf(const relation::Call& call) const;

 private:
  struct Placed {
    std::string function;
    std::shared_ptr<ProgramPool> pool;
  };
  sql::Database& database_;
  std::map<std::string, Placed> placed_;  // by step
};

}  // namespace sluice
