// See test_file.h.
#include "harness/test_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace sluice::harness {

namespace {

const std::vector<std::string> kWords{"pipeline", "project", "input", "file", "run",
                                      "expect",   "oracle",  "skip",  "clock"};

std::vector<std::string> Words(std::string_view line) {
  std::vector<std::string> words;
  for (const std::string& word : Split(line, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

}  // namespace

Result<TestFile> ParseTestFile(const std::string& text, const std::string& path) {
  TestFile file{.path = path, .title = "", .sections = {}, .skips = {}};
  int number = 0;
  size_t indent = 0;
  for (const std::string& raw : Split(text, '\n')) {
    ++number;
    bool inside = !raw.empty() && raw[0] == ' ';
    if (raw.empty() || (inside && Trim(raw).empty())) {
      if (!file.sections.empty() && !file.sections.back().lines.empty())
        file.sections.back().lines.emplace_back();
      continue;
    }
    if (raw[0] == '#') {
      if (file.title.empty()) file.title = std::string(Trim(raw.substr(1)));
      continue;
    }
    if (inside) {
      if (file.sections.empty())
        return ConfigError({path, number, 1}, "an indented line outside of a section");
      Section& section = file.sections.back();
      if (section.lines.empty()) indent = raw.find_first_not_of(' ');
      size_t own = std::min(indent, raw.find_first_not_of(' '));
      section.lines.push_back(raw.substr(own));
      continue;
    }
    std::vector<std::string> words = Words(raw);
    if (std::find(kWords.begin(), kWords.end(), words[0]) == kWords.end()) {
      auto near = Nearest(words[0], kWords);
      return ConfigError(
          {path, number, 1},
          fmt::format("unknown section '{}'{}; valid: {}", words[0],
                      near ? ", did you mean '" + *near + "'?" : "", Join(kWords, ", ")));
    }
    Section section{
        .word = words[0], .rest = {words.begin() + 1, words.end()}, .lines = {}, .line = number};
    if (section.word == "skip") {
      if (section.rest.size() < 2)
        return ConfigError({path, number, 1}, "write: skip CONFIGURATION REASON");
      std::string reason;
      for (size_t i = 1; i < section.rest.size(); ++i)
        reason += (i > 1 ? " " : "") + section.rest[i];
      file.skips[section.rest[0]] = reason;
      continue;
    }
    file.sections.push_back(std::move(section));
  }
  for (Section& section : file.sections) {
    while (!section.lines.empty() && section.lines.back().empty()) section.lines.pop_back();
  }
  return file;
}

}  // namespace sluice::harness
