// See cursor.h.
#include "connector/cursor.h"

#include <fmt/format.h>

#include <array>
#include <cctype>

#include "base/text.h"
#include "connector/table_request.h"

namespace sluice {
namespace {

// Of a text: what collations put together are a few characters at most; then the empty text.
constexpr std::array<int64_t, 5> kShorter{1, 2, 3, 4, 1'000'000};

bool OnlyOf(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

}  // namespace

bool UsesCursor(const ExtractRequest& request) {
  return request.config.query.text.find(kCursorMark) != std::string::npos;
}

std::string QueryWith(const ExtractRequest& request, std::string_view literal) {
  std::string query = QueryOf(request);
  for (size_t at = 0; (at = query.find(kCursorMark, at)) != std::string::npos; at += literal.size())
    query.replace(at, kCursorMark.size(), literal);
  return query;
}

std::vector<std::string> UntypedLiterals(const std::string& initial) {
  std::vector<std::string> literals{QuoteLiteral(initial)};
  const bool date = initial.size() >= 10 && initial[4] == '-' && initial[7] == '-' &&
                    std::isdigit(static_cast<unsigned char>(initial[0]));
  if (!date && OnlyOf(initial, "0123456789+-.")) literals.push_back("(" + initial + ")");
  if (date) literals.push_back(fmt::format("CAST({} AS TIMESTAMP)", QuoteLiteral(initial)));
  return literals;
}

Result<std::string> FindBelow(const ExtractRequest& request, const std::string& position,
                              const std::string& value, const AskBelow& ask) {
  const IncrementalConfig& incremental = *request.config.incremental;
  const bool first = position.empty();
  for (const int64_t shorter : kShorter) {
    auto below = ask(shorter);
    if (!below.ok() && below.error().mark.line == 0 && first)
      return std::move(below).error().While("incremental: 'initial'").At(incremental.initial->mark);
    if (!below.ok()) return std::move(below).error();
    if (*below) return std::move(**below);
  }
  return RejectedError(
             fmt::format("{{{{ cursor }}}} must lie below '{0}', so that no row with it is lost, "
                         "and nothing sorts before it; {1}",
                         EscapeControl(value),
                         first ? "write an 'initial' that is the first value there is"
                               : "leave {{ cursor }} out of the query: what is read is bounded "
                                 "without it too"))
      .At(first ? incremental.initial->mark : incremental.cursor.mark);
}

std::string FirstHintText(std::string_view literal) {
  return fmt::format("{{{{ cursor }}}} is {} at first", literal);
}

Error NoHint(const ExtractRequest& request, const std::string& column, const std::string& type) {
  return ConfigError(
      request.config.query.mark,
      fmt::format("{{{{ cursor }}}}: '{}' is {}, of which no value below another can be written; "
                  "leave it out of the query: what is read is bounded without it too",
                  column, type));
}

std::optional<std::string> UuidBefore(std::string uuid) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (size_t i = uuid.size(); i-- > 0;) {
    const size_t digit = kDigits.find(static_cast<char>(std::tolower(uuid[i])));
    if (digit == std::string_view::npos) continue;
    uuid[i] = digit == 0 ? 'f' : kDigits[digit - 1];
    if (digit > 0) return uuid;
  }
  return std::nullopt;
}

}  // namespace sluice
