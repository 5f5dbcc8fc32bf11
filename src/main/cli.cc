// The table of contents of subcommands, and the only file that includes CLI11 (5 s to compile).
#include "main/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "connector/postgres/environment.h"
#include "main/command.h"
#include "main/console.h"
#include "sluice_version.h"

namespace sluice {

namespace {

std::vector<Command> Commands() {
  std::vector<Command> commands{
      InitCommand(),       CheckCommand(),       PlanCommand(),     RunCommand(),
      BackfillCommand(),   CopyCommand(),        PreviewCommand(),  QueryCommand(),
      TestCommand(),       RunsCommand(),        LogsCommand(),     DeadLettersCommand(),
      ConnectorsCommand(), ConnectionsCommand(), DiscoverCommand(), SecretsCommand(),
      DoctorCommand(),     FmtCommand(),         SchemaCommand(),   ResyncCommand()};
  commands.push_back(CompletionCommand(commands));
  return commands;
}

// CLI11 would say that a subcommand is required, and not what is wrong with the word.
Status CheckWord(const std::vector<Command>& commands, std::string_view word) {
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  if (StartsWith(word, "-") || std::find(names.begin(), names.end(), word) != names.end())
    return Ok();
  const auto near = Nearest(std::string(word), names);
  return ConfigError({}, "there is no command '" + EscapeControl(word) + "'; " +
                             (near ? "did you mean '" + *near + "'?" : "sluice --help lists them"));
}

// Where CLI11 puts what it parsed.
struct Typed {
  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, bool> flags;
};

void Declare(CLI::App& app, const Command& command, Typed& typed) {
  for (const Argument& argument : command.arguments) {
    CLI::Option* option = app.add_option(argument.name, typed.values[argument.name], argument.help);
    if (argument.count == Argument::Count::kOne) option->required()->expected(1);
    // Not expected(0, 1): such an option takes every word that is left.
    if (argument.count == Argument::Count::kOptional) option->expected(1);
    if (argument.count != Argument::Count::kMany) option->allow_extra_args(false);
    if (argument.count == Argument::Count::kMany) option->expected(0, -1);
  }
  for (const Option& declared : command.options) {
    if (declared.kind == Option::Kind::kFlag) {
      app.add_flag(declared.name, typed.flags[declared.name], declared.help);
      continue;
    }
    CLI::Option* option = app.add_option(declared.name, typed.values[declared.name], declared.help)
                              ->type_name(declared.value);
    if (declared.kind == Option::Kind::kValue)
      option->expected(1);
    else
      option->expected(1)->take_all()->allow_extra_args(false);  // the next word is an argument
  }
  if (!command.example.empty()) app.footer("Example: " + command.example);
}

int Run(const Command& command, const Typed& typed) {
  Invocation invocation{.command = command.name, .values = {}};
  for (const auto& [name, values] : typed.values) {
    if (!values.empty()) invocation.values[name] = values;
  }
  for (const auto& [name, set] : typed.flags) {
    if (set) invocation.values[name] = {"true"};
  }
  return Tell(command.run(invocation), *StandardConsole());
}

}  // namespace

Result<int64_t> ReadNumber(const std::string& text, const std::string& what) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, number).ptr != end || number < 1)
    return ConfigError({}, what + " '" + text + "': a whole number from 1 is valid");
  return number;
}

Option ProjectOption() {
  return {"--project", "FOLDER",
          "The project's folder (default: the nearest one upwards with a sluice.yml)"};
}
Option EnvOption() { return {"--env", "NAME", "The environment (default: SLUICE_ENV, or dev)"}; }
Option OutputOption() { return {"--output", "FORMAT", "text (default) or json"}; }

int Main(int argc, char** argv) {
  postgres::ForgetVariables();
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::printf("sluice %s\n", kSluiceVersion);
    return kExitOk;
  }
  CLI::App app("Extracts, transforms, checks and loads data; never loses, repeats or hides a row.",
               "sluice");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("sluice ") + kSluiceVersion);
  app.footer(
      "Exit codes: 0 succeeded, 1 failed, 2 usage or configuration, 3 partial or rows were "
      "rejected.");
  std::vector<Command> commands = Commands();
  std::vector<std::unique_ptr<Typed>> typed;
  std::vector<CLI::App*> parsers;
  for (const Command& command : commands) {
    typed.push_back(std::make_unique<Typed>());
    parsers.push_back(app.add_subcommand(command.name, command.summary));
    Declare(*parsers.back(), command, *typed.back());
  }
  if (argc < 2) {
    std::fputs(app.help().c_str(), stderr);
    return kExitUsage;
  }
  if (Status known = CheckWord(commands, argv[1]); !known.ok())
    return Tell(known.error(), *StandardConsole());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    int code = app.exit(error);
    return code == 0 ? kExitOk : kExitUsage;
  }
  for (size_t i = 0; i < commands.size(); ++i) {
    if (parsers[i]->parsed()) return Run(commands[i], *typed[i]);
  }
  return kExitUsage;
}

}  // namespace sluice
