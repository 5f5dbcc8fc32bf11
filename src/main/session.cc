// See session.h.
#include "main/session.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "base/log.h"
#include "base/secret_store.h"
#include "base/text.h"
#include "connector/duckdb/connector.h"
#include "main/console.h"
#include "main/hosting.h"
#include "pipeline/macros.h"
#include "pipeline/references.h"

namespace sluice {

// Waits for SIGINT and SIGTERM on a thread of its own, so that nothing runs inside a signal
// handler.
class ProjectSession::Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    thread_ = std::jthread([this](std::stop_token ended) { Watch(ended); });
  }
  ~Signals() {
    thread_.request_stop();
    pthread_kill(thread_.native_handle(), SIGINT);  // wakes it, and nobody else
  }
  std::stop_token token() const { return stop_.get_token(); }

 private:
  void Watch(std::stop_token ended) {
    while (true) {
      if (sigwaitinfo(&set_, nullptr) < 0) continue;
      if (ended.stop_requested()) return;
      if (stop_.stop_requested()) _exit(130);
      stop_.request_stop();
    }
  }

  sigset_t set_;
  std::stop_source stop_;
  std::jthread thread_;
};

ProjectSession::ProjectSession()
    : console_(StandardConsole()),
      files_(LocalFiles()),
      clock_(SystemClock()),
      connectors_(BuiltinConnectors()),
      verbs_(BuiltinVerbs()) {}
ProjectSession::~ProjectSession() { Close(); }

Result<std::unique_ptr<ProjectSession>> ProjectSession::Open(const Invocation& invocation,
                                                             const GuestPlace* guest) {
  std::unique_ptr<ProjectSession> session(new ProjectSession());
  session->guest_ = guest;
  std::string folder = invocation.Get("--project");
  if (folder.empty()) folder = FindProject(*session->files_, ".");
  const char* environment = std::getenv("SLUICE_ENV");
  session->project_ =
      TRY(ReadProject(*session->files_, folder,
                      invocation.Get("--env", environment != nullptr && *environment != '\0'
                                                  ? environment
                                                  : std::string(kDevelopment))));
  session->store_ = StoreOf(session->project_);
  TRY(session->OpenReferences());
  return session;
}

Status ProjectSession::OpenReferences() {
  for (const Written& written : ReferencesOf(project_)) {
    const auto reference = ReadReference(written.text);
    if (!reference || reference->kind == ReferenceKind::kFile) continue;
    std::vector<std::string> names{reference->name};
    if (reference->kind == ReferenceKind::kSecret) names = {"SLUICE_KEY", "SLUICE_KEY_FILE"};
    for (const std::string& name : names) {
      if (const char* value = std::getenv(name.c_str())) environment_[name] = Fingerprint(value);
    }
  }
  secrets_ = MakeSecrets(*files_, project_.folder, SecretsPath());
  return OpenPlainReferences(project_, connectors_, *secrets_);
}

std::string ProjectSession::SecretsPath() const {
  return project_.folder + "/.sluice/secrets.json";
}

std::unique_ptr<ProjectSession> ProjectSession::Of(Project project, std::string store) {
  std::unique_ptr<ProjectSession> session(new ProjectSession());
  session->project_ = std::move(project);
  session->home_ = Home::kMemory;
  session->store_ = std::move(store);
  return session;
}

std::string ProjectSession::Here() const {
  return guest_ != nullptr ? guest_->folder : std::filesystem::current_path().string();
}

std::string ProjectSession::MacrosFingerprint() const {
  std::string text;
  for (const Macro& macro : project_.macros) text += macro.statement + '\0';
  return Fingerprint(text);
}

Result<Ledger*> ProjectSession::ledger() {
  if (guest_ != nullptr) return guest_->host.ledger();
  if (!ledger_) {
    TRY(files_->MakeFolders(store_));
    std::string ignore = store_ + "/.gitignore";
    if (!files_->Exists(ignore) || TRY(files_->ReadAll(ignore, 4096)).empty()) {
      // In place: a kill may leave it empty, but nothing beside it.
      auto file = TRY(files_->Open(ignore, Files::Mode::kTruncate));
      TRY(file->Append("*\n"));
    }
    ledger_ = TRY(Ledger::Open(store_ + "/ledger.db"));
  }
  return ledger_.get();
}

Result<sql::Database*> ProjectSession::database() {
  if (guest_ != nullptr) return guest_->host.database();
  if (!database_) {
    StartHosting();
    sql::DatabaseOptions options;
    // DuckDB counts about three quarters of what it uses (docs/architecture.md, memory).
    if (project_.memory_bytes) options.memory_bytes = *project_.memory_bytes / 100 * 65;
    options.threads = project_.parallelism;
    options.temp_folder = store_ + "/temp";
    auto opened = TRY(sql::Database::Open(options));
    TRY(LoadMacros(project_, *opened));
    database_ = std::move(opened);
    opened_ = database_.get();
  }
  return database_.get();
}

std::string ProjectSession::HostsFolder() const {
  const std::string folder = store_ + "/hosts";
  if (!secrets_ || !files_->Exists(store_) || !files_->MakeFolders(folder).ok()) return "";
  return folder;
}

void ProjectSession::StartHosting() {
  if (hosting_) return;
  const std::string folder = HostsFolder();
  if (folder.empty()) return;
  auto hosting = Hosting::Start(folder, *this);
  // Without it others are told who has the file, and wait.
  if (hosting.ok())
    hosting_ = std::move(*hosting);
  else
    LogWarn("other processes cannot be served: {}", Format(hosting.error()));
}

