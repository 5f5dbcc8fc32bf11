// sluice.yml, and where the files of a project are.
#include "pipeline/project.h"

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
  const Node* type = node.Find("type");
  if (type == nullptr)
    return ConfigError(key.mark, fmt::format("connection '{}' needs 'type'", key.scalar));
  return Connection{key.scalar, TRY(ReadWritten(*type, "type")).text, node};
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
  if (const Node* connections = project.settings.Find("connections")) {
    if (!connections->IsMap())
      return WrongShape(*connections, "connections", "a map name -> connection");
    for (const auto& [key, value] : connections->map) {
      project.connections[key.scalar] = TRY(ReadConnection(key, value));
    }
  }
  if (const Node* vars = project.settings.Find("vars")) {
    if (!vars->IsMap()) return WrongShape(*vars, "vars", "a map name -> value");
    for (const auto& [key, value] : vars->map) TRY(ReadWritten(value, "vars." + key.scalar));
  }
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

Result<Project> ReadProject(Files& files, const std::string& folder) {
  Project project;
  project.folder = Absolute(folder);
  project.name = FileName(project.folder);
  const std::string path = JoinPath(project.folder, "sluice.yml");
  if (!files.Exists(path)) return project;
  const std::string text = TRY(files.ReadAll(path, kMaxFileBytes).While("reading the project"));
  project.settings = TRY(ParseYaml(text, path));
  if (!project.settings.IsNull()) TRY(ReadSettings(project));
  return project;
}

std::string FindProject(Files& files, const std::string& from) {
  const std::string start = Absolute(from);
  for (std::string folder = start;; folder = ParentFolder(folder)) {
    if (files.Exists(JoinPath(folder, "sluice.yml"))) return folder;
    if (folder == "/" || folder == "." || folder.empty()) return start;
  }
}

}  // namespace sluice
