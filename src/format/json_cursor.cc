// Numbers and escapes by the letter of RFC 8259.
#include "format/json_cursor.h"

#include <algorithm>

#include "base/hex.h"

namespace sluice::format {
namespace {

// The value of the four hex digits at the start, or -1.
int UnitOf(std::string_view text) {
  if (text.size() < 4) return -1;
  int unit = 0;
  for (size_t i = 0; i < 4; ++i) {
    const int digit = HexDigit(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool IsHighSurrogate(int unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool IsLowSurrogate(int unit) { return unit >= 0xDC00 && unit < 0xE000; }

void AppendUtf8(uint32_t point, std::string& text) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
    }
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

}  // namespace

bool IsJsonNumber(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto digits = [&] {
    const char* begin = at;
    while (at < end && IsDigit(*at)) ++at;
    return at > begin;
  };
  if (at < end && *at == '-') ++at;
  if (at < end && *at == '0') {
    ++at;
  } else if (!digits()) {
    return false;
  }
  if (at < end && *at == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at < end && (*at == '+' || *at == '-')) ++at;
    if (!digits()) return false;
  }
  return at == end;
}

bool EscapesHold(std::string_view inside) {
  for (size_t i = inside.find('\\'); i != std::string_view::npos; i = inside.find('\\', i)) {
    if (i + 1 == inside.size()) return false;
    const char letter = inside[i + 1];
    i += 2;
    if (letter != 'u') {
      if (std::string_view("\"\\/bfnrt").find(letter) == std::string_view::npos) return false;
      continue;
    }
    const int unit = UnitOf(inside.substr(i));
    if (unit < 0 || IsLowSurrogate(unit)) return false;
    i += 4;
    if (!IsHighSurrogate(unit)) continue;
    if (inside.substr(i, 2) != "\\u" || !IsLowSurrogate(UnitOf(inside.substr(i + 2)))) return false;
    i += 6;
  }
  return true;
}

void Unescape(std::string_view inside, std::string& text) {
  text.clear();
  for (size_t i = 0; i < inside.size();) {
    const size_t next = std::min(inside.find('\\', i), inside.size());
    text.append(inside.substr(i, next - i));
    if (next == inside.size()) return;
    const char letter = inside[next + 1];
    i = next + 2;
    switch (letter) {
      case 'b':
        text += '\b';
        break;
      case 'f':
        text += '\f';
        break;
      case 'n':
        text += '\n';
        break;
      case 'r':
        text += '\r';
        break;
      case 't':
        text += '\t';
        break;
      case 'u': {
        auto point = static_cast<uint32_t>(UnitOf(inside.substr(i)));
        i += 4;
        if (IsHighSurrogate(static_cast<int>(point))) {
          const auto low = static_cast<uint32_t>(UnitOf(inside.substr(i + 2)));
          point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
          i += 6;
        }
        AppendUtf8(point, text);
        break;
      }
      default:
        text += letter;
    }
  }
}

}  // namespace sluice::format
