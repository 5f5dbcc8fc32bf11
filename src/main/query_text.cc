// See query_text.h.
#include "main/query_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "sql/parse.h"

namespace sluice {
namespace {

constexpr std::string_view kSelectAll = "SELECT * FROM ";

bool OurOwn(const std::string& function) { return StartsWith(function, "sluice_"); }

bool ReadsFiles(const sql::SelectFacts& facts) {
  const auto by_function = [](const std::string& function) {
    return StartsWith(function, "read_") || EndsWith(function, "_scan") || function == "glob" ||
           function == "sniff_csv" || StartsWith(function, "parquet_");
  };
  const auto by_name = [](const std::string& table) {
    return table.find('/') != std::string::npos || EndsWith(table, ".csv") ||
           EndsWith(table, ".json") || EndsWith(table, ".ndjson") || EndsWith(table, ".parquet");
  };
  return std::any_of(facts.table_functions.begin(), facts.table_functions.end(), by_function) ||
         std::any_of(facts.tables.begin(), facts.tables.end(), by_name);
}

// The length of the name that stands at `at`, and the name.
std::pair<size_t, std::string> NameAt(std::string_view text, size_t at) {
  std::string name;
  size_t end = at;
  if (end < text.size() && text[end] == '"') {
    for (++end; end < text.size(); ++end) {
      if (text[end] == '"' && text.substr(end, 2) != "\"\"") break;
      if (text[end] == '"') ++end;
      name += text[end];
    }
    return {std::min(end + 1, text.size()) - at, name};
  }
  while (end < text.size() && std::string_view(" \t\r\n.,;()").find(text[end]) == text.npos)
    name += text[end++];
  return {end - at, name};
}

std::string WithoutEnd(const std::string& typed) {
  std::string statement = typed;
  while (!statement.empty() &&
         std::string_view("; \t\r\n").find(statement.back()) != std::string_view::npos)
    statement.pop_back();
  return statement;
}

}  // namespace

Result<QueryText> QueryText::Read(const std::string& typed,
                                  const std::map<std::string, std::string>& files,
                                  sql::Session& session) {
  QueryText query(WithoutEnd(typed));
  query.body_ = query.typed_.find_first_not_of(" \t\r\n");
  if (query.body_ == std::string::npos) return ConfigError({}, "the query is empty");
  TRY(query.Check(session));
  TRY(query.Rename(files, session));
  return query;
}

Status QueryText::Check(sql::Session& session) {
  const size_t word_end = std::min(typed_.find_first_of(" \t\r\n(", body_), typed_.size());
  const std::string first = ToLower(typed_.substr(body_, word_end - body_));
  about_ = (first == "show" || first == "describe" || first == "summarize") &&
           typed_.find(';') == std::string::npos;
  if (about_) {
    body_ = std::min(typed_.find_first_not_of(" \t\r\n", word_end), typed_.size());
    return Ok();
  }
  int64_t offset = -1;
  auto facts = sql::Parser(session).Select(typed_, &offset);
  if (!facts.ok()) return std::move(facts).error().At(PlaceOf(offset));
  if (!facts->select) {
    return ConfigError({},
                       "query only reads: one SELECT (or SHOW, DESCRIBE, SUMMARIZE) is valid; what "
                       "writes is a step with sql: { in: … }");
  }
  for (const auto* functions : {&facts->functions, &facts->table_functions}) {
    const auto own = std::find_if(functions->begin(), functions->end(), OurOwn);
    if (own == functions->end()) continue;
    return ConfigError(
        {}, fmt::format("'{}' is a function of sluice's own; queries cannot call it", *own));
  }
  reads_files_ = ReadsFiles(*facts);
  return Ok();
}

Status QueryText::Rename(const std::map<std::string, std::string>& files, sql::Session& session) {
  // What follows DESCRIBE is a table or a SELECT; a table's names are found as in a SELECT from it.
  const std::string body = about_ ? typed_.substr(body_) : typed_;
  auto shift = static_cast<int64_t>(about_ ? kSelectAll.size() : 0);
  auto names = TRY(sql::Parser(session).DottedNames(std::string(about_ ? kSelectAll : "") + body));
  if (names.empty() && about_) {
    shift = 0;
    names = TRY(sql::Parser(session).DottedNames(body));
  }
  const auto alias = [&](const std::string& name) -> const std::string* {
    for (const auto& [connection, file] : files) {
      if (ToLower(connection) == ToLower(name)) return &file;
    }
    return nullptr;
  };
  // A column is only what it seems if the table before it is one.
  const auto of_table = [&](const sql::DottedName& column) {
    return column.parts.size() > 2 &&
           std::any_of(names.begin(), names.end(), [&](const sql::DottedName& table) {
             return table.table && ToLower(table.parts[0]) == ToLower(column.parts[0]) &&
                    ToLower(table.parts[1]) == ToLower(column.parts[1]);
           });
  };
  for (const sql::DottedName& name : names) {
    const std::string* file = alias(name.parts[0]);
    if (file == nullptr || name.offset < shift || (!name.table && !of_table(name))) continue;
    const size_t at = static_cast<size_t>(name.offset - shift) + (about_ ? body_ : 0);
    const auto [length, written] = NameAt(typed_, at);
    if (ToLower(written) != ToLower(name.parts[0])) continue;
    replaced_.push_back({at, length, QuoteIdentifier(*file)});
  }
  size_t from = 0;
  for (const Replaced& part : replaced_) {
    text_ += typed_.substr(from, part.at - from) + part.by;
    from = part.at + part.length;
  }
  text_ += typed_.substr(from);
  return Ok();
}

Mark QueryText::PlaceOf(int64_t offset) const {
  if (offset < 0) return {};
  auto at = static_cast<size_t>(offset);
  for (const Replaced& part : replaced_) {  // in the order of their places
    if (at <= part.at) break;
    if (at < part.at + part.by.size())
      at = part.at;
    else
      at = at - part.by.size() + part.length;
  }
  at = std::min(at, typed_.size());
  const auto end = typed_.begin() + static_cast<std::ptrdiff_t>(at);
  const auto line = std::count(typed_.begin(), end, '\n');
  const size_t begin = at == 0 ? 0 : typed_.rfind('\n', at - 1) + 1;  // 0 where there is none
  return {"query", static_cast<int>(line) + 1, static_cast<int>(at - begin) + 1};
}

}  // namespace sluice
