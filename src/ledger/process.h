// Which process holds a lease, and whether it still lives. A number alone is not enough: the system
// gives it to another process later, so a process is known by its number, when it started and which
// boot that was.
#pragma once

#include <cstdint>
#include <string>

namespace sluice {

struct Process {
  int64_t pid = 0;
  std::string birth;  // "boot id/clock ticks since boot"; empty where there is no such process or
                      // it is a zombie
};

Process ThisProcess();
std::string Boot();  // differs after a restart of the machine
bool Lives(const Process& process);

}  // namespace sluice
