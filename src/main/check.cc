// sluice check: everything that can be known before a run, with every independent error at once.
#include <cstdio>

#include "base/text.h"
#include "main/command.h"
#include "main/session.h"

namespace sluice {

namespace {

// Whether the pipeline is right; tells what is not.
bool CheckOne(ProjectSession& session, const PipelineFile& file, const PlanRequest& request) {
  std::vector<Error> errors;
  Result<Plan> plan = session.MakePlanOf(file, request, &errors);
  if (!plan.ok() && errors.empty()) errors.push_back(plan.error());
  if (plan.ok()) {
    for (const Warning& warning : plan->warnings) {
      std::fprintf(stderr, "warning: %s\n",
                   Format(Error{ErrorKind::kConfig, warning.text, warning.mark, {}}).c_str());
    }
    if (errors.empty()) std::printf("%s: ok, %zu steps\n", file.name.c_str(), plan->steps.size());
  }
  for (const Error& error : errors) std::fprintf(stderr, "%s\n", Format(error).c_str());
  return errors.empty();
}

Result<int> Check(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  std::vector<std::string> which = invocation.All("pipeline");
  if (which.empty()) which = TRY(ListPipelines(session->files(), session->project()));
  if (which.empty()) {
    return ConfigError(
        {}, "no pipelines: '" + session->project().folder + "/pipelines' holds no .yml file");
  }
  PlanRequest request = TRY(session->Request(invocation));
  int wrong = 0, all = 0;
  for (const std::string& name : which) {
    auto files = ReadPipelines(session->files(), session->project(), name);
    if (!files.ok()) {
      std::fprintf(stderr, "%s\n", Format(files.error()).c_str());
      ++wrong;
      ++all;
      continue;
    }
    for (const PipelineFile& file : *files) {
      ++all;
      wrong += CheckOne(*session, file, request) ? 0 : 1;
    }
  }
  if (wrong > 0) std::fprintf(stderr, "%d of %d pipelines have errors\n", wrong, all);
  return wrong == 0 ? kExitOk : kExitUsage;
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
