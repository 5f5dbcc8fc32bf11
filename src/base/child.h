// A program of the user's in a process of its own: what it may use is bounded, what it sees is what
// it was given. It gets no environment but PATH, LANG, HOME and TZ, no open file but its three
// pipes, and a process group of its own, which is killed with it.
//
// Neither side can block the other for ever: writing and reading go on together, and every wait
// ends with the time that was set or the stop that was asked for.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice {

struct ChildLimits {
  uint64_t memory_bytes = uint64_t{2} << 30;  // of address space
  uint64_t cpu_seconds = 24 * 60 * 60;
  uint64_t open_files = 256;
  uint64_t file_bytes = uint64_t{1} << 30;  // of one file that it writes
};

class Child {  // one thread at a time
 public:
  enum class End : uint8_t {
    kAnswered,  // all lines that were wanted have come
    kClosed,    // it closed its output before
    kSilent,    // nothing came for `silence` after everything was written
    kTooLate,   // the time was over
    kLongLine,  // a line grew beyond the limit
    kTooMuch,   // all lines together did
  };
  enum class Input : uint8_t { kStaysOpen, kEnds };  // once everything is written
  struct Talk {
    std::string_view say;  // written to its input
    uint64_t lines = 0;    // wanted in answer
    Input input = Input::kStaysOpen;
    std::chrono::microseconds timeout{0};      // 0: none
    std::chrono::microseconds silence{0};      // 0: it may think as long as it likes
    uint64_t line_bytes = uint64_t{16} << 20;  // the longest line
    uint64_t bytes = uint64_t{256} << 20;      // of all lines
  };
  struct Answer {
    End end = End::kAnswered;
    uint64_t lines = 0;  // whole ones
  };

  // `command` is looked up in PATH unless it has a slash; kRejected where it cannot be started.
  // The child dies with the thread that calls this.
  static Result<std::unique_ptr<Child>> Start(const std::vector<std::string>& command,
                                              const std::string& folder, const ChildLimits& limits);
  ~Child();  // kills it with its group
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Appends to `into` what it writes; kCancelled where `stop` is requested. More than the wanted
  // lines may be appended.
  Result<Answer> Say(const Talk& talk, std::vector<char>& into, const std::stop_token& stop);
  void CloseInput();
  bool HasWritten() const;  // whether there is output that nobody has read

  // Waits a moment for its end, then kills it: "exit code 3", "signal 9 (Killed)".
  std::string HowItEnded();
  // The end of what it wrote to stderr, at most 64 KB.
  std::string_view complaints() const { return complaints_; }
  pid_t pid() const { return pid_; }

 private:
  Child() = default;
  Status Write(std::string_view& rest);
  bool ReadComplaints();
  size_t ReadyBytes() const;
  void Kill();

  pid_t pid_ = -1;  // -1: reaped
  int status_ = 0;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string complaints_;
};

// The path of a program as Start would find it; nullopt: there is none that can be run.
std::optional<std::string> FindProgram(const std::string& name, const std::string& folder);

}  // namespace sluice
