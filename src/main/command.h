// How a subcommand declares itself: cli.cc turns the list into a parser and help texts.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sluice {

struct Option {
  enum class Kind : unsigned char { kFlag, kValue, kList };
  std::string name;   // "--date"
  std::string value;  // how the help names the value: "DATE"
  std::string help;
  Kind kind = Kind::kValue;
};

struct Argument {
  enum class Count : unsigned char { kOne, kOptional, kMany };
  std::string name, help;
  Count count = Count::kOne;
};

// What the user typed for one subcommand.
struct Invocation {
  std::string command;
  std::map<std::string, std::vector<std::string>> values;  // option or argument name -> values

  bool Has(const std::string& name) const { return values.contains(name); }
  std::string Get(const std::string& name, const std::string& otherwise = "") const {
    auto it = values.find(name);
    return it == values.end() || it->second.empty() ? otherwise : it->second.front();
  }
  std::vector<std::string> All(const std::string& name) const {
    auto it = values.find(name);
    return it == values.end() ? std::vector<std::string>{} : it->second;
  }
};

inline constexpr int kExitOk = 0, kExitFailed = 1, kExitUsage = 2, kExitPartial = 3;

struct Command {
  std::string name, summary, example;
  std::vector<Argument> arguments;
  std::vector<Option> options;
  std::function<Result<int>(const Invocation&)> run;  // the exit code
};

// A whole number from 1, of the option or argument `what`.
Result<int64_t> ReadNumber(const std::string& text, const std::string& what);

// Options that most commands take.
Option ProjectOption();
Option EnvOption();
Option OutputOption();

Command CheckCommand();
Command PlanCommand();
Command RunCommand();
Command BackfillCommand();
Command CopyCommand();
Command PreviewCommand();
Command TestCommand();
Command RunsCommand();
Command LogsCommand();
Command DeadLettersCommand();
Command ResyncCommand();
Command SchemaCommand();
Command FmtCommand();
Command SecretsCommand();
Command QueryCommand();
Command ConnectorsCommand();
Command ConnectionsCommand();
Command DoctorCommand();
Command InitCommand();
Command DiscoverCommand();
// `others`: all other commands, whose words the shell completes.
Command CompletionCommand(std::vector<Command> others);

}  // namespace sluice
