// sluice fmt: one layout for the project's files; with --types, the columns that were inferred are
// written down.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "base/json.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "pipeline/layout.h"

namespace sluice {

namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;

struct Insertion {
  size_t at = 0;
  std::string text;
};

size_t OffsetOf(std::string_view text, const Mark& mark) {
  size_t at = 0;
  for (int line = 1; line < mark.line; ++line) at = text.find('\n', at) + 1;
  return at + static_cast<size_t>(mark.column) - 1;
}

bool IsPlain(std::string_view word) {
  return !word.empty() && word.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string_view::npos;
}

std::string ColumnsText(const Schema& schema) {
  std::string text;
  for (const Column& column : Visible(schema)) {
    // Types are words; what has brackets or commas in it keeps its case (names of fields).
    const std::string type = IsPlain(column.type) ? ToLower(column.type) : QuoteJson(column.type);
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ",
                        IsPlain(column.name) ? column.name : QuoteJson(column.name), type);
  }
  return "columns: { " + text + " }";
}

// Where `columns` goes in the extract's map: before its closing bracket, or on a line of its own
// below `from`.
Result<Insertion> PlaceOf(std::string_view text, const Node& body, const Schema& schema) {
  const std::string columns = ColumnsText(schema);
  const size_t begin = OffsetOf(text, body.mark);
  if (begin < text.size() && text[begin] == '{') {
    const size_t end = AfterBracket(text, begin);
    if (end == std::string_view::npos) return InternalError("an extract without an end");
    const size_t last = text.find_last_not_of(" \n", end - 2);
    return Insertion{last + 1, (text[last] == ',' ? " " : ", ") + columns};
  }
  const auto from = std::find_if(body.map.begin(), body.map.end(), [](const Node::Entry& entry) {
    return entry.key.scalar == "from";
  });
  const size_t key = OffsetOf(text, from->key.mark);
  const size_t end = std::min(text.find('\n', key), text.size());
  const size_t line = text.rfind('\n', key) + 1;
  return Insertion{end, "\n" + std::string(key - line, ' ') + columns};
}

// The file's text with the columns of every extract whose types were inferred.
Result<std::string> WithTypes(ProjectSession& session, const Invocation& invocation,
                              const PipelineFile& file) {
  PlanRequest request = TRY(session.Request(invocation));
  request.preview = true;
  const Plan plan = TRY(session.MakePlanOf(file, request));
  std::vector<Insertion> insertions;
  for (const auto& stage : plan.stages) {
    const Flow* flow = std::get_if<Flow>(&stage);
    if (flow == nullptr) continue;
    for (const PlannedExtract& extract : flow->extracts) {
      const auto step = std::find_if(file.steps.begin(), file.steps.end(),
                                     [&](const StepNode& s) { return s.name == extract.step; });
      const std::optional<Schema>& pinned = extract.request.pinned;
      const Schema schema =
          extract.shape.guessed.empty() && pinned ? *pinned : extract.shape.guessed;
      if (step == file.steps.end() || step->body.Find("columns") != nullptr || schema.empty())
        continue;
      insertions.push_back(TRY(PlaceOf(file.text, step->body, schema)));
    }
  }
  std::sort(insertions.begin(), insertions.end(),
            [](const Insertion& a, const Insertion& b) { return a.at > b.at; });
  std::string text = file.text;
  for (const Insertion& insertion : insertions) text.insert(insertion.at, insertion.text);
  TRY(ParsePipelines(text, file.path, session.files(), session.project().folder)
          .While("writing the columns down"));
  return text;
}

Result<std::vector<std::string>> PathsOf(const Invocation& invocation, ProjectSession& session) {
  std::vector<std::string> paths;
  for (const std::string& which : invocation.All("file")) {
    if (session.files().Exists(which))
      paths.push_back(which);
    else
      paths.push_back(TRY(ReadPipelines(session.files(), session.project(), which)).front().path);
  }
  if (invocation.Has("file")) return paths;
  paths = TRY(ListPipelines(session.files(), session.project()));
  const std::string settings = JoinPath(session.project().folder, "sluice.yml");
  if (session.files().Exists(settings)) paths.insert(paths.begin(), settings);
  return paths;
}

Result<int> FormatFiles(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  Files& files = session->files();
  const bool check = invocation.Has("--check");
  int changed = 0;
  for (const std::string& path : TRY(PathsOf(invocation, *session))) {
    const std::string before = TRY(files.ReadAll(path, kMaxFileBytes));
    std::string text = before;
    if (invocation.Has("--types") && FileName(path) != "sluice.yml")
      text =
          TRY(WithTypes(*session, invocation,
                        TRY(ParsePipelines(text, path, files, session->project().folder)).front()));
    text = TRY(LayOut(text, path));
    if (text == before) continue;
    ++changed;
    std::printf("%s%s\n", check ? "would change " : "", path.c_str());
    if (!check) TRY(WriteAtomically(files, path, text));
  }
  return check && changed > 0 ? kExitFailed : kExitOk;
}

}  // namespace

Command FmtCommand() {
  return {.name = "fmt",
          .summary = "Give files one layout; comments and order stay as they are",
          .example = "sluice fmt --check",
          .arguments = {{"file", "Files or pipelines (default: all of the project)",
                         Argument::Count::kMany}},
          .options = {ProjectOption(),
                      EnvOption(),
                      {"--check", "", "Change nothing; exit code 1 where something would change",
                       Option::Kind::kFlag},
                      {"--types", "", "Write down the columns that were inferred from files",
                       Option::Kind::kFlag},
                      {"--date", "DATE", "The interval that begins on DATE"},
                      {"--param", "NAME=VALUE", "A parameter", Option::Kind::kList},
                      {"--set", "KEY=VALUE", "A setting", Option::Kind::kList}},
          .run = FormatFiles};
}

}  // namespace sluice
