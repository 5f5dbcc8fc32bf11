// A pipeline's file as steps in the order written, each with exactly one verb.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "pipeline/for_each.h"
#include "pipeline/pieces.h"
#include "pipeline/project.h"
#include "pipeline/reserved.h"
#include "spec/field.h"

namespace sluice {
namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;

bool IsStepName(std::string_view text) {
  if (text.empty() || text.size() > 63 ||
      !(std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_'))
    return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

Error UnknownVerb(const Node& key) {
  std::vector<std::string> known = BuiltVerbs();
  for (const std::string& word : StepKeys().known) known.push_back(word);
  std::string message =
      fmt::format("'{}' is no verb and no key of a step", EscapeControl(key.scalar));
  if (const auto nearest = Nearest(key.scalar, known))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else
    message += fmt::format("; verbs: {}", Join(BuiltVerbs(), ", "));
  return ConfigError(key.mark, std::move(message));
}

Status FindVerb(StepNode& step, const Node& name) {
  const auto& verbs = BuiltVerbs();
  for (const auto& [key, value] : step.step.map) {
    const auto& known = StepKeys().known;
    if (std::find(known.begin(), known.end(), key.scalar) != known.end()) continue;
    if (const Reserved* reserved = FindReserved(StepKeys().reserved, key.scalar)) {
      return NotBuiltYet(key, fmt::format("step '{}'", step.name), reserved->comes_with);
    }
    if (const Reserved* reserved = FindReserved(ReservedVerbs(), key.scalar)) {
      return ConfigError(key.mark, fmt::format("the verb '{}' is not built yet: comes with {}",
                                               key.scalar, reserved->comes_with));
    }
    if (std::find(verbs.begin(), verbs.end(), key.scalar) == verbs.end()) {
      if (value.IsNull() && key.scalar.find_first_of("() ") != std::string::npos)
        return CutByComma(key);
      return UnknownVerb(key);
    }
    if (!step.verb.empty()) {
      return ConfigError(key.mark,
                         fmt::format("step '{}' has two verbs, '{}' and '{}'; make them two steps",
                                     step.name, step.verb, key.scalar));
    }
    step.verb = key.scalar;
    step.body = value;
    step.mark = name.mark;
  }
  if (step.verb.empty()) {
    return ConfigError(
        name.mark, fmt::format("step '{}' has no verb; verbs: {}", step.name, Join(verbs, ", ")));
  }
  return Ok();
}

Result<std::vector<std::string>> ReadFrom(const StepNode& step,
                                          const std::vector<StepNode>& above) {
  std::vector<std::string> names;
  if (const Node* from = step.step.Find("from")) {
    if (step.verb == "extract") {
      return ConfigError(
          from->mark,
          fmt::format("'from' beside extract: step '{}' reads from a connection, inside extract; "
                      "to wait for a step say after:",
                      step.name));
    }
    for (const Written& name : TRY(ReadWrittenList(*from, "from"))) names.push_back(name.text);
    if (names.empty()) return WrongShape(*from, "from", "a step or a list of steps");
  } else if (step.verb != "extract" && !above.empty()) {
    names.push_back(above.back().name);
  }
  return names;
}

}  // namespace

Result<StepNode> ReadStep(const Node& key, const Node& value, const std::vector<StepNode>& above) {
  StepNode step;
  step.name = key.scalar;
  step.mark = key.mark;
  if (!IsStepName(key.scalar)) {
    return ConfigError(
        key.mark, fmt::format("'{}' is no name for a step: a letter, then letters, digits and _",
                              EscapeControl(key.scalar)));
  }
  if (StartsWith(step.name, "_sluice")) {
    return ConfigError(key.mark,
                       fmt::format("'{}': names that begin with _sluice are ours", step.name));
  }
  if (!value.IsMap()) return WrongShape(value, step.name, "a map with one verb");
  step.step = value;
  TRY(FindVerb(step, key));
  step.from = TRY(ReadFrom(step, above));
  return step;
}

namespace {

Status ReadSteps(PipelineFile& file) {
  const Node* steps = file.node.Find("steps");
  if (steps == nullptr)
    return ConfigError(file.node.mark, fmt::format("pipeline '{}' has no steps:", file.name));
  if (steps->IsList()) {
    return ConfigError(
        steps->mark,
        "'steps' takes a map name -> step in order, not a list; write `orders: { extract: … }`");
  }
  if (steps->IsMap() && steps->map.empty())
    return ConfigError(steps->mark, "'steps' is empty; a pipeline needs a step");
  if (!steps->IsMap()) return WrongShape(*steps, "steps", "a map name -> step");
  for (const auto& [key, value] : steps->map) {
    for (const StepNode& above : file.steps) {
      if (ToLower(above.name) != ToLower(key.scalar)) continue;
      return ConfigError(
          key.mark, fmt::format("steps '{}' and '{}' differ only in case; SQL takes them for one",
                                above.name, key.scalar));
    }
    file.steps.push_back(TRY(ReadStep(key, value, file.steps)));
  }
  return Ok();
}

Result<Node> ReadDocument(const std::string& text, const std::string& path) {
  Node node = TRY(ParseYaml(text, path));
  if (node.IsNull()) return ConfigError({path, 1, 1}, "the file is empty; a pipeline needs steps:");
  TRY(CheckKeys(node, PipelineKeys()));
  return node;
}

Result<PipelineFile> MakePipeline(std::string text, const std::string& path, Node node, Node each) {
  PipelineFile file;
  file.path = path;
  file.name = FileStem(path);
  file.text = std::move(text);
  file.node = std::move(node);
  file.each = std::move(each);
  if (const Node* name = file.node.Find("pipeline")) {
    file.name = TRY(ReadWritten(*name, "pipeline")).text;
    if (!IsStepName(file.name)) {
      return ConfigError(
          name->mark,
          fmt::format("'{}' is no name for a pipeline: a letter, then letters, digits and _",
                      EscapeControl(file.name)));
    }
  }
  TRY(ReadSteps(file));
  return file;
}

}  // namespace

Result<PipelineFile> ParsePipeline(std::string text, const std::string& path) {
  Node node = TRY(ReadDocument(text, path));
  if (const Node* each = node.Find("for_each"))
    return ConfigError(each->mark, "for_each makes several pipelines; here is one");
  return MakePipeline(std::move(text), path, std::move(node), {});
}

Result<std::vector<PipelineFile>> ParsePipelines(std::string text, const std::string& path,
                                                 Files& files, const std::string& folder) {
  const Node node = TRY(ReadDocument(text, path));
  std::vector<PipelineFile> pipelines;
  for (Each& each : TRY(ExpandForEach(node, files, folder))) {
    pipelines.push_back(
        TRY(MakePipeline(text, path, std::move(each.document), std::move(each.entry))));
    TRY(InlinePieces(pipelines.back(), files, folder));
    const std::string& name = pipelines.back().name;
    const auto named = [&](const PipelineFile& other) { return other.name == name; };
    if (std::count_if(pipelines.begin(), pipelines.end(), named) == 1) continue;
    return ConfigError(node.Find("for_each")->mark,
                       fmt::format("for_each makes two pipelines '{}'; give each its name: "
                                   "pipeline: \"{}_{{{{ each.… }}}}\"",
                                   name, FileStem(path)));
  }
  return pipelines;
}

Result<std::vector<std::string>> ListPipelines(Files& files, const Project& project) {
  return files.Glob(JoinPath(project.folder, "pipelines/**/*.yml"));
}

Result<std::vector<std::string>> ListMisnamed(Files& files, const Project& project) {
  std::vector<std::string> paths =
      TRY(files.Glob(JoinPath(project.folder, "pipelines/**/*.[yY]*[mM][lL]")));
  std::erase_if(paths, [](const std::string& path) {
    const std::string name = ToLower(path);
    return EndsWith(path, ".yml") || !(EndsWith(name, ".yml") || EndsWith(name, ".yaml"));
  });
  return paths;
}

std::string Rename(const std::string& path) {
  return fmt::format("'{}' is not read: the names of pipelines end in .yml; rename it {}.yml", path,
                     FileStem(path));
}

bool HasPipeline(Files& files, const Project& project, const std::string& name) {
  const auto paths = ListPipelines(files, project);
  if (!paths.ok()) return true;
  for (const std::string& path : *paths) {
    const auto found = ReadPipelines(files, project, path);
    if (!found.ok()) return true;
    for (const PipelineFile& file : *found) {
      if (file.name == name) return true;
    }
  }
  return false;
}

Result<std::vector<PipelineFile>> ReadPipelines(Files& files, const Project& project,
                                                const std::string& which) {
  const auto read = [&](const std::string& path) -> Result<std::vector<PipelineFile>> {
    return ParsePipelines(TRY(files.ReadAll(path, kMaxFileBytes)), path, files, project.folder);
  };
  if (EndsWith(which, ".yml") || EndsWith(which, ".yaml") || which.find('/') != std::string::npos) {
    if (!files.Exists(which)) return ConfigError({which, 0, 0}, "no such file");
    return read(which);
  }
  const std::string direct = JoinPath(project.folder, "pipelines/" + which + ".yml");
  std::vector<std::string> names;
  for (const std::string& path : TRY(ListPipelines(files, project))) {
    auto found = read(path);
    if (path == direct && !found.ok()) return found;
    if (!found.ok()) continue;  // `check` tells about the others
    for (PipelineFile& file : *found) {
      if (file.name == which) return std::vector<PipelineFile>{std::move(file)};
      names.push_back(file.name);
    }
    if (path == direct) return found;
  }
  std::string message =
      fmt::format("no pipeline '{}' in {}", which, JoinPath(project.folder, "pipelines"));
  for (const std::string& path : TRY(ListMisnamed(files, project))) {
    if (FileStem(path) == which) return ConfigError({}, message + "; " + Rename(path));
  }
  if (const auto nearest = Nearest(which, names))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else if (!names.empty())
    message += fmt::format("; there are: {}", Join(names, ", "));
  return ConfigError({}, std::move(message));
}

Result<PipelineFile> ReadPipeline(Files& files, const Project& project, const std::string& which) {
  std::vector<PipelineFile> found = TRY(ReadPipelines(files, project, which));
  if (found.size() == 1) return std::move(found.front());
  std::vector<std::string> names;
  for (const PipelineFile& file : found) names.push_back(file.name);
  return ConfigError({found.front().path, 0, 0},
                     fmt::format("the file stands for {} pipelines, one per entry of for_each; "
                                 "name one: {}",
                                 found.size(), Join(names, ", ")));
}

}  // namespace sluice
