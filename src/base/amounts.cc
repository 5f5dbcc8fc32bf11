// Durations and sizes as people write them. The arithmetic is in whole numbers, so what is written
// is what is meant: "0.1s" is exactly 100,000 microseconds, and what does not fit is refused.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace sluice {
namespace {

struct Unit {
  std::string_view name;
  uint64_t size;
};

constexpr std::array<Unit, 7> kTimeUnits = {{{"w", 604'800'000'000},
                                             {"d", 86'400'000'000},
                                             {"h", 3'600'000'000},
                                             {"m", 60'000'000},
                                             {"s", 1'000'000},
                                             {"ms", 1'000},
                                             {"us", 1}}};

constexpr std::array<Unit, 12> kByteUnits = {{{"", 1},
                                              {"b", 1},
                                              {"kb", 1'000},
                                              {"mb", 1'000'000},
                                              {"gb", 1'000'000'000},
                                              {"tb", 1'000'000'000'000},
                                              {"pb", 1'000'000'000'000'000},
                                              {"kib", 1ULL << 10},
                                              {"mib", 1ULL << 20},
                                              {"gib", 1ULL << 30},
                                              {"tib", 1ULL << 40},
                                              {"pib", 1ULL << 50}}};

constexpr size_t kMostDecimals = 9;

struct Amount {
  uint64_t whole = 0;
  uint64_t fraction = 0;  // over `scale`
  uint64_t scale = 1;
  std::string_view unit;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <class Predicate>
std::string_view TakeWhile(std::string_view& text, Predicate predicate) {
  size_t length = 0;
  while (length < text.size() && predicate(text[length])) ++length;
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

std::optional<uint64_t> ToNumber(std::string_view digits) {
  uint64_t number = 0;
  for (const char digit : digits) {
    if (__builtin_mul_overflow(number, 10ULL, &number)) return std::nullopt;
    if (__builtin_add_overflow(number, static_cast<uint64_t>(digit - '0'), &number))
      return std::nullopt;
  }
  return number;
}

// Takes "1.5 GB" off the front of `text`; nothing where it does not begin with a number that fits.
std::optional<Amount> TakeAmount(std::string_view& text) {
  Amount amount;
  const std::string_view whole = TakeWhile(text, IsDigit);
  const auto number = ToNumber(whole);
  if (whole.empty() || !number) return std::nullopt;
  amount.whole = *number;
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    const std::string_view decimals = TakeWhile(text, IsDigit);
    if (decimals.empty() || decimals.size() > kMostDecimals) return std::nullopt;
    amount.fraction = *ToNumber(decimals);
    for (size_t i = 0; i < decimals.size(); ++i) amount.scale *= 10;
  }
  text = Trim(text);
  amount.unit = TakeWhile(text, IsLetter);
  text = Trim(text);
  return amount;
}

std::optional<uint64_t> Times(const Amount& amount, uint64_t size) {
  uint64_t whole = 0, fraction = 0, sum = 0;
  if (__builtin_mul_overflow(amount.whole, size, &whole)) return std::nullopt;
  if (__builtin_mul_overflow(amount.fraction, size, &fraction)) return std::nullopt;
  if (__builtin_add_overflow(whole, fraction / amount.scale, &sum)) return std::nullopt;
  return sum;
}

Error NoDuration(std::string_view text) {
  return ConfigError(
      {}, fmt::format("'{}' is not a duration; write a number with a unit (us, ms, s, m, h, d, "
                      "w), the largest first, as in 90s, 5m or 1h30m",
                      EscapeControl(text)));
}

Error NoBytes(std::string_view text) {
  return ConfigError(
      {}, fmt::format("'{}' is not a size; write a number with B, KB, MB, GB, TB (thousands) or "
                      "KiB, MiB, GiB, TiB (1024), as in 512MB",
                      EscapeControl(text)));
}

// `value` with at most `decimals` digits after the point and no zeros at the end.
std::string Short(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

std::string FormatSeconds(uint64_t micros) {
  if (micros < 1'000) return fmt::format("{}us", micros);
  // 999,996 us would round to "1000ms": it goes to the larger unit.
  if (micros < 999'500)
    return Short(static_cast<double>(micros) / 1e3, micros < 10'000 ? 1 : 0) + "ms";
  return Short(static_cast<double>(micros) / 1e6, 2) + "s";
}

}  // namespace

Result<std::chrono::microseconds> ParseDuration(std::string_view text) {
  std::string_view rest = Trim(text);
  uint64_t total = 0;
  size_t next = 0;  // units come the largest first, each once
  if (rest.empty()) return NoDuration(text);
  while (!rest.empty()) {
    const auto amount = TakeAmount(rest);
    if (!amount) return NoDuration(text);
    while (next < kTimeUnits.size() && kTimeUnits[next].name != amount->unit) ++next;
    if (next == kTimeUnits.size()) return NoDuration(text);
    const auto micros = Times(*amount, kTimeUnits[next++].size);
    if (!micros || __builtin_add_overflow(total, *micros, &total)) return NoDuration(text);
  }
  if (total > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return NoDuration(text);
  return std::chrono::microseconds(static_cast<int64_t>(total));
}

std::string FormatDuration(std::chrono::microseconds duration) {
  const bool negative = duration.count() < 0;
  const uint64_t micros = negative ? 0 - static_cast<uint64_t>(duration.count())
                                   : static_cast<uint64_t>(duration.count());
  const std::string sign = negative ? "-" : "";
  if (micros == 0) return "0s";
  // 59.996 s and more would round to "60s".
  if (micros < 59'995'000) return sign + FormatSeconds(micros);
  uint64_t seconds = (micros + 500'000) / 1'000'000;
  std::string text = sign;
  for (const Unit& unit : kTimeUnits) {
    const uint64_t size = unit.size / 1'000'000;
    if (size == 0) break;
    if (unit.name == "w") continue;
    if (seconds >= size) text += fmt::format("{}{}", seconds / size, unit.name);
    seconds %= size;
  }
  return text;
}

Result<uint64_t> ParseBytes(std::string_view text) {
  std::string_view rest = Trim(text);
  const auto amount = TakeAmount(rest);
  if (!amount || !rest.empty()) return NoBytes(text);
  const std::string name = ToLower(amount->unit);
  for (const Unit& unit : kByteUnits) {
    if (unit.name != name) continue;
    const auto bytes = Times(*amount, unit.size);
    if (!bytes) return NoBytes(text);
    return *bytes;
  }
  return NoBytes(text);
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1'000) return fmt::format("{} B", bytes);
  constexpr std::array<std::string_view, 6> kNames = {"KB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1e3;
  size_t at = 0;
  while (value >= 999.5 && at + 1 < kNames.size()) {
    value /= 1e3;
    ++at;
  }
  return fmt::format("{} {}", Short(value, value < 99.95 ? 1 : 0), kNames[at]);
}

std::string FormatCount(uint64_t count) {
  std::string text = fmt::format("{}", count);
  for (size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

}  // namespace sluice
