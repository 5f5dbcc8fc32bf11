// See child.h.
#include "engine/child.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "base/json_full.h"
#include "base/mutex.h"
#include "base/text.h"

namespace sluice {
namespace {

// What tells a call from the others of its step: what it runs and with what, and which of equal
// ones it is.
std::vector<std::string> KeysOf(const ChildRun& child) {
  std::vector<std::string> keys;
  std::map<std::string, int> equal;
  for (const ChildCall& call : child.calls) {
    std::string text = call.pipeline;
    for (const auto& [name, value] : call.params) text += "\x1f" + name + "=" + value;
    const std::string key = fmt::format("{}/{}", child.step, Fingerprint(text));
    keys.push_back(fmt::format("{}/{}", key, ++equal[key]));
  }
  return keys;
}

ChildEnd EndOf(RunId run, const std::string& pipeline, RunStatus status, const std::string& error,
               const std::string& result) {
  ChildEnd end{.run = run,
               .pipeline = pipeline,
               .status = status,
               .error = error,
               .output = {},
               .rejected = 0,
               .before = false};
  const Json json = Json::parse(result, nullptr, false);
  if (!json.is_object()) return end;
  if (json.contains("rejected")) end.rejected = json["rejected"].get<uint64_t>();
  if (!json.contains("output") || !json["output"].is_object()) return end;
  for (const auto& item : json["output"].items()) {
    if (item.value().is_null()) continue;
    end.output[item.key()] =
        item.value().is_string() ? item.value().get<std::string>() : item.value().dump();
  }
  return end;
}

class Children {
 public:
  Children(const ChildRun& child, RunId run, const std::set<RunId>& runs, World& world,
           const RunOptions& options, const std::stop_token& stop)
      : child_(child),
        keys_(KeysOf(child)),
        run_(run),
        runs_(runs),
        world_(world),
        options_(options),
        interrupt_(stop, [this] { stop_.request_stop(); }),
        ends_(child.calls.size()) {}

  Result<std::vector<ChildEnd>> All(int parallelism) {
    const size_t many = std::min<size_t>(static_cast<size_t>(parallelism), child_.calls.size());
    if (many <= 1) {
      Work();
    } else {
      std::vector<std::jthread> threads;
      for (size_t i = 0; i < many; ++i) threads.emplace_back([this] { Work(); });
    }
    MutexLock lock(mutex_);
    if (!failed_.ok()) return failed_.error();
    return std::move(ends_);
  }

 private:
  void Work() {
    for (size_t i = next_++; i < child_.calls.size() && !stop_.stop_requested(); i = next_++) {
      auto end = One(i);
      MutexLock lock(mutex_);
      if (end.ok()) {
        ends_[i] = std::move(*end);
      } else {
        if (failed_.ok()) failed_ = std::move(end).error();
        stop_.request_stop();
      }
    }
  }

  Result<ChildEnd> One(size_t i) {
    if (auto before = TRY(Before(keys_[i]))) return Judged(std::move(*before));
    const ChildCall& call = child_.calls[i];
    auto plan = call.plan();
    if (!plan.ok())
      return std::move(plan).error().While(
          fmt::format("step '{}', planning '{}'", child_.step, call.pipeline));
    TRY(world_.ledger.KeepRevision(plan->revision, plan->pipeline, call.text, world_.clock.Now()));
    RunOptions options = options_;
    options.parent = fmt::format("{}/{}", run_.value, keys_[i]);
    const RunOutcome outcome = RunPlan(*plan, world_, options, stop_.get_token());
    if (outcome.status == RunStatus::kCancelled) return CancelledError();
    return Judged(EndOf(outcome.run, call.pipeline, outcome.status,
                        outcome.error ? Format(*outcome.error) : "", ToJson(*plan, outcome)));
  }

  // What this call came to in a parent that was killed since.
  Result<std::optional<ChildEnd>> Before(const std::string& key) {
    for (const RunId run : runs_) {
      RunFilter filter{
          .pipeline = "", .status = "", .limit = 1, .parent = fmt::format("{}/{}", run.value, key)};
      for (const RunRow& row : TRY(world_.ledger.Runs(filter))) {
        const bool open = row.end.status == RunStatus::kRunning ||
                          row.end.status == RunStatus::kCancelled ||
                          row.end.error_kind == "interrupted";
        if (open) continue;
        ChildEnd end = EndOf(row.id, row.start.pipeline, row.end.status, row.end.error_message,
                             row.end.result_json);
        end.before = true;
        return std::optional(std::move(end));
      }
    }
    return std::optional<ChildEnd>{};
  }

  Result<ChildEnd> Judged(ChildEnd end) const {
    if (end.status != RunStatus::kFailed) return end;
    return RejectedError(fmt::format("step '{}': run {} of {} failed: {}", child_.step,
                                     end.run.value, end.pipeline, end.error));
  }

  const ChildRun& child_;
  const std::vector<std::string> keys_;
  const RunId run_;
  const std::set<RunId>& runs_;
  World& world_;
  const RunOptions& options_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> interrupt_;
  std::atomic<size_t> next_{0};
  Mutex mutex_;
  Status failed_ GUARDED_BY(mutex_) = Ok();
  std::vector<ChildEnd> ends_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::vector<ChildEnd>> RunChildren(const ChildRun& child, int parallelism, RunId run,
                                          const std::set<RunId>& runs, World& world,
                                          const RunOptions& options, std::stop_token stop) {
  Children children(child, run, runs, world, options, stop);
  auto ends = children.All(parallelism);
  if (stop.stop_requested()) return CancelledError();
  return ends;
}

}  // namespace sluice