Status ProjectSession::Serve() {
  if (guest_ != nullptr) return Ok();
  TRY(ledger());
  StartHosting();
  if (hosting_) hosting_->Serve();
  return Ok();
}

bool ProjectSession::Holds(const sql::FileIdentity& file) const {
  sql::Database* database = opened_;
  return database != nullptr && database->Holds(file);
}

std::vector<sql::FileIdentity> ProjectSession::DuckdbFiles() {
  std::vector<sql::FileIdentity> files;
  for (const auto& [name, connection] : project_.connections) {
    const Connector* connector = Find(connectors_, connection.type);
    if (connector == nullptr || !connector->duckdb_file) continue;
    const auto file = connector->duckdb_file(connection.node, project_.folder);
    if (!file.ok() || !files_->Exists(file->path)) continue;
    const auto facts = files_->Facts(file->path);
    if (facts.ok()) files.push_back({facts->device, facts->inode});
  }
  return files;
}

std::optional<sql::FileIdentity> ProjectSession::HeldElsewhere() const {
  return database_ ? database_->HeldElsewhere() : std::nullopt;
}

Status ProjectSession::OpenFiles(const Plan& plan) {
  if (guest_ == nullptr && !as_they_come_) {
    ConnectorContext context = TRY(this->context());
    TRY(OpenFiles(plan, context));
  }
  passage_ = server::Passage();
  return Ok();
}

Status ProjectSession::OpenFiles(const Plan& plan, ConnectorContext& context) {
  const auto open = [&](const PlannedSink& sink) -> Status {
    if (sink.connection == nullptr || !sink.connector->duckdb_file) return Ok();
    const DuckdbFile file = TRY(sink.connector->duckdb_file(*sink.connection, context.folder));
    auto opened = context.database.Attach(file.path, file.alias, sql::Access::kReadWrite);
    // Anything else is the run's to tell.
    if (!opened.ok() && context.database.HeldElsewhere()) return std::move(opened).error();
    return Ok();
  };
  for (const Stage& stage : plan.stages) {
    if (const Flow* flow = std::get_if<Flow>(&stage)) {
      for (const PlannedSink& sink : flow->sinks) TRY(open(sink));
    } else if (const Action* action = std::get_if<Action>(&stage)) {
      TRY(open(action->sink));
    } else if (const ChildRun* child = std::get_if<ChildRun>(&stage)) {
      std::set<std::string> seen;
      for (const ChildCall& call : child->calls) {
        if (!seen.insert(call.pipeline).second) continue;
        auto planned = call.plan();
        if (planned.ok()) TRY(OpenFiles(*planned, context));
      }
    }
  }
  return Ok();
}

void ProjectSession::Close() {
  if (hosting_) hosting_->Close(signals_ ? signals_->token() : std::stop_token());
  opened_ = nullptr;
  database_.reset();
  ledger_.reset();
  hosting_.reset();
  passage_ = server::Passage();
}

Result<World> ProjectSession::world() {
  Ledger* ledger = TRY(this->ledger());
  sql::Database* database = TRY(this->database());
  World world{*files_, *clock_, *database, *ledger, project_.folder, store_, secrets_.get()};
  if (home_ == Home::kDisk) {
    world.has_pipeline = [this](const std::string& name) {
      return HasPipeline(*files_, project_, name);
    };
  }
  return world;
}

Result<ConnectorContext> ProjectSession::context() {
  sql::Database* database = TRY(this->database());
  return ConnectorContext{*files_, *database, *clock_, project_.folder, secrets_.get()};
}

Result<PlanRequest> ProjectSession::Request(const Invocation& invocation) {
  PlanRequest request;
  if (invocation.Has("--date")) request.date = invocation.Get("--date");
  auto pairs = [&](const std::string& option, std::map<std::string, std::string>& into) -> Status {
    for (const std::string& pair : invocation.All(option)) {
      size_t at = pair.find('=');
      if (at == std::string::npos || at == 0) {
        return ConfigError({}, option + " '" + pair + "': write it as name=value");
      }
      into[pair.substr(0, at)] = pair.substr(at + 1);
    }
    return Ok();
  };
  TRY(pairs("--param", request.params));
  TRY(pairs("--set", request.settings));
  request.now = clock_->Now();
  return request;
}

Result<Plan> ProjectSession::MakePlanOf(const PipelineFile& file, const PlanRequest& request,
                                        std::vector<Error>* errors) {
  PlanRequest with_pins = request;
  // A check must not create a ledger; where there is one, the types that earlier runs pinned hold.
  if (files_->Exists(store_ + "/ledger.db")) {
    Ledger* ledger = TRY(this->ledger());
    with_pins.pinned_of = [this, ledger](const std::string& pipeline, const std::string& step) {
      return ledger->Pinned(project_.name, pipeline, step);
    };
    with_pins.pinned = [of = with_pins.pinned_of, name = file.name](const std::string& step) {
      return of(name, step);
    };
  }
  ConnectorContext context = TRY(this->context());
  return MakePlan(project_, file, with_pins, connectors_, verbs_, context, errors);
}

std::stop_token ProjectSession::WatchSignals() {
  if (guest_ != nullptr) return guest_->stop;
  if (!signals_) signals_ = std::make_unique<Signals>();
  return signals_->token();
}

}  // namespace sluice
