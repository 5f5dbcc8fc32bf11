// What a run will do, exact and immutable: flows (steps that share epochs) and actions (once per
// run, between flows), in order.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/retry.h"
#include "calendar/interval.h"
#include "connector/registry.h"
#include "data/range.h"
#include "pipeline/project.h"
#include "relation/relation.h"
#include "transform/verb.h"

namespace sluice {

struct Plan;

struct Warning {
  Mark mark;
  std::string text;
};

// With a step's name before it: where the ledger keeps the columns of an optional extract, for the
// day on which its source cannot be asked.
inline constexpr std::string_view kRememberedColumns = " columns";

// What a run has learnt, with which its plan is made again (Plan::again).
struct Progress {
  std::map<std::string, relation::Bound> values;  // "steps.loaded.inserted", "run.id"
  std::map<std::string, std::vector<relation::Bound>>
      rows;                                    // see `Look`: of each column its values
  std::map<std::string, std::string> skipped;  // by on_error: step -> why
  std::map<std::string, std::string> fallen;   // whose fallback reads: step -> why
  std::map<std::string, SourceShape> shapes;   // of the extracts of those
};

struct PlannedExtract {
  std::string step;
  ExtractRequest request;
  const Connector* connector = nullptr;
  const Node* connection = nullptr;  // null: built in
  SourceShape shape;
  std::string on_null_time = "reject";
  std::optional<sql::EventTime> event_time;  // declared
  OnRowError on_row_error = OnRowError::kFail;
};

struct PlannedLoad {
  Load load;
  std::string input;  // the step whose rows it takes
  std::string sink;   // key of PlannedSink
  relation::Ref rows;
  std::string renamed_from;  // as written
  // What the columns are in the blocks of the extract, which are handed on as they are; empty: the
  // rows go through a query.
  std::vector<std::string> relay = {};
  std::string manner = {};  // Sink::Manner
};

struct PlannedSink {
  std::string key;   // Connector::sink_key
  std::string name;  // of the connection, or "file"
  const Connector* connector = nullptr;
  const Node* connection = nullptr;
  Capabilities capabilities;
};

// How often the work of a stage is tried, and how long one try may take.
struct Tries {
  RetryPolicy retry;
  Micros timeout{0};
  std::string timeout_of;  // the step that says it; empty: none
};

struct Flow {
  std::string id;                        // its first load's step, or its first step
  std::string lane_pipeline, lane_name;  // of the lane: the first names that pipeline and id had
  bool is_new = false;                   // it says outright that it goes on from no other
  std::vector<PlannedExtract> extracts;
  std::vector<PlannedLoad> loads;
  std::vector<PlannedSink> sinks;             // of its loads; the first decides, the others follow
  std::vector<std::string> steps;             // all of them, in order
  std::map<std::string, relation::Ref> rows;  // step -> what it gives
  Reach reach = Reach::kRow;
  std::vector<std::string> strict;  // functions whose refused rows fail the epoch
  std::string keyed_step;           // of the one Keyed node; empty: none
  bool needs_intent = false;
  bool publish_at_end = false;
  bool endless = false;
  std::map<std::string, std::string> fingerprints;  // load step -> fingerprint
  std::string fingerprint;                          // of all loads together
  Tries tries;                                      // of one epoch
  std::set<std::string> optional;  // steps that say on_error: skip, or have a fallback
  std::set<std::string> echoes;    // steps whose rows another flow of the run counts and rejects
  std::string delivery;            // for `plan`: "exactly once: warehouse decides", …
};

struct Action {
  std::string step;
  PlannedSink sink;
  std::string statement;
  std::vector<sql::Bound> bound;
  std::string fingerprint;
  Mark mark;
  Tries tries;
};

// The rows of a step that {{ }} names: computed for their values and loaded nowhere.
struct Look {
  enum class Wants : uint8_t { kOneRow, kRows };
  std::string step;
  Wants wants = Wants::kOneRow;
  Flow flow;  // without loads
  Tries tries;
};

// One value of the pipeline's `output`.
struct OutputValue {
  std::string name;
  Mark mark;
  std::string type;                 // DuckDB's
  std::optional<std::string> text;  // nullopt: NULL, or not known before the run has ended
};

// One run of another pipeline. `plan` makes its plan, when its turn has come.
struct ChildCall {
  std::string pipeline;
  std::map<std::string, std::string> params;
  std::string text;  // of its file
  std::function<Result<Plan>()> plan;
};

struct ChildRun {
  enum class Wait : uint8_t { kForItsEnd, kNotAtAll };
  std::string step;
  Mark mark;
  Wait wait = Wait::kForItsEnd;
  std::vector<ChildCall> calls;     // one, or one per element of for_each
  std::vector<OutputValue> output;  // of the pipeline that it runs, where that is one
  bool each = false;                // for_each; its elements may not be known yet
};

using Stage = std::variant<Flow, Action, Look, ChildRun>;
const std::string& NameOf(const Stage& stage);  // unique in the plan, whatever is skipped

// A step that does nothing in this run, as far as is known.
enum class Skip : uint8_t {
  kNo,
  kHollow,  // an extract gives no rows, another step hands its rows on
  kGone,    // a load, an action, a run, or what needs it: it is no part of the run
};

struct StepFacts {
  std::string name, verb;
  Mark mark;
  std::vector<std::string> from;
  Schema schema;  // visible; of a load: its input's
  Reach reach = Reach::kRow;
  bool restarts = false;  // the equation of books starts again: aggregate, join, sql, window
  std::string description;
  std::vector<std::string> tags;
  Skip skip = Skip::kNo;
  std::string why;                     // it is skipped, or its fallback reads
  std::string when;                    // as written
  std::vector<std::string> waits_for;  // values that only a run knows: "steps.loaded.inserted"
  std::string on_error;                // "skip", "fallback", empty: fail
};

struct Plan {
  std::string project, pipeline, revision;  // revision: hash of the file and all it refers to
  std::string folder, environment;
  std::optional<Interval> interval;
  std::string
      interval_text;  // of the lane: "2026-11-20T00:00:00Z/2026-11-21T00:00:00Z", or "stream"
  std::string params_json;
  std::string description, owner;
  std::vector<std::string> tags;
  std::vector<StepFacts> steps;
  std::vector<Stage> stages;
  std::set<std::string> late;              // stages that wait for values of others
  std::map<std::string, Error> unreached;  // optional extracts that could not be asked
  std::vector<OutputValue> output;
  int parallelism = 1;  // runs of one for_each step at once
  std::vector<Warning> warnings;
  RetryPolicy retry;
  Limits epoch;                             // from `epoch:`; 0: the driver's own choice
  std::optional<uint64_t> max_rejects;      // rows
  std::optional<double> max_rejects_share;  // 0..1
  // The same plan with what the run has learnt; stages keep their names.
  std::function<Result<Plan>(const Progress&)> again;
  std::function<Result<std::vector<OutputValue>>(const Progress&)> outputs;
};

struct PlanRequest {
  std::optional<std::string> date;              // --date D
  std::map<std::string, std::string> params;    // --param k=v
  std::map<std::string, std::string> settings;  // --set key=value
  Micros now{0};
  bool preview = false;              // rows that no load takes are fine
  bool described = false;            // both ends are asked for what only Describe says
  Progress known;                    // what the run knows already
  std::vector<std::string> callers;  // the pipelines whose runs lead to this one
  // As `pinned`, of any pipeline.
  std::function<Result<std::optional<Schema>>(const std::string& pipeline, const std::string& step)>
      pinned_of;
  // Types pinned by earlier runs, by step.
  std::function<Result<std::optional<Schema>>(const std::string& step)> pinned;
};

// Checks everything and lowers every step: opens files to learn their columns, runs nothing. The
// first error, or all of them (`errors`, if given, receives every independent one, in the order of
// places).
Result<Plan> MakePlan(const Project& project, const PipelineFile& file, const PlanRequest& request,
                      const Connectors& connectors, const Verbs& verbs,
                      const ConnectorContext& context, std::vector<Error>* errors = nullptr);

// The required params that the request does not give.
Result<std::vector<std::string>> MissingParams(const PipelineFile& file,
                                               const PlanRequest& request);

// `sluice plan`: interval, stages, steps with schema, reach, delivery, publication, fingerprints,
// and the SQL.
std::string Describe(const Plan& plan);
std::string DescribeJson(const Plan& plan);

// The intervals of the pipeline's schedule that begin in [from, to), complete before `now`, in
// order. Both are dates or instants in the schedule's zone; a date `to` is inclusive; empty: up to
// the last complete one.
Result<std::vector<Interval>> IntervalsOf(const PipelineFile& file, std::string_view from,
                                          std::string_view to, Micros now);

}  // namespace sluice
