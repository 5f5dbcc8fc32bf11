// sluice dead-letters: rows that were rejected, with where they came from and why.
#include <fmt/core.h>

#include <cstdio>

#include "base/json_full.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "main/table.h"

namespace sluice {

namespace {

std::string Place(const Letter& letter) {
  std::string place = letter.partition.empty() ? letter.source : letter.partition;
  if (letter.line >= 0) return fmt::format("{}:{}", place, letter.line);
  if (letter.offset >= 0) return fmt::format("{}@{}", place, letter.offset);
  return place;
}

std::string LetterJson(const LetterRow& row) {
  Json json{{"id", row.id},
            {"run", row.run.value},
            {"pipeline", row.lane.pipeline},
            {"at", FormatInstant(row.at)},
            {"epoch", row.epoch.value},
            {"revision", row.revision},
            {"step", row.letter.step},
            {"code", row.letter.code},
            {"message", row.letter.message},
            {"source", row.letter.source},
            {"partition", row.letter.partition},
            {"offset", row.letter.offset},
            {"line", row.letter.line},
            {"original", row.letter.original}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<int> List(const Invocation& invocation, Ledger& ledger) {
  LetterFilter filter{.pipeline = invocation.Get("--pipeline"),
                      .step = invocation.Get("--step"),
                      .code = invocation.Get("--code"),
                      .run = {},
                      .limit = TRY(ReadNumber(invocation.Get("--limit", "20"), "--limit"))};
  if (invocation.Has("--run"))
    filter.run = RunId{TRY(ReadNumber(invocation.Get("--run"), "--run"))};
  std::vector<LetterRow> letters = TRY(ledger.Letters(filter));
  if (invocation.Get("--output") == "json") {
    for (const LetterRow& row : letters) std::printf("%s\n", LetterJson(row).c_str());
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows;
  for (const LetterRow& row : letters) {
    rows.push_back({std::to_string(row.id), row.lane.pipeline, row.letter.step, row.letter.code,
                    Place(row.letter), row.letter.message});
  }
  if (rows.empty()) {
    std::printf("no dead letters\n");
    return kExitOk;
  }
  std::fputs(FormatTable({"id", "pipeline", "step", "code", "where", "why"}, rows).c_str(), stdout);
  uint64_t all = TRY(ledger.CountLetters(filter));
  if (all > rows.size())
    std::printf("%zu of %s shown; --limit shows more\n", rows.size(), FormatCount(all).c_str());
  std::printf("one in full: sluice dead-letters show %s\n", rows.front()[0].c_str());
  return kExitOk;
}

Result<int> Show(const Invocation& invocation, Ledger& ledger) {
  if (!invocation.Has("id"))
    return ConfigError({},
                       "which one? sluice dead-letters show ID; the ids: sluice dead-letters list");
  int64_t id = TRY(ReadNumber(invocation.Get("id"), "id"));
  std::optional<LetterRow> row = TRY(ledger.FindLetter(id));
  if (!row)
    return ConfigError({},
                       fmt::format("no dead letter has the id {}: sluice dead-letters list", id));
  if (invocation.Get("--output") == "json") {
    std::printf("%s\n", LetterJson(*row).c_str());
    return kExitOk;
  }
  const Letter& letter = row->letter;
  std::printf(
      "id        %lld\npipeline  %s\nrun       %lld\nstep      %s\nwhere     %s\ncode      %s\nwhy "
      "      %s\nat        %s\nrevision  %s\n\n%s\n",
      static_cast<long long>(row->id), row->lane.pipeline.c_str(),
      static_cast<long long>(row->run.value), letter.step.c_str(), Place(letter).c_str(),
      letter.code.c_str(), letter.message.c_str(), FormatInstant(row->at).c_str(),
      row->revision.c_str(), EscapeControl(letter.original).c_str());
  return kExitOk;
}

Result<int> DeadLetters(const Invocation& invocation) {
  std::string action = invocation.Get("action", "list");
  if (action == "replay" || action == "discard") {
    return ConfigError(
        {}, "'" + action + "' is not built yet: comes with the checks; valid: list, show");
  }
  if (action != "list" && action != "show")
    return ConfigError({}, "'" + action + "' is unknown; valid: list, show");
  auto session = TRY(ProjectSession::Open(invocation));
  Ledger* ledger = TRY(session->ledger());
  return action == "list" ? List(invocation, *ledger) : Show(invocation, *ledger);
}

}  // namespace

Command DeadLettersCommand() {
  return {.name = "dead-letters",
          .summary = "List rejected rows, or show one in full",
          .example = "sluice dead-letters list --run 17",
          .arguments = {{"action", "list (default) or show", Argument::Count::kOptional},
                        {"id", "The letter's id, for show", Argument::Count::kOptional}},
          .options = {ProjectOption(),
                      EnvOption(),
                      OutputOption(),
                      {"--run", "N", "Only those of run N"},
                      {"--pipeline", "NAME", "Only those of a pipeline"},
                      {"--step", "NAME", "Only those of a step"},
                      {"--code", "CODE", "Only those with a reason code"},
                      {"--limit", "N", "At most N (default 20)"}},
          .run = DeadLetters};
}

}  // namespace sluice
