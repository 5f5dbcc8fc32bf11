// A folder for local copies of what lies elsewhere: `<root>/<random name>`, and beside it a lock
// file that its process holds.
//
// Invariant: a folder whose lock file nobody holds belongs to nobody. It is gone with its object,
// and where the process was killed the next one that opens a spool in the same root removes it.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace sluice {

class Spool {
 public:
  static Result<std::unique_ptr<Spool>> Open(Files& files, const std::string& root);
  // Removes what killed processes left. What cannot be removed now is for the next one.
  static void Sweep(Files& files, const std::string& root);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // A path in it that nobody has yet, ending as `name` does: readers go by the ending.
  std::string Path(const std::string& name);

 private:
  Spool(Files& files, std::string folder, int lock)
      : files_(files), folder_(std::move(folder)), lock_(lock) {}

  Files& files_;
  const std::string folder_;
  const int lock_;  // descriptor of the lock file
  uint64_t paths_ = 0;
};

}  // namespace sluice
