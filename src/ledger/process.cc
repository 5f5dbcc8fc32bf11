// What /proc says of processes.
#include "ledger/process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace sluice {
namespace {

std::string ReadSmall(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The fields of /proc/PID/stat follow the name in parentheses, which may itself hold any of them.
std::string BirthOf(int64_t pid) {
  const std::string stat = ReadSmall(fmt::format("/proc/{}/stat", pid));
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  for (int number = 3; fields >> field; ++number) {
    if (number == 3 && (field == "Z" || field == "X")) return {};
    if (number != 22) continue;
    return Boot() + "/" + field;
  }
  return {};
}

}  // namespace

std::string Boot() {
  std::string boot = ReadSmall("/proc/sys/kernel/random/boot_id");
  if (!boot.empty() && boot.back() == '\n') boot.pop_back();
  return boot;
}

Process ThisProcess() { return {getpid(), BirthOf(getpid())}; }

bool Lives(const Process& process) {
  return !process.birth.empty() && BirthOf(process.pid) == process.birth;
}

}  // namespace sluice
