// Sorting DuckDB's messages by what the receiver must do. DuckDB has one type for different needs
// in three places, told apart by words that duckdb_facts_test.cc pins: transactions, I/O and what a
// function of ours raised.
#include "sql/classify.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "base/json_full.h"
#include "base/text.h"
#include "sql/database.h"

namespace sluice::sql {
namespace {

constexpr std::string_view kRaised = "sluice_raised[";  // sluice_raised[transient 1500] text

constexpr std::array kKinds{ErrorKind::kConfig,   ErrorKind::kData,      ErrorKind::kTransient,
                            ErrorKind::kRejected, ErrorKind::kUnsettled, ErrorKind::kCancelled,
                            ErrorKind::kInternal};

constexpr std::array<std::pair<std::string_view, ErrorKind>, 38> kTypes{{
    {"Parser", ErrorKind::kConfig},
    {"Syntax", ErrorKind::kConfig},
    {"Binder", ErrorKind::kConfig},
    {"Catalog", ErrorKind::kConfig},
    {"Planner", ErrorKind::kConfig},
    {"Expression", ErrorKind::kConfig},
    {"Not implemented", ErrorKind::kConfig},
    {"Unknown Type", ErrorKind::kConfig},
    {"Invalid type", ErrorKind::kConfig},
    {"Mismatch Type", ErrorKind::kConfig},
    {"Settings", ErrorKind::kConfig},
    {"Invalid Configuration", ErrorKind::kConfig},
    {"Parameter Not Resolved", ErrorKind::kConfig},
    {"Parameter Not Allowed", ErrorKind::kConfig},
    {"Missing Extension", ErrorKind::kConfig},
    {"Extension Autoloading", ErrorKind::kConfig},
    {"Out of Range", ErrorKind::kData},
    {"Conversion", ErrorKind::kData},
    {"Decimal", ErrorKind::kData},
    {"Divide by Zero", ErrorKind::kData},
    {"Object Size", ErrorKind::kData},
    {"Invalid Input", ErrorKind::kData},
    {"Connection", ErrorKind::kTransient},
    {"Network", ErrorKind::kTransient},
    {"HTTP", ErrorKind::kTransient},
    {"Constraint", ErrorKind::kRejected},
    {"Permission", ErrorKind::kRejected},
    {"Dependency", ErrorKind::kRejected},
    {"Sequence", ErrorKind::kRejected},
    {"Serialization", ErrorKind::kRejected},
    {"Out of Memory", ErrorKind::kRejected},
    {"INTERRUPT", ErrorKind::kCancelled},
    {"Interrupt", ErrorKind::kCancelled},
    {"FATAL", ErrorKind::kInternal},
    {"INTERNAL", ErrorKind::kInternal},
    {"Index", ErrorKind::kInternal},
    {"Executor", ErrorKind::kInternal},
    {"Optimizer", ErrorKind::kInternal},
}};

bool Has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

// The text between the first `from` and the last `to` after it.
std::string_view Between(std::string_view text, std::string_view from, std::string_view to) {
  const size_t start = text.find(from);
  if (start == std::string_view::npos) return {};
  const size_t end = text.find(to, start + from.size());
  if (end == std::string_view::npos) return {};
  return text.substr(start + from.size(), end - start - from.size());
}

int64_t NumberIn(std::string_view text, int64_t otherwise) {
  int64_t number = otherwise;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc() ? number : otherwise;
}

std::string TextAt(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool ReadJson(std::string_view message, Complaint& complaint) {
  const size_t brace = message.find("{\"exception_type\"");
  if (brace == std::string_view::npos) return false;
  auto json = ParseJson(message.substr(brace));
  if (!json.ok() || !json.value().is_object()) return false;
  complaint.type = TextAt(json.value(), "exception_type");
  complaint.text = TextAt(json.value(), "exception_message");
  complaint.position = NumberIn(TextAt(json.value(), "position"), -1);
  return true;
}

ErrorKind KindOfTransaction(std::string_view text) {
  // Two writers of one row or one key: the other one may be done at the next try.
  if (Has(text, "onflict") || Has(text, "onstraint violat")) return ErrorKind::kTransient;
  return Has(text, "Failed to commit") ? ErrorKind::kUnsettled : ErrorKind::kInternal;
}

ErrorKind KindOf(const Complaint& complaint) {
  if (complaint.type == "TransactionContext") return KindOfTransaction(complaint.text);
  if (complaint.type == "IO") {
    return LockHolder(complaint.text).empty() ? ErrorKind::kRejected : ErrorKind::kTransient;
  }
  for (const auto& [type, kind] : kTypes) {
    if (type == complaint.type) return kind;
  }
  return ErrorKind::kInternal;
}

// What one of our own functions raised, if it is that.
bool ReadRaised(std::string_view text, Error& error) {
  const size_t at = text.find(kRaised);
  if (at == std::string_view::npos) return false;
  const std::string_view tag = Between(text, kRaised, "] ");
  const size_t space = tag.find(' ');
  if (space == std::string_view::npos) return false;
  for (ErrorKind kind : kKinds) {
    if (NameOf(kind) != tag.substr(0, space)) continue;
    error.kind = kind;
    error.retry_after = std::chrono::milliseconds(NumberIn(tag.substr(space + 1), 0));
    error.message = text.substr(at + kRaised.size() + tag.size() + 2);
    return true;
  }
  return false;
}

}  // namespace

Complaint ReadComplaint(std::string_view message) {
  Complaint complaint;
  if (ReadJson(message, complaint)) return complaint;
  constexpr std::string_view kBetween = " Error: ";
  const size_t at = message.find(kBetween);
  if (at == std::string_view::npos || Has(message.substr(0, at), "\n")) {
    complaint.text = message;
    return complaint;
  }
  complaint.type = message.substr(0, at);
  complaint.text = message.substr(at + kBetween.size());
  return complaint;
}

ErrorKind Classify(std::string_view message) { return ErrorFrom(message).kind; }

// A message may show a whole record of the user's, however long.
static std::string ShortenLines(std::string_view text) {
  constexpr size_t kShown = 500;
  std::vector<std::string> lines = Split(text, '\n');
  for (std::string& line : lines) {
    if (line.size() <= kShown) continue;
    size_t end = kShown;
    while (end > 0 && (line[end] & 0xC0) == 0x80) --end;
    line = line.substr(0, end) + "…";
  }
  return Join(lines, "\n");
}

Error ErrorFrom(std::string_view message) {
  Error error;
  const Complaint complaint = ReadComplaint(message);
  if (ReadRaised(complaint.text, error)) return error;
  error.kind = KindOf(complaint);
  error.contended = complaint.type == "TransactionContext" && error.kind == ErrorKind::kTransient;
  error.message = ShortenLines(Trim(complaint.text));
  if (error.kind == ErrorKind::kCancelled) return CancelledError();
  if (complaint.type == "Out of Memory")
    error.message += "\nraise 'memory' or let the run spill to disk";
  return error;
}

std::string Raise(const Error& error) {
  return fmt::format("{}{} {}] {}", kRaised, NameOf(error.kind), error.retry_after.count(),
                     error.message);
}

std::string LockHolder(std::string_view text) {
  if (!Has(text, "Could not set lock on file")) return {};
  const std::string_view holder = Between(text, "Conflicting lock is held in ", ")");
  return holder.empty() ? "another process" : std::string(holder) + ")";
}

}  // namespace sluice::sql
