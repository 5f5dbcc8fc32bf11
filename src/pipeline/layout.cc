// See layout.h. Lines are taken one by one: a line of its own gets its indentation from a stack of
// (column written, column given); a line that goes on (block text, a flow over several lines, a
// value in quotes) moves as far as the line that began it.
#include "pipeline/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "pipeline/project.h"

namespace sluice {
namespace {

size_t Indent(std::string_view line) {
  const size_t at = line.find_first_not_of(' ');
  return at == std::string_view::npos ? line.size() : at;
}

bool IsBlank(std::string_view line) { return line.find_first_not_of(" \t") == line.npos; }
bool IsComment(std::string_view line) {
  return !IsBlank(line) && line[line.find_first_not_of(" \t")] == '#';
}
bool EndsWord(std::string_view text, size_t at) {
  return at >= text.size() || text[at] == ' ' || text[at] == '\t';
}

std::string CommentOf(std::string_view comment) {  // begins with '#'
  size_t hashes = comment.find_first_not_of('#');
  if (hashes == std::string_view::npos) return std::string(comment);
  if (comment[hashes] == ' ' || comment[hashes] == '!') return std::string(comment);
  return std::string(comment.substr(0, hashes)) + " " + std::string(comment.substr(hashes));
}

// The rest of one line after its indentation, token by token. What stays open at its end (brackets,
// a quote) goes on in the next line.
class LineScanner {
 public:
  std::vector<char> brackets;
  char quote = 0;      // open at the end of the line
  bool block = false;  // `|` or `>`: the deeper lines below are text
  bool spaced = true;  // whether flows are spaced anew

  std::string Scan(std::string_view line) {
    line_ = line, at_ = 0, out_.clear();
    block = false;
    if (quote != 0) Quoted();
    while (at_ < line_.size()) {
      if (brackets.empty())
        Plain();
      else
        Flow();
    }
    while (!out_.empty() && (out_.back() == ' ' || out_.back() == '\t')) out_.pop_back();
    return out_;
  }

 private:
  void Quoted() {
    for (; at_ < line_.size(); ++at_) {
      out_ += line_[at_];
      if (quote == '"' && line_[at_] == '\\' && at_ + 1 < line_.size()) {
        out_ += line_[++at_];
      } else if (line_[at_] == quote) {
        if (quote == '\'' && at_ + 1 < line_.size() && line_[at_ + 1] == '\'') {
          out_ += line_[++at_];
          continue;
        }
        quote = 0, ++at_;
        return;
      }
    }
  }

  bool Comment() {
    if (line_[at_] != '#' || (at_ > 0 && line_[at_ - 1] != ' ' && line_[at_ - 1] != '\t'))
      return false;
    if (!out_.empty()) {
      while (!out_.empty() && out_.back() == ' ') out_.pop_back();
      const size_t gap = at_ - (line_.find_last_not_of(" \t", at_ - 1) + 1);
      out_ += std::string(std::max<size_t>(gap, 2), ' ');
    }
    out_ += CommentOf(line_.substr(at_));
    at_ = line_.size();
    return true;
  }

  void Open(char bracket) {
    out_ += bracket;
    brackets.push_back(bracket);
    ++at_;
    SkipSpaces();
    const bool empty = at_ < line_.size() && (line_[at_] == '}' || line_[at_] == ']');
    if (spaced && bracket == '{' && !empty && at_ < line_.size() && line_[at_] != '#') out_ += ' ';
    if (!spaced) Keep();
  }

  void Close(char bracket) {
    if (spaced) {
      while (!out_.empty() && out_.back() == ' ') out_.pop_back();
      if (bracket == '}' && !out_.empty() && out_.back() != '{') out_ += ' ';
    }
    out_ += bracket;
    brackets.pop_back();
    ++at_;
  }

  void SkipSpaces() {
    skipped_ = at_;
    while (at_ < line_.size() && line_[at_] == ' ') ++at_;
  }
  void Keep() { out_ += line_.substr(skipped_, at_ - skipped_); }

