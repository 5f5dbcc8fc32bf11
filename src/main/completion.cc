// sluice completion: what a shell needs to complete sluice's words, written from the table of
// commands. Names of pipelines are those of the files in pipelines/.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "main/command.h"

namespace sluice {

namespace {

// Words that an argument of that name takes; a pipeline's name is asked from the folder.
std::vector<std::string> WordsOf(const Command& command) {
  for (const Argument& argument : command.arguments) {
    if (argument.name != "action" && argument.name != "what" && argument.name != "shell") continue;
    // The help lists them: "list (default), show or test".
    std::vector<std::string> words;
    for (const char* word : {"list", "show", "test", "set", "remove", "rotate", "pipeline",
                             "project", "bash", "zsh", "fish"}) {
      if (argument.help.find(word) != std::string::npos) words.emplace_back(word);
    }
    return words;
  }
  return {};
}

bool TakesPipeline(const Command& command) {
  return std::any_of(command.arguments.begin(), command.arguments.end(),
                     [](const Argument& a) { return a.name == "pipeline" || a.name == "file"; });
}

std::string OptionsOf(const Command& command) {
  std::vector<std::string> names;
  for (const Option& option : command.options) names.push_back(option.name);
  names.emplace_back("--help");
  return Join(names, " ");
}

std::string NamesOf(const std::vector<Command>& commands) {
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  return Join(names, " ");
}

constexpr char kBashHead[] =
    R"(# bash completion of sluice; load it with: source <(sluice completion bash)
_sluice() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options= words= pipelines=
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "$_sluice_commands --help --version" -- "$word"))
    return
  fi
  case "$command" in
)";
constexpr char kBashTail[] = R"(  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
    return
  fi
  if [ -n "$pipelines" ]; then
    local file
    for file in pipelines/*.yml; do
      [ -e "$file" ] && file=${file#pipelines/} && words="$words ${file%.yml}"
    done
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word") $(compgen -f -- "$word"))
}
complete -o filenames -F _sluice sluice
)";

std::string Bash(const std::vector<Command>& commands) {
  std::string text = fmt::format("_sluice_commands=\"{}\"\n", NamesOf(commands)) + kBashHead;
  for (const Command& command : commands) {
    text += fmt::format("    {}) options=\"{}\" words=\"{}\" pipelines={} ;;\n", command.name,
                        OptionsOf(command), Join(WordsOf(command), " "),
                        TakesPipeline(command) ? "yes" : "");
  }
  return text + kBashTail;
}

// In single quotes, with what zsh's _arguments takes for its own escaped.
std::string ZshText(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') out += "'\\'";
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string Zsh(const std::vector<Command>& commands) {
  std::string text =
      "#compdef sluice\n# zsh completion of sluice; load it with: source <(sluice completion "
      "zsh)\n_sluice_pipelines() {\n  local -a names=(pipelines/*.yml(N:t:r))\n  compadd -a "
      "names\n  _files\n}\n_sluice() {\n  local -a commands=(\n";
  for (const Command& command : commands)
    text += fmt::format("    '{}:{}'\n", command.name, ZshText(command.summary));
  text +=
      "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n  "
      "local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n";
  for (const Command& command : commands) {
    text += fmt::format("    {})\n      _arguments", command.name);
    for (const Option& option : command.options) {
      text +=
          fmt::format(" \\\n        '{}{}[{}]{}'", option.kind == Option::Kind::kList ? "*" : "",
                      option.name, ZshText(option.help),
                      option.kind == Option::Kind::kFlag ? "" : ":" + ZshText(option.value) + ":");
    }
    const std::vector<std::string> words = WordsOf(command);
    if (!words.empty()) text += fmt::format(" \\\n        '1:word:({})'", Join(words, " "));
    text += TakesPipeline(command) ? " \\\n        '*:pipeline:_sluice_pipelines'"
                                   : " \\\n        '*:file:_files'";
    text += "\n      ;;\n";
  }
  return text + "  esac\n}\ncompdef _sluice sluice\n";
}

std::string FishText(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string Fish(const std::vector<Command>& commands) {
  std::string text =
      "# fish completion of sluice; load it with: sluice completion fish | source\n"
      "function __sluice_pipelines\n  for file in pipelines/*.yml\n    basename $file .yml\n  end\n"
      "end\ncomplete -c sluice -n __fish_use_subcommand -f\n";
  for (const Command& command : commands) {
    text += fmt::format("complete -c sluice -n __fish_use_subcommand -a {} -d '{}'\n", command.name,
                        FishText(command.summary));
    const std::string when = fmt::format("-n '__fish_seen_subcommand_from {}'", command.name);
    for (const Option& option : command.options) {
      text += fmt::format("complete -c sluice {} -l {}{} -d '{}'\n", when, option.name.substr(2),
                          option.kind == Option::Kind::kFlag ? "" : " -r", FishText(option.help));
    }
    if (TakesPipeline(command))
      text += fmt::format("complete -c sluice {} -a '(__sluice_pipelines)'\n", when);
    const std::vector<std::string> words = WordsOf(command);
    if (!words.empty())
      text += fmt::format("complete -c sluice {} -a '{}'\n", when, Join(words, " "));
  }
  return text;
}

Result<int> Print(const Invocation& invocation, const std::vector<Command>& commands) {
  const std::string shell = invocation.Get("shell");
  std::string text;
  if (shell == "bash")
    text = Bash(commands);
  else if (shell == "zsh")
    text = Zsh(commands);
  else if (shell == "fish")
    text = Fish(commands);
  else
    return ConfigError({}, "no completion for '" + shell + "'; valid: bash, zsh, fish");
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

}  // namespace

Command CompletionCommand(std::vector<Command> others) {
  Command command{.name = "completion",
                  .summary = "Print what a shell needs to complete sluice's words",
                  .example = "sluice completion bash",
                  .arguments = {{"shell", "bash, zsh or fish"}},
                  .options = {},
                  .run = {}};
  others.push_back(command);
  command.run = [commands = std::move(others)](const Invocation& invocation) {
    return Print(invocation, commands);
  };
  return command;
}

}  // namespace sluice
