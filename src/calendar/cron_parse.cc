// Reads a cron expression. Every refusal names the field, quotes the value and says what is valid
// there.
#include <fmt/format.h>

#include <span>
#include <vector>

#include "base/text.h"
#include "calendar/cron.h"

namespace sluice {
namespace {

struct Field {
  std::string_view name;
  int low;
  int high;                                 // of a range; day-of-week takes 7 as Sunday besides
  std::span<const std::string_view> words;  // names of the values, from `low` on
  std::string_view example;
};

constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kWeekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

constexpr Field kFields[] = {
    {"second", 0, 59, {}, "*/15 or 0,30"},
    {"minute", 0, 59, {}, "*/15 or 0,30"},
    {"hour", 0, 23, {}, "6 or 8-18/2"},
    {"day-of-month", 1, 31, {}, "1,15 or L (the last day)"},
    {"month", 1, 12, kMonths, "jan-mar or */3"},
    {"day-of-week", 0, 6, kWeekdays, "mon-fri, 5L (the last Friday) or 1#2 (the second Monday)"},
};
constexpr size_t kDayOfMonth = 3;
constexpr size_t kDayOfWeek = 5;

constexpr std::pair<std::string_view, std::string_view> kMacros[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words(1);
  for (char c : text) {
    if (c != ' ' && c != '\t') {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::optional<int> Number(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::string Valid(const Field& field) {
  std::string valid = fmt::format("{} to {}", field.low, field.high);
  if (field.name == "day-of-week") valid = "0 to 7 (0 and 7 are Sunday)";
  if (!field.words.empty())
    valid += fmt::format(" or {} to {}", field.words.front(), field.words.back());
  return valid;
}

}  // namespace

class CronParser {
 public:
  CronParser(std::string_view expression, size_t fields)
      : expression_(expression), six_(fields == 6) {}

  Result<Cron> Parse(std::span<const std::string> words) {
    cron_.text_ = Join(words, " ");
    size_t first = six_ ? 0 : 1;
    for (size_t i = 0; i < words.size(); ++i) TRY(ParseField(first + i, words[i]));
    bool star_time = Starts(words[0]) || Starts(words[1]) || (six_ && Starts(words[2]));
    cron_.follows_real_time_ = star_time;
    cron_.both_days_ = Starts(words[words.size() - 3]) || Starts(words.back());
    if (!cron_.LocalFrom(kEpoch2000)) {
      std::string weekday = words.back();
      return Refuse(fmt::format("it never happens: no year has a day {} in month {}{}",
                                words[words.size() - 3], words[words.size() - 2],
                                Starts(weekday) ? "" : " that is also a weekday " + weekday));
    }
    return cron_;
  }

 private:
  static constexpr int64_t kEpoch2000 =
      946684800;  // 2000-01-01: before a leap year's end, and any year does

  static bool Starts(const std::string& word) { return word[0] == '*' || word[0] == '?'; }

  Error Refuse(std::string_view why) const {
    return ConfigError({}, fmt::format("cron '{}': {}", expression_, why));
  }
  Error Refuse(const Field& field, std::string_view item, std::string_view why) const {
    return Refuse(fmt::format("{} '{}': {}; valid are {}, *, ranges, steps and lists, like {}",
                              field.name, item, why, Valid(field), field.example));
  }

  Status ParseField(size_t index, const std::string& word) {
    const Field& field = kFields[index];
    uint64_t bits = 0;
    for (const std::string& raw : Split(word, ',')) {
      std::string item = ToLower(raw);
      if (item.empty()) return Refuse(field, word, "a value is missing beside the comma");
      if (item == "?" && (index == kDayOfMonth || index == kDayOfWeek) && word == "?") {
        item = "*";
      }
      if (TRY(ParseSpecial(index, item))) continue;
      bits |= TRY(ParseRange(field, item));
    }
    Keep(index, bits);
    return Ok();
  }

  void Keep(size_t index, uint64_t bits) {
    switch (index) {
      case 0:
        cron_.seconds_ = bits;
        break;
      case 1:
        cron_.minutes_ = bits;
        break;
      case 2:
        cron_.hours_ = static_cast<uint32_t>(bits);
        break;
      case 3:
        cron_.days_ = static_cast<uint32_t>(bits);
        break;
      case 4:
        cron_.months_ = static_cast<uint32_t>(bits);
        break;
      default:
        cron_.weekdays_ = static_cast<uint32_t>(bits);
        break;
    }
  }

  // L, LW, 5L and 1#2: days that depend on the month. False where the item is none of them.
  Result<bool> ParseSpecial(size_t index, const std::string& item) {
    if (index == kDayOfMonth) {
      if (item == "l") return cron_.last_day_ = true;
      if (item == "lw" || item == "wl") return cron_.last_working_day_ = true;
      return false;
    }
    if (index != kDayOfWeek) return false;
    if (item.size() == 2 && item[1] == 'l' && item[0] >= '0' && item[0] <= '7') {
      cron_.last_weekdays_ |= uint32_t{1} << (item[0] - '0') % 7;
      return true;
    }
    size_t hash = item.find('#');
    if (hash == std::string::npos) return false;
    auto weekday = Value(kFields[index], item.substr(0, hash));
    auto nth = Number(item.substr(hash + 1));
    if (!weekday || !nth || *nth < 1 || *nth > 5) {
      return Refuse(kFields[index], item,
                    "# is for one weekday, the first to the fifth of the month (1 to 5)");
    }
    cron_.nth_weekdays_[static_cast<size_t>(*weekday % 7)] |= static_cast<uint8_t>(1 << *nth);
    return true;
  }

  // A number or a name that the field knows.
  std::optional<int> Value(const Field& field, std::string_view text) const {
    for (size_t i = 0; i < field.words.size(); ++i) {
      if (field.words[i] == text) return field.low + static_cast<int>(i);
    }
    auto number = Number(text);
    int high = field.name == "day-of-week" ? 7 : field.high;
    if (!number || *number < field.low || *number > high) return std::nullopt;
    return number;
  }

  // "*", "5", "1-5", "5/10", "*/10", "1-5/2" as bits.
  Result<uint64_t> ParseRange(const Field& field, const std::string& item) const {
    size_t slash = item.find('/');
    std::string_view range = std::string_view(item).substr(0, slash);
    int step = 1;
    if (slash != std::string::npos) {
      auto number = Number(std::string_view(item).substr(slash + 1));
      if (!number || *number < 1)
        return Refuse(field, item, "after / comes a step, a number from 1");
      // Seconds written last, as some other crons want them, show themselves here.
      if (six_ && *number > field.high) {
        return Refuse(
            field, item,
            fmt::format("a step of {} is too long here (of six fields the first is the second)",
                        *number));
      }
      step = *number;
    }
    auto [low, high] = TRY(ParseBounds(field, item, range));
    if (slash != std::string::npos && range.find('-') == std::string_view::npos) high = field.high;
    uint64_t bits = 0;
    for (int value = low; value <= high; value += step)
      bits |= uint64_t{1} << (field.high == 6 ? value % 7 : value);
    return bits;
  }

  Result<std::pair<int, int>> ParseBounds(const Field& field, const std::string& item,
                                          std::string_view range) const {
    if (range == "*") return std::pair(field.low, field.high);
    size_t dash = range.find('-', 1);
    auto low = Value(field, range.substr(0, dash));
    auto high = dash == std::string_view::npos ? low : Value(field, range.substr(dash + 1));
    if (!low || !high) return Refuse(field, item, Unknown(field, range));
    if (field.high == 6) {  // Sunday is 0 where a range begins, 7 where it ends, and itself alone
      if (*low == 7) low = 0;
      if (*high == 0 && *low != 0) high = 7;
      if (*high == 7 && *low == 0) high = 0;
    }
    if (*low > *high) {
      return Refuse(field, item,
                    fmt::format("the range ends before it begins; write it as two, '{}-{},{}-{}'",
                                range.substr(0, dash), Word(field, field.high),
                                Word(field, field.low), range.substr(dash + 1)));
    }
    return std::pair(*low, *high);
  }

  static std::string Word(const Field& field, int value) {
    if (field.words.empty()) return std::to_string(value);
    return std::string(field.words[static_cast<size_t>(value - field.low)]);
  }

  static std::string Unknown(const Field& field, std::string_view range) {
    if (field.name == "day-of-month" && range.find('w') != std::string_view::npos) {
      return "the working day nearest to a day (W) is not known here, LW (the last working day) is";
    }
    if (range.find('l') != std::string_view::npos || range.find('#') != std::string_view::npos) {
      return "L and # do not combine with ranges, steps or names";
    }
    return Number(range) ? "out of range" : "not known";
  }

  std::string expression_;
  bool six_;
  Cron cron_;
};

Result<Cron> Cron::Parse(std::string_view expression) {
  std::vector<std::string> words = Words(expression);
  if (!words.empty() && words[0][0] == '@') {
    for (const auto& [name, meaning] : kMacros) {
      if (words.size() == 1 && ToLower(words[0]) == name) return Parse(meaning);
    }
    return ConfigError(
        {},
        fmt::format(
            "cron '{}' is not known: valid are @hourly, @daily (@midnight), @weekly, @monthly and "
            "@yearly (@annually); for a fixed distance use 'every: 5m' instead of cron",
            expression));
  }
  if (words.size() != 5 && words.size() != 6) {
    return ConfigError(
        {}, fmt::format(
                "cron '{}' has {} fields, not 5: minute hour day-of-month month day-of-week "
                "(or 6, with the second first){}",
                expression, words.size(), words.size() == 7 ? "; years are not supported" : ""));
  }
  return CronParser(expression, words.size()).Parse(words);
}

}  // namespace sluice
