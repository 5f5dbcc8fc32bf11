// See programs.h.
#include "engine/programs.h"

#include <fmt/core.h>

#include <set>
#include <utility>

#include "sql/exchange.h"

namespace sluice {

namespace {

void Collect(const relation::Ref& ref, std::set<const relation::Node*>& seen,
             std::map<std::string, const relation::Call*>& calls) {
  if (!seen.insert(ref.get()).second) return;
  if (const auto* call = std::get_if<relation::Call>(&ref->op)) calls[call->step] = call;
  for (const relation::Ref& input : relation::InputsOf(*ref)) Collect(input, seen, calls);
}

}  // namespace

Status Programs::Open(const Flow& flow) {
  placed_.clear();
  std::set<const relation::Node*> seen;
  std::map<std::string, const relation::Call*> calls;
  for (const auto& [step, rows] : flow.rows) Collect(rows, seen, calls);
  for (const auto& [step, call] : calls) {
    placed_[step] = {TRY(database_.exchanges().Function(call->program->gives)),
                     std::make_shared<ProgramPool>(call->program, call->program->parallelism)};
  }
  return Ok();
}

Status Programs::Ready(const std::stop_token& stop) {
  for (auto& [step, placed] : placed_) TRY(placed.pool->Ready(stop));
  return Ok();
}

Status Programs::Rest(ProgramPool::Then then, const std::stop_token& stop) {
  for (auto& [step, placed] : placed_) TRY(placed.pool->Rest(then, stop));
  return Ok();
}

Result<std::unique_ptr<Programs::Turn>> Programs::Begin(const relation::Call& call,
                                                        const std::stop_token& stop) {
  const auto placed = placed_.find(call.step);
  if (placed == placed_.end())
    return InternalError(fmt::format("the program of step '{}' was not opened", call.step));
  return std::make_unique<Turn>(
      database_, call.step,
      std::make_shared<ProgramExchange>(call.program, placed->second.pool, stop));
}

Result<std::string> Programs::FunctionOf(const relation::Call& call) const {
  const auto placed = placed_.find(call.step);
  if (placed == placed_.end())
    return InternalError(fmt::format("the program of step '{}' was not opened", call.step));
  return placed->second.function;
}

Programs::Turn::Turn(sql::Database& database, std::string step,
                     std::shared_ptr<ProgramExchange> exchange)
    : database_(database),
      step_(std::move(step)),
      exchange_(std::move(exchange)),
      number_(database_.exchanges().Add(exchange_)) {}

Programs::Turn::~Turn() { database_.exchanges().Remove(number_); }

}  // namespace sluice
