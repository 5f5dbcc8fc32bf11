// See template_scan.h.
#include "pipeline/template_scan.h"

#include <cctype>

#include "base/text.h"

namespace sluice {
namespace {

// The index just after the quote that closes the one at `at`; a doubled quote does not close.
size_t AfterQuoted(std::string_view text, size_t at) {
  const char quote = text[at];
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] != quote) continue;
    if (i + 1 < text.size() && text[i + 1] == quote)
      ++i;
    else
      return i + 1;
  }
  return text.size();
}

// The index just after the `}}` of the `{{` at `at`; npos where there is none.
size_t AfterTemplate(std::string_view text, size_t at) {
  int depth = 0;
  for (size_t i = at + 2; i < text.size(); ++i) {
    if (text[i] == '\'' || text[i] == '"') {
      i = AfterQuoted(text, i) - 1;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}') {
      if (depth == 0) return text.substr(i, 2) == "}}" ? i + 2 : std::string_view::npos;
      --depth;
    }
  }
  return std::string_view::npos;
}

size_t AfterComment(std::string_view sql, size_t at) {
  const size_t end = sql.substr(at, 2) == "--" ? sql.find('\n', at) : sql.find("*/", at + 2);
  if (end == std::string_view::npos) return sql.size();
  return sql[end] == '*' ? end + 2 : end;
}

// The index just after $tag$ … $tag$; `at` where none begins there.
size_t AfterDollarQuoted(std::string_view sql, size_t at) {
  size_t end = at + 1;
  while (end < sql.size() &&
         (std::isalnum(static_cast<unsigned char>(sql[end])) || sql[end] == '_'))
    ++end;
  if (end >= sql.size() || sql[end] != '$' ||
      (end > at + 1 && std::isdigit(static_cast<unsigned char>(sql[at + 1]))))
    return at;
  const std::string_view tag = sql.substr(at, end + 1 - at);
  const size_t close = sql.find(tag, end + 1);
  return close == std::string_view::npos ? sql.size() : close + tag.size();
}

std::string Unescape(std::string_view literal) {
  std::string text;
  for (size_t i = 0; i < literal.size(); ++i) {
    text += literal[i];
    if (literal[i] == '\'' && i + 1 < literal.size() && literal[i + 1] == '\'') ++i;
  }
  return text;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<Piece> Run() {
    while (at_ < text_.size()) Next();
    Flush();
    return std::move(pieces_);
  }

 private:
  void Next() {
    const char c = text_[at_];
    const std::string_view two = text_.substr(at_, 2);
    if (two == "--" || two == "/*") {
      at_ = AfterComment(text_, at_);
    } else if (c == '\'') {
      Quoted(Piece::Kind::kInLiteral, AfterQuoted(text_, at_), 1);
    } else if (c == '"') {
      Quoted(Piece::Kind::kInName, AfterQuoted(text_, at_), 1);
    } else if (c == '$' && AfterDollarQuoted(text_, at_) > at_) {
      const size_t tag = text_.find('$', at_ + 1) + 1 - at_;
      Quoted(Piece::Kind::kInLiteral, AfterDollarQuoted(text_, at_), tag);
    } else if (two == "{{") {
      const size_t end = AfterTemplate(text_, at_);
      if (end == std::string_view::npos)
        Add(Piece::Kind::kOpen, text_.substr(at_), text_.size());
      else
        Add(Piece::Kind::kValue, text_.substr(at_ + 2, end - at_ - 4), end);
    } else {
      ++at_;
    }
  }
  void Quoted(Piece::Kind kind, size_t end, size_t mark) {
    const std::string_view whole = text_.substr(at_, end - at_);
    if (whole.find("{{") == std::string_view::npos) {
      at_ = end;
      return;
    }
    const std::string content =
        Unescape(whole.substr(mark, whole.size() < 2 * mark ? 0 : whole.size() - 2 * mark));
    const std::string_view trimmed = Trim(content);
    if (kind == Piece::Kind::kInLiteral && StartsWith(trimmed, "{{") &&
        AfterTemplate(trimmed, 0) == trimmed.size()) {
      Add(Piece::Kind::kValue, trimmed.substr(2, trimmed.size() - 4), end);
    } else {
      Add(kind, content, end);
    }
  }
  void Add(Piece::Kind kind, std::string_view content, size_t end) {
    Flush();
    pieces_.push_back({kind, std::string(content), at_});
    at_ = begun_ = end;
  }
  void Flush() {
    if (at_ > begun_)
      pieces_.push_back(
          {Piece::Kind::kText, std::string(text_.substr(begun_, at_ - begun_)), begun_});
    begun_ = at_;
  }

  std::string_view text_;
  size_t at_ = 0, begun_ = 0;
  std::vector<Piece> pieces_;
};

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

std::vector<Piece> ScanSql(std::string_view sql) { return Scanner(sql).Run(); }

std::vector<Piece> ScanText(std::string_view text) {
  std::vector<Piece> pieces;
  size_t begun = 0;
  for (size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", begun)) {
    if (at > begun)
      pieces.push_back({Piece::Kind::kText, std::string(text.substr(begun, at - begun)), begun});
    const size_t end = AfterTemplate(text, at);
    if (end == std::string_view::npos) {
      pieces.push_back({Piece::Kind::kOpen, std::string(text.substr(at)), at});
      return pieces;
    }
    pieces.push_back({Piece::Kind::kValue, std::string(text.substr(at + 2, end - at - 4)), at});
    begun = end;
  }
  if (begun < text.size())
    pieces.push_back({Piece::Kind::kText, std::string(text.substr(begun)), begun});
  return pieces;
}

std::string Concatenated(std::string_view literal) {
  std::vector<std::string> parts;
  for (const Piece& piece : ScanText(literal)) {
    parts.push_back(piece.kind == Piece::Kind::kValue ? "{{" + piece.text + "}}"
                                                      : QuoteLiteral(piece.text));
  }
  return Join(parts, " || ");
}

std::string QuoteIntervalNames(std::string_view expression) {
  std::string quoted;
  size_t at = 0;
  while (at < expression.size()) {
    const char c = expression[at];
    size_t end = at + 1;
    if (c == '\'' || c == '"') {
      end = AfterQuoted(expression, at);
    } else if (IsWord(c)) {
      while (end < expression.size() && (IsWord(expression[end]) || expression[end] == '.')) ++end;
    }
    const std::string_view token = expression.substr(at, end - at);
    if (StartsWith(ToLower(token), "interval."))
      quoted += "\"interval\"." + QuoteIdentifier(token.substr(9));
    else
      quoted += token;
    at = end;
  }
  return quoted;
}

}  // namespace sluice
