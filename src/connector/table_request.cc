// See table_request.h.
#include "connector/table_request.h"

#include <fmt/format.h>

#include "base/text.h"

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

std::string NameOf(const ExtractRequest& request) {
  const ExtractConfig& config = request.config;
  return config.table.empty() ? "query " + Fingerprint(config.query.text) : config.table.text;
}

const Mark& PlaceOf(const ExtractRequest& request) {
  const ExtractConfig& config = request.config;
  return config.table.empty() ? config.query.mark : config.table.mark;
}

std::string QueryOf(const ExtractRequest& request) {
  std::string_view query = Trim(request.config.query.text);
  while (EndsWith(query, ";")) query = Trim(query.substr(0, query.size() - 1));
  return std::string(query);
}

Cut WholeCut(const ExtractRequest& request) {
  Cut cut{.partition = NameOf(request), .from = {}, .to = "end", .identity = {}};
  if (request.config.interval.empty()) return cut;
  cut.from = FormatInstant(request.interval->first);
  cut.to = FormatInstant(request.interval->second);
  return cut;
}

Error NoColumn(const Mark& mark, std::string_view key, const ReadFrom& from,
               const std::string& name, const std::vector<std::string>& there) {
  const auto nearest = Nearest(name, there);
  return ConfigError(mark, fmt::format("{}{} of {} has no column '{}'; {}it has: {}", key,
                                       from.read, from.shown, EscapeControl(name),
                                       nearest ? fmt::format("did you mean '{}'? ", *nearest) : "",
                                       Join(there, ", ")));
}

Status RefuseTwins(const Mark& mark, const ReadFrom& from, const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (ToLower(names[i]) != ToLower(names[j])) continue;
      return ConfigError(
          mark, fmt::format("{} of {} has two columns '{}' and '{}', which are one name here; "
                            "rename one in a query",
                            from.read, from.shown, names[j], names[i]));
    }
  }
  return Ok();
}

Error KeysOfAQuery(const ExtractRequest& request) {
  return ConfigError(request.config.query.mark,
                     "'consistency: keys' needs a table with a primary key, not a query");
}

Error NoKeys(const ExtractRequest& request, const std::string& shown) {
  return ConfigError(request.config.table.mark,
                     fmt::format("'consistency: keys' needs a primary key, and {} of {} has none; "
                                 "use consistency: snapshot",
                                 NameOf(request), shown));
}

}  // namespace sluice
