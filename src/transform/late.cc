// See late.h.
#include "transform/late.h"

#include <fmt/core.h>

namespace sluice {

std::string DurationText(const std::string& micros) {
  return fmt::format(
      "concat(CASE WHEN ({0}) >= 3600000000 THEN concat(({0}) // 3600000000, 'h') END,"
      " CASE WHEN ({0}) // 60000000 % 60 > 0 THEN concat(({0}) // 60000000 % 60, 'm') END,"
      " CASE WHEN ({0}) % 60000000 > 0 OR ({0}) = 0 THEN concat(CAST(({0}) % 60000000 / 1000000.0 "
      "AS DOUBLE), 's') END)",
      micros);
}

relation::Fate LateFate(const std::string& step, const std::string& late, const std::string& limit,
                        std::string_view what) {
  std::string by =
      DurationText(fmt::format("epoch_us({}) - epoch_us({})", kWatermarkColumn, limit));
  std::string message = fmt::format(
      "concat('late by ', {}, ': {} ', {}, ', the watermark of its partition was ', {})", by, what,
      limit, kWatermarkColumn);
  return {.kind = relation::FateKind::kLate,
          .step = step,
          .code = "late",
          .applies = {.sql = late},
          .message = {.sql = message}};
}

}  // namespace sluice
