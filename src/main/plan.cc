// sluice plan: what a run would do, with the SQL.
#include <cstdio>

#include "main/command.h"
#include "main/session.h"

namespace sluice {

namespace {

Result<int> ShowPlan(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  PipelineFile file =
      TRY(ReadPipeline(session->files(), session->project(), invocation.Get("pipeline")));
  PlanRequest request = TRY(session->Request(invocation));
  request.described = true;
  const Plan plan = TRY(session->MakePlanOf(file, request));
  std::string text =
      invocation.Get("--output") == "json" ? DescribeJson(plan) + "\n" : Describe(plan);
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

}  // namespace

Command PlanCommand() {
  return {.name = "plan",
          .summary = "Show what a run would do: interval, flows, schemas, delivery, SQL",
          .example = "sluice plan daily_sales --date 2026-11-20",
          .arguments = {{"pipeline", "Name or path of a pipeline"}},
          .options = {ProjectOption(),
                      EnvOption(),
                      OutputOption(),
                      {"--date", "DATE", "The interval that begins on DATE"},
                      {"--param", "NAME=VALUE", "A parameter", Option::Kind::kList},
                      {"--set", "KEY=VALUE", "A setting", Option::Kind::kList}},
          .run = ShowPlan};
}

}  // namespace sluice
