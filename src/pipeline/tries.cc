// `retry` and `timeout` of steps: how often the work they are part of is tried, and how long one
// try may take. The inner one replaces the pipeline's.
#include <fmt/format.h>

#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {

Status ReadTries(Planned& step) {
  const bool outside = step.node->verb == "extract" || step.node->verb == "load" ||
                       step.node->verb == "function" || step.IsAction();
  for (const std::string_view key : {"retry", "timeout"}) {
    const Node* node = step.node->step.Find(key);
    if (node == nullptr) continue;
    if (step.IsRun()) {
      return ConfigError(node->mark, fmt::format("'{}' on run: the pipeline that it runs says how "
                                                 "its own work is tried",
                                                 key));
    }
    if (!outside) {
      return ConfigError(node->mark,
                         fmt::format("'{}' on {}: the step is part of one query and cannot be "
                                     "tried by itself; put it on {}",
                                     key, step.node->verb,
                                     key == "retry" ? "the pipeline" : "an extract or a load"));
    }
    if (key == "retry") {
      step.retry = TRY(ReadRetry(*node));
      continue;
    }
    step.timeout = TRY(ReadDuration(*node, key));
    if (step.timeout->count() <= 0)
      return ConfigError(node->mark, "'timeout' takes a duration above 0s");
  }
  return Ok();
}

// Steps that share epochs are tried together: two of them cannot be tried differently, and the
// shortest time of them ends the try.
Tries TriesOf(Planning& planning, const std::vector<std::string>& members) {
  Tries tries{.retry = planning.plan.retry, .timeout = {}, .timeout_of = {}};
  const Planned* said = nullptr;
  for (const std::string& name : members) {
    Planned& step = planning.Step(name);
    if (step.timeout && (tries.timeout_of.empty() || *step.timeout < tries.timeout)) {
      tries.timeout = *step.timeout;
      tries.timeout_of = name;
    }
    if (!step.retry) continue;
    if (said != nullptr && *said->retry != *step.retry) {
      planning.Fail(step, ConfigError(step.node->step.Find("retry")->mark,
                                      fmt::format("steps '{}' and '{}' share their epochs and are "
                                                  "tried together; say one retry for both",
                                                  said->node->name, name)));
    }
    said = &step;
    tries.retry = *step.retry;
  }
  return tries;
}

std::string TriesText(const Tries& tries) {
  const RetryPolicy& retry = tries.retry;
  std::string text = "tried once";
  if (retry.attempts > 1) {
    text =
        fmt::format("tried up to {} times, {} apart", retry.attempts, FormatDuration(retry.delay));
    if (retry.backoff == RetryPolicy::Backoff::kExponential && retry.attempts > 2)
      text +=
          fmt::format(", then twice as long each time up to {}", FormatDuration(retry.max_delay));
  }
  if (!tries.timeout_of.empty())
    text += fmt::format("; a try ends after {} (step '{}')", FormatDuration(tries.timeout),
                        tries.timeout_of);
  return text;
}

}  // namespace sluice
