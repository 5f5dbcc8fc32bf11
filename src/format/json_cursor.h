// Walks the tokens of one line of JSON by the whole grammar (RFC 8259): every byte of the line is
// judged, whether its value is wanted or not. Inline, because it is the innermost loop of reading
// NDJSON.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice::format {

inline constexpr int kMaxJsonDepth = 1000;

inline bool IsJsonBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
inline bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool IsJsonNumber(std::string_view text);
// Whether the escapes of a string's inside are right: known letters, four hex digits, surrogates in
// pairs.
bool EscapesHold(std::string_view inside);
// The text of a string's inside. REQUIRES: EscapesHold(inside).
void Unescape(std::string_view inside, std::string& text);

class JsonCursor {
 public:
  // `token` … `last` are the tokens of the line that ends at `end` (no line feed in it).
  JsonCursor(const char* text, const uint32_t* token, const uint32_t* last, const char* end)
      : text_(text), token_(token), last_(last), end_(end) {}

  bool AtEnd() const { return token_ == last_; }
  const char* Here() const { return token_ == last_ ? end_ : text_ + *token_; }
  char Peek() const { return token_ == last_ ? '\0' : text_[*token_]; }
  void Step() { ++token_; }
  const char* fault() const { return fault_; }  // what was expected; null: nothing wrong
  const char* fault_at() const { return fault_at_; }
  bool Fail(const char* what) {
    if (!fault_) fault_ = what, fault_at_ = Here();
    return false;
  }

  // The token's own bytes: up to the next token, less blanks.
  std::string_view Token() const {
    const char* begin = text_ + *token_;
    const char* end = token_ + 1 == last_ ? end_ : text_ + token_[1];
    while (end - begin > 1 && IsJsonBlank(end[-1])) --end;
    return {begin, static_cast<size_t>(end - begin)};
  }
  // REQUIRES: Peek() == '"'. The inside of the string, escapes as written; steps over it.
  bool String(std::string_view* inside, bool* escaped) {
    const std::string_view token = Token();
    if (token.size() < 2 || token.back() != '"') return Fail("a closing quote was expected");
    *inside = token.substr(1, token.size() - 2);
    *escaped = std::memchr(inside->data(), '\\', inside->size()) != nullptr;
    if (*escaped && !EscapesHold(*inside)) return Fail("a string has a wrong escape");
    Step();
    return true;
  }
  // true, false, null or a number; steps over it.
  bool Scalar(std::string_view* scalar) {
    const std::string_view token = Token();
    const char first = token[0];
    const bool right = first == 't'   ? token == "true"
                       : first == 'f' ? token == "false"
                       : first == 'n' ? token == "null"
                                      : IsJsonNumber(token);
    if (!right) return Fail("a value was expected");
    *scalar = token;
    Step();
    return true;
  }
  bool Colon() {
    if (Peek() != ':') return Fail("':' was expected after a key");
    Step();
    return true;
  }
  // Judges and steps over a value of any kind. `raw` receives its bytes.
  bool Value(std::string_view* raw) {
    if (AtEnd()) return Fail("a value was expected");
    const char* begin = Here();
    const char c = *begin;
    bool escaped;
    if (c == '{' || c == '[') {
      if (!Nested()) return false;
      *raw = {begin, static_cast<size_t>(text_ + token_[-1] + 1 - begin)};
      return true;
    }
    if (c != '"') return Scalar(raw);
    if (!String(raw, &escaped)) return false;
    *raw = {begin, raw->size() + 2};
    return true;
  }

 private:
  // An object or array with all that is in it.
  bool Nested() {
    std::array<char, kMaxJsonDepth> open;
    int depth = 0;
    std::string_view ignored;
    bool escaped;
    for (;;) {
      char c = Peek();
      if (c == '{' || c == '[') {
        if (depth == kMaxJsonDepth) return Fail("values are nested deeper than 1000");
        open[static_cast<size_t>(depth++)] = c;
        Step();
        if (Peek() != (c == '{' ? '}' : ']')) {
          if (c == '{' && !Key()) return false;
          continue;
        }
        --depth;
        Step();
      } else if (c == '"') {
        if (!String(&ignored, &escaped)) return false;
      } else if (AtEnd()) {
        return Fail("the line ends inside a value");
      } else if (!Scalar(&ignored)) {
        return false;
      }
      for (;;) {  // after a value
        if (depth == 0) return true;
        const bool object = open[static_cast<size_t>(depth - 1)] == '{';
        c = Peek();
        if (c == ',') {
          Step();
          if (object && !Key()) return false;
          break;
        }
        if (AtEnd()) return Fail("the line ends inside a value");
        if (c != (object ? '}' : ']'))
          return Fail(object ? "',' or '}' was expected" : "',' or ']' was expected");
        --depth;
        Step();
      }
    }
  }
  bool Key() {
    std::string_view key;
    bool escaped;
    if (Peek() != '"') return Fail("a key in double quotes was expected");
    return String(&key, &escaped) && Colon();
  }

  const char* text_;
  const uint32_t* token_;
  const uint32_t* last_;
  const char* end_;
  const char* fault_ = nullptr;
  const char* fault_at_ = nullptr;
};

}  // namespace sluice::format
