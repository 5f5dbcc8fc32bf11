// See program_pool.h.
#include "transform/program_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr std::chrono::seconds kStartTime{60};  // to import what it imports
constexpr std::chrono::seconds kSilence{2};     // of a command that holds its answers back
constexpr std::chrono::seconds kParting{1};
constexpr std::chrono::milliseconds kGlance{100};
constexpr uint64_t kToTheEnd = std::numeric_limits<uint64_t>::max();
constexpr size_t kShownRow = 200;
constexpr size_t kShownComplaints = 2000;

// The last lines, at most so many bytes.
std::string Last(std::string_view text) {
  text = Trim(text);
  if (text.empty()) return "";
  if (text.size() > kShownComplaints) {
    text.remove_prefix(text.size() - kShownComplaints);
    text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
  }
  std::vector<std::string> lines = Split(text, '\n');
  for (std::string& line : lines) line = "  " + EscapeControl(line);
  return Join(lines, "\n");
}

}  // namespace

ProgramPool::ProgramPool(std::shared_ptr<const relation::Program> program, int processes)
    : program_(std::move(program)), processes_(std::max(processes, 1)) {}

Error ProgramPool::Broken(ErrorKind kind, const std::string& what, Child& child) const {
  std::string message = fmt::format("step '{}': '{}' {}", program_->step, program_->shown, what);
  const std::string complaints = Last(child.complaints());
  if (!complaints.empty()) message += "\nit said on stderr:\n" + complaints;
  return {.kind = kind, .message = std::move(message), .mark = {}, .retry_after = {}};
}

std::string ProgramPool::RowAt(const Asked& asked, uint64_t row) const {
  if (row >= asked.starts.size()) return "";
  const size_t begin = asked.starts[row];
  size_t end = row + 1 < asked.starts.size() ? asked.starts[row + 1] : asked.text.size();
  while (end > begin && std::string_view(",]\n").find(asked.text[end - 1]) != std::string::npos)
    --end;
  std::string text(asked.text.substr(begin, std::min(end - begin, kShownRow)));
  while (!text.empty() && !ValidUtf8(text)) text.pop_back();
  return text + (text.size() < end - begin ? "…" : "");
}

Result<ProgramPool::ChildPointer> ProgramPool::Start(const std::stop_token& stop) const {
  auto started = Child::Start(program_->command, program_->folder, ChildLimits{});
  if (!started.ok()) return std::move(started).While(fmt::format("step '{}'", program_->step));
  ChildPointer child = std::move(*started);
  if (!program_->IsPython()) return child;
  std::vector<char> said;
  const auto answer =
      TRY(child->Say({.say = program_->opening, .lines = 1, .timeout = kStartTime}, said, stop));
  if (answer.end == Child::End::kTooLate) {
    return Broken(ErrorKind::kTransient,
                  fmt::format("was not ready after {}", FormatDuration(kStartTime)), *child);
  }
  if (answer.end != Child::End::kAnswered) {
    const std::string ended = child->HowItEnded();
    return Broken(ErrorKind::kRejected, fmt::format("could not be loaded ({})", ended), *child);
  }
  auto json = ParseJson(Trim({said.data(), said.size()}));
  if (!json.ok()) return Broken(ErrorKind::kRejected, "could not be loaded", *child);
  if (json->is_object()) {
    return Broken(ErrorKind::kRejected,
                  fmt::format("could not be loaded: {}", json->value("_sluice_error", "")), *child);
  }
  return child;
}

Status ProgramPool::Ready(const std::stop_token& stop) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (broken_ || once_ || static_cast<int>(idle_.size()) >= processes_) return Ok();
    }
    ChildPointer child = TRY(Start(stop));
    MutexLock lock(mutex_);
    idle_.push_back(std::move(child));
  }
}

// Null where each batch has a process of its own.
Result<ProgramPool::ChildPointer> ProgramPool::Borrow(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  returned_.wait(mutex_, stop, [this]() REQUIRES_LOCK(mutex_) {
    return broken_.has_value() || !idle_.empty() || (once_ && away_ < processes_);
  });
  if (stop.stop_requested()) return CancelledError();
  // Which of the waiting threads DuckDB hears first does not matter then.
  if (broken_) return *broken_;
  ++away_;
  if (once_ || idle_.empty()) return ChildPointer();
  ChildPointer child = std::move(idle_.back());
  idle_.pop_back();
  return child;
}

void ProgramPool::Return(ChildPointer child) {
  {
    MutexLock lock(mutex_);
    --away_;
    if (child != nullptr) idle_.push_back(std::move(child));
  }
  returned_.notify_all();
}

Status ProgramPool::Ask(std::string_view text, std::span<const size_t> starts,
                        std::vector<char>& into, const std::stop_token& stop) {
  const Asked asked{text, starts};
  ChildPointer child = TRY(Borrow(stop));
  Status done = child == nullptr ? AskOnce(asked, into, stop) : AskKept(asked, child, into, stop);
  if (!done.ok()) {
    MutexLock lock(mutex_);
    if (!broken_) broken_ = done.error();
  }
  Return(std::move(child));
  return done;
}

