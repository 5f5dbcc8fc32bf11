// The parts of MakePlan, one idea per file. Each part reads what the ones before it settled; an
// error of one step does not keep the others from being checked.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/plan.h"
#include "pipeline/template.h"

namespace sluice {

// A step on its way into the plan.
struct Planned {
  const StepNode* node = nullptr;
  size_t position = 0;                // in the file
  std::vector<std::string> from;      // data: `from`, or the step above
  std::vector<std::string> mentions;  // data: named in the body (sql, join)
  std::vector<std::string> dropped;   // mentions that a skipped step does not read
  std::vector<std::string> after;     // order only
  std::vector<std::string> values;    // steps of which {{ }} uses more than their rows' values
  std::map<std::string, Look::Wants> looks;  // steps whose rows {{ }} or for_each uses
  std::set<std::string> awaits;              // names that only a run knows
  Skip skip = Skip::kNo;
  std::string why;                  // it is skipped, or its fallback reads
  bool optional = false;            // on_error: skip, or a fallback
  bool gated = false;               // a load, an action or a run that may be left out
  bool fallen = false;              // its fallback reads, as the step before it
  bool failed = false;              // it, or a step that it reads
  std::optional<StepInput> output;  // absent: failed, or an action
  Reach reach = Reach::kRow;        // its own
  std::optional<PlannedExtract> extract;
  std::optional<PlannedLoad> load;
  std::optional<LoadConfig> load_config;
  std::optional<PlannedSink> sink;  // of a load or an action
  std::optional<Action> action;
  std::optional<ChildRun> child;
  std::optional<RetryPolicy> retry;  // its own
  std::optional<Micros> timeout;     // of one try
  std::string description;
  std::vector<std::string> tags;
  bool strict = false;   // a row that it refuses fails the run
  std::string identity;  // what else than its relation a fingerprint covers

  bool IsRun() const { return node->verb == "run"; }
  bool IsAction() const { return node->verb == "sql" && node->body.Find("in") != nullptr; }
};

// A look and what must come before it.
struct PlannedLook {
  Look look;
  std::vector<std::string> members;
};

struct Planning {
  const Project& project;
  const PipelineFile& file;
  const PlanRequest& request;
  const Connectors& connectors;
  const Verbs& verbs;
  const ConnectorContext& context;
  sql::Session& session;
  sql::Parser& parser;
  Template& values;
  const Schedule& schedule;
  Interval interval;  // applies once something uses it
  Plan& plan;
  std::map<std::string, Planned> steps;
  std::vector<std::string> order;  // inputs before readers
  std::vector<Error> errors;

