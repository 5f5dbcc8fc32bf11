// function: each row goes through a program of the user's, a function in Python or a command. The
// plan holds the program as text, so that what runs is what was checked and fingerprinted.
#include <fmt/format.h>

#include <algorithm>

#include "base/child.h"
#include "base/text.h"
#include "transform/builtin.h"
#include "transform/expression.h"
#include "transform/python.h"

namespace sluice {
namespace {

constexpr int64_t kMostBatchRows = 2048;  // DuckDB hands on so many at a time
constexpr int64_t kMostProcesses = 64;

struct FunctionConfig {
  Written python, name;
  std::vector<Written> command;
  std::vector<NamedWritten> columns;
  int64_t batch_size = 1000;
  int64_t parallelism = 1;
  std::chrono::microseconds timeout = std::chrono::minutes(5);
};
Spec<FunctionConfig> FunctionSpec() {
  return Spec<FunctionConfig>("function",
                              "Hands each row to a function in Python, or to a command.")
      .Main("command")
      .List(&FunctionConfig::command, "command",
            "A program and its arguments. It reads one JSON object per line and writes one line "
            "for each: the row, an array of rows, or null.",
            Slot::kText, "list of words")
      .TextSlot(&FunctionConfig::python, "python",
                "A file of the project, read when the run is planned.")
      .TextSlot(&FunctionConfig::name, "name",
                "The function in it: def f(row) gets a dict, and returns a dict, None to drop the "
                "row, or a list of dicts.")
      .Names(&FunctionConfig::columns, "columns",
             "Names and types of the columns that it gives; without it those that it gets.",
             Slot::kText, "map name -> type")
      .Integer(&FunctionConfig::batch_size, "batch_size",
               "The most rows that are handed over at once, up to 2048.")
      .Integer(&FunctionConfig::parallelism, "parallelism",
               "How many processes of it run side by side.")
      .Duration(&FunctionConfig::timeout, "timeout", "How long one batch may take; 5m without it.");
}

Status CheckNumbers(const Node& body, const FunctionConfig& config) {
  const auto check = [&](std::string_view key, int64_t value, int64_t most) -> Status {
    if (value >= 1 && value <= most) return Ok();
    return ConfigError(body.Find(key)->mark,
                       fmt::format("'{}: {}' is out of range: 1 to {}", key, value, most));
  };
  TRY(check("batch_size", config.batch_size, kMostBatchRows));
  TRY(check("parallelism", config.parallelism, kMostProcesses));
  if (config.timeout.count() <= 0)
    return ConfigError(body.Find("timeout")->mark, "'timeout' takes a duration above 0s");
  return Ok();
}

// The columns that are declared, in DuckDB's own words for their types.
Result<Schema> Declared(const FunctionConfig& config, LowerContext& context) {
  TRY(RefuseRepeats(config.columns));
  Schema columns;
  for (const NamedWritten& column : config.columns) {
    if (StartsWith(ToLower(column.name), "_sluice_"))
      return ConfigError(column.mark, "names that begin with _sluice_ are ours");
    if (column.value.empty()) {
      return ConfigError(column.mark, fmt::format("'{}' needs a type: {{ {}: varchar }}",
                                                  column.name, column.name));
    }
    auto type = context.session.Type(column.value.text);
    if (!type.ok()) {
      return ConfigError(
          column.value.mark,
          fmt::format("'{}' is not a type like bigint or decimal(18,2)", column.value.text));
    }
    columns.push_back({.name = column.name, .type = *std::move(type)});
    if (columns.back().type == "BLOB") {
      return ConfigError(column.value.mark,
                         "JSON has no bytes: give text, and decode it in a step after");
    }
  }
  return columns;
}

Result<relation::Given> GivenOf(const Column& column, const Mark& mark) {
  using relation::Wire;
  const std::string name = QuoteIdentifier(column.name);
  const auto as = [&](std::string_view type, Wire wire) {
    return relation::Given{column.name, fmt::format("CAST({} AS {})", name, type), wire};
  };
  switch (PhysicalOf(column.type)) {
    case Physical::kBool:
      return relation::Given{column.name, name, Wire::kBool};
    case Physical::kInt8:
    case Physical::kInt16:
    case Physical::kInt32:
    case Physical::kInt64:
      return as("BIGINT", Wire::kSigned);
    case Physical::kUint8:
    case Physical::kUint16:
    case Physical::kUint32:
    case Physical::kUint64:
      return as("UBIGINT", Wire::kUnsigned);
    case Physical::kFloat:
      return relation::Given{column.name, name, Wire::kFloat};
    case Physical::kDouble:
      return relation::Given{column.name, name, Wire::kDouble};
    default:
      break;
  }
  const std::string& type = column.type;
  if (type == "BLOB") {
    return ConfigError(mark, fmt::format("column '{}' holds bytes, which JSON cannot say; make it "
                                         "text before: map: {{ {}: hex({}) }}",
                                         column.name, column.name, column.name));
  }
  if (type == "HUGEINT" || type == "UHUGEINT") return as("VARCHAR", Wire::kJson);
  // As it stands, on one line: a line feed can only be a blank there.
  if (type == "JSON") {
    return relation::Given{
        column.name, fmt::format("replace(CAST({} AS VARCHAR), chr(10), ' ')", name), Wire::kJson};
  }
  const bool json = EndsWith(type, "]") || StartsWith(type, "STRUCT(") ||
                    StartsWith(type, "MAP(") || StartsWith(type, "UNION(");
  if (json)
    return relation::Given{column.name, fmt::format("CAST(to_json({}) AS VARCHAR)", name),
                           Wire::kJson};
  return as("VARCHAR", Wire::kText);
}

Status AddPython(const FunctionConfig& config, LowerContext& context, relation::Program& program) {
  if (config.name.empty()) {
    return ConfigError(config.python.mark,
                       "'python' needs 'name', the function in the file: name: clean");
  }
  const std::string source = TRY(context.read_file(config.python));
  TRY(CheckPython(config.python.text, source, config.name.text, config.name.mark));
  program.shown = config.python.text;
  program.command = PythonCommand();
  program.opening = PythonOpening(config.python.text, source, config.name.text);
  return Ok();
}

Status AddCommand(const FunctionConfig& config, LowerContext& context, relation::Program& program) {
  const Mark& mark = config.command[0].mark;
  if (!config.name.empty())
    return ConfigError(config.name.mark, "'name' goes with 'python', not with 'command'");
  if (config.command.size() == 1 && config.command[0].text.find(' ') != std::string::npos) {
    return ConfigError(
        mark, fmt::format("'{}' is one word to us, and no shell is asked; write a list: "
                          "[{}]",
                          config.command[0].text, Join(Split(config.command[0].text, ' '), ", ")));
  }
  for (const Written& word : config.command) {
    program.command.push_back(word.text);
    program.shown += (program.shown.empty() ? "" : " ") + word.text;
    // A file of the project is part of what is computed.
    if (word.text.find('/') == std::string::npos || StartsWith(word.text, "/")) continue;
    auto text = context.read_file(word);
    if (text.ok()) program.identity += word.text + "\x1f" + *text + "\x1e";
  }
  if (!FindProgram(program.command[0], context.folder)) {
    return ConfigError(
        mark, fmt::format("'{}' cannot be run: {}", program.command[0],
                          program.command[0].find('/') == std::string::npos
                              ? "there is no such program in PATH"
                              : "there is no such file in the project, or it may not be run "
                                "(chmod +x)"));
  }
  return Ok();
}

Result<Lowered> LowerFunction(const Node& body, const std::vector<StepInput>& inputs,
                              LowerContext& context) {
  FunctionConfig config = TRY(FunctionSpec().Bind(body));
  if (config.python.empty() == config.command.empty()) {
    return ConfigError(body.mark, config.python.empty()
                                      ? "a function is a file in 'python' or a 'command'"
                                      : "'python' and 'command' are two functions; say one");
  }
  TRY(CheckNumbers(body, config));
  auto program = std::make_shared<relation::Program>();
  program->step = context.step;
  program->folder = context.folder;
  program->batch_size = static_cast<uint64_t>(config.batch_size);
  program->parallelism = static_cast<int>(config.parallelism);
  program->timeout = config.timeout;
  const Schema& columns = inputs[0].rows->schema;
  for (const Column& column : Visible(columns))
    program->given.push_back(TRY(GivenOf(column, context.mark)));
  program->gives = config.columns.empty() ? Visible(columns) : TRY(Declared(config, context));
  TRY(config.python.empty() ? AddCommand(config, context, *program)
                            : AddPython(config, context, *program));
  Schema schema = program->gives;
  for (const Column& column : columns) {
    if (column.hidden) schema.push_back(column);
  }
  return Lowered{relation::Make(relation::Call{inputs[0].rows, context.step, std::move(program)},
                                std::move(schema), context.step),
                 Reach::kRow};
}

}  // namespace

Verb FunctionVerb() {
  return {.facts = FunctionSpec().facts(), .lower = LowerFunction, .mentions = {}};
}

}  // namespace sluice
