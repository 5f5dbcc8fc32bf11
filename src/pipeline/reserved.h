// The words of the language that this release does not build: each is refused by name, none is
// ignored.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/node.h"

namespace sluice {

struct Reserved {
  std::string_view word, comes_with;
};

// The keys of one map of the language: those that are read, and those that are only reserved.
struct Keys {
  std::string_view component;  // for messages: "the pipeline"
  std::vector<std::string> known;
  std::span<const Reserved> reserved;
};

const Keys& PipelineKeys();
const Keys& StepKeys();  // besides the verb
const Keys& ScheduleKeys();
const Keys& ProjectKeys();
const Keys& EnvironmentKeys();  // of one of sluice.yml's environments
const Keys& DefaultKeys();      // of its defaults
std::span<const Reserved> ReservedVerbs();
std::span<const Reserved> ReservedModes();
std::span<const Reserved> ReservedConnections();
std::span<const Reserved> ReservedNames();  // in {{ }}
const std::vector<std::string>& BuiltVerbs();

const Reserved* FindReserved(std::span<const Reserved> words, std::string_view word);

// Unknown and reserved keys of a map are errors; so is a value that is no map.
Status CheckKeys(const Node& node, const Keys& keys);

}  // namespace sluice
