// Text, in ASCII and UTF-8, independent of the locale.
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sluice {
namespace {

std::string Quote(std::string_view text, char quote) {
  std::string quoted;
  quoted.reserve(text.size() + 2);
  quoted += quote;
  for (const char c : text) {
    if (c == quote) quoted += quote;
    quoted += c;
  }
  return quoted += quote;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

char LowerOf(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The length of the part of a dotted name at the start of `text`, up to its dot or the end.
size_t PartLength(std::string_view text) {
  if (!text.empty() && text[0] == '"') {
    size_t at = 1;
    while (at < text.size()) {
      if (text[at] != '"') {
        ++at;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        at += 2;
      } else {
        break;
      }
    }
    const size_t end = at + 1;
    if (end == text.size() || (end < text.size() && text[end] == '.')) return end;
  }
  return std::min(text.find('.'), text.size());
}

bool IsQuotedPart(std::string_view part) {
  return part.size() >= 2 && part.front() == '"' && part.back() == '"';
}

// Edit distance where two neighbours that changed places count as one.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The length of the well-formed sequence that begins at `at`, or 0.
size_t SequenceLength(std::string_view bytes, size_t at) {
  const auto byte = [&](size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : static_cast<unsigned char>(0);
  };
  const unsigned char first = byte(at);
  const unsigned char second = byte(at + 1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return IsContinuation(second) ? 2 : 0;
  if (!IsContinuation(second) || !IsContinuation(byte(at + 2))) return 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && second < 0x90;
    const bool beyond = first == 0xF4 && second > 0x8F;
    return overlong || beyond || !IsContinuation(byte(at + 3)) ? 0 : 4;
  }
  return 0;
}

}  // namespace

std::string QuoteIdentifier(std::string_view name) { return Quote(name, '"'); }

std::string QuoteLiteral(std::string_view text) { return Quote(text, '\''); }

std::string QuoteTable(std::string_view dotted) {
  std::string quoted;
  while (true) {
    const std::string_view part = dotted.substr(0, PartLength(dotted));
    quoted += IsQuotedPart(part) ? std::string(part) : QuoteIdentifier(part);
    if (part.size() == dotted.size()) return quoted;
    quoted += '.';
    dotted.remove_prefix(part.size() + 1);
  }
}

std::string Join(std::span<const std::string> parts, std::string_view between) {
  return fmt::format("{}", fmt::join(parts, between));
}

std::vector<std::string> Split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), LowerOf);
  return lower;
}

bool StartsWith(std::string_view text, std::string_view prefix) { return text.starts_with(prefix); }

bool EndsWith(std::string_view text, std::string_view suffix) { return text.ends_with(suffix); }

std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> candidates) {
  const std::string lower = ToLower(word);
  const size_t limit = std::max<size_t>(1, word.size() / 3);
  size_t least = limit + 1;
  const std::string* nearest = nullptr;
  for (const std::string& candidate : candidates) {
    const size_t longer = std::max(candidate.size(), word.size());
    const size_t shorter = std::min(candidate.size(), word.size());
    if (longer - shorter >= least) continue;
    const size_t distance = EditDistance(lower, ToLower(candidate));
    if (distance < least) {
      least = distance;
      nearest = &candidate;
    }
  }
  if (nearest == nullptr) return std::nullopt;
  return *nearest;
}

uint64_t Hash64(std::string_view bytes, uint64_t seed) {
  uint64_t hash = seed;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211ULL;
  }
  return hash;
}

std::string Fingerprint(std::string_view bytes) { return fmt::format("{:016x}", Hash64(bytes)); }

bool ValidUtf8(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = SequenceLength(bytes, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string EscapeControl(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  const bool valid = ValidUtf8(text);
  for (size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    // U+0080 to U+009F are control characters too: a terminal takes U+009B for an escape.
    const bool c1 = byte == 0xC2 && at + 1 < text.size() &&
                    static_cast<unsigned char>(text[at + 1]) >= 0x80 &&
                    static_cast<unsigned char>(text[at + 1]) <= 0x9F;
    if (c1) {
      escaped += fmt::format("\\xC2\\x{:02X}", static_cast<unsigned char>(text[++at]));
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !valid)) {
      escaped += fmt::format("\\x{:02X}", byte);
    } else {
      escaped += text[at];
    }
  }
  return escaped;
}

}  // namespace sluice