  Planned& Step(const std::string& name) { return steps.at(name); }
  void Warn(Mark mark, std::string text) {
    plan.warnings.push_back({std::move(mark), std::move(text)});
  }
  void Fail(Planned& step, Error error) {
    step.failed = true;
    // DuckDB lists every overload it knows; the first line says what is wrong.
    error.message.erase(
        std::min(error.message.find("\n\tCandidate functions"), error.message.size()));
    errors.push_back(std::move(error));
  }
  bool scheduled() const { return file.node.Find("schedule") != nullptr; }
};

// schedule.cc: the interval of the run.
Result<Schedule> ReadSchedule(const Node* node);
Result<Interval> IntervalOfRun(const Schedule& schedule, const PlanRequest& request);

// scope.cc: what the names in {{ }} mean.
struct Settled {
  Scope scope;
  std::string params_json;
};
Result<Settled> MakeScope(const Project& project, const PipelineFile& file,
                          const PlanRequest& request, const Schedule& schedule,
                          const Interval& interval, sql::Session& session);

// settings.cc: retry, epoch, max_rejects; of a pipeline, else of the project's defaults.
const Node* Setting(const Project& project, const PipelineFile& file, std::string_view key);
Status ReadSettings(const Project& project, const PipelineFile& file, Plan& plan);
Result<RetryPolicy> ReadRetry(const Node& node);
// What is only told: description, owner, tags.
Result<std::string> ReadAbout(const Node& node, std::string_view key);
Result<std::vector<std::string>> ReadTags(const Node& node);

// lookups.cc: lookups in tables of connections, as extracts and lookups in them.
Result<PipelineFile> WithLookedUpTables(const Project& project, const PipelineFile& file);

// optional.cc: when, on_error and fallback.
Result<PipelineFile> WithFallbacks(const Progress& known, PipelineFile file);
Status ReadOptional(Planning& planning, Planned& step);
// What a skipped step gives, in place of what it would have given.
void HandOn(Planning& planning, Planned& step);
// Of a step whose fallback reads: its rows, in the columns of the step.
Status PlanFallen(Planning& planning, Planned& step);
// The shape of an extract; of an optional one that cannot be asked, as far as it is known.
Result<SourceShape> ShapeOf(Planning& planning, Planned& step, const ExtractRequest& request,
                            Source& source);
Status CheckFallback(Planning& planning, Planned& step);

// endpoints.cc: the connector behind a name in `from`, `into` or `in`.
struct Endpoint {
  std::string name;
  const Connector* connector = nullptr;
  const Node* connection = nullptr;  // null: built in
};

// relations.cc: `sql` with `in` that is a SELECT, and loads of mode view.
Result<PipelineFile> WithSelectsInside(const Project& project, sql::Parser& parser,
                                       PipelineFile file);
Result<SourceShape> ShapeFromLoads(Planning& planning, const Planned& step);
Status PlanView(Planning& planning, Planned& step, const Endpoint& endpoint);
Result<std::string> LatestView(Planning& planning, const LoadConfig& config, const Load& load);

// values.cc: values of steps in {{ }}, and the pipeline's output.
void FindValues(Planning& planning, Planned& step);
void DeclareValues(Planning& planning, const std::string& step);
void DeclareRun(const Progress& known, Template& values);
// The names that steps of a file have, with the types that can be told without planning them.
void AwaitAll(const PipelineFile& file, Template& values);
Result<std::vector<OutputValue>> ReadOutput(const PipelineFile& file, const Progress& known,
                                            Template& values);

// graph.cc: who reads whom; fills from, mentions, after, values and order.
void ConnectSteps(Planning& planning);
const StepNode* FindStep(const Planning& planning, std::string_view name);
Error UnknownStep(const Planning& planning, const std::string& name, const Mark& mark);
LowerContext ContextOf(Planning& planning, const Planned& step);

Result<Endpoint> FindEndpoint(const Planning& planning, const Written& name);
// Keys of another kind of connector are errors that say whose they are.
Status CheckEndpointKeys(const Node& body, const Endpoint& endpoint,
                         const std::vector<std::string>& common,
                         std::vector<std::string> Connector::*keys, const Connectors& connectors);

// tries.cc: retry and timeout.
Status ReadTries(Planned& step);
Tries TriesOf(Planning& planning, const std::vector<std::string>& members);
std::string TriesText(const Tries& tries);

Status PlanExtract(Planning& planning, Planned& step);  // extracts.cc
Status PlanVerb(Planning& planning, Planned& step);     // verbs.cc
Status PlanLoad(Planning& planning, Planned& step);     // loads.cc
Status PlanAction(Planning& planning, Planned& step);   // actions.cc
// actions.cc: of a step, without its statement.
Result<Action> ActionAt(const Planning& planning, const Planned& step, const Endpoint& endpoint);
Status PlanRun(Planning& planning, Planned& step);  // children.cc
Result<StepInput> InputOf(Planning& planning,
                          const Planned& step);  // verbs.cc: `from` as one input

void PushDown(Planning& planning);     // pushdown.cc: filters that the system read decides
void BuildStages(Planning& planning);  // flows.cc
std::vector<std::string> Upstream(const Planning& planning,
                                  const std::string& step);  // itself included
// groups.cc: the steps that run together, in the order in which they run.
struct Group {
  size_t position = 0;               // of its first step, in the file
  std::vector<std::string> members;  // in the order of the file
  std::set<std::string> gates;       // without one of them it is no part of the run
  std::optional<std::pair<std::string, Look::Wants>> look;
  std::set<std::string> echoes;  // members that another group counts
  std::set<size_t> before;       // groups that come first
};
std::vector<Group> GroupSteps(Planning& planning);  // empty: they wait for each other, told
std::vector<std::string> DataEdges(const Planned& step);
// The steps without which it is no part of the run. A statement's place after the step above is an
// order and no need.
std::vector<std::string> NeedsOf(const Planned& step);
void Publish(Flow& flow,
             const Plan& plan);  // publication.cc: when rows become visible, who decides
void Identify(const Planning& planning, Flow& flow);  // fingerprint.cc
void CheckHazards(Planning& planning);                // hazards.cc: refused combinations, warnings

std::string_view NameOf(Reach reach);

}  // namespace sluice
