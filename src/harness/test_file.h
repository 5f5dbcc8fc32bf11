// A `.test` file: sections in the order in which they happen. docs/testing.md has the grammar.
//
//   # What it shows, in a sentence.
//   input orders
//     {"id": 1, "amount": 5}
//   pipeline
//     steps: …
//   run --date 2026-11-20
//   expect orders
//     {"id": 1, "amount": 5}
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace sluice::harness {

struct Section {
  std::string word;                // pipeline project input file run expect oracle skip clock
  std::vector<std::string> rest;   // the words after it
  std::vector<std::string> lines;  // its indented lines, without the indentation
  int line = 0;                    // of the word
};

struct TestFile {
  std::string path, title;
  std::vector<Section> sections;
  std::map<std::string, std::string> skips;  // configuration -> reason
};

// kConfig with the line where a section is unknown or a line stands outside of one.
Result<TestFile> ParseTestFile(const std::string& text, const std::string& path);

}  // namespace sluice::harness
