// sluice.yml as one environment sees it, and where the files of a project are.
#include "pipeline/project.h"
#include "pipeline/macros.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/text.h"
#include "pipeline/reserved.h"
#include "spec/field.h"

namespace sluice {
namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;

std::string Absolute(const std::string& folder) {
  std::error_code code;
  std::string path = std::filesystem::absolute(folder, code).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Characters that a name of a project, pipeline, step or connection may have: it becomes part of
// lanes and of SQL.
bool IsName(std::string_view text) {
  if (text.empty() || text.size() > 63 || (text[0] >= '0' && text[0] <= '9') || text[0] == '-')
    return false;
  for (const unsigned char c : text) {
    if (!(std::isalnum(c) || c == '_' || c == '-')) return false;
  }
  return true;
}

// What stands in sluice.yml is the same for every run.
Status RefuseTemplates(const Node& node, std::string_view what) {
  if (node.IsScalar() && node.scalar.find("{{") != std::string::npos) {
    return ConfigError(node.mark,
                       fmt::format("{{{{ }}}} means nothing in {}; values that differ go "
                                   "into environments:",
                                   what));
  }
  for (const Node& item : node.list) TRY(RefuseTemplates(item, what));
  for (const auto& [key, value] : node.map) TRY(RefuseTemplates(value, what));
  return Ok();
}

Result<Connection> ReadConnection(const Node& key, const Node& node) {
  if (!IsName(key.scalar)) {
    return ConfigError(key.mark,
                       fmt::format("'{}' is no name for a connection: letters, digits, _ and -",
                                   EscapeControl(key.scalar)));
  }
  for (const std::string_view reserved :
       {"file", "inline", "generator", "webhook", "event", "ledger"}) {
    if (key.scalar != reserved) continue;
    return ConfigError(
        key.mark,
        fmt::format("'{}' is a built-in name; call the connection something else", reserved));
  }
  if (!node.IsMap()) return WrongShape(node, key.scalar, "a map with type: and its keys");
  TRY(RefuseTemplates(node, "a connection"));
  const Node* type = node.Find("type");
  if (type == nullptr)
    return ConfigError(key.mark, fmt::format("connection '{}' needs 'type'", key.scalar));
  return Connection{key.scalar, TRY(ReadWritten(*type, "type")).text, node};
}

// The connections and vars of sluice.yml, or of one of its environments: those take the place of
// what has the same name.
Status ReadPlaces(const Node& node, Project& project) {
  if (const Node* connections = node.Find("connections")) {
    if (!connections->IsMap())
      return WrongShape(*connections, "connections", "a map name -> connection");
    for (const auto& [key, value] : connections->map)
      project.connections[key.scalar] = TRY(ReadConnection(key, value));
  }
  if (const Node* vars = node.Find("vars")) {
    if (!vars->IsMap()) return WrongShape(*vars, "vars", "a map name -> value");
    TRY(RefuseTemplates(*vars, "vars"));
    for (const auto& [key, value] : vars->map)
      project.vars[key.scalar] = TRY(ReadWritten(value, "vars." + key.scalar));
  }
  return Ok();
}

Error NoEnvironment(const std::string& name, const std::vector<std::string>& known) {
  std::string message = fmt::format("no environment '{}' in sluice.yml", EscapeControl(name));
  if (const auto nearest = Nearest(name, known))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else if (!known.empty())
    message += fmt::format("; there are: {}, {}", kDevelopment, Join(known, ", "));
  else
    message += "; it has no environments:, only dev";
  return ConfigError({}, std::move(message));
}

// All environments are checked, one of them is taken.
Status ChooseEnvironment(Project& project) {
  std::vector<std::string> known;
  bool found = project.environment == kDevelopment;
  const Node* environments = project.settings.Find("environments");
  if (environments != nullptr && !environments->IsMap())
    return WrongShape(*environments, "environments", "a map name -> { connections, vars }");
  const Project base = project;
  for (size_t i = 0; environments != nullptr && i < environments->map.size(); ++i) {
    const auto& [key, value] = environments->map[i];
    if (!IsName(key.scalar)) {
      return ConfigError(key.mark,
                         fmt::format("'{}' is no name for an environment: letters, digits, _ and -",
                                     EscapeControl(key.scalar)));
    }
    TRY(CheckKeys(value, EnvironmentKeys()));
    Project seen = base;
    TRY(ReadPlaces(value, seen));
    known.push_back(key.scalar);
    if (key.scalar != project.environment) continue;
    project = std::move(seen);
    found = true;
  }
  if (!found) return NoEnvironment(project.environment, known);
  return Ok();
}

Status ReadSettings(Project& project) {
  TRY(CheckKeys(project.settings, ProjectKeys()));
  if (const Node* name = project.settings.Find("project")) {
    project.name = TRY(ReadWritten(*name, "project")).text;
    if (!IsName(project.name)) {
      return ConfigError(name->mark,
                         fmt::format("'{}' is no name for a project: letters, digits, _ and -",
                                     EscapeControl(project.name)));
    }
  }
  TRY(ReadPlaces(project.settings, project));
  if (const Node* defaults = project.settings.Find("defaults")) {
    TRY(CheckKeys(*defaults, DefaultKeys()));
    project.defaults = *defaults;
  }
  TRY(ChooseEnvironment(project));
  if (const Node* memory = project.settings.Find("memory"))
    project.memory_bytes = TRY(ReadBytes(*memory, "memory"));
  if (const Node* parallelism = project.settings.Find("parallelism")) {
    const int64_t value = TRY(ReadInteger(*parallelism, "parallelism"));
    if (value < 1 || value > 1024)
      return WrongShape(*parallelism, "parallelism", "a whole number from 1 to 1024");
    project.parallelism = static_cast<int>(value);
  }
  return Ok();
}

}  // namespace

Result<Project> ReadProject(Files& files, const std::string& folder,
                            const std::string& environment) {
  Project project;
  project.environment = environment;
  project.folder = Absolute(folder);
  project.name = FileName(project.folder);
  const std::string path = JoinPath(project.folder, "sluice.yml");
  const bool written = files.Exists(path);
  for (const char* other : {"sluice.yaml", "sluice.YML"}) {
    if (!written && files.Exists(JoinPath(project.folder, other)))
      return ConfigError({JoinPath(project.folder, other), 0, 0},
                         "this file is not read: the project is in sluice.yml; rename it");
  }
  project.macros = TRY(ReadMacros(files, project.folder));
  if (!written && environment == kDevelopment) return project;
  if (!written) return NoEnvironment(environment, {});
  const std::string text = TRY(files.ReadAll(path, kMaxFileBytes).While("reading the project"));
  project.settings = TRY(ParseYaml(text, path));
  if (!project.settings.IsNull())
    TRY(ReadSettings(project));
  else
    TRY(ChooseEnvironment(project));
  return project;
}

Result<const Connection*> FindConnection(const Project& project, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [other, connection] : project.connections) {
    if (other == name) return &connection;
    names.push_back(other);
  }
  const auto near = Nearest(name, names);
  return ConfigError({}, fmt::format("no connection is called '{}'; {}", EscapeControl(name),
                                     near            ? fmt::format("did you mean '{}'?", *near)
                                     : names.empty() ? "sluice.yml has none"
                                                     : "there are: " + Join(names, ", ")));
}

std::string StoreOf(const Project& project) {
  std::string store = JoinPath(project.folder, ".sluice");
  if (project.environment == kDevelopment) return store;
  return JoinPath(store, "environments/" + project.environment);
}

std::string FindProject(Files& files, const std::string& from) {
  std::string start = Absolute(from);
  for (std::string folder = start;; folder = ParentFolder(folder)) {
    if (files.Exists(JoinPath(folder, "sluice.yml"))) return folder;
    if (folder == "/" || folder == "." || folder.empty()) return start;
  }
}

}  // namespace sluice
