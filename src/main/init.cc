// sluice init: a project that runs, in a folder that has none.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "main/command.h"
#include "main/templates.h"

namespace sluice {

namespace {

Result<ProjectTemplate> FindTemplate(const std::string& name) {
  std::vector<std::string> names;
  for (ProjectTemplate& one : ProjectTemplates()) {
    if (one.name == name) return std::move(one);
    names.push_back(one.name);
  }
  const auto near = Nearest(name, names);
  return ConfigError(
      {}, "no template is called '" + name + "'" +
              (near ? "; did you mean '" + *near + "'?" : "; there are: " + Join(names, ", ")));
}

// A name that sluice.yml takes, out of a folder's.
std::string NameFor(const std::string& folder) {
  std::string name;
  for (const char c : FileName(std::filesystem::absolute(folder).lexically_normal().string())) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    if (letter || ((digit || c == '-') && !name.empty()))
      name += c;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  }
  return name.empty() ? "project" : name.substr(0, 63);
}

// As a shell reads it as one word.
std::string InShell(const std::string& folder) {
  if (folder.find_first_of(" \t\"'\\$`*?[](){}<>|&;#!~") == std::string::npos) return folder;
  return "'" + Join(Split(folder, '\''), "'\\''") + "'";
}

Result<int> Init(const Invocation& invocation) {
  const std::string folder = invocation.Get("folder", ".");
  const ProjectTemplate chosen = TRY(FindTemplate(invocation.Get("--template", "hello")));
  const auto files = LocalFiles();
  // Nothing of the user's is overwritten: all or none.
  for (const TemplateFile& file : chosen.files) {
    if (!files->Exists(JoinPath(folder, file.path))) continue;
    return ConfigError({}, "'" + JoinPath(folder, file.path) +
                               "' is there already, and init overwrites nothing; give another "
                               "folder: sluice init FOLDER");
  }
  const std::string project = NameFor(folder);
  for (const TemplateFile& file : chosen.files) {
    const std::string path = JoinPath(folder, file.path);
    std::string text = file.text;
    if (const size_t at = text.find("{project}"); at != std::string::npos)
      text.replace(at, std::string_view("{project}").size(), project);
    TRY(files->MakeFolders(ParentFolder(path)));
    TRY(WriteAtomically(*files, path, text));
    std::printf("wrote %s\n", path.c_str());
  }
  std::printf("\nNow: %s%s\nThen: %s\n",
              folder == "." ? "" : fmt::format("cd {} && ", InShell(folder)).c_str(),
              chosen.run.c_str(), chosen.then.c_str());
  return kExitOk;
}

std::string TemplateHelp() {
  std::vector<std::string> parts;
  for (const ProjectTemplate& one : ProjectTemplates())
    parts.push_back(one.name + ": " + one.summary);
  return Join(parts, "; ") + " (default hello)";
}

}  // namespace

Command InitCommand() {
  return {.name = "init",
          .summary = "Write a project that runs, to begin with",
          .example = "sluice init shop --template csv-to-warehouse",
          .arguments = {{"folder", "Where (default: here)", Argument::Count::kOptional}},
          .options = {{"--template", "NAME", TemplateHelp()}},
          .run = Init};
}

}  // namespace sluice
