// The commands that need a project's DuckDB files, and so may have to run in the process that has
// them open. There is one way for all of them, and each is written once, for both processes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "main/command.h"
#include "main/session.h"

namespace sluice {

struct Hosted {
  enum class Kind : unsigned char {
    kReads,  // opens files to read them, beside others
    kLooks,  // opens files as a run does, and changes nothing
    kRuns,
  };

  std::string name;
  Kind kind = Kind::kReads;
  // Says everything on the session's console and ends with its stop token.
  std::function<Result<int>(const Invocation&, ProjectSession&)> run;
  // Says an error in the form that was asked for, besides what is said of every error; may be
  // empty.
  std::function<void(const Invocation&, const Error&, server::Console&)> refuse = {};
};

Hosted HostedRun();
Hosted HostedPreview();
Hosted HostedQuery();
std::vector<Hosted> HostedCommands();

// Runs it here, or where the files are that it needs; waits for them where need be.
Result<int> RunWhereFilesAre(const Hosted& command, const Invocation& invocation);

// The command of a guest, whose session it is.
Result<int> RunAsHost(const Hosted& command, const Invocation& invocation, ProjectSession& session);

}  // namespace sluice
