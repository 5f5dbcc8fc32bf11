// See scene.h.
#include "harness/scene.h"

#include <algorithm>

#include "base/secret_store.h"
#include "base/text.h"
#include "pipeline/macros.h"
#include "pipeline/plan.h"
#include "pipeline/references.h"

namespace sluice::harness {

Scene::Scene(std::string folder, const Connectors& connectors, const Verbs& verbs)
    : folder_(std::move(folder)), connectors_(connectors), verbs_(verbs), files_(LocalFiles()) {}

Status Scene::Write(const std::string& path, const std::string& text) {
  std::string full = JoinPath(folder_, path);
  TRY(files_->MakeFolders(ParentFolder(full)));
  return WriteAtomically(*files_, full, text);
}

namespace {

struct Asked {
  PlanRequest request;
  std::string environment{kDevelopment};
};

Result<Asked> ReadWords(const RunSpec& spec, RunOptions& options) {
  Asked asked;
  PlanRequest& request = asked.request;
  request.now = spec.now;
  for (size_t i = 0; i < spec.words.size(); ++i) {
    const std::string& word = spec.words[i];
    bool more = i + 1 < spec.words.size();
    if (word == "--again") {
      options.again = true;
    } else if (word == "--date" && more) {
      request.date = spec.words[++i];
    } else if (word == "--env" && more) {
      asked.environment = spec.words[++i];
    } else if (word == "--param" && more) {
      const std::string& pair = spec.words[++i];
      size_t at = pair.find('=');
      if (at == std::string::npos)
        return ConfigError({}, "--param '" + pair + "': write it as name=value");
      request.params[pair.substr(0, at)] = pair.substr(at + 1);
    } else {
      return ConfigError(
          {}, "a run in a .test file takes --date, --again, --env and --param; not '" + word + "'");
    }
  }
  return asked;
}

}  // namespace

RunReport Scene::Run(const RunSpec& spec) {
  RunReport report;
  auto refuse = [&](const Error& error) {
    report.exit = error.kind == ErrorKind::kConfig ? 2 : 1;
    report.error = Format(error);
    return report;
  };
  FakeClock clock(spec.now);
  RunOptions options;
  options.limits = spec.limits;
  options.observer = spec.observer;
  Result<Asked> asked = ReadWords(spec, options);
  if (!asked.ok()) return refuse(asked.error());
  PlanRequest* request = &asked->request;
  Result<Project> project = ReadProject(*files_, folder_, asked->environment);
  if (!project.ok()) return refuse(project.error());
  std::string store = StoreOf(*project);
  if (Status made = files_->MakeFolders(store); !made.ok()) return refuse(made.error());
  auto ledger = Ledger::Open(store + "/ledger.db");
  if (!ledger.ok()) return refuse(ledger.error());
  auto database = sql::Database::Open({.memory_bytes = project->memory_bytes.value_or(0),
                                       .threads = spec.threads,
                                       .temp_folder = store + "/temp"});
  if (!database.ok()) return refuse(database.error());
  auto secrets = MakeSecrets(*files_, folder_, folder_ + "/.sluice/secrets.json");
  if (Status opened = OpenPlainReferences(*project, connectors_, *secrets); !opened.ok())
    return refuse(opened.error());
  if (Status made = LoadMacros(*project, **database); !made.ok()) return refuse(made.error());
  ConnectorContext context{*files_, **database, clock, folder_, secrets.get()};
  Result<PipelineFile> file = ReadPipeline(*files_, *project, spec.pipeline);
  if (!file.ok()) return refuse(file.error());
  request->pinned_of = [&](const std::string& pipeline, const std::string& step) {
    return (*ledger)->Pinned(project->name, pipeline, step);
  };
  request->pinned = [&](const std::string& step) { return request->pinned_of(file->name, step); };
  request->described = true;
  Result<Plan> plan = MakePlan(*project, *file, *request, connectors_, verbs_, context);
  if (!plan.ok()) return refuse(plan.error());
  report.plan = Describe(*plan);
  World world{*files_, clock, **database, **ledger, folder_, store, secrets.get()};
  world.has_pipeline = [&](const std::string& name) {
    return HasPipeline(*files_, *project, name);
  };
  RunOutcome outcome = RunPlan(*plan, world, options, {});
  report.exit = ExitCode(outcome);
  report.json = ToJson(*plan, outcome);
  if (outcome.error) report.error = Format(*outcome.error);
  return report;
}

Result<sql::Rows> Scene::Query(const std::string& select) {
  auto database = TRY(sql::Database::Open({.temp_folder = folder_ + "/.sluice/temp"}));
  auto session = TRY(database->Connect());
  std::string warehouse = folder_ + "/warehouse.duckdb";
  if (files_->Exists(warehouse)) {
    std::string alias = TRY(database->Attach(warehouse, "warehouse", sql::Access::kReadOnly));
    TRY(session->Execute("USE " + QuoteIdentifier(alias)));
  }
  TRY(session->Execute("SET file_search_path = " + QuoteLiteral(folder_)));
  return session->Query(select);
}

Result<std::vector<LetterRow>> Scene::Letters() {
  auto ledger = TRY(Ledger::Open(folder_ + "/.sluice/ledger.db"));
  return ledger->Letters({.pipeline = "", .step = "", .code = "", .run = {}, .limit = 100'000});
}

}  // namespace sluice::harness
