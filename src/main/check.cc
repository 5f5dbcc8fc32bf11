// sluice check: everything that can be known before a run, with every independent error at once.
#include <cstdio>
#include <set>

#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "pipeline/connections.h"

namespace sluice {

namespace {

enum class Asked : uint8_t { kByName, kForAll };

class Checking {
 public:
  explicit Checking(ProjectSession& session) : session_(session) {}

  // All that stands in sluice.yml: a connection is wrong also where no pipeline uses it yet.
  void Connections() {
    for (const auto& [name, connection] : session_.project().connections) {
      const auto connector = ConnectorOf(connection, session_.connectors());
      if (connector.ok()) continue;
      ++wrong_connections_;
      Tell(connector.error());
    }
  }

  Status Misnamed() {
    for (const std::string& path : TRY(ListMisnamed(session_.files(), session_.project()))) {
      std::fprintf(stderr, "%s\n", Rename(path).c_str());
      ++wrong_;
      ++all_;
    }
    return Ok();
  }

  void File(const std::string& path, const PlanRequest& request, Asked asked) {
    const auto files = ReadPipelines(session_.files(), session_.project(), path);
    if (!files.ok()) {
      Tell(files.error());
      ++wrong_;
      ++all_;
      return;
    }
    for (const PipelineFile& file : *files) {
      ++all_;
      // One that only others run, with params of theirs, is no mistake of the project.
      const auto missing = MissingParams(file, request);
      if (asked == Asked::kForAll && missing.ok() && !missing->empty()) {
        std::printf("%s: not checked: it needs params: sluice check %s --param %s=…\n",
                    file.name.c_str(), file.name.c_str(), Join(*missing, "=… --param ").c_str());
        continue;
      }
      wrong_ += One(file, request) ? 0 : 1;
    }
  }

  int Sum() const {
    if (wrong_connections_ > 0) {
      std::fprintf(stderr, "%d of %zu connections have errors\n", wrong_connections_,
                   session_.project().connections.size());
    }
    if (wrong_ > 0) std::fprintf(stderr, "%d of %d pipelines have errors\n", wrong_, all_);
    return wrong_ + wrong_connections_ == 0 ? kExitOk : kExitUsage;
  }

 private:
  // What a connection is refused for is told once, however many pipelines use it.
  void Tell(const Error& error) {
    const std::string text = Format(error);
    if (told_.insert(text).second) std::fprintf(stderr, "%s\n", text.c_str());
  }

  // Whether the pipeline is right; tells what is not.
  bool One(const PipelineFile& file, const PlanRequest& request) {
    std::vector<Error> errors;
    Result<Plan> plan = session_.MakePlanOf(file, request, &errors);
    if (!plan.ok() && errors.empty()) errors.push_back(plan.error());
    if (plan.ok()) {
      for (const Warning& warning : plan->warnings) {
        std::fprintf(stderr, "warning: %s\n",
                     Format(Error{ErrorKind::kConfig, warning.text, warning.mark, {}}).c_str());
      }
      if (errors.empty()) std::printf("%s: ok, %zu steps\n", file.name.c_str(), plan->steps.size());
    }
    for (const Error& error : errors) Tell(error);
    return errors.empty();
  }

  ProjectSession& session_;
  std::set<std::string> told_;
  int wrong_ = 0, all_ = 0, wrong_connections_ = 0;
};

Error NothingToCheck(const Project& project) {
  std::string message = "no pipelines: '" + project.folder + "/pipelines' holds no .yml file";
  if (project.settings.IsNull())
    message += ", and there is no sluice.yml here or above; sluice init makes a project";
  return ConfigError({}, std::move(message));
}

Result<int> Check(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  const std::vector<std::string> named = invocation.All("pipeline");
  const PlanRequest request = TRY(session->Request(invocation));
  Checking checking(*session);
  for (const std::string& name : named) checking.File(name, request, Asked::kByName);
  if (!named.empty()) return checking.Sum();
  checking.Connections();
  const auto paths = TRY(ListPipelines(session->files(), session->project()));
  for (const std::string& path : paths) checking.File(path, request, Asked::kForAll);
  TRY(checking.Misnamed());
  if (const int code = checking.Sum(); code != kExitOk) return code;
  if (paths.empty()) return NothingToCheck(session->project());
  return kExitOk;
}

}  // namespace

Command CheckCommand() {
  return {.name = "check",
          .summary = "Check pipelines without running anything",
          .example = "sluice check daily_sales",
          .arguments = {{"pipeline", "Names or paths of pipelines (default: all)",
                         Argument::Count::kMany}},
          .options = {ProjectOption(),
                      EnvOption(),
                      {"--date", "DATE", "The interval that begins on DATE"},
                      {"--param", "NAME=VALUE", "A parameter", Option::Kind::kList},
                      {"--set", "KEY=VALUE", "A setting", Option::Kind::kList}},
          .run = Check};
}

}  // namespace sluice
