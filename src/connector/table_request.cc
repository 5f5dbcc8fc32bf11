// See table_request.h.
#include "connector/table_request.h"

#include <fmt/format.h>

namespace sluice {

Status CheckTableRequest(const ExtractRequest& request, const std::string& shown) {
  const ExtractConfig& config = request.config;
  if (config.table.empty() == config.query.empty()) {
    return ConfigError(config.mark,
                       fmt::format("extract from {} needs one of 'table' and 'query'", shown));
  }
  if (!config.interval.empty() && config.incremental) {
    return ConfigError(
        config.interval.mark,
        "'interval' and 'incremental' exclude each other: the run's rows, or what changed");
  }
  if (!config.consistency.empty() && (config.incremental || !config.interval.empty())) {
    return ConfigError(config.mark,
                       "'consistency' is about reading a whole table; with 'interval' or "
                       "'incremental' the range itself says what is read");
  }
  if (!config.interval.empty() && !request.interval) {
    return ConfigError(
        config.interval.mark,
        "'interval' needs a run over an interval: give the pipeline a schedule, or run "
        "with --date");
  }
  return Ok();
}

}  // namespace sluice
