// For tests: bodies of verbs written as JSON, steps lowered one after the other, relations run with
// real taps.
#pragma once

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json_full.h"
#include "base/text.h"
#include "relation/render.h"
#include "sql/database.h"
#include "sql/exchange.h"
#include "sql/parse.h"
#include "sql/tap.h"
#include "transform/expression.h"
#include "transform/program_exchange.h"
#include "transform/verb.h"

namespace sluice {

// Each value is on a line of its own: its column is 11, its key's 5.
inline Node ToNode(const Json& json, int& line) {
  Node node;
  node.mark = {"p.yml", line, 11};
  if (json.is_object()) {
    node.kind = Node::Kind::kMap;
    for (const auto& [name, value] : json.items()) {
      ++line;
      Node key;
      key.kind = Node::Kind::kScalar;
      key.scalar = name;
      key.mark = {"p.yml", line, 5};
      node.map.push_back({key, ToNode(value, line)});
    }
  } else if (json.is_array()) {
    node.kind = Node::Kind::kList;
    for (const Json& item : json) node.list.push_back(ToNode(item, line));
  } else if (!json.is_null()) {
    node.kind = Node::Kind::kScalar;
    node.scalar = json.is_string() ? json.get<std::string>() : json.dump();
  }
  return node;
}

class VerbTest : public testing::Test {
 protected:
  struct Run {
    std::vector<std::string> rows;           // sorted, fields joined by '|'
    std::map<std::string, uint64_t> gone;    // "step kind" -> rows that left there
    std::map<std::string, uint64_t> passed;  // step -> rows that it gave, where a tap counted them
    std::vector<sql::Diverted> diverted;
    std::string sql;
    uint64_t asked = 0, answered = 0;  // of functions
  };

  void SetUp() override {
    auto database = sql::Database::Open({});
    ASSERT_TRUE(database.ok()) << database.error().message;
    database_ = std::move(*database);
    session_ = database_->Connect().value();
    parser_.emplace(*session_);
    Execute(
        "SET preserve_insertion_order = false; SET disabled_optimizers = 'join_filter_pushdown'");
  }

