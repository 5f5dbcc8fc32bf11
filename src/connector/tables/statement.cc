// See statement.h.
#include "connector/tables/statement.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace sluice::tables {
namespace {

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool IsBlank(char c) { return std::isspace(static_cast<unsigned char>(c)); }

// The end of the comment that begins at `at`; `at` where none does.
size_t EndOfComment(const std::string& text, size_t at, const Quoting& quoting) {
  const auto after = [&](std::string_view what, size_t from) {
    const size_t found = text.find(what, from);
    return found == std::string::npos ? text.size() : found + what.size();
  };
  // To MySQL 5--3 is 8.
  const bool dashes = text.compare(at, 2, "--") == 0 &&
                      (!quoting.hashes || at + 2 >= text.size() || IsBlank(text[at + 2]));
  if (dashes || (quoting.hashes && text[at] == '#')) return after("\n", at);
  return text.compare(at, 2, "/*") == 0 ? after("*/", at + 2) : at;
}

// As EndOfComment, of what is quoted too.
size_t EndOfQuoted(const std::string& text, size_t at, const Quoting& quoting) {
  const char c = text[at];
  if (quoting.quotes.find(c) == std::string_view::npos) return EndOfComment(text, at, quoting);
  const char end = c == '[' ? ']' : c;
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (quoting.backslashes && c != '`' && text[i] == '\\') {
      ++i;
    } else if (text[i] == end) {
      return i + 1;
    }
  }
  return text.size();
}

const sql::Bound* FindBound(const std::vector<sql::Bound>& bound, const std::string& name) {
  const auto found = std::find_if(bound.begin(), bound.end(), [&](const sql::Bound& value) {
    return ToLower(value.name) == ToLower(name);
  });
  return found == bound.end() ? nullptr : &*found;
}

// The end of " AS type)" at `at`; `at` where it is something else.
size_t EndOfCast(const std::string& text, size_t at, const std::string& type) {
  const std::string wanted = " AS " + type + ")";
  return text.compare(at, wanted.size(), wanted) == 0 ? at + wanted.size() : at;
}

}  // namespace

std::string WithValues(const std::string& text, const std::vector<sql::Bound>& bound,
                       const Quoting& quoting,
                       const std::function<std::string(const sql::Bound&)>& literal) {
  if (bound.empty()) return text;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = EndOfQuoted(text, at, quoting);
    if (end == at) {
      end = at + 1;
      if (text[at] == '$') {
        while (end < text.size() && IsWord(text[end])) ++end;
        if (const sql::Bound* value = FindBound(bound, text.substr(at + 1, end - at - 1))) {
          const size_t after = EndOfCast(text, end, value->type);
          if (after > end && EndsWith(out, "CAST(")) out.resize(out.size() - 5), end = after;
          out += literal(*value);
          at = end;
          continue;
        }
      }
    }
    out += text.substr(at, end - at);
    at = end;
  }
  return out;
}

std::vector<std::string> Beginnings(const std::string& text, const Quoting& quoting) {
  std::vector<std::string> beginnings;
  std::string words;
  int count = 0;  // words of this statement that have ended
  const auto finish = [&] {
    if (!words.empty()) beginnings.emplace_back(Trim(words));
    words.clear();
    count = 0;
  };
  for (size_t at = 0; at < text.size();) {
    if (text[at] == ';') {
      finish();
      ++at;
      continue;
    }
    const size_t comment = EndOfComment(text, at, quoting);
    const size_t end = comment > at ? comment : EndOfQuoted(text, at, quoting);
    if (comment > at || IsBlank(text[at])) {
      if (!words.empty() && words.back() != ' ') words += ' ', ++count;
      at = std::max(end, at + 1);
    } else if (end > at) {
      count = 2, at = end;
    } else {
      if (count < 2) words += static_cast<char>(std::toupper(static_cast<unsigned char>(text[at])));
      ++at;
    }
  }
  finish();
  return beginnings;
}

}  // namespace sluice::tables
