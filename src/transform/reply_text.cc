// See reply_text.h. Nearly all lines are objects: they are decoded where they lie. Any other line
// is judged by itself and blanked out.
#include "transform/reply_text.h"

#include <fmt/format.h>

#include <cstring>

#include "base/text.h"
#include "format/json_cursor.h"
#include "format/ndjson.h"

namespace sluice {
namespace {

constexpr std::string_view kErrorKey = "_sluice_error";
constexpr size_t kShownBytes = 200;
constexpr size_t kPadding = 64;

std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, kShownBytes));
  // Not in the middle of a character, if it is one.
  for (int i = 0; i < 3 && shown.size() < text.size() && !ValidUtf8(shown); ++i) shown.pop_back();
  return EscapeControl(shown) + (shown.size() < text.size() ? "…" : "");
}

// The text of {"_sluice_error": "…"}, if the line is that.
std::optional<std::string> ErrorIn(format::JsonCursor cursor) {
  std::string_view inside;
  bool escaped = false;
  cursor.Step();
  if (cursor.Peek() != '"' || !cursor.String(&inside, &escaped) || inside != kErrorKey)
    return std::nullopt;
  if (!cursor.Colon() || cursor.Peek() != '"' || !cursor.String(&inside, &escaped))
    return std::nullopt;
  std::string text(inside);
  if (escaped) format::Unescape(inside, text);
  return text;
}

// Whether the line could be an error rather than a row, at the price of a look.
bool MayBeError(std::string_view line) {
  return line.substr(0, kErrorKey.size() + 8).find(kErrorKey) != std::string_view::npos;
}

}  // namespace

ReplyText::ReplyText(const relation::Program& program) : program_(program) {
  std::vector<uint64_t> all;
  for (uint64_t i = 0; i < program.gives.size(); ++i) all.push_back(i);
  std::vector<std::string> others;
  for (const relation::Given& column : program.given) others.push_back(column.name);
  decoder_ = format::MakeStrictNdjsonDecoder(program.gives, all, std::move(others));
  block_.partition = "answers";
}

void ReplyText::Begin() {
  block_.bytes.clear();
  unfolded_.clear();
  lines_.clear();
  unfolded_lines_.clear();
}

Error ReplyText::NotRows(std::string_view line, std::string_view why) const {
  return RejectedError(
      fmt::format("step '{}': '{}' wrote a line that is no row ({}): '{}'; a line of its output is "
                  "a JSON object, an "
                  "array of them or null, and anything else goes to stderr",
                  program_.step, program_.shown, why, Shown(line)));
}

Status ReplyText::Sort(size_t from, std::span<const uint64_t> rows, sql::Replies& replies) {
  size_t at = from;
  for (const uint64_t row : rows) {
    const char* text = block_.bytes.data() + at;
    const void* feed = std::memchr(text, '\n', block_.bytes.size() - at);
    if (feed == nullptr) return InternalError("an answer has fewer lines than were counted");
    const size_t end = at + static_cast<size_t>(static_cast<const char*>(feed) - text);
    if (text[0] == '{' && !MayBeError({text, end - at}))
      lines_.push_back({at, row});
    else
      TRY(SortOther(at, end, row, replies));
    at = end + 1;
  }
  return Ok();
}

Status ReplyText::SortOther(size_t begin, size_t end, uint64_t row, sql::Replies& replies) {
  char* text = block_.bytes.data() + begin;
  const std::string_view line(text, end - begin);
  if (Trim(line).empty()) return NotRows(line, "an empty line");
  if (tokens_.Find(text, line.size()) != format::TokenFault::kNone)
    return NotRows(line, "it is not JSON");
  format::JsonCursor cursor(text, tokens_.begin(), tokens_.end(), text + line.size());
  if (cursor.Peek() == '{') {
    if (const auto error = ErrorIn(cursor)) {
      replies.Refuse(row, *error);
      std::memset(text, ' ', line.size());
    } else {
      lines_.push_back({begin, row});
    }
    return Ok();
  }
  std::string_view value;
  if (cursor.Peek() != '[') {
    if (!cursor.Value(&value) || !cursor.AtEnd()) return NotRows(line, "it is not JSON");
    if (value == "null") {
      replies.fates()[row] = sql::kNothing;
    } else {
      replies.Refuse(row, fmt::format("the answer is {}; it must be an object, an array of "
                                      "objects or null",
                                      Shown(value)));
    }
    std::memset(text, ' ', line.size());
    return Ok();
  }
  cursor.Step();
  bool objects = true, any = false;
  const size_t lines_before = unfolded_lines_.size();
  while (cursor.Peek() != ']') {
    objects = objects && cursor.Peek() == '{';
    if (!cursor.Value(&value)) return NotRows(line, "it is not JSON");
    any = true;
    unfolded_lines_.push_back({unfolded_.size(), row});
    unfolded_.insert(unfolded_.end(), value.begin(), value.end());
    unfolded_.push_back('\n');
    if (cursor.Peek() == ']') break;
    if (cursor.Peek() != ',') return NotRows(line, "it is not JSON");
    cursor.Step();
  }
  cursor.Step();
  if (!cursor.AtEnd()) return NotRows(line, "it is not JSON");
  if (!objects) {
    unfolded_.resize(unfolded_lines_[lines_before].offset);
    unfolded_lines_.resize(lines_before);
    replies.Refuse(row, fmt::format("the answer is {}; an array must hold objects", Shown(line)));
  } else if (!any) {
    replies.fates()[row] = sql::kNothing;
  }
  std::memset(text, ' ', line.size());
  return Ok();
}

Result<uint64_t> ReplyText::Decode(sql::Replies& replies) {
  for (const Line& line : unfolded_lines_)
    lines_.push_back({block_.bytes.size() + line.offset, line.row});
  block_.bytes.insert(block_.bytes.end(), unfolded_.begin(), unfolded_.end());
  block_.size = block_.bytes.size();
  block_.bytes.resize(block_.size + kPadding);
  if (lines_.empty()) return uint64_t{0};
  offsets_.resize(lines_.size());
  std::vector<Letter> letters;
  uint64_t at = 0, read = 0;
  const uint64_t rows =
      TRY(decoder_->Fill(block_, at, replies.Rows(lines_.size()), offsets_, read,
                         [&](Letter letter) { letters.push_back(std::move(letter)); }));
  // Each line became the next row or the next letter.
  uint64_t row = 0;
  size_t letter = 0;
  for (const Line& line : lines_) {
    const auto offset = static_cast<int64_t>(line.offset);
    if (letter < letters.size() && letters[letter].offset == offset) {
      if (letters[letter].code == "malformed")
        return NotRows(letters[letter].original, letters[letter].message);
      if (replies.fates()[line.row] == sql::kAnswered)
        replies.Refuse(line.row, letters[letter].message);
      ++letter;
      continue;
    }
    if (row >= rows || offsets_[row] != offset)
      return InternalError("answers and rows have come apart");
    if (replies.fates()[line.row] == sql::kAnswered) {
      sql::ListEntry& entry = replies.entries()[line.row];
      if (entry.length == 0) entry.offset = row;
      ++entry.length;
    }
    ++row;
  }
  replies.Filled(rows);
  uint64_t given = 0;
  for (const sql::ListEntry& entry : replies.entries()) given += entry.length;
  return given;
}

}  // namespace sluice
