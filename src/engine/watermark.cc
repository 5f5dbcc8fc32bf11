// See watermark.h.
#include "engine/watermark.h"

#include <algorithm>

namespace sluice {

void WatermarkJoin::Raise(const std::string& partition, Micros watermark,
                          std::chrono::nanoseconds at) {
  auto [it, fresh] = watermarks_.try_emplace(partition, watermark);
  if (fresh || it->second < watermark) spoken_[partition] = at;
  it->second = std::max(it->second, watermark);
}

Micros WatermarkJoin::Joined(std::chrono::nanoseconds at) {
  std::optional<Micros> least;
  Micros greatest = kNoTime;
  for (const auto& [partition, watermark] : watermarks_) {
    greatest = std::max(greatest, watermark);
    if (finished_.contains(partition)) continue;
    if (idle_after_ && at - spoken_[partition] > *idle_after_) continue;
    least = std::min(least.value_or(watermark), watermark);
  }
  joined_ = std::max(joined_, least.value_or(greatest));  // all idle: up to the greatest, then stop
  return joined_;
}

}  // namespace sluice
