// One layout for pipeline files and sluice.yml: two spaces a level, `{ a: 1, b: [x, y] }`, comments
// and order as they were written.
//
// Invariant: the text means what it meant before. The result is parsed again and compared with the
// original, so that a case the scanner does not know is refused, never changed.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice {

Result<std::string> LayOut(std::string_view text, const std::string& file);

// The byte after the bracket that closes the one at `open` (a flow map or list), quotes and
// comments skipped; npos where there is none.
size_t AfterBracket(std::string_view text, size_t open);

}  // namespace sluice
