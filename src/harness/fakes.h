// Connectors with faults that cannot be had from the real ones at will.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "connector/registry.h"

namespace sluice::harness {

// What a wrapped sink does otherwise than the real one.
struct LandingFault {
  // In place of Landing::Commit, with the real one to call (or not).
  std::function<Status(Landing& real, const EpochRecord& record)> commit = {};
  std::function<std::string(const std::string&)> select = {};  // of the query that is written
  int64_t lie = 0;          // added to the rows that an epoch's landing says it took
  int64_t publish_lie = 0;  // to those that publishing says
};
// Wraps every sink of `type`; empty: of all types.
Connectors WithLandingFault(Connectors connectors, const std::string& type, LandingFault fault);

}  // namespace sluice::harness
