// Where `{{ }}` is in a text, without understanding more of SQL than its quotes and comments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice {

struct Piece {
  enum class Kind : uint8_t {
    kText,       // as it is
    kValue,      // `{{ … }}`: text is what is between the braces
    kInLiteral,  // a longer '…' with `{{ }}` inside: text is the literal without its quotes
    kInName,     // "…" with `{{ }}` inside
    kOpen,       // `{{` without its `}}`
  };
  Kind kind = Kind::kText;
  std::string text;
  size_t offset = 0;  // in the whole
};

std::vector<Piece> ScanSql(std::string_view sql);
std::vector<Piece> ScanText(std::string_view text);  // kText, kValue, kOpen

// 'abc {{ x }}' as it must be written: 'abc ' || {{ x }}.
std::string Concatenated(std::string_view literal);

// `interval.start` is no name to SQL: "interval"."start".
std::string QuoteIntervalNames(std::string_view expression);

}  // namespace sluice
