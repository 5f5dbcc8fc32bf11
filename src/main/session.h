// What a subcommand works with: the project, the ledger and DuckDB, opened as far as it needs them;
// and the stop token that Ctrl-C sets.
//
// A process that has opened DuckDB is known to the others of the project (server/host.h) until it
// has closed it again. A guest's session has its own project, read anew, but its host's ledger and
// DuckDB, and its guest's console and stop token.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "connector/registry.h"
#include "engine/run.h"
#include "engine/world.h"
#include "ledger/ledger.h"
#include "main/command.h"
#include "pipeline/plan.h"
#include "pipeline/project.h"
#include "server/console.h"
#include "server/gate.h"
#include "sql/database.h"
#include "transform/verb.h"

namespace sluice {

class Hosting;
class ProjectSession;

// A guest's, in the process that runs its command.
struct GuestPlace {
  ProjectSession& host;
  server::Console& console;
  std::stop_token stop;
  std::string folder;  // where its user stands
};

class ProjectSession {
 public:
  // Reads sluice.yml of --project, or of the nearest folder upwards.
  static Result<std::unique_ptr<ProjectSession>> Open(const Invocation& invocation,
                                                      const GuestPlace* guest = nullptr);
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
  server::Console& console() { return guest_ != nullptr ? guest_->console : *console_; }
  // Where relative paths that the user typed start.
  std::string Here() const;
  // Of what the project's connections refer to, fingerprints of this process's environment.
  const std::map<std::string, std::string>& environment() const { return environment_; }
  std::string MacrosFingerprint() const;
  const Connectors& connectors() const { return connectors_; }
  const Verbs& verbs() const { return verbs_; }
  Result<Ledger*> ledger();           // opened at the first call
  Result<sql::Database*> database();  // opened at the first call
  Result<World> world();
  Result<ConnectorContext> context();

  // From here to the end of the session other processes of the project may have their runs and
  // queries done by this one. Without it they wait until it is done.
  Status Serve();
  // Whether the file is open here. Any thread.
  bool Holds(const sql::FileIdentity& file) const;
  // Opens the DuckDB files that the plan loads into. Fails only for one that another process has
  // open, and not where files are to be taken as they come.
  Status OpenFiles(const Plan& plan);
  void TakeFilesAsTheyCome() { as_they_come_ = true; }
  // Holds the passage until the files are open.
  void Pass(server::Passage passage) { passage_ = std::move(passage); }
  // Those of the project's DuckDB files that exist; nothing is opened.
  std::vector<sql::FileIdentity> DuckdbFiles();
  // The file that could not be opened because another process has it open.
  std::optional<sql::FileIdentity> HeldElsewhere() const;
  // The folder of sockets and the gate; empty where the project has no store yet.
  std::string HostsFolder() const;
  // Closes everything; guests are waited for first. Only the project and signals are left.
  void Close();

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
  void StartHosting();
  Status OpenFiles(const Plan& plan, ConnectorContext& context);

  const GuestPlace* guest_ = nullptr;
  std::shared_ptr<server::Console> console_;
  std::map<std::string, std::string> environment_;
  bool as_they_come_ = false;
  server::Passage passage_;
  std::unique_ptr<Files> files_;
  std::unique_ptr<Clock> clock_;
  Project project_;
  Home home_ = Home::kDisk;
  std::string store_;
  Connectors connectors_;
  Verbs verbs_;
  std::unique_ptr<Secrets> secrets_;
  std::unique_ptr<Hosting> hosting_;  // before what it serves, so that it goes after it
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<sql::Database> database_;
  std::atomic<sql::Database*> opened_ = nullptr;  // database_, for other threads
  class Signals;
  std::unique_ptr<Signals> signals_;
};

// Runs the plan with progress and says the outcome on the session's console. Returns the exit code.
int RunAndReport(ProjectSession& session, const Plan& plan, World& world, RunOptions options,
                 bool json);

}  // namespace sluice