  void Execute(const std::string& text) {
    auto done = session_->Execute(text);
    ASSERT_TRUE(done.ok()) << text << "\n" << done.error().message;
  }
  std::vector<std::string> Query(const std::string& text,
                                 const std::vector<relation::Bound>& bound = {}) {
    auto rows = session_->Query(text, ToSql(bound));
    EXPECT_TRUE(rows.ok()) << text << "\n" << rows.error().message;
    std::vector<std::string> lines;
    if (!rows.ok()) return lines;
    for (const auto& row : rows->rows) {
      std::string line;
      for (const sql::Cell& cell : row)
        line += (line.empty() ? "" : "|") + (cell.null ? "NULL" : cell.text);
      lines.push_back(line);
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  // A table as the input of a pipeline; columns named _sluice_… are hidden.
  StepInput Table(const std::string& table) {
    Schema schema = session_->Describe("SELECT * FROM " + table).value();
    StepInput input{.step = table, .rows = nullptr};
    for (Column& column : schema) column.hidden = StartsWith(column.name, "_sluice_");
    input.event_time = Find(schema, kEventTimeColumn) && Find(schema, kWatermarkColumn);
    input.ordered = Find(schema, kPartitionColumn) && Find(schema, kOffsetColumn);
    input.rows = relation::Make(relation::Input{table}, schema, table);
    return input;
  }

  LowerContext Context(const std::string& step, OnRowError on_row_error) {
    return {.step = step,
            .mark = {"p.yml", 1, 3},
            .session = *session_,
            .parser = *parser_,
            .on_row_error = on_row_error,
            .expand = [](const Written& written) -> Result<Expanded> {
              relation::Bound day = relation::MakeBound("DATE", "2026-01-02");
              Expanded expanded{.sql = written.text, .bound = {}, .mark = written.mark};
              for (size_t at = expanded.sql.find("{{ ds }}"); at != std::string::npos;
                   at = expanded.sql.find("{{ ds }}")) {
                expanded.sql.replace(at, 8, relation::Refer(day));
                expanded.bound = {day};
              }
              return expanded;
            },
            .warn = [this](Mark, std::string text) { warnings_.push_back(std::move(text)); },
            .read_file = [this](const Written& path) -> Result<std::string> {
              const auto found = files_.find(path.text);
              if (found == files_.end()) return ConfigError(path.mark, "no such file");
              return found->second;
            },
            .folder = "/"};
  }
  Result<Lowered> Lower(const std::string& verb, const std::string& body,
                        const std::vector<StepInput>& inputs, const std::string& step = "step",
                        OnRowError on_row_error = OnRowError::kFail) {
    int line = 1;
    Node node = ToNode(Json::parse(body), line);
    LowerContext context = Context(step, on_row_error);
    return Find(verbs_, verb)->lower(node, inputs, context);
  }
  StepInput Step(const std::string& verb, const std::string& body,
                 const std::vector<StepInput>& inputs, const std::string& step,
                 OnRowError on_row_error = OnRowError::kFail) {
    auto lowered = Lower(verb, body, inputs, step, on_row_error);
    EXPECT_TRUE(lowered.ok()) << verb << " " << body << ": "
                              << (lowered.ok() ? "" : lowered.error().message);
    if (!lowered.ok()) return inputs[0];
    Schema schema = lowered->rows->schema;
    return {.step = step,
            .rows = lowered->rows,
            .endless = false,
            .event_time = Find(schema, kEventTimeColumn) && Find(schema, kWatermarkColumn),
            .ordered = Find(schema, kPartitionColumn) && Find(schema, kOffsetColumn)};
  }
  std::string Schemas(const Result<Lowered>& lowered) {
    return lowered.ok() ? Format(Visible(lowered->rows->schema)) : lowered.error().message;
  }
  std::string Complaint(const Result<Lowered>& lowered) {
    return lowered.ok() ? "no error" : Format(lowered.error());
  }

  static std::string_view KindName(relation::FateKind kind) {
    static constexpr std::string_view kNames[] = {"filtered", "deduplicated", "rejected", "late"};
    return kNames[static_cast<int>(kind)];
  }
  Run Fused(const relation::Ref& ref) {
    Run run;
    std::vector<std::pair<relation::TapPlan, std::unique_ptr<sql::Tap>>> taps;
    relation::RenderOptions options{
        .input = [](const std::string& step) -> Result<relation::InputText> {
          return relation::InputText{.from = step};
        },
        .tap =
            [&](const relation::TapPlan& plan) {
              taps.emplace_back(plan, database_->taps().Add(1 << 26));
              return taps.back().second->number();
            }};
    std::vector<std::pair<int64_t, std::shared_ptr<ProgramExchange>>> exchanges;
    options.call = [&](const relation::Call& call) -> Result<std::string> {
      auto pool = std::make_shared<ProgramPool>(call.program, call.program->parallelism);
      TRY(pool->Ready({}));
      auto exchange = std::make_shared<ProgramExchange>(call.program, pool, std::stop_token());
      exchanges.emplace_back(database_->exchanges().Add(exchange), exchange);
      return fmt::format("{}({}", TRY(database_->exchanges().Function(call.program->gives)),
                         exchanges.back().first);
    };
    auto text = relation::Render(ref, options, relation::Hidden::kLeaveOut);
    EXPECT_TRUE(text.ok()) << (text.ok() ? "" : Format(text.error()));
    run.sql = text->sql;
    run.rows = Query(text->sql, text->bound);
    for (const auto& [number, exchange] : exchanges) {
      database_->exchanges().Remove(number);
      run.asked += exchange->asked();
      run.answered += exchange->answered();
    }
    for (auto& [plan, tap] : taps) {
      uint64_t alive = tap->Total();
      run.passed[plan.step_in] = alive;
      for (size_t k = 0; k < plan.fates.size(); ++k) {
        uint64_t count = tap->Count(static_cast<int>(k) + 1);
        alive -= count;
        run.gone[fmt::format("{} {}", plan.fates[k].step, KindName(plan.fates[k].kind))] += count;
      }
      run.passed[plan.step_out] = alive;
      for (sql::Diverted& row : tap->TakeDiverted()) run.diverted.push_back(std::move(row));
    }
    return run;
  }

  std::unique_ptr<sql::Database> database_;
  std::unique_ptr<sql::Session> session_;
  std::optional<sql::Parser> parser_;
  Verbs verbs_ = BuiltinVerbs();
  std::vector<std::string> warnings_;
  std::map<std::string, std::string> files_;  // of the project
};

}  // namespace sluice
