// See template.h.
#include "pipeline/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "pipeline/reserved.h"
#include "pipeline/template_scan.h"

namespace sluice {
namespace {

constexpr uint64_t kMaxSqlBytes = 1 << 20;
constexpr uint64_t kMaxFileBytes = 16 << 20;

// The first part of a dotted name.
std::string Head(std::string_view dotted) { return ToLower(dotted.substr(0, dotted.find('.'))); }

sql::Bound ToSql(const relation::Bound& bound) {
  return {bound.name, bound.type,
          bound.null ? std::nullopt : std::optional<std::string>(bound.text)};
}

}  // namespace

Result<std::string> Template::CheckName(const std::string& dotted, const Mark& mark) {
  std::string name = ToLower(dotted);
  std::erase(name, '"');
  std::vector<std::string> known, near;
  for (const auto& [key, value] : scope_) {
    // A name may go on into a value: params.address.city.
    if (name == ToLower(key) || StartsWith(name, ToLower(key) + ".")) {
      used_interval_ = used_interval_ || Head(key) == "ds" || Head(key) == "interval";
      return key;
    }
    known.push_back(key);
    if (Head(key) == Head(name)) near.push_back(key);
  }
  // What helps instead, of names that belong to rows.
  constexpr std::pair<std::string_view, std::string_view> kOfRows[] = {
      {"row", "; in SQL the name of the column stands bare"},
      {"file", ""},
      {"batch", "; _sluice_epoch, a column of the table, says which epoch wrote a row"},
  };
  for (const auto& [of_rows, instead] : kOfRows) {
    if (Head(name) != of_rows) continue;
    return ConfigError(mark, fmt::format("'{}' in {{{{ }}}} is for the path of a load into files; "
                                         "here there are values from outside the rows{}",
                                         dotted, instead));
  }
  if (name == "cursor") {
    return ConfigError(mark,
                       "'cursor' in {{ }} stands in the 'query' of an extract with 'incremental', "
                       "alone in its braces: WHERE id > {{ cursor }} + 1; elsewhere "
                       "steps.<extract>.cursor says how far one has read");
  }
  if (const Reserved* reserved = FindReserved(ReservedNames(), Head(name))) {
    return ConfigError(mark, fmt::format("'{}' in {{{{ }}}} is not built yet: comes with {}",
                                         dotted, reserved->comes_with));
  }
  for (const std::string_view ended :
       {"status", "finished_at", "duration_ms", "rows_rejected", "dead_letters"}) {
    if (name != fmt::format("run.{}", ended)) continue;
    return ConfigError(
        mark, fmt::format("'{}' is known when the run has ended: only output can use it", dotted));
  }
  std::string message = fmt::format("unknown name '{}' in {{{{ }}}}", dotted);
  if (const auto nearest = Nearest(name, known))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else
    message += fmt::format("; there are: {}", Join(near.empty() ? known : near, ", "));
  if (name.find('.') == std::string::npos && scope_.contains("params." + name)) {
    message =
        fmt::format("unknown name '{}' in {{{{ }}}}; did you mean 'params.{}'?", dotted, name);
  }
  return ConfigError(mark, std::move(message));
}

Result<std::set<std::string>> Template::CheckNames(const sql::ExpressionFacts& facts,
                                                   std::string_view expression, const Mark& mark) {
  std::set<std::string> names;
  for (const std::string& column : facts.columns) names.insert(TRY(CheckName(column, mark)));
  if (facts.subqueries || facts.aggregates || facts.windows) {
    return ConfigError(
        mark, fmt::format("'{{{{ {} }}}}' reads rows; {{{{ }}}} holds values from outside the rows",
                          EscapeControl(expression)));
  }
  for (const std::string& function : facts.functions) {
    for (const std::string_view impure :
         {"now", "random", "uuid", "gen_random_uuid", "current_timestamp", "current_date",
          "get_current_timestamp", "get_current_time", "today", "transaction_timestamp"}) {
      if (function != impure) continue;
      return ConfigError(
          mark, fmt::format(
                    "{}() in {{{{ }}}}: nothing reads the clock or chance; use ds or interval.end",
                    function));
    }
  }
  return names;
}

namespace {

// Dotted names as structs in structs.
struct Branch {
  std::string value;  // of a leaf
  std::map<std::string, Branch> fields;
};

std::string SqlOf(const Branch& branch) {
  if (branch.fields.empty()) return branch.value;
  std::string text;
  for (const auto& [name, field] : branch.fields)
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", QuoteLiteral(name), SqlOf(field));
  return "{" + text + "}";
}

// Whether DuckDB would print the value as the very text it is given as.
bool PrintsAsItself(const relation::Bound& value) {
  if (value.null) return false;
  constexpr size_t kDate = 10, kInstant = 19;
  return value.type == "VARCHAR" || (value.type == "DATE" && value.text.size() == kDate) ||
         (value.type == "TIMESTAMP" && value.text.size() == kInstant && value.text[kDate] == ' ');
}

bool IsMidnight(const relation::Bound& value) {
  return value.type == "TIMESTAMP" && !value.null && EndsWith(value.text, " 00:00:00");
}

bool IsName(const std::string& sql, const std::string& name) {
  std::string bare = ToLower(sql);
  std::erase(bare, '"');
  return bare == ToLower(name);
}

}  // namespace

std::string Template::Environment(const std::set<std::string>& names) const {
  Branch all;
  for (const std::string& name : names) {
    Branch* at = &all;
    for (const std::string& part : Split(name, '.')) at = &at->fields[part];
    at->value = relation::Refer(scope_.at(name));
  }
  std::string columns;
  for (const auto& [name, field] : all.fields) {
    columns +=
        fmt::format("{}{} AS {}", columns.empty() ? "" : ", ", SqlOf(field), QuoteIdentifier(name));
  }
  return "(SELECT " + (columns.empty() ? "1 AS one" : columns) + ")";
}

void Template::Await(const std::string& name, const std::string& type) {
  scope_[name] = relation::MakeBound(type, std::nullopt);
  awaited_.insert(name);
}

void Template::Define(const std::string& name, relation::Bound value) {
  const auto known = scope_.find(name);
  if (known != scope_.end() && known->second == value) return;
  scope_[name] = std::move(value);
  awaited_.erase(name);
  evaluated_.clear();
}

Result<relation::Bound> Template::Evaluate(std::string_view expression, const Written& written,
                                           size_t offset) {
  const std::string trimmed(Trim(expression));
  Error place = PlaceError(ConfigError({}, ""), written, static_cast<int64_t>(offset));
  const Mark mark = place.mark.file.empty() ? written.mark : place.mark;
  if (trimmed.empty())
    return ConfigError(mark, "{{ }} is empty; it holds a name like ds or an expression");
  const std::string sql = QuoteIntervalNames(trimmed);
  auto facts = parser_.Expression(sql);
  if (!facts.ok()) {
    return ConfigError(mark, fmt::format("'{{{{ {} }}}}' is no expression: {}",
                                         EscapeControl(trimmed), facts.error().message));
  }
  const std::set<std::string> names = TRY(CheckNames(*facts, trimmed, mark));
  if (const auto known = evaluated_.find(sql); known != evaluated_.end()) {
    awaited_used_.insert(known->second.awaited.begin(), known->second.awaited.end());
    return known->second.value;
  }
  if (names.size() == 1 && IsName(sql, *names.begin()) && !awaited_.contains(*names.begin()) &&
      PrintsAsItself(scope_.at(*names.begin()))) {
    return (evaluated_[sql] = {.value = scope_.at(*names.begin())}).value;
  }
  Evaluated result;
  std::vector<sql::Bound> bound;
  for (const std::string& name : names) {
    const sql::Bound next = ToSql(scope_.at(name));
    if (std::find(bound.begin(), bound.end(), next) == bound.end()) bound.push_back(next);
    if (awaited_.contains(name)) result.awaited.insert(name);
  }
  auto rows = session_.Query(
      fmt::format("SELECT CAST(v AS VARCHAR), typeof(v) FROM (SELECT ({}) AS v FROM {})", sql,
                  Environment(names)),
      bound);
  if (!rows.ok()) {
    return ConfigError(
        mark, fmt::format("'{{{{ {} }}}}' cannot be computed: {}", EscapeControl(trimmed),
                          rows.error().message.substr(0, rows.error().message.find('\n'))));
  }
  const auto& row = rows->rows.at(0);
  std::string type = row.at(1).text;
  if (type == "\"NULL\"" || type == "NULL") type = "VARCHAR";
  const bool null = row.at(0).null || !result.awaited.empty();
  result.value =
      relation::MakeBound(type, null ? std::nullopt : std::optional<std::string>(row.at(0).text));
  result.day = !names.empty() && IsMidnight(result.value) &&
               std::all_of(names.begin(), names.end(),
                           [&](const std::string& name) { return scope_.at(name).type == "DATE"; });
  awaited_used_.insert(result.awaited.begin(), result.awaited.end());
  return (evaluated_[sql] = std::move(result)).value;
}

bool Template::Awaits(std::string_view expression) const {
  const auto known = evaluated_.find(QuoteIntervalNames(std::string(Trim(expression))));
  return known != evaluated_.end() && !known->second.awaited.empty();
}

bool Template::IsDay(std::string_view expression) const {
  const auto known = evaluated_.find(QuoteIntervalNames(std::string(Trim(expression))));
  return known != evaluated_.end() && known->second.day;
}

Result<Written> Template::Load(const Written& written) {
  const std::string name(Trim(written.text));
  if (!EndsWith(name, ".sql") || name.find_first_of(" \n\t(';") != std::string::npos)
    return written;
  const std::string path = JoinPath(folder_, name);
  auto text = files_.ReadAll(path, kMaxSqlBytes);
  if (!text.ok())
    return ConfigError(written.mark, fmt::format("'{}' is no file in the project", name));
  read_[path] = *text;
  return Written{*text, {path, 1, 1}, false};
}

Result<std::string> Template::File(const Written& path) {
  const std::string full = JoinPath(folder_, path.text);
  auto text = files_.ReadAll(full, kMaxFileBytes);
  if (!text.ok()) {
    return ConfigError(path.mark,
                       files_.Exists(full)
                           ? fmt::format("'{}' cannot be read: {}", path.text, text.error().message)
                           : fmt::format("'{}' is no file in the project", path.text));
  }
  return read_[full] = *text;
}

Result<Expanded> Template::Sql(const Written& written) { return Expand(written, ""); }

Result<Expanded> Template::Query(const Written& written, std::string_view mark) {
  return Expand(written, mark);
}

Result<Expanded> Template::Expand(const Written& original, std::string_view cursor) {
  const Written written = TRY(Load(original));
  Expanded expanded{.sql = "", .bound = {}, .mark = written.mark};
  for (const Piece& piece : ScanSql(written.text)) {
    const auto at = [&] {
      return PlaceError(ConfigError({}, ""), written, static_cast<int64_t>(piece.offset)).mark;
    };
    switch (piece.kind) {
      case Piece::Kind::kText:
        expanded.sql += piece.text;
        break;
      case Piece::Kind::kValue: {
        if (!cursor.empty() && ToLower(Trim(piece.text)) == "cursor") {
          expanded.sql += cursor;
          break;
        }
        auto value = TRY(Evaluate(piece.text, written, piece.offset));
        expanded.sql += relation::Refer(value);
        if (std::find(expanded.bound.begin(), expanded.bound.end(), value) == expanded.bound.end())
          expanded.bound.push_back(value);
        break;
      }
      case Piece::Kind::kInLiteral:
        return ConfigError(at(), fmt::format("{{{{ }}}} inside a longer text is no value; write {}",
                                             EscapeControl(Concatenated(piece.text))));
      case Piece::Kind::kInName:
        return ConfigError(at(),
                           fmt::format("{{{{ }}}} inside the name \"{}\": names cannot be values",
                                       EscapeControl(piece.text)));
      case Piece::Kind::kOpen:
        return ConfigError(at(),
                           fmt::format("'{}' has no closing }}}}", EscapeControl(piece.text)));
    }
  }
  return expanded;
}

Result<std::string> Template::Text(const Written& written) {
  std::string text;
  for (const Piece& piece : ScanText(written.text)) {
    if (piece.kind == Piece::Kind::kText) {
      text += piece.text;
    } else if (piece.kind == Piece::Kind::kOpen) {
      return ConfigError(written.mark,
                         fmt::format("'{}' has no closing }}}}", EscapeControl(piece.text)));
    } else {
      auto value = TRY(Evaluate(piece.text, written, piece.offset));
      if (Awaits(piece.text)) {
        text += "{{" + piece.text + "}}";
        continue;
      }
      if (value.null)
        return ConfigError(written.mark,
                           fmt::format("'{{{{{}}}}}' is NULL; a text needs a value", piece.text));
      text += IsDay(piece.text) ? value.text.substr(0, value.text.find(' ')) : value.text;
    }
  }
  return text;
}

Result<relation::Bound> Template::Value(const Written& written) {
  const auto pieces = ScanText(Trim(written.text));
  if (pieces.size() == 1 && pieces[0].kind == Piece::Kind::kValue)
    return Evaluate(pieces[0].text, written, pieces[0].offset);
  return relation::MakeBound("VARCHAR", TRY(Text(written)));
}

Result<Node> Template::Deep(const Node& node) {
  Node copy = node;
  if (node.IsScalar() && node.scalar.find("{{") != std::string::npos) {
    const Written written{node.scalar, node.mark, node.quoted};
    const auto pieces = ScanText(Trim(node.scalar));
    auto value = TRY(Value(written));
    if (value.null && pieces.size() == 1 && Awaits(pieces[0].text)) return copy;
    if (value.null)
      return ConfigError(node.mark,
                         fmt::format("'{}' is NULL; it needs a value", EscapeControl(node.scalar)));
    copy.scalar = value.text;
    copy.quoted = value.type == "VARCHAR";
  }
  for (Node& item : copy.list) item = TRY(Deep(item));
  for (auto& [key, value] : copy.map) {
    if (key.scalar.find("{{") != std::string::npos) {
      return ConfigError(
          key.mark, fmt::format("'{}': a key cannot hold {{{{ }}}}", EscapeControl(key.scalar)));
    }
    value = TRY(Deep(value));
  }
  return copy;
}

Result<Node> Template::Body(const Node& body, const SpecFacts& facts,
                            const std::set<std::string>& leave) {
  const auto spliced = [&](std::string_view name) {
    for (const FieldFacts& field : facts.fields) {
      if (field.name == name) return field.slot != Slot::kColumn && !leave.contains(field.name);
    }
    return false;
  };
  if (facts.open) return body;
  if (!body.IsMap()) return spliced(facts.main) ? Deep(body) : Result<Node>(body);
  Node copy = body;
  for (auto& [key, value] : copy.map) {
    if (spliced(key.scalar)) value = TRY(Deep(value));
  }
  return copy;
}

}  // namespace sluice
