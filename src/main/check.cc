// sluice check: everything that can be known before a run, with every independent error at once.
#include <cstdio>

#include "base/text.h"
#include "main/command.h"
#include "main/session.h"

namespace sluice {

namespace {

Result<int> Check(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  std::vector<std::string> which = invocation.All("pipeline");
  if (which.empty()) which = TRY(ListPipelines(session->files(), session->project()));
  if (which.empty()) {
    return ConfigError(
        {}, "no pipelines: '" + session->project().folder + "/pipelines' holds no .yml file");
  }
  PlanRequest request = TRY(session->Request(invocation));
  int wrong = 0;
  for (const std::string& name : which) {
    std::vector<Error> errors;
    Result<PipelineFile> file = ReadPipeline(session->files(), session->project(), name);
    if (!file.ok()) {
      errors.push_back(file.error());
    } else {
      Result<Plan> plan = session->MakePlanOf(*file, request, &errors);
      if (!plan.ok() && errors.empty()) errors.push_back(plan.error());
      if (plan.ok()) {
        for (const Warning& warning : plan->warnings) {
          std::fprintf(stderr, "warning: %s\n",
                       Format(Error{ErrorKind::kConfig, warning.text, warning.mark, {}}).c_str());
        }
        if (errors.empty())
          std::printf("%s: ok, %zu steps\n", file->name.c_str(), plan->steps.size());
      }
    }
    for (const Error& error : errors) std::fprintf(stderr, "%s\n", Format(error).c_str());
    wrong += errors.empty() ? 0 : 1;
  }
  if (wrong > 0) std::fprintf(stderr, "%d of %zu pipelines have errors\n", wrong, which.size());
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
