// What a subcommand works with: the project, the ledger and DuckDB, opened as far as it needs them;
// and the stop token that Ctrl-C sets.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "connector/registry.h"
#include "engine/run.h"
#include "engine/world.h"
#include "ledger/ledger.h"
#include "main/command.h"
#include "pipeline/plan.h"
#include "pipeline/project.h"
#include "sql/database.h"
#include "transform/verb.h"

namespace sluice {

class ProjectSession {
 public:
  // Reads sluice.yml of --project, or of the nearest folder upwards.
  static Result<std::unique_ptr<ProjectSession>> Open(const Invocation& invocation);
  // A project that is not on disk (copy): its store is `store`.
  static std::unique_ptr<ProjectSession> Of(Project project, std::string store);
  ~ProjectSession();

  Files& files() { return *files_; }
  Clock& clock() { return *clock_; }
  Project& project() { return project_; }
  const std::string& store() const { return store_; }
  Secrets& secrets() { return *secrets_; }  // of a project that is on disk
  // Of a project that is not.
  void UseSecrets(std::unique_ptr<Secrets> secrets) { secrets_ = std::move(secrets); }
  std::string SecretsPath() const;
  const Connectors& connectors() const { return connectors_; }
  const Verbs& verbs() const { return verbs_; }
  Result<Ledger*> ledger();           // opened at the first call
  Result<sql::Database*> database();  // opened at the first call
  Result<World> world();
  Result<ConnectorContext> context();

  // Options shared by plan and run: --date --param --set --env.
  Result<PlanRequest> Request(const Invocation& invocation);
  Result<Plan> MakePlanOf(const PipelineFile& file, const PlanRequest& request,
                          std::vector<Error>* errors = nullptr);

  // Set by Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once.
  std::stop_token WatchSignals();

 private:
  enum class Home : uint8_t { kDisk, kMemory };

  ProjectSession();
  Status OpenReferences();

  std::unique_ptr<Files> files_;
  std::unique_ptr<Clock> clock_;
  Project project_;
  Home home_ = Home::kDisk;
  std::string store_;
  Connectors connectors_;
  Verbs verbs_;
  std::unique_ptr<Secrets> secrets_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<sql::Database> database_;
  class Signals;
  std::unique_ptr<Signals> signals_;
};

// Runs the plan with progress on standard error and prints the outcome. Returns the exit code.
int RunAndReport(ProjectSession& session, const Plan& plan, World& world, RunOptions options,
                 bool json);

}  // namespace sluice
