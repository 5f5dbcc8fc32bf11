// sluice doctor: looks at everything a run needs, changes nothing, and says what to do about what
// is wrong.
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "base/json_full.h"
#include "base/text.h"
#include "calendar/zone.h"
#include "main/command.h"
#include "main/probe.h"
#include "main/session.h"
#include "pipeline/references.h"
#include "sluice_version.h"

namespace sluice {

namespace {

constexpr uint64_t kLittleSpace = 1 << 30;
constexpr uint64_t kFewFiles = 256;

enum class Health : unsigned char { kOk, kWarning, kFailed };
std::string_view NameOf(Health health) {
  return health == Health::kOk ? "ok" : health == Health::kWarning ? "warn" : "FAILED";
}

struct Finding {
  Health health = Health::kOk;
  std::string what, message;
};

Finding Ok(std::string what, std::string message) {
  return {Health::kOk, std::move(what), std::move(message)};
}
Finding Warn(std::string what, std::string message) {
  return {Health::kWarning, std::move(what), std::move(message)};
}
Finding Fail(std::string what, const Error& error) {
  return {Health::kFailed, std::move(what), Format(error)};
}

class Doctor {
 public:
  Doctor(const Invocation& invocation, ProjectSession& session)
      : invocation_(invocation), session_(session) {}

  void Look() {
    Machine();
    Store();
    Pipelines();
    References();
    if (!invocation_.Has("--offline")) Connections();
  }
  const std::vector<Finding>& findings() const { return findings_; }

 private:
  void Add(Finding finding) { findings_.push_back(std::move(finding)); }

  void Machine() {
    Add(Ok("sluice", fmt::format("{}, DuckDB {}", kSluiceVersion, sql::LibraryVersion())));
    const auto database = session_.database();
    Add(database.ok() ? Ok("DuckDB", "opens, loads nothing from the network")
                      : Fail("DuckDB", database.error()));
    const auto zone = Zone::Find("Europe/Paris");
    Add(zone.ok() ? Ok("time zones", "the system's tz database is there")
                  : Fail("time zones", zone.error()));
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    Add(files.rlim_cur >= kFewFiles
            ? Ok("open files", fmt::format("at most {}", FormatCount(files.rlim_cur)))
            : Warn("open files",
                   fmt::format("at most {}; raise it: ulimit -n 1024", files.rlim_cur)));
  }

  void Store() {
    const Project& project = session_.project();
    Add(project.settings.IsNull()
            ? Warn("project",
                   fmt::format("no sluice.yml in '{}' or above it; sluice init makes one",
                               project.folder))
            : Ok("project", fmt::format("{} in {}", project.name, project.folder)));
    if (::access(project.folder.c_str(), W_OK) != 0) {
      Add(Fail("folder", RejectedError(fmt::format("'{}' cannot be written: the ledger lies in it",
                                                   project.folder))));
    }
    struct statvfs disk {};
    if (::statvfs(project.folder.c_str(), &disk) == 0) {
      const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
      Add(free >= kLittleSpace
              ? Ok("disk", FormatBytes(free) + " free")
              : Warn("disk", FormatBytes(free) + " free; what does not fit in memory is written "
                                                 "to .sluice/temp"));
    }
    Ledger();
  }

  void Ledger() {
    const std::string path = session_.store() + "/ledger.db";
    if (!session_.files().Exists(path)) {
      Add(Ok("ledger", "none yet; the first run makes it"));
      return;
    }
    const auto ledger = session_.ledger();
    if (!ledger.ok()) {
      Add(Fail("ledger", ledger.error()));
      return;
    }
    const auto runs = (*ledger)->Runs({.pipeline = "", .status = "running", .limit = 1000});
    Add(runs.ok() ? Ok("ledger", fmt::format("opens; {} running", runs->size()))
                  : Fail("ledger", runs.error()));
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0) {
      Add(Warn("ledger",
               fmt::format("others may read '{}', and dead letters hold data; chmod 600", path)));
    }
  }