  // Inside brackets: a plain value ends at , : [ ] { } and at a comment.
  void Flow() {
    const char c = line_[at_];
    if (c == ' ' || c == '\t') {
      SkipSpaces();
      if (at_ == skipped_) ++at_;  // a tab: the comparison refuses what it changes
      if (at_ < line_.size() && line_[at_] == '#' && Comment()) return;
      if (!spaced) return Keep();
      if (!out_.empty() && out_.back() != ' ' && out_.back() != '[') out_ += ' ';
      return;
    }
    if (c == '{' || c == '[') return Open(c);
    if (c == '}' || c == ']') return Close(c);
    if (c == '"' || c == '\'') {
      if (StartsValue()) {
        quote = c;
        out_ += c, ++at_;
        return Quoted();
      }
    }
    if (c == ',') {
      if (spaced) {
        while (!out_.empty() && out_.back() == ' ') out_.pop_back();
      }
      out_ += c, ++at_;
      if (spaced && at_ < line_.size() && line_[at_] != ' ') out_ += ' ';
      return;
    }
    if (Comment()) return;
    out_ += c, ++at_;
  }

  bool StartsValue() const {
    const size_t last = out_.find_last_not_of(' ');
    return last == std::string::npos ||
           std::string_view(",[{:").find(out_[last]) != std::string::npos;
  }

  // Outside brackets: `- `, `key: `, then a value up to the end of the line.
  void Plain() {
    if (Comment()) return;
    const char c = line_[at_];
    const bool start = out_.empty() || out_.back() == ' ';
    if (start && value_may_begin_ && (c == '{' || c == '[')) return Open(c);
    if (start && value_may_begin_ && (c == '"' || c == '\'')) {
      quote = c;
      out_ += c, ++at_;
      Quoted();
      value_may_begin_ = false;
      return;
    }
    if (start && value_may_begin_ && (c == '|' || c == '>')) {
      block = true;
      while (at_ < line_.size() && line_[at_] != ' ') out_ += line_[at_++];
      return;
    }
    if (c == ':' && EndsWord(line_, at_ + 1)) {
      while (!out_.empty() && out_.back() == ' ') out_.pop_back();
      value_may_begin_ = true;
      out_ += c, ++at_;
      return;
    }
    if (c != ' ' && !(c == '-' && EndsWord(line_, at_ + 1))) value_may_begin_ = false;
    out_ += c, ++at_;
  }

 public:
  void BeginLine() { value_may_begin_ = true; }

 private:
  std::string_view line_;
  size_t at_ = 0, skipped_ = 0;
  bool value_may_begin_ = true;
  std::string out_;
};

class Layouter {
 public:
  explicit Layouter(bool spaced) { scanner_.spaced = spaced; }

  std::string Run(std::string_view text) {
    std::vector<std::string> lines = Split(text, '\n');
    for (size_t i = 0; i < lines.size(); ++i) {
      std::string_view line = lines[i];
      if (EndsWith(line, "\r")) line.remove_suffix(1);
      Take(line, i + 1 == lines.size());
    }
    Flush(0, 0);
    while (!out_.empty() && out_.back() == '\n') out_.pop_back();
    return out_ + "\n";
  }

 private:
  struct Level {
    size_t written, given;
  };

  void Take(std::string_view line, bool last) {
    if (in_block_) {
      if (IsBlank(line) && !last) {
        held_.emplace_back(line);
        return;
      }
      if (!IsBlank(line) && Indent(line) > block_parent_) return Continue(line);
      in_block_ = false;
      const auto blank = std::move(held_);
      held_.clear();
      if (!blank.empty()) held_.push_back("");
    }
    if (scanner_.quote != 0 || !scanner_.brackets.empty()) return GoOn(line);
    if (IsBlank(line) || IsComment(line)) {
      held_.emplace_back(line);
      return;
    }
    Own(line);
  }

  // A line of block text, as it is, moved.
  void Continue(std::string_view line) {
    const size_t at = Indent(line);
    for (const std::string& blank : held_)
      out_ += std::string(blank.size() > at ? Moved(blank.size()) : 0, ' ') + "\n";
    held_.clear();
    out_ += std::string(Moved(at), ' ') + std::string(line.substr(at)) + "\n";
  }

  // A line inside brackets or quotes.
  void GoOn(std::string_view line) {
    if (IsBlank(line)) {
      out_ += "\n";
      return;
    }
    const size_t at = line.find_first_not_of(" \t");
    out_ += std::string(Moved(at), ' ') + scanner_.Scan(line.substr(at)) + "\n";
  }

  size_t Moved(size_t at) const {
    return static_cast<size_t>(std::max<int64_t>(static_cast<int64_t>(at) + shift_, 0));
  }

