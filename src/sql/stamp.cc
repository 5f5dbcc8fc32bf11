// The running maximum of a partition. Infinite times say nothing about progress and do not move it.
#include "sql/stamp.h"

#include <limits>

namespace sluice::sql {
namespace {

constexpr int64_t kInfinity = std::numeric_limits<int64_t>::max();

std::optional<int64_t> Less(int64_t time, int64_t bound) {
  if (time == kInfinity || time <= -kInfinity) return std::nullopt;
  int64_t less = 0;
  if (__builtin_sub_overflow(time, bound, &less) || less <= -kInfinity) return std::nullopt;
  return less;
}

}  // namespace

void Stamper::Rows(const std::string& partition, std::span<const int64_t> times,
                   const uint64_t* valid, std::span<std::optional<int64_t>> stamps) {
  auto known = event_time_.watermarks.find(partition);
  std::optional<int64_t> now;
  if (known != event_time_.watermarks.end()) now = known->second.count();
  for (size_t row = 0; row < times.size(); ++row) {
    if ((valid[row / 64] >> (row % 64) & 1) != 0) {
      const auto mark = Less(times[row], event_time_.out_of_order.count());
      if (mark && (!now || *mark > *now)) now = mark;
    }
    stamps[row] = now;
  }
  if (now) event_time_.watermarks[partition] = Micros(*now);
}

}  // namespace sluice::sql
