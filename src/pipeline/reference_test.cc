// docs/language.md is what is built: its tables are written from the specs, and this test fails
// where they have come apart. `SLUICE_WRITE_DOCS=1 pipeline_test` writes them anew.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "connector/extract.h"
#include "connector/load.h"
#include "connector/registry.h"
#include "pipeline/children.h"
#include "pipeline/reserved.h"
#include "transform/verb.h"

namespace sluice {
namespace {

constexpr char kPage[] = "docs/language.md";
constexpr char kBegin[] = "<!-- generated from the specs: begin -->\n";
constexpr char kEnd[] = "<!-- generated from the specs: end -->\n";

std::string Cell(std::string text) {
  for (size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2))
    text.replace(at, 1, "\\|");
  return text;
}

// "`a`, `b` (streams); `c` (checks)": what comes later, by what it comes with.
std::string Later(const std::vector<std::pair<std::string, std::string>>& words) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<std::string>> groups;
  for (const auto& [word, with] : words) {
    if (!groups.contains(with)) order.push_back(with);
    groups[with].push_back("`" + word + "`");
  }
  std::vector<std::string> parts;
  for (const std::string& with : order)
    parts.push_back(Join(groups[with], ", ") + " (" + with + ")");
  return Join(parts, "; ");
}

std::string Table(const SpecFacts& facts) {
  std::string text = fmt::format("### {}\n\n{}", facts.name, facts.summary);
  if (!facts.main.empty()) text += fmt::format(" A value that is no map is its `{}`.", facts.main);
  text += "\n\n| Key | Takes | Default | |\n|---|---|---|---|\n";
  std::vector<std::pair<std::string, std::string>> later;
  for (const FieldFacts& field : facts.fields) {
    if (!field.comes_with.empty()) {
      later.emplace_back(field.name, field.comes_with);
      continue;
    }
    std::string takes = field.choices.empty() ? field.shape : Join(field.choices, ", ");
    std::string standard = field.need == Need::kRequired ? "required" : field.standard;
    text += fmt::format("| `{}` | {} | {} | {} |\n", field.name, Cell(takes), Cell(standard),
                        Cell(field.help));
  }
  if (!later.empty()) text += "\nComes later: " + Later(later) + ".\n";
  return text + "\n";
}

std::string Words(const Keys& keys) {
  std::vector<std::string> known;
  for (const auto& key : keys.known) known.push_back(fmt::format("`{}`", key));
  std::vector<std::pair<std::string, std::string>> later;
  for (const Reserved& word : keys.reserved) later.emplace_back(word.word, word.comes_with);
  std::string text = fmt::format("- {}: {}.", keys.component, Join(known, ", "));
  if (!later.empty()) text += " Comes later: " + Later(later) + ".";
  return text + "\n";
}

std::string Generated() {
  std::string text = "## Keys around the steps\n\n";
  for (const Keys* keys : {&ProjectKeys(), &PipelineKeys(), &ScheduleKeys(), &StepKeys()})
    text += Words(*keys);
  std::vector<std::pair<std::string, std::string>> verbs, modes, connections;
  for (const Reserved& word : ReservedVerbs()) verbs.emplace_back(word.word, word.comes_with);
  for (const Reserved& word : ReservedModes()) modes.emplace_back(word.word, word.comes_with);
  for (const Reserved& word : ReservedConnections())
    connections.emplace_back(word.word, word.comes_with);
  text += fmt::format(
      "- verbs that come later: {}.\n- load modes that come later: {}.\n- connections that come "
      "later: {}.\n\n",
      Later(verbs), Later(modes), Later(connections));
  text += "## Verbs\n\n" + Table(ExtractSpec().facts());
  for (const Verb& verb : BuiltinVerbs()) text += Table(verb.facts);
  text += Table(LoadSpec().facts());
  text += Table(RunFacts()) + Table(UseFacts());
  text +=
      "## What connections take\n\n| Connection | | Keys of extract | Keys of load "
      "|\n|---|---|---|---|\n";
  const auto list = [](const std::vector<std::string>& keys) {
    return keys.empty() ? "" : "`" + Join(keys, "` `") + "`";
  };
  for (const Connector& connector : BuiltinConnectors()) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", connector.type, Cell(connector.summary),
                        list(connector.extract_keys), list(connector.load_keys));
  }
  return text;
}

TEST(Reference, IsWhatTheSpecsSay) {
  std::ifstream in(kPage);
  ASSERT_TRUE(in) << kPage;
  std::stringstream page;
  page << in.rdbuf();
  std::string text = page.str();
  size_t begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  begin += sizeof(kBegin) - 1;
  const std::string wanted = "\n" + Generated() + "\n";
  if (std::getenv("SLUICE_WRITE_DOCS") != nullptr) {
    text.replace(begin, end - begin, wanted);
    std::ofstream(kPage) << text;
    return;
  }
  EXPECT_EQ(text.substr(begin, end - begin), wanted)
      << "write it anew: SLUICE_WRITE_DOCS=1 build/debug/pipeline_test";
}

}  // namespace
}  // namespace sluice
