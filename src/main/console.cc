// See console.h.
#include "main/console.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "main/command.h"

namespace sluice {
namespace {

class Standard final : public server::Console {
 public:
  void Out(std::string_view bytes) override {
    const bool written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
    if (!written || std::fflush(stdout) != 0) failed_ = errno;
  }
  void Note(std::string_view bytes) override { std::fwrite(bytes.data(), 1, bytes.size(), stderr); }
  bool terminal() const override { return isatty(STDERR_FILENO) != 0; }
  Status heard() override {
    if (failed_ != 0) return SystemError("writing to standard output", failed_);
    return Ok();
  }

 private:
  std::atomic<int> failed_ = 0;
};

}  // namespace

std::shared_ptr<server::Console> StandardConsole() { return std::make_shared<Standard>(); }

int Tell(const Result<int>& code, server::Console& console) {
  if (code.ok()) return *code;
  const Error& error = code.error();
  console.Note("sluice: " + Format(error) + "\n");
  if (error.kind == ErrorKind::kCancelled) return 130;
  return error.kind == ErrorKind::kConfig ? kExitUsage : kExitFailed;
}

}  // namespace sluice
