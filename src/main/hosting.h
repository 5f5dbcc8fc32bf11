// What this process does for others of the project while it has files of theirs open.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "server/host.h"
#include "server/slots.h"

namespace sluice {

class ProjectSession;

class Hosting {
 public:
  // `session` outlives it, but is closed only after Close.
  static Result<std::unique_ptr<Hosting>> Start(const std::string& folder, ProjectSession& session);

  void Serve() { serves_ = true; }
  // Ends what it does for others: host.h.
  void Close(std::stop_token stop);

 private:
  explicit Hosting(ProjectSession& session);
  server::Answer Serve(const server::Request& request, server::Visit& visit);
  server::Answer Run(const server::Request& request, server::Visit& visit);

  ProjectSession& session_;
  std::atomic<bool> serves_ = false;
  server::Slots reading_, writing_;
  std::unique_ptr<server::Host> host_;
};

}  // namespace sluice
