// See statement.h.
#include "connector/postgres/statement.h"

#include <cctype>

#include "base/text.h"

namespace sluice::postgres {
namespace {

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The end of what begins at `at` and is no place for a value: a quoted text, a comment,
// $tag$…$tag$; `at` where nothing of the kind begins.
size_t EndOfQuoted(const std::string& text, size_t at) {
  const auto after = [&](std::string_view what, size_t from) {
    const size_t found = text.find(what, from);
    return found == std::string::npos ? text.size() : found + what.size();
  };
  const char c = text[at];
  if (c == '\'' || c == '"') {
    const bool escapes = c == '\'' && at > 0 && (text[at - 1] == 'E' || text[at - 1] == 'e');
    for (size_t i = at + 1; i < text.size(); ++i) {
      if (escapes && text[i] == '\\')
        ++i;
      else if (text[i] == c)
        return i + 1;
    }
    return text.size();
  }
  if (text.compare(at, 2, "--") == 0) return after("\n", at);
  if (text.compare(at, 2, "/*") == 0) return after("*/", at + 2);
  if (c == '$') {
    size_t end = at + 1;
    while (end < text.size() && IsWord(text[end])) ++end;
    if (end < text.size() && text[end] == '$') return after(text.substr(at, end - at + 1), end + 1);
  }
  return at;
}

const sql::Bound* FindBound(const std::vector<sql::Bound>& bound, const std::string& name) {
  for (const sql::Bound& value : bound) {
    if (ToLower(value.name) == ToLower(name)) return &value;
  }
  return nullptr;
}

}  // namespace

std::string WithValues(const std::string& text, const std::vector<sql::Bound>& bound) {
  if (bound.empty()) return text;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (const size_t end = EndOfQuoted(text, at); end > at) {
      out += text.substr(at, end - at);
      at = end;
      continue;
    }
    size_t end = at + 1;
    if (text[at] == '$') {
      while (end < text.size() && IsWord(text[end])) ++end;
      if (const sql::Bound* value = FindBound(bound, text.substr(at + 1, end - at - 1))) {
        out += value->text ? QuoteLiteral(*value->text) : "NULL";
        at = end;
        // DuckDB's name of the type, which PostgreSQL does not know.
        if (text.compare(at, 11, " AS DOUBLE)") == 0) {
          out += " AS DOUBLE PRECISION)";
          at += 11;
        }
        continue;
      }
    }
    out += text.substr(at, end - at);
    at = end;
  }
  return out;
}

}  // namespace sluice::postgres
