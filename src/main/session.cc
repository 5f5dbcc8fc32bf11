// See session.h.
#include "main/session.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/secret_store.h"
#include "base/text.h"
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
    : files_(LocalFiles()),
      clock_(SystemClock()),
      connectors_(BuiltinConnectors()),
      verbs_(BuiltinVerbs()) {}
ProjectSession::~ProjectSession() = default;

Result<std::unique_ptr<ProjectSession>> ProjectSession::Open(const Invocation& invocation) {
  std::unique_ptr<ProjectSession> session(new ProjectSession());
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

Result<Ledger*> ProjectSession::ledger() {
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
  if (!database_) {
    sql::DatabaseOptions options;
    // DuckDB counts about three quarters of what it uses (docs/architecture.md, memory).
    if (project_.memory_bytes) options.memory_bytes = *project_.memory_bytes / 100 * 65;
    options.threads = project_.parallelism;
    options.temp_folder = store_ + "/temp";
    auto opened = TRY(sql::Database::Open(options));
    TRY(LoadMacros(project_, *opened));
    database_ = std::move(opened);
  }
  return database_.get();
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
  if (!signals_) signals_ = std::make_unique<Signals>();
  return signals_->token();
}

}  // namespace sluice
