// A project: a folder with sluice.yml and pipelines/*.yml, read into nodes with places. Nothing is
// opened or run.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "spec/field.h"
#include "spec/node.h"

namespace sluice {

struct Connection {
  std::string name, type;
  Node node;  // its map, `type` included
};

// A macro of the project: one CREATE MACRO of a file in macros/.
struct Macro {
  std::string name;  // lower case
  std::string statement;
  Mark mark;
};

struct Project {
  std::string name;
  std::string folder;  // absolute; relative paths in files start here
  std::string environment = "dev";
  std::map<std::string, Connection> connections;  // of the environment, by name over the others
  std::map<std::string, Written> vars;            // likewise
  std::vector<Macro> macros;                      // in the order of files and statements
  Node defaults;                                  // of the settings of its pipelines
  Node settings;                                  // the whole of sluice.yml
  std::optional<uint64_t> memory_bytes;
  int parallelism = 0;
};

inline constexpr std::string_view kDevelopment = "dev";  // the environment where none is named

// Reads `folder`/sluice.yml. A folder without one is a project named after the folder, with no
// connections. An environment that it does not know is an error, except `dev`.
Result<Project> ReadProject(Files& files, const std::string& folder,
                            const std::string& environment = std::string(kDevelopment));
// The connection of that name; an error names those that there are.
Result<const Connection*> FindConnection(const Project& project, const std::string& name);
// Where ledger and state files are: each environment has its own, for each has its own
// destinations.
std::string StoreOf(const Project& project);
// The nearest folder upwards of `from` that has a sluice.yml; else `from`.
std::string FindProject(Files& files, const std::string& from);

struct StepNode {
  std::string name;
  Mark mark;
  std::string verb;
  Node body;                      // the verb's value
  Node step;                      // the step's whole map (for from, on_row_error, …)
  std::vector<std::string> from;  // resolved: names of steps; empty for extract
  std::map<std::string, std::string> local = {};  // in a piece: what it calls a step -> its name
};

struct PipelineFile {
  std::string name, path, text;
  Node node;                                  // the whole document
  Node each;                                  // its entry of for_each; null: it has none
  std::vector<StepNode> steps;                // in the order written
  std::map<std::string, std::string> pieces;  // path -> text of what it uses
};

// Parses one YAML document: places, raw scalars, repeated keys refused, aliases and anchors
// refused, at most 1 MiB.
Result<Node> ParseYaml(std::string_view text, const std::string& file);

// `which`: a pipeline's name or a path. Checks the shape of the document: known keys, one verb per
// step, names. A path with `for_each` stands for several.
Result<PipelineFile> ReadPipeline(Files& files, const Project& project, const std::string& which);
Result<std::vector<PipelineFile>> ReadPipelines(Files& files, const Project& project,
                                                const std::string& which);
// `folder`: where the file of a `for_each` is looked for.
Result<std::vector<PipelineFile>> ParsePipelines(std::string text, const std::string& path,
                                                 Files& files, const std::string& folder);
Result<PipelineFile> ParsePipeline(std::string text, const std::string& path);  // without for_each
Result<std::vector<std::string>> ListPipelines(Files& files,
                                               const Project& project);  // paths, sorted
// Files of the pipelines' folder that are not read for how their names end: p.yaml, p.YML.
Result<std::vector<std::string>> ListMisnamed(Files& files, const Project& project);
// What is to be done about one of them.
std::string Rename(const std::string& path);
// Whether a pipeline of that name is there, or a file that cannot be read and might be it.
bool HasPipeline(Files& files, const Project& project, const std::string& name);

}  // namespace sluice
