// What a pipeline says about how it runs: retry, epoch, max_rejects, parallelism.
#include <fmt/format.h>

#include <charconv>

#include "base/text.h"
#include "pipeline/planner.h"
#include "spec/field.h"

namespace sluice {
namespace {

struct RetryConfig {
  int64_t attempts = 3;
  std::chrono::microseconds delay = std::chrono::seconds(1), max_delay = std::chrono::seconds(60);
  std::string backoff = "exponential";
  std::string jitter = "full";
};

const Spec<RetryConfig>& RetrySpec() {
  static const Spec<RetryConfig> spec =
      Spec<RetryConfig>("retry", "How often an epoch is tried.")
          .Main("attempts")
          .Integer(&RetryConfig::attempts, "attempts", "Tries, the first one counted.")
          .Duration(&RetryConfig::delay, "delay", "Wait after the first failed try.")
          .Duration(&RetryConfig::max_delay, "max_delay", "The longest wait.")
          .Choice(&RetryConfig::backoff, "backoff", "How the wait grows.",
                  {"constant", "exponential"})
          .Text(&RetryConfig::jitter, "jitter",
                "How much of the wait is random: full, none or a share like 10%.");
  return spec;
}

std::optional<double> Share(std::string_view text) {
  if (!EndsWith(text, "%")) return std::nullopt;
  text = Trim(text.substr(0, text.size() - 1));
  double share = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (code != std::errc() || end != text.data() + text.size() || share < 0 || share > 100)
    return std::nullopt;
  return share / 100;
}

}  // namespace

Result<RetryPolicy> ReadRetry(const Node& node) {
  const RetryConfig config = TRY(RetrySpec().Bind(node));
  if (config.attempts < 1 || config.attempts > 100)
    return ConfigError(node.mark, "retry: 'attempts' takes 1 to 100; it counts the first try");
  RetryPolicy policy;
  policy.attempts = static_cast<int>(config.attempts);
  policy.delay = config.delay;
  policy.max_delay = std::max(config.max_delay, config.delay);
  policy.backoff = config.backoff == "constant" ? RetryPolicy::Backoff::kConstant
                                                : RetryPolicy::Backoff::kExponential;
  if (config.jitter == "full")
    policy.jitter = 1;
  else if (config.jitter == "none")
    policy.jitter = 0;
  else if (const auto share = Share(config.jitter))
    policy.jitter = *share;
  else
    return ConfigError(node.mark,
                       fmt::format("'jitter' takes full, none or a share like 10%, not '{}'",
                                   EscapeControl(config.jitter)));
  return policy;
}

namespace {

struct EpochConfig {
  int64_t max_rows = 0;
  Node max_bytes;
  std::chrono::microseconds max_latency{0};
};

Result<Limits> ReadEpoch(const Node& node) {
  static const Spec<EpochConfig> spec =
      Spec<EpochConfig>("epoch", "How much one epoch takes.")
          .Integer(&EpochConfig::max_rows, "max_rows",
                   "Rows at most; a CSV or Parquet file is never cut.")
          .Whole(&EpochConfig::max_bytes, "max_bytes",
                 "Bytes at most; a CSV or Parquet file is never cut.", "size")
          .Duration(&EpochConfig::max_latency, "max_latency", "How long an epoch waits for more.");
  const EpochConfig config = TRY(spec.Bind(node));
  if (config.max_rows < 0)
    return ConfigError(node.mark, "epoch: 'max_rows' takes a number above 0");
  Limits limits;
  limits.rows = static_cast<uint64_t>(config.max_rows);
  if (!config.max_bytes.IsNull()) limits.bytes = TRY(ReadBytes(config.max_bytes, "max_bytes"));
  limits.linger = config.max_latency;
  return limits;
}

Status ReadMaxRejects(const Node& node, Plan& plan) {
  const std::string text = TRY(ReadWritten(node, "max_rejects")).text;
  if (const auto share = Share(text)) {
    plan.max_rejects_share = *share;
    return Ok();
  }
  auto rows = ReadInteger(node, "max_rejects");
  if (!rows.ok() || *rows < 0)
    return WrongShape(node, "max_rejects", "a number of rows or a share like 5%");
  plan.max_rejects = static_cast<uint64_t>(*rows);
  return Ok();
}

}  // namespace

Result<std::string> ReadAbout(const Node& node, std::string_view key) {
  const Node* text = node.Find(key);
  return text == nullptr ? std::string() : TRY(ReadWritten(*text, key)).text;
}

Result<std::vector<std::string>> ReadTags(const Node& node) {
  std::vector<std::string> tags;
  if (const Node* list = node.Find("tags")) {
    for (const Written& tag : TRY(ReadWrittenList(*list, "tags"))) tags.push_back(tag.text);
  }
  return tags;
}

const Node* Setting(const Project& project, const PipelineFile& file, std::string_view key) {
  const Node* own = file.node.Find(key);
  return own != nullptr || !project.defaults.IsMap() ? own : project.defaults.Find(key);
}

Status ReadSettings(const Project& project, const PipelineFile& file, Plan& plan) {
  const auto find = [&](std::string_view key) { return Setting(project, file, key); };
  if (const Node* retry = find("retry")) plan.retry = TRY(ReadRetry(*retry));
  if (const Node* epoch = find("epoch")) plan.epoch = TRY(ReadEpoch(*epoch));
  if (const Node* rejects = find("max_rejects")) TRY(ReadMaxRejects(*rejects, plan));
  if (const Node* errors = find("on_row_error"))
    TRY(ReadChoiceOf(*errors, "on_row_error", {"fail", "reject"}));
  if (const Node* delivery = file.node.Find("delivery"))
    TRY(ReadChoiceOf(*delivery, "delivery", {"exactly_once"}));
  if (const Node* parallelism = file.node.Find("parallelism")) {
    const int64_t many = TRY(ReadInteger(*parallelism, "parallelism"));
    if (many < 1 || many > 64)
      return ConfigError(parallelism->mark, "'parallelism' takes a number from 1 to 64");
    plan.parallelism = static_cast<int>(many);
  }
  plan.description = TRY(ReadAbout(file.node, "description"));
  plan.owner = TRY(ReadAbout(file.node, "owner"));
  plan.tags = TRY(ReadTags(file.node));
  return Ok();
}

}  // namespace sluice
