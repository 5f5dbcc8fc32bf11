// See macros.h.
#include "pipeline/macros.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "spec/field.h"

namespace sluice {
namespace {

constexpr uint64_t kMaxMacroBytes = 1 << 20;

struct Statement {
  std::string text;  // from its first word on
  size_t offset = 0;
};

// The end of what begins at `at` and is not code: a quoted text, a comment. `at` itself: it is
// code.
size_t AfterQuoted(std::string_view text, size_t at) {
  const auto until = [&](std::string_view end, size_t from) {
    const size_t found = text.find(end, from);
    return found == std::string_view::npos ? text.size() : found + end.size();
  };
  if (text[at] == '\'' || text[at] == '"') return until(text.substr(at, 1), at + 1);
  if (text.substr(at, 2) == "--") return until("\n", at);
  if (text.substr(at, 2) == "/*") return until("*/", at);
  if (text.substr(at, 2) == "$$") return until("$$", at + 2);
  return at;
}

std::vector<Statement> Statements(std::string_view text) {
  std::vector<Statement> statements;
  size_t begin = std::string_view::npos;
  for (size_t at = 0; at <= text.size();) {
    const bool end = at == text.size() || text[at] == ';';
    if (end && begin != std::string_view::npos) {
      statements.push_back({std::string(Trim(text.substr(begin, at - begin))), begin});
      begin = std::string_view::npos;
    }
    if (end) {
      ++at;
      continue;
    }
    const size_t after = AfterQuoted(text, at);
    const bool comment = after != at && (text[at] == '-' || text[at] == '/');
    if (!comment && !std::isspace(static_cast<unsigned char>(text[at])) &&
        begin == std::string_view::npos)
      begin = at;
    at = std::max(after, at + 1);
  }
  return statements;
}

// The next word of the statement from `at` on.
std::string Word(std::string_view text, size_t& at) {
  while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) ++at;
  const size_t begin = at;
  while (at < text.size() && !std::isspace(static_cast<unsigned char>(text[at])) && text[at] != '(')
    ++at;
  return ToLower(text.substr(begin, at - begin));
}

Result<Macro> ReadMacro(const Statement& statement, const Mark& mark) {
  const Error wrong =
      ConfigError(mark, fmt::format("'{}': a file of macros holds only CREATE MACRO name(…) AS …",
                                    EscapeControl(statement.text.substr(0, 40))));
  size_t at = 0;
  if (Word(statement.text, at) != "create") return wrong;
  std::string word = Word(statement.text, at);
  if (word == "or" && Word(statement.text, at) == "replace") word = Word(statement.text, at);
  if (word == "temp" || word == "temporary") word = Word(statement.text, at);
  if (word != "macro" && word != "function") return wrong;
  size_t name_at = at;
  std::string name = Word(statement.text, at);
  if (name == "if") {
    (void)Word(statement.text, at);
    (void)Word(statement.text, at);
    name_at = at;
    name = Word(statement.text, at);
  }
  if (name.empty()) return wrong;
  Macro macro{.name = name,
              .statement = "CREATE OR REPLACE MACRO" + statement.text.substr(name_at),
              .mark = mark};
  std::erase(macro.name, '"');
  if (macro.name.find('.') != std::string::npos) {
    return ConfigError(mark, fmt::format("macro '{}': a name without a schema; all SQL of the "
                                         "project sees it",
                                         macro.name));
  }
  return macro;
}

}  // namespace

Result<std::vector<Macro>> ReadMacros(Files& files, const std::string& folder) {
  std::vector<Macro> macros;
  for (const std::string& path : TRY(files.Glob(JoinPath(folder, "macros/*.sql")))) {
    const std::string text = TRY(files.ReadAll(path, kMaxMacroBytes));
    for (const Statement& statement : Statements(text)) {
      const auto lines = std::count(
          text.begin(), text.begin() + static_cast<std::ptrdiff_t>(statement.offset), '\n');
      Macro macro = TRY(ReadMacro(statement, {path, static_cast<int>(lines) + 1, 1}));
      for (const Macro& other : macros) {
        if (other.name != macro.name) continue;
        return ConfigError(macro.mark, fmt::format("macro '{}' is made in {}:{} too", macro.name,
                                                   FileName(other.mark.file), other.mark.line));
      }
      macros.push_back(std::move(macro));
    }
  }
  return macros;
}

Status LoadMacros(const Project& project, sql::Database& database) {
  if (project.macros.empty()) return Ok();
  auto session = TRY(database.Connect());
  // One may use another, whatever file it is in: those that fail wait for the others.
  std::vector<const Macro*> waiting;
  for (const Macro& macro : project.macros) waiting.push_back(&macro);
  while (!waiting.empty()) {
    std::vector<const Macro*> failed;
    Status last = Ok();
    for (const Macro* macro : waiting) {
      auto made = session->Execute(macro->statement);
      if (made.ok()) continue;
      if (failed.empty())
        last = ConfigError(macro->mark,
                           fmt::format("macro '{}': {}", macro->name, made.error().message));
      failed.push_back(macro);
    }
    if (failed.size() == waiting.size()) return last;
    waiting = std::move(failed);
  }
  return Ok();
}

}  // namespace sluice
