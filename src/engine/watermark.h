// Joins the watermarks of partitions into one: W = the least of those that live, never falling
// (DESIGN §7).
//
// A partition lives once it has shown a row. On an endless source one that has been silent for
// `idle_after` does not count until it speaks again; on bounded input nothing is ever idle, so that
// a replay gives the same answer.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"

namespace sluice {

inline constexpr Micros kNoTime{INT64_MIN};
inline constexpr Micros kAllTime{INT64_MAX};

class WatermarkJoin {
 public:
  explicit WatermarkJoin(std::optional<Micros> idle_after) : idle_after_(idle_after) {}

  // Wp of a partition, seen at the steady time `at`. A lower value than before is ignored.
  void Raise(const std::string& partition, Micros watermark, std::chrono::nanoseconds at);
  // The partition has no more rows: it holds nobody back.
  void Finish(const std::string& partition) { finished_.insert(partition); }
  // The joined watermark at the steady time `at`; kNoTime while nothing has been seen. Never falls.
  Micros Joined(std::chrono::nanoseconds at);
  Micros joined() const { return joined_; }        // without looking again
  void Start(Micros joined) { joined_ = joined; }  // where a restart goes on
  const std::map<std::string, Micros>& partitions() const { return watermarks_; }

 private:
  std::optional<Micros> idle_after_;
  std::map<std::string, Micros> watermarks_;
  std::map<std::string, std::chrono::nanoseconds> spoken_;
  std::set<std::string> finished_;
  Micros joined_ = kNoTime;
};

}  // namespace sluice
