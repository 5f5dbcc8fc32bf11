// The rows of one epoch on their way through a program: text out, answers in, counted on both
// sides.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "relation/program.h"
#include "sql/exchange.h"
#include "transform/program_pool.h"
#include "transform/reply_text.h"
#include "transform/row_text.h"

namespace sluice {

class ProgramExchange final : public sql::Exchange {  // any thread, several at once
 public:
  ProgramExchange(std::shared_ptr<const relation::Program> program,
                  std::shared_ptr<ProgramPool> pool, std::stop_token stop);

  Status Answer(std::span<const sql::VectorView> columns, uint64_t rows,
                sql::Replies& replies) override;

  uint64_t asked() const { return asked_; }        // rows that came
  uint64_t answered() const { return answered_; }  // rows that they became

 private:
  struct Desk {  // what one thread needs
    explicit Desk(const relation::Program& program) : rows(program.given), replies(program) {}
    RowText rows;
    ReplyText replies;
    std::string text;
    std::vector<size_t> starts;
    std::vector<uint64_t> numbers;
  };

  std::unique_ptr<Desk> Sit();
  Status AnswerAt(Desk& desk, std::span<const sql::VectorView> columns, uint64_t rows,
                  sql::Replies& replies);
  Status AskBatch(Desk& desk, sql::Replies& replies);

  const std::shared_ptr<const relation::Program> program_;
  const std::shared_ptr<ProgramPool> pool_;
  const std::stop_token stop_;
  std::atomic<uint64_t> asked_ = 0, answered_ = 0;
  Mutex mutex_;
  std::vector<std::unique_ptr<Desk>> free_ GUARDED_BY(mutex_);
};

}  // namespace sluice
