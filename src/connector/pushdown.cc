// See pushdown.h.
#include "connector/pushdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sluice {
namespace {

using Text = std::optional<std::string>;

bool Digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool IsDate(std::string_view text) {
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && Digits(text.substr(0, 4)) &&
         Digits(text.substr(5, 2)) && Digits(text.substr(8, 2)) && text.substr(0, 4) != "0000";
}

bool IsTime(std::string_view text) {  // 06:00:00, 06:00:00.123456
  if (text.size() < 8 || text[2] != ':' || text[5] != ':' || !Digits(text.substr(0, 2)) ||
      !Digits(text.substr(3, 2)) || !Digits(text.substr(6, 2)))
    return false;
  return text.size() == 8 || (text[8] == '.' && text.size() <= 15 && Digits(text.substr(9)));
}

bool IsNumber(std::string_view text) {
  if (StartsWith(text, "-")) text.remove_prefix(1);
  const size_t point = text.find('.');
  if (point == std::string_view::npos) return Digits(text);
  return Digits(text.substr(0, point)) && Digits(text.substr(point + 1));
}

class Writer {
 public:
  Writer(const std::vector<sql::Bound>& bound, const Pushdown& pushdown)
      : bound_(bound), pushdown_(pushdown) {}

  Text Write(const sql::Condition& condition) const {
    using Kind = sql::Condition::Kind;
    if (condition.kind == Kind::kAll || condition.kind == Kind::kAny) return Parts(condition);
    const auto found = pushdown_.columns.find(ToLower(condition.column));
    if (found == pushdown_.columns.end()) return std::nullopt;
    const ComparedColumn& column = found->second;
    if (condition.kind == Kind::kNull) return column.quoted + " IS NULL";
    if (condition.kind == Kind::kNotNull) return column.quoted + " IS NOT NULL";
    const bool equal = condition.kind == Kind::kIn || condition.comparison == "=";
    if (!equal && (column.as == ComparedAs::kText || column.as == ComparedAs::kBoolean))
      return std::nullopt;
    std::vector<std::string> values;
    for (const sql::Operand& constant : condition.constants) {
      Text value = Value(column.as, constant);
      if (!value) return std::nullopt;
      values.push_back(std::move(*value));
    }
    if (condition.kind == Kind::kIn)
      return fmt::format("{} IN ({})", column.quoted, Join(values, ", "));
    return fmt::format("{} {} {}", column.quoted, condition.comparison, values.at(0));
  }

 private:
  Text Parts(const sql::Condition& condition) const {
    std::vector<std::string> parts;
    for (const sql::Condition& part : condition.parts) {
      Text text = Write(part);
      if (!text) return std::nullopt;
      parts.push_back(std::move(*text));
    }
    return "(" + Join(parts, condition.kind == sql::Condition::Kind::kAny ? " OR " : " AND ") + ")";
  }

  Text Value(ComparedAs as, const sql::Operand& constant) const {
    using Kind = sql::Operand::Kind;
    if (constant.kind != Kind::kBound) return Written(as, constant.kind, constant.text);
    const auto found = std::find_if(bound_.begin(), bound_.end(), [&](const sql::Bound& value) {
      return value.name == constant.text;
    });
    if (found == bound_.end() || !found->text) return std::nullopt;
    constexpr std::array<std::string_view, 4> kWhole{"BIGINT", "INTEGER", "SMALLINT", "HUGEINT"};
    const bool number = std::find(kWhole.begin(), kWhole.end(), found->type) != kWhole.end() ||
                        StartsWith(found->type, "DECIMAL");
    if (number) return Written(as, Kind::kNumber, *found->text);
    if (found->type == "BOOLEAN") return Written(as, Kind::kBoolean, *found->text);
    const bool text =
        found->type == "VARCHAR" || found->type == "DATE" || found->type == "TIMESTAMP";
    return text ? Written(as, Kind::kText, *found->text) : std::nullopt;
  }

  Text Written(ComparedAs as, sql::Operand::Kind kind, const std::string& text) const {
    using Kind = sql::Operand::Kind;
    switch (as) {
      case ComparedAs::kNumber:
        return kind == Kind::kNumber && IsNumber(text) ? Text(text) : std::nullopt;
      case ComparedAs::kBoolean:
        return kind == Kind::kBoolean && (text == "true" || text == "false") ? Text(text)
                                                                             : std::nullopt;
      case ComparedAs::kText:
        if (kind != Kind::kText || text.find('\0') != std::string::npos) return std::nullopt;
        return pushdown_.literal(text);
      case ComparedAs::kDate:
        return kind == Kind::kText && IsDate(text) ? Text("date '" + text + "'") : std::nullopt;
      case ComparedAs::kTimestamp:
      case ComparedAs::kTimestampZone: {
        const bool zone = as == ComparedAs::kTimestampZone;
        const std::string time = IsDate(text) ? text + " 00:00:00" : text;
        if (kind != Kind::kText || time.size() < 19 || !IsDate(time.substr(0, 10)) ||
            time[10] != ' ' || !IsTime(time.substr(11)))
          return std::nullopt;
        return fmt::format("{} '{}{}'", zone ? "timestamptz" : "timestamp", time,
                           zone ? "+00" : "");
      }
    }
    return std::nullopt;
  }

  const std::vector<sql::Bound>& bound_;
  const Pushdown& pushdown_;
};

}  // namespace

std::string ConditionText(const std::vector<sql::Condition>& conjuncts,
                          const std::vector<sql::Bound>& bound, const Pushdown& pushdown) {
  const Writer writer(bound, pushdown);
  std::vector<std::string> texts;
  for (const sql::Condition& conjunct : conjuncts) {
    if (auto text = writer.Write(conjunct)) texts.push_back(std::move(*text));
  }
  return Join(texts, " AND ");
}

std::string BothConditions(const std::string& one, const std::string& other) {
  if (one.empty() || other.empty()) return one + other;
  return fmt::format("({}) AND ({})", one, other);
}

}  // namespace sluice
