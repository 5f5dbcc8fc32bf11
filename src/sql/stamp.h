// Event time watermarks, one partition at a time: after each row, the greatest time so far less the
// bound. A partition's stamps depend on its own rows in their order and on nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "sql/scan.h"

namespace sluice::sql {

class Stamper {  // one thread
 public:
  explicit Stamper(EventTime& event_time) : event_time_(event_time) {}

  // `times` in microseconds, bit i of `valid` set: row i has one. stamps[i] is the watermark after
  // row i, nothing where no time has been seen. Raises event_time.watermarks.
  void Rows(const std::string& partition, std::span<const int64_t> times, const uint64_t* valid,
            std::span<std::optional<int64_t>> stamps);

 private:
  EventTime& event_time_;
};

}  // namespace sluice::sql
