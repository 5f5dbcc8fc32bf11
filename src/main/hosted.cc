// See hosted.h. A command first tries by itself; only where a file turns out to be held does it ask
// who holds it. So one that meets nobody costs what it always did, and one that loses its host in
// the middle begins again from the same place: the records of what is loaded make that safe.
#include "main/hosted.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "main/console.h"
#include "server/ask.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{20}, kMostWait{500};

class Handover {
 public:
  Handover(const Hosted& command, const Invocation& invocation)
      : command_(command), invocation_(invocation) {}

  Result<int> Run() {
    while (true) {
      session_ = TRY(ProjectSession::Open(invocation_));
      stop_ = session_->WatchSignals();
      if (const auto done = TRY(AskFirst())) return *done;
      TRY(PassGate());
      auto code = command_.run(invocation_, *session_);
      const auto held = session_->HeldElsewhere();
      if (code.ok() || !held || code.error().kind == ErrorKind::kCancelled || as_they_come_)
        return code;
      session_->Close();
      const Asked asked = TRY(Ask(*held));
      if (asked.code) return *asked.code;
      if (!asked.held_by_us) Stranger();
      if (given_up_) return code;
    }
  }

 private:
  struct Asked {
    std::optional<int> code = {};  // it ran
    bool held_by_us = false;       // a process of ours has the file
  };

  Status PassGate() {
    const std::string folder = session_->HostsFolder();
    if (as_they_come_) session_->TakeFilesAsTheyCome();
    if (folder.empty()) return Ok();
    if (command_.kind == Hosted::Kind::kReads)
      session_->Pass(TRY(server::EnterToRead(folder, stop_)));
    else if (alone_)
      session_->Pass(TRY(server::EnterToWrite(folder, stop_)));
    return Ok();
  }

  // Queries are many and small: opening DuckDB in vain would cost more than the answer.
  Result<std::optional<int>> AskFirst() {
    if (command_.kind != Hosted::Kind::kReads) return std::optional<int>();
    if (server::SocketsIn(session_->HostsFolder()).empty()) return std::optional<int>();
    for (const sql::FileIdentity& file : session_->DuckdbFiles()) {
      Asked asked{.code = {}, .held_by_us = true};
      while (!asked.code && asked.held_by_us) asked = TRY(Ask(file));
      if (asked.code) return asked.code;
    }
    return std::optional<int>();
  }

  Result<Asked> Ask(const sql::FileIdentity& file) {
    const auto reply =
        TRY(server::Ask(session_->HostsFolder(), RequestFor(file), session_->console(), stop_));
    if (const int* code = std::get_if<int>(&reply)) return Asked{*code, true};
    if (std::holds_alternative<server::Nobody>(reply)) return Asked{};
    strangers_ = 0;
    if (const auto* lost = std::get_if<server::Lost>(&reply)) {
      if (lost->said && command_.kind != Hosted::Kind::kRuns) {
        return TransientError(fmt::format(
            "process {} ended while it answered; what was printed is not all: ask again",
            lost->pid));
      }
      Say(fmt::format("process {} ended in the middle; going on here", lost->pid));
    } else if (const auto* later = std::get_if<server::NotNow>(&reply)) {
      Say(fmt::format("waiting for process {}, which has a file open that is needed here: {}",
                      later->pid, later->why));
      Wait();
    }
    if (stop_.stop_requested()) return CancelledError();
    return Asked{{}, true};
  }

  // No process of ours says that it holds the file. It may have let it go at this moment, or
  // readers may: a writer passes the gate and tries again, a reader tries again. Then it is a
  // stranger's.
  void Stranger() {
    ++strangers_;
    if (command_.kind != Hosted::Kind::kReads) {
      as_they_come_ = strangers_ > 1;
      alone_ = true;
    } else {
      given_up_ = strangers_ > 2;
    }
  }

  void Wait() {
    session_->clock().Wait(wait_, stop_);
    wait_ = std::min(wait_ * 2, kMostWait);
  }

  void Say(const std::string& what) {
    if (what == said_) return;
    said_ = what;
    session_->console().Note("sluice: " + what + "\n");
  }

  server::Request RequestFor(const sql::FileIdentity& file) {
    server::Request request{.command = command_.name,
                            .values = invocation_.values,
                            .folder = session_->Here(),
                            .file = file,
                            .terminal = session_->console().terminal(),
                            .environment = session_->environment(),
                            .macros = session_->MacrosFingerprint()};
    request.values["--project"] = {session_->project().folder};
    request.values["--env"] = {session_->project().environment};
    return request;
  }

  const Hosted& command_;
  const Invocation& invocation_;
  std::unique_ptr<ProjectSession> session_;
  std::stop_token stop_;
  int strangers_ = 0;
  bool alone_ = false, as_they_come_ = false, given_up_ = false;
  milliseconds wait_ = kFirstWait;
  std::string said_;
};

}  // namespace

std::vector<Hosted> HostedCommands() { return {HostedRun(), HostedPreview(), HostedQuery()}; }

Result<int> RunWhereFilesAre(const Hosted& command, const Invocation& invocation) {
  auto code = Handover(command, invocation).Run();
  if (!code.ok() && command.refuse) command.refuse(invocation, code.error(), *StandardConsole());
  return code;
}

Result<int> RunAsHost(const Hosted& command, const Invocation& invocation,
                      ProjectSession& session) {
  auto code = command.run(invocation, session);
  if (!code.ok() && command.refuse) command.refuse(invocation, code.error(), session.console());
  return code;
}

}  // namespace sluice
