// Who opens a project's DuckDB files by himself, in turn. Readers of a file share it, a writer
// needs it alone, and DuckDB refuses who comes second instead of letting him wait. So readers hold
// the gate while they read, and a writer that was refused passes it before it tries again: he waits
// for the readers that are in, and those that come after him wait until his files are open.
//
// Held by flock(2) of two files: it ends with its process, whatever kills that.
#pragma once

#include <stop_token>
#include <string>

#include "base/result.h"
#include "server/socket.h"

namespace sluice::server {

class Passage {  // ends with its destruction
 public:
  Passage() = default;
  Passage(Descriptor turn, Descriptor room) : turn_(std::move(turn)), room_(std::move(room)) {}
  explicit operator bool() const { return static_cast<bool>(room_); }

 private:
  Descriptor turn_, room_;
};

// `folder` exists. kCancelled by `stop`.
Result<Passage> EnterToRead(const std::string& folder, std::stop_token stop);
Result<Passage> EnterToWrite(const std::string& folder, std::stop_token stop);

}  // namespace sluice::server