Status ProgramPool::AskKept(const Asked& asked, ChildPointer& child, std::vector<char>& into,
                            const std::stop_token& stop) {
  const uint64_t rows = asked.starts.size();
  const size_t from = into.size();
  if (child->HasWritten()) return Unasked(*child);
  Child::Answer answer =
      TRY(child->Say({.say = asked.text,
                      .lines = rows,
                      .timeout = program_->timeout,
                      .silence = program_->IsPython() ? std::chrono::seconds(0) : kSilence},
                     into, stop));
  if (answer.end == Child::End::kSilent) {
    child->CloseInput();
    const auto rest =
        TRY(child->Say({.say = {}, .lines = kToTheEnd, .timeout = program_->timeout}, into, stop));
    answer = {rest.end, answer.lines + rest.lines};
    TRY(Judge(asked, answer, *child));
    once_ = true;
    child.reset();
    return Ok();
  }
  if (answer.end == Child::End::kAnswered &&
      (answer.lines > rows || (into.size() > from && into.back() != '\n')))
    return TooMany(rows, *child);
  return Judge(asked, answer, *child);
}

Status ProgramPool::AskOnce(const Asked& asked, std::vector<char>& into,
                            const std::stop_token& stop) {
  ChildPointer child = TRY(Start(stop));
  const auto answer = TRY(child->Say({.say = asked.text,
                                      .lines = kToTheEnd,
                                      .input = Child::Input::kEnds,
                                      .timeout = program_->timeout},
                                     into, stop));
  return Judge(asked, answer, *child);
}

Error ProgramPool::TooMany(uint64_t rows, Child& child) const {
  return Broken(ErrorKind::kRejected,
                fmt::format("wrote more than the {} that {} row(s) ask for; it must write exactly "
                            "one line for each line that it reads, and several rows as an array",
                            rows == 1 ? "line" : "lines", rows),
                child);
}

Error ProgramPool::Unasked(Child& child, std::string_view said) const {
  std::vector<char> more;
  if (said.empty()) {
    const auto ignored = child.Say({.say = {}, .lines = 1, .timeout = kGlance}, more, {});
    (void)ignored;
    said = {more.data(), more.size()};
  }
  said = said.substr(0, std::min(said.find('\n'), kShownRow));
  return Broken(ErrorKind::kRejected,
                fmt::format("wrote what nobody asked for: '{}'; it must write exactly one line for "
                            "each line that it reads, and anything else to stderr",
                            EscapeControl(said)),
                child);
}

// Whether what came is one line for each row; else what is to be said about it.
Status ProgramPool::Judge(const Asked& asked, Child::Answer answer, Child& child) {
  const uint64_t rows = asked.starts.size();
  const std::string progress =
      fmt::format("{} of {} rows answered; the next: {}", std::min(answer.lines, rows), rows,
                  RowAt(asked, answer.lines));
  switch (answer.end) {
    case Child::End::kAnswered:
    case Child::End::kSilent:
      return Ok();
    case Child::End::kClosed: {
      if (answer.lines == rows) return Ok();
      if (answer.lines > rows) return TooMany(rows, child);
      const std::string ended = child.HowItEnded();
      if (ended == "exit code 0") {
        return Broken(ErrorKind::kRejected,
                      fmt::format("ended too early ({}); it must write one line for each line that "
                                  "it reads, null for a row to drop",
                                  progress),
                      child);
      }
      return Broken(ErrorKind::kTransient, fmt::format("broke off: {} ({})", ended, progress),
                    child);
    }
    case Child::End::kTooLate:
      return Broken(ErrorKind::kTransient,
                    fmt::format("took longer than {} for a batch and was killed ({}); raise "
                                "timeout: or lower batch_size:",
                                FormatDuration(program_->timeout), progress),
                    child);
    case Child::End::kLongLine:
      return Broken(ErrorKind::kRejected,
                    fmt::format("wrote a line of more than {} ({})",
                                FormatBytes(Child::Talk{}.line_bytes), progress),
                    child);
    case Child::End::kTooMuch:
      return Broken(ErrorKind::kRejected,
                    fmt::format("wrote more than {} for one batch; lower batch_size: ({})",
                                FormatBytes(Child::Talk{}.bytes), progress),
                    child);
  }
  return Ok();
}

Status ProgramPool::Rest(Then then, const std::stop_token& stop) {
  std::vector<ChildPointer> children;
  {
    MutexLock lock(mutex_);
    children = std::exchange(idle_, {});
  }
  for (ChildPointer& child : children) {
    if (child->HasWritten()) return Unasked(*child);
    if (then == Then::kGoesOn || program_->IsPython()) continue;
    std::vector<char> left;
    child->CloseInput();
    TRY(child->Say({.say = {}, .lines = 1, .timeout = kParting}, left, stop));
    if (!left.empty()) return Unasked(*child, {left.data(), left.size()});
  }
  if (then == Then::kIsOver) return Ok();
  MutexLock lock(mutex_);
  idle_ = std::move(children);
  return Ok();
}

}  // namespace sluice
