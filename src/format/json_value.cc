// Reals, dates and times out of text. The calendar is the proleptic Gregorian one.
#include "format/json_value.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace sluice::format {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerDay = 86400 * kMicrosPerSecond;
constexpr std::array<double, 23> kPowersOfTen{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Days since 1970 of a date that exists (Howard Hinnant's days_from_civil).
int64_t DaysOf(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto of_era = static_cast<unsigned>(year - era * 400);
  const unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

unsigned LastDayOf(int64_t year, unsigned month) {
  if (month != 2) return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool AtEnd() const { return at_ == end_; }
  char Peek() const { return at_ < end_ ? *at_ : '\0'; }
  bool Take(char c) {
    if (Peek() != c || at_ == end_) return false;
    ++at_;
    return true;
  }
  // Between `least` and `most` digits.
  template <class T>
  bool Digits(int least, int most, T* value) {
    int count = 0;
    *value = 0;
    for (; count < most && IsDigit(Peek()); ++count)
      *value = *value * 10 + static_cast<T>(*at_++ - '0');
    return count >= least;
  }
  void SkipBlanks() {
    while (Peek() == ' ') ++at_;
  }

 private:
  const char* at_;
  const char* end_;
};

ValueFault ReadDate(Reader& reader, int64_t* days) {
  int64_t year;
  unsigned month, day;
  if (!reader.Digits(4, 6, &year)) return ValueFault::kType;
  const char between = reader.Peek();
  if (between != '-' && between != '/') return ValueFault::kType;
  if (!reader.Take(between) || !reader.Digits(1, 2, &month)) return ValueFault::kType;
  if (!reader.Take(between) || !reader.Digits(1, 2, &day)) return ValueFault::kType;
  if (month < 1 || month > 12 || day < 1 || day > LastDayOf(year, month)) return ValueFault::kRange;
  if (year > 290000) return ValueFault::kRange;
  *days = DaysOf(year, month, day);
  return ValueFault::kNone;
}

// "10:20[:30[.123]]" as microseconds of the day; digits past the sixth are cut off, as DuckDB does.
ValueFault ReadTime(Reader& reader, int64_t* micros) {
  int64_t hour, minute, second = 0, fraction = 0;
  if (!reader.Digits(1, 2, &hour) || !reader.Take(':') || !reader.Digits(2, 2, &minute))
    return ValueFault::kType;
  if (reader.Take(':')) {
    if (!reader.Digits(2, 2, &second)) return ValueFault::kType;
    if (reader.Take('.')) {
      int64_t scale = 100'000, digit;
      bool any = false;
      for (; reader.Digits(1, 1, &digit); scale /= 10, any = true) fraction += digit * scale;
      if (!any) return ValueFault::kType;
    }
  }
  if (hour > 23 || minute > 59 || second > 59) return ValueFault::kRange;
  *micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + fraction;
  return ValueFault::kNone;
}

// Nothing, "Z", "UTC" or "±hh[[:]mm]": what to subtract.
ValueFault ReadZone(Reader& reader, int64_t* micros) {
  *micros = 0;
  reader.SkipBlanks();
  if (reader.AtEnd() || ((reader.Take('Z') || reader.Take('z')) && reader.AtEnd()))
    return ValueFault::kNone;
  if (reader.Take('U')) {
    return reader.Take('T') && reader.Take('C') && reader.AtEnd() ? ValueFault::kNone
                                                                  : ValueFault::kType;
  }
  const bool east = reader.Take('+');
  if (!east && !reader.Take('-')) return ValueFault::kType;
  int64_t hours, minutes = 0;
  if (!reader.Digits(2, 2, &hours)) return ValueFault::kType;
  const bool colon = reader.Take(':');
  if ((colon || !reader.AtEnd()) && !reader.Digits(2, 2, &minutes)) return ValueFault::kType;
  if (!reader.AtEnd()) return ValueFault::kType;
  if (hours > 15 || minutes > 59) return ValueFault::kRange;
  *micros = (hours * 60 + minutes) * 60 * kMicrosPerSecond * (east ? 1 : -1);
  return ValueFault::kNone;
}

}  // namespace

ValueFault WholeOfReal(std::string_view text, bool* negative, uint64_t* magnitude) {
  if (!IsJsonNumber(text)) return ValueFault::kType;
  *negative = text[0] == '-';
  if (*negative) text.remove_prefix(1);
  // The digits without the point, and where the point then stands.
  const size_t mark = std::min(text.find_first_of("eE"), text.size());
  const size_t point = std::min(text.find('.'), mark);
  std::string digits(text.substr(0, point));
  if (point < mark) digits += text.substr(point + 1, mark - point - 1);
  long exponent = 0;
  if (mark < text.size()) {
    std::string_view written = text.substr(mark + 1);
    if (written[0] == '+') written.remove_prefix(1);
    if (std::from_chars(written.data(), written.data() + written.size(), exponent).ec !=
        std::errc()) {
      return ValueFault::kRange;
    }
  }
  while (!digits.empty() && digits.back() == '0' && digits.size() > point) digits.pop_back();
  const size_t leading = std::min(digits.find_first_not_of('0'), digits.size());
  *magnitude = 0;
  if (leading == digits.size()) return ValueFault::kNone;
  const long whole = exponent > 1'000'000 || exponent < -1'000'000
                         ? exponent
                         : static_cast<long>(point) + exponent;
  if (whole - static_cast<long>(leading) > 20) return ValueFault::kRange;
  const size_t last = digits.find_last_not_of('0') + 1;
  if (whole < static_cast<long>(last)) return ValueFault::kType;  // a fraction is left
  digits.resize(static_cast<size_t>(whole), '0');
  const char* const end = digits.data() + digits.size();
  return std::from_chars(digits.data() + leading, end, *magnitude).ec == std::errc()
             ? ValueFault::kNone
             : ValueFault::kRange;
}

ValueFault DoubleOf(std::string_view text, double* value) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const bool negative = at < end && *at == '-';
  if (negative) ++at;
  uint64_t mantissa = 0;
  const char* const digits = at;
  while (at < end && IsDigit(*at)) mantissa = mantissa * 10 + static_cast<uint64_t>(*at++ - '0');
  size_t places = 0;
  size_t count = static_cast<size_t>(at - digits);
  if (at < end && *at == '.' && count > 0) {
    const char* const fraction = ++at;
    while (at < end && IsDigit(*at)) mantissa = mantissa * 10 + static_cast<uint64_t>(*at++ - '0');
    places = static_cast<size_t>(at - fraction);
    count += places;
  }
  // Both numbers are exact as doubles, so their quotient is the nearest one.
  if (at == end && count > 0 && count <= 18 && mantissa <= (uint64_t{1} << 53)) {
    const double magnitude = static_cast<double>(mantissa) / kPowersOfTen[places];
    *value = negative ? -magnitude : magnitude;
    return ValueFault::kNone;
  }
  const auto [stop, code] = std::from_chars(text.data(), end, *value);
  if (stop != end || text.empty()) return ValueFault::kType;
  if (code == std::errc()) return ValueFault::kNone;
  // Out of range is said of too small ones too: those are the zero they are nearest to.
  const size_t mark = text.find_first_of("eE");
  const bool small =
      mark != std::string_view::npos ? text.substr(mark + 1, 1) == "-" : text.find("0.") <= 1;
  *value = 0;
  return small ? ValueFault::kNone : ValueFault::kRange;
}

ValueFault DateOf(std::string_view text, int32_t* days) {
  Reader reader(text);
  int64_t number;
  if (const ValueFault fault = ReadDate(reader, &number); fault != ValueFault::kNone) return fault;
  *days = static_cast<int32_t>(number);
  return reader.AtEnd() ? ValueFault::kNone : ValueFault::kType;
}

ValueFault TimestampOf(std::string_view text, int64_t* micros) {
  Reader reader(text);
  int64_t days, time, offset;
  if (const ValueFault fault = ReadDate(reader, &days); fault != ValueFault::kNone) return fault;
  *micros = days * kMicrosPerDay;
  if (reader.AtEnd()) return ValueFault::kNone;
  if (!reader.Take('T') && !reader.Take(' ')) return ValueFault::kType;
  if (const ValueFault fault = ReadTime(reader, &time); fault != ValueFault::kNone) return fault;
  if (const ValueFault fault = ReadZone(reader, &offset); fault != ValueFault::kNone) return fault;
  *micros += time - offset;
  return ValueFault::kNone;
}

ValueFault BoolOf(std::string_view text, bool* value) {
  std::string word(text);
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  *value = word == "true" || word == "t" || word == "1" || word == "yes" || word == "y";
  if (*value || word == "false" || word == "f" || word == "0" || word == "no" || word == "n")
    return ValueFault::kNone;
  return ValueFault::kType;
}

}  // namespace sluice::format
