// What two processes of one project say to each other over a socket (docs/formats.md, "Between
// processes"): frames of a kind and a body, and the bodies that are more than bytes.
//
// The other side is a stranger until its first frame has been read: no length is believed beyond
// kMostBytes, no body beyond its own keys, and a connection that broke once is not listened to
// again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"

namespace sluice::server {

inline constexpr int kProtocol = 1;
inline constexpr size_t kMostBytes = 1 << 20;  // of a body

enum class FrameKind : char {
  kHello = 'H',    // both, first: Hello
  kRequest = 'Q',  // guest, once: Request
  kCancel = 'C',   // guest: its user has pressed Ctrl-C
  kOut = 'O',      // host: bytes for the guest's standard output
  kNote = 'E',     // host: bytes for its standard error
  kEnd = 'X',      // host, last: the exit code in digits
  kRefusal = 'R',  // host, last: Refusal
};

struct Frame {
  FrameKind kind = FrameKind::kHello;
  std::string body;
};

std::string Encode(FrameKind kind, std::string_view body);

class FrameReader {  // one thread
 public:
  void Feed(std::string_view bytes) { pending_.append(bytes); }
  // The next whole frame; nullopt: more bytes are needed. kRejected for what is no frame, and from
  // then on.
  Result<std::optional<Frame>> Next();
  bool empty() const { return pending_.empty(); }

 private:
  std::string pending_;
  bool broken_ = false;
};

struct Hello {
  int protocol = kProtocol;
  int64_t pid = 0;
  std::string version;  // of sluice
};

// A command that a process asks another to run.
struct Request {
  std::string command;
  std::map<std::string, std::vector<std::string>> values;  // as Invocation holds them
  std::string folder;                                      // where the guest's user stands
  sql::FileIdentity file;                                  // which the host is to have open
  bool terminal = false;                                   // the guest's standard error is one
  // Fingerprints of what the guest's environment holds of what the project refers to; compared
  // only.
  std::map<std::string, std::string> environment;
  std::string macros;  // fingerprint of the project's
};

// Why a request was not carried out; what there was of it was taken back or is gone on with by who
// asks again. `holds` false: the host has not that file open. True: the guest waits until the file
// is free, or asks once more.
struct Refusal {
  bool holds = false;
  std::string why;
};

std::string ToText(const Hello& hello);
std::string ToText(const Request& request);
std::string ToText(const Refusal& refusal);
// kRejected for what is none.
Result<Hello> ReadHello(std::string_view text);
Result<Request> ReadRequest(std::string_view text);
Result<Refusal> ReadRefusal(std::string_view text);

}  // namespace sluice::server
