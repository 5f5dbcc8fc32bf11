// See letters.h.
#include "engine/letters.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace sluice {

Status RefuseStrict(const Flow& flow, const std::vector<Letter>& letters) {
  for (const Letter& letter : letters) {
    auto extract = std::find_if(flow.extracts.begin(), flow.extracts.end(),
                                [&](const PlannedExtract& e) { return e.step == letter.step; });
    const bool strict =
        std::find(flow.strict.begin(), flow.strict.end(), letter.step) != flow.strict.end();
    if (!strict && (extract == flow.extracts.end() || extract->on_row_error != OnRowError::kFail ||
                    letter.code == "null_time"))
      continue;
    std::string place = letter.partition.empty() ? letter.source : letter.partition;
    if (letter.line >= 0) place += fmt::format(":{}", letter.line);
    return Error{
        .kind = ErrorKind::kData,
        .message = fmt::format(
            "{}{}: {}\n  {}\n{} in all. Nothing was loaded of this epoch. To load "
            "the good rows and park the others: on_row_error: reject",
            strict ? fmt::format("step '{}': ", letter.step) : "", place, letter.message,
            EscapeControl(letter.original.substr(0, 200)),
            letters.size() == 1 ? "1 bad record" : fmt::format("{} bad records", letters.size())),
        .mark = {},
        .retry_after = {}};
  }
  return Ok();
}

}  // namespace sluice
