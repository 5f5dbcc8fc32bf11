// The projects that `sluice init` writes. Each is green with one command and needs no credentials.
#pragma once

#include <string>
#include <vector>

namespace sluice {

struct TemplateFile {
  std::string path, text;
};
struct ProjectTemplate {
  std::string name, summary;
  std::vector<TemplateFile> files;  // `{project}` in a text is the project's name
  std::string run;                  // the one command
  std::string then;                 // what to look at afterwards
};

std::vector<ProjectTemplate> ProjectTemplates();

}  // namespace sluice