  void Pipelines() {
    const auto paths = ListPipelines(session_.files(), session_.project());
    if (!paths.ok()) return Add(Fail("pipelines", paths.error()));
    if (paths->empty()) Add(Warn("pipelines", "none in pipelines/; sluice init makes one"));
    size_t wrong = 0;
    for (const std::string& path : *paths) {
      const Status checked = Check(path);
      if (checked.ok()) continue;
      ++wrong;
      Add(Fail("pipeline", checked.error()));
    }
    const auto misnamed = ListMisnamed(session_.files(), session_.project());
    for (const std::string& path : misnamed.ok() ? *misnamed : std::vector<std::string>())
      Add(Warn("pipeline", Rename(path)));
    if (wrong == 0 && !paths->empty())
      Add(Ok("pipelines", fmt::format("{} {}", paths->size(),
                                      invocation_.Has("--offline") ? "read" : "checked")));
  }

  // Offline: only what the file itself says.
  Status Check(const std::string& path) {
    const auto files = TRY(ReadPipelines(session_.files(), session_.project(), path));
    if (invocation_.Has("--offline")) return sluice::Ok();
    PlanRequest request = TRY(session_.Request(invocation_));
    request.preview = true;
    for (const PipelineFile& file : files) {
      const auto missing = MissingParams(file, request);
      if (missing.ok() && !missing->empty()) continue;  // only others run it
      TRY(session_.MakePlanOf(file, request));
    }
    return sluice::Ok();
  }

  void References() {
    for (const Written& reference : ReferencesOf(session_.project())) {
      const auto value = session_.secrets().Open(reference.text, reference.mark);
      Add(value.ok() ? Ok("reference", reference.text + " opens")
                     : Fail("reference", value.error()));
    }
  }

  void Connections() {
    for (const auto& [name, connection] : session_.project().connections) {
      const Probed probed = ProbeConnection(session_, connection);
      findings_.push_back({probed.ok ? Health::kOk : Health::kFailed, "connection " + name,
                           fmt::format("{} ({})", probed.message, FormatDuration(probed.took))});
    }
  }

  const Invocation& invocation_;
  ProjectSession& session_;
  std::vector<Finding> findings_;
};

int Tell(const std::vector<Finding>& findings, const std::string& output) {
  int failed = 0;
  for (const Finding& finding : findings) {
    failed += finding.health == Health::kFailed;
    if (output == "json") {
      std::printf("%s\n", Json{{"what", finding.what},
                               {"status", ToLower(NameOf(finding.health))},
                               {"message", finding.message}}
                              .dump(-1, ' ', false, Json::error_handler_t::replace)
                              .c_str());
    } else {
      std::printf("%-6s  %s: %s\n", std::string(NameOf(finding.health)).c_str(),
                  finding.what.c_str(), EscapeControl(finding.message).c_str());
    }
  }
  return failed == 0 ? kExitOk : kExitFailed;
}

Result<int> Examine(const Invocation& invocation) {
  auto session = ProjectSession::Open(invocation);
  if (!session.ok()) return Tell({Fail("project", session.error())}, invocation.Get("--output"));
  Doctor doctor(invocation, **session);
  doctor.Look();
  return Tell(doctor.findings(), invocation.Get("--output"));
}

}  // namespace

Command DoctorCommand() {
  return {
      .name = "doctor",
      .summary = "Look at everything a run needs, and say what is wrong",
      .example = "sluice doctor --offline",
      .arguments = {},
      .options = {ProjectOption(),
                  EnvOption(),
                  OutputOption(),
                  {"--offline", "", "Open no connection and no input", Option::Kind::kFlag},
                  {"--date", "DATE", "Check the pipelines for the interval that begins on DATE"},
                  {"--param", "NAME=VALUE", "A parameter", Option::Kind::kList},
                  {"--set", "KEY=VALUE", "A setting", Option::Kind::kList}},
      .run = Examine};
}

}  // namespace sluice
