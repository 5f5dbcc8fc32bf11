// Compares what came with what a `.test` file expects. Empty text: equal; else a diff that a person
// can read.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "harness/scene.h"
#include "harness/test_file.h"

namespace sluice::harness {

enum class Order : unsigned char { kAny, kAsWritten };
enum class Match : unsigned char {
  kExact,
  kSubset,  // keys that are not named do not count
  kSome,    // nor do surplus rows
};

// Both sides are JSON texts, one per row. Doubles compare to 1e-9 relative.
std::string CompareRows(const std::vector<std::string>& expected,
                        const std::vector<std::string>& actual, Order order, Match match);

// The rows of a SELECT as JSON objects, without our own columns.
Result<std::vector<std::string>> RowsAsJson(Scene& scene, const std::string& from);

// Checks one `expect` or `oracle` section against the last run.
std::string CheckSection(const Section& section, Scene& scene, const RunReport& report);

}  // namespace sluice::harness
