// See hosting.h. A guest's command is run as its own process would run it: from the files as they
// are now. Only what the whole process shares is compared: the macros that are loaded, the
// environment that references are opened with.
#include "main/hosting.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/files.h"
#include "base/text.h"
#include "main/console.h"
#include "main/hosted.h"

namespace sluice {
namespace {

constexpr int kRunsAtOnce = 4;  // of guests; the host's own are not counted
// Readers give way: what they compute themselves takes what loads leave over.
constexpr int kReaderNiceness = 10;

// Queries that are computed at once, and how long a slot rests after one: together they take about
// a tenth of what a load could use. A long one is not paid for by those after it for ever.
constexpr int kQueriesAtOnce = 2, kRestAfterQuery = 8;
constexpr std::chrono::seconds kMostRest{5};

// Paths that the guest's user typed start where he stands.
Invocation AsTyped(const server::Request& request) {
  Invocation invocation{.command = request.command, .values = request.values};
  const auto typed = invocation.values.find("pipeline");
  if (typed == invocation.values.end()) return invocation;
  for (std::string& which : typed->second) {
    if (which.find('/') != std::string::npos || EndsWith(which, ".yml") || EndsWith(which, ".yaml"))
      which = JoinPath(request.folder, which);
  }
  return invocation;
}

std::string Differing(const std::map<std::string, std::string>& here,
                      const std::map<std::string, std::string>& there) {
  std::vector<std::string> names;
  for (const auto& [name, value] : there) {
    const auto found = here.find(name);
    if (found == here.end() || found->second != value) names.push_back(name);
  }
  return Join(names, ", ");
}

}  // namespace

Result<std::unique_ptr<Hosting>> Hosting::Start(const std::string& folder,
                                                ProjectSession& session) {
  std::unique_ptr<Hosting> hosting(new Hosting(session));
  Hosting* serving = hosting.get();
  hosting->host_ = TRY(server::Host::Open(
      folder, [serving](const server::Request& request, server::Visit& visit) -> server::Answer {
        return serving->Serve(request, visit);
      }));
  return hosting;
}

Hosting::Hosting(ProjectSession& session)
    : session_(session),
      reading_(kQueriesAtOnce, kRestAfterQuery, kMostRest),
      writing_(kRunsAtOnce) {}

void Hosting::Close(std::stop_token stop) {
  if (const size_t guests = host_->guests(); guests > 0 && !stop.stop_requested()) {
    session_.console().Note(fmt::format(
        "{} other process{} being served from here; this one ends with the last of them\n", guests,
        guests == 1 ? " is" : "es are"));
  }
  host_->Close(std::move(stop));
}

server::Answer Hosting::Serve(const server::Request& request, server::Visit& visit) {
  if (!session_.Holds(request.file)) return server::Refusal{.holds = false, .why = ""};
  if (!serves_) return server::Refusal{.holds = true, .why = "it is about to end"};
  return Run(request, visit);
}

server::Answer Hosting::Run(const server::Request& request, server::Visit& visit) {
  const auto refuse = [](std::string why) -> server::Answer {
    return server::Refusal{.holds = true, .why = std::move(why)};
  };
  const std::vector<Hosted> commands = HostedCommands();
  const auto command = std::find_if(commands.begin(), commands.end(), [&](const Hosted& hosted) {
    return hosted.name == request.command;
  });
  if (command == commands.end())
    return refuse(fmt::format("it does not know the command '{}'", request.command));
  const Invocation invocation = AsTyped(request);
  const GuestPlace place{session_, visit, visit.stop(), request.folder};
  auto session = ProjectSession::Open(invocation, &place);
  if (!session.ok()) return Tell(std::move(session).error(), visit);
  if ((*session)->store() != session_.store()) return refuse("it keeps its state elsewhere");
  if (request.macros != session_.MacrosFingerprint())
    return refuse("the project's macros have changed since it began");
  if (const std::string names = Differing((*session)->environment(), request.environment);
      !names.empty())
    return refuse("its environment has other values of " + names);
  const bool reads = command->kind != Hosted::Kind::kRuns;
  if (!visit.Enter(reads ? reading_ : writing_).ok()) return 130;
  if (reads) (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kReaderNiceness);
  return Tell(RunAsHost(*command, invocation, **session), visit);
}

}  // namespace sluice
