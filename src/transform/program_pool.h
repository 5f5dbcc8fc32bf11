// The running processes of one function step, at most `parallelism` of them, kept from batch to
// batch and from epoch to epoch of one flow. Each batch goes to one of them and is answered whole.
//
// A process that breaks ends the pool: its try fails, and the next try has a pool of its own.
// A command that keeps its answers back until its input ends (as programs do that do not flush) is
// found out by its silence, and from then on runs once per batch.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/child.h"
#include "base/mutex.h"
#include "relation/program.h"

namespace sluice {

class ProgramPool {  // any thread
 public:
  ProgramPool(std::shared_ptr<const relation::Program> program, int processes);

  // Starts what is missing. The processes live no longer than the calling thread.
  Status Ready(const std::stop_token& stop);
  // Appends exactly one line for each row. `starts`: where each row begins in `text`.
  Status Ask(std::string_view text, std::span<const size_t> starts, std::vector<char>& into,
             const std::stop_token& stop);

  enum class Then : uint8_t { kGoesOn, kIsOver };
  // Between epochs: nobody may have written more than was asked for.
  Status Rest(Then then, const std::stop_token& stop);

 private:
  struct Asked {
    std::string_view text;
    std::span<const size_t> starts;
  };
  using ChildPointer = std::unique_ptr<Child>;

  Result<ChildPointer> Start(const std::stop_token& stop) const;
  Result<ChildPointer> Borrow(const std::stop_token& stop);
  void Return(ChildPointer child);
  Status AskKept(const Asked& asked, ChildPointer& child, std::vector<char>& into,
                 const std::stop_token& stop);
  Status AskOnce(const Asked& asked, std::vector<char>& into, const std::stop_token& stop);
  Status Judge(const Asked& asked, Child::Answer answer, Child& child);
  Error Broken(ErrorKind kind, const std::string& what, Child& child) const;
  Error TooMany(uint64_t rows, Child& child) const;
  Error Unasked(Child& child, std::string_view said = {}) const;
  std::string RowAt(const Asked& asked, uint64_t row) const;

  const std::shared_ptr<const relation::Program> program_;
  const int processes_;
  std::atomic<bool> once_ = false;  // per batch
  Mutex mutex_;
  Condition returned_;
  std::vector<ChildPointer> idle_ GUARDED_BY(mutex_);
  int away_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> broken_ GUARDED_BY(mutex_);  // why
};

}  // namespace sluice
