// `{{ cursor }}` in the query of an incremental extract: a hint by which the database may leave
// out early what the range does not hold.
//
// The rows of a range are bounded outside of the query, by the source's own conditions on the
// range's two ends; the hint can only take rows away. So it is a literal strictly below the first
// value that the range may read (`initial`, the position, or the position less the lookback), for
// which `>` and `>=` in the query mean the same. It is made of the frozen beginning of the range
// and of nothing else: a range that is read again after a kill sends the same text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connector/extract.h"

namespace sluice {

// Stands in the query where the literal goes; no text of a user's holds it by chance.
constexpr std::string_view kCursorMark =
    "\x1f"
    "cursor"
    "\x1f";

bool UsesCursor(const ExtractRequest& request);
// QueryOf with the literal in it.
std::string QueryWith(const ExtractRequest& request, std::string_view literal);

// Literals of `initial` under which the query is asked for its columns while the type of the
// cursor is not known: as the text that it is, then as the number or time that it looks like.
std::vector<std::string> UntypedLiterals(const std::string& initial);

// `ask` has the database make a value below `value`, which is that of `position`: a text without
// its last `shorter` characters, another value less one. nullopt: it says that this does not sort
// before `value`; under some collations the beginning of a text does not. kRejected where nothing
// is below.
using AskBelow = std::function<Result<std::optional<std::string>>(int64_t shorter)>;
Result<std::string> FindBelow(const ExtractRequest& request, const std::string& position,
                              const std::string& value, const AskBelow& ask);
// How a source's description goes on, for people.
std::string FirstHintText(std::string_view literal);
Error NoHint(const ExtractRequest& request, const std::string& column, const std::string& type);

// The UUID before it, written as it is; nullopt: it is the first.
std::optional<std::string> UuidBefore(std::string uuid);

// The query as the range is read that begins at one position: made for Freeze, and there for Open.
class QueryOfRange {  // one thread
 public:
  Result<std::string> From(const std::string& position,
                           const std::function<Result<std::string>()>& make) {
    if (!text_.empty() && position == position_) return text_;
    return Keep(position, TRY(make()));
  }
  const std::string& Keep(const std::string& position, std::string text) {
    position_ = position;
    return text_ = std::move(text);
  }

 private:
  std::string position_, text_;
};

}  // namespace sluice
