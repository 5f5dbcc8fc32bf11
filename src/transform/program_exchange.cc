// See program_exchange.h. Text is made and read outside of the pool: while one vector waits for its
// process, others are written and decoded.
#include "transform/program_exchange.h"

#include <algorithm>
#include <utility>

namespace sluice {

ProgramExchange::ProgramExchange(std::shared_ptr<const relation::Program> program,
                                 std::shared_ptr<ProgramPool> pool, std::stop_token stop)
    : program_(std::move(program)), pool_(std::move(pool)), stop_(std::move(stop)) {}

std::unique_ptr<ProgramExchange::Desk> ProgramExchange::Sit() {
  MutexLock lock(mutex_);
  if (free_.empty()) return std::make_unique<Desk>(*program_);
  auto desk = std::move(free_.back());
  free_.pop_back();
  return desk;
}

Status ProgramExchange::Answer(std::span<const sql::VectorView> columns, uint64_t rows,
                               sql::Replies& replies) {
  auto desk = Sit();
  Status done = AnswerAt(*desk, columns, rows, replies);
  MutexLock lock(mutex_);
  free_.push_back(std::move(desk));
  return done;
}

Status ProgramExchange::AnswerAt(Desk& desk, std::span<const sql::VectorView> columns,
                                 uint64_t rows, sql::Replies& replies) {
  const char between = program_->IsPython() ? ',' : '\n';
  desk.replies.Begin();
  for (uint64_t begin = 0; begin < rows; begin += program_->batch_size) {
    desk.text.clear();
    desk.starts.clear();
    desk.numbers.clear();
    if (program_->IsPython()) desk.text += '[';
    const uint64_t end = std::min(rows, begin + program_->batch_size);
    for (uint64_t row = begin; row < end; ++row) {
      const size_t start = desk.text.size();
      if (Status said = desk.rows.Append(columns, row, desk.text); !said.ok()) {
        replies.Refuse(row, said.error().message);
        continue;
      }
      desk.text += between;
      desk.starts.push_back(start);
      desk.numbers.push_back(row);
    }
    TRY(AskBatch(desk, replies));
  }
  answered_ += TRY(desk.replies.Decode(replies));
  asked_ += rows;
  return Ok();
}

Status ProgramExchange::AskBatch(Desk& desk, sql::Replies& replies) {
  if (desk.numbers.empty()) return Ok();
  if (program_->IsPython()) {
    desk.text.back() = ']';
    desk.text += '\n';
  }
  const size_t from = desk.replies.bytes().size();
  TRY(pool_->Ask(desk.text, desk.starts, desk.replies.bytes(), stop_));
  return desk.replies.Sort(from, desk.numbers, replies);
}

}  // namespace sluice