  void Own(std::string_view line) {
    const size_t written = Indent(line);
    size_t given = Place(written, [this](size_t w, size_t g) { Flush(w, g); });
    std::string begun(given, ' ');
    size_t at = written;
    shift_ = static_cast<int64_t>(given) - static_cast<int64_t>(written);
    while (line[at] == '-' &&
           EndsWord(line, at + 1)) {  // items: what follows is a level of its own
      begun += "-";
      size_t next = line.find_first_not_of(' ', at + 1);
      if (next == std::string_view::npos || line[next] == '#') {
        at = at + 1;
        break;
      }
      begun += " ";
      given += 2;
      levels_.push_back({next, given});
      at = next;
      shift_ = static_cast<int64_t>(given) - static_cast<int64_t>(at);
    }
    scanner_.BeginLine();
    std::string rest = scanner_.Scan(line.substr(at));
    out_ += begun + rest + "\n";
    if (scanner_.block) {
      in_block_ = true;
      // The text below belongs to the key or item of this line.
      block_parent_ = levels_.empty() ? written : levels_.back().written;
      if (IsItemAlone(line.substr(written))) block_parent_ = levels_[levels_.size() - 2].written;
    }
  }

  // `- |`: the text is the item's, so it may begin under the dash.
  static bool IsItemAlone(std::string_view line) {
    size_t at = line.find_first_not_of("- ");
    return line[0] == '-' && at != std::string_view::npos && (line[at] == '|' || line[at] == '>');
  }

  template <class BeforeDedent>
  size_t Place(size_t written, BeforeDedent flush) {
    std::vector<Level> before = levels_;
    while (!levels_.empty() && levels_.back().written > written) levels_.pop_back();
    if (levels_.empty() || levels_.back().written < written) {
      const size_t given = levels_.empty() ? 0 : levels_.back().given + 2;
      levels_.push_back({written, given});
    }
    const size_t given = levels_.back().given;
    std::swap(before, levels_);
    flush(written, given);
    std::swap(before, levels_);
    return given;
  }

  // Comments and blank lines before a line that was written at `written` and goes to `given`.
  void Flush(size_t written, size_t given) {
    for (const std::string& line : held_) {
      if (IsBlank(line)) {
        if (!out_.empty() && !EndsWith(out_, "\n\n")) out_ += "\n";
        continue;
      }
      const size_t at = line.find_first_not_of(" \t");
      size_t column = given;
      if (at != written) {
        for (const Level& level : levels_) {
          if (level.written == at) column = level.given;
        }
      }
      std::string comment = CommentOf(std::string_view(line).substr(at));
      comment.erase(comment.find_last_not_of(" \t") + 1);
      out_ += std::string(column, ' ') + comment + "\n";
    }
    held_.clear();
  }

  LineScanner scanner_;
  std::vector<Level> levels_;
  std::vector<std::string> held_;
  std::string out_;
  int64_t shift_ = 0;
  bool in_block_ = false;
  size_t block_parent_ = 0;
};

bool Same(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.scalar != b.scalar || a.quoted != b.quoted) return false;
  if (a.list.size() != b.list.size() || a.map.size() != b.map.size()) return false;
  for (size_t i = 0; i < a.list.size(); ++i) {
    if (!Same(a.list[i], b.list[i])) return false;
  }
  for (size_t i = 0; i < a.map.size(); ++i) {
    if (!Same(a.map[i].key, b.map[i].key) || !Same(a.map[i].value, b.map[i].value)) return false;
  }
  return true;
}

}  // namespace

Result<std::string> LayOut(std::string_view text, const std::string& file) {
  const Node before = TRY(ParseYaml(text, file));
  for (const bool spaced : {true, false}) {
    std::string laid = Layouter(spaced).Run(text);
    const auto after = ParseYaml(laid, file);
    if (!after.ok() || !Same(before, *after)) continue;
    if (Layouter(spaced).Run(laid) != laid) continue;
    return laid;
  }
  return RejectedError(fmt::format(
      "'{}' has a layout that cannot be changed without changing its meaning; it stays as it is",
      file));
}

size_t AfterBracket(std::string_view text, size_t open) {
  size_t depth = 0;
  char quote = 0;
  for (size_t at = open; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (quote == '"' && c == '\\')
        ++at;
      else if (c == quote)
        quote = 0;
    } else if (c == '"' || c == '\'') {
      const size_t before = text.find_last_not_of(" \n", at - 1);
      if (std::string_view(",[{:").find(text[before]) != std::string_view::npos) quote = c;
    } else if (c == '#' && at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\n')) {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace sluice
