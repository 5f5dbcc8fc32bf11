// Where the files of an extract lie: folders of this machine, or a bucket. A source sees names,
// facts and, while it reads, local files; what is in them is its own business.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "connector/extract.h"

namespace sluice {

struct ListedFile {
  std::string partition;  // as the user's glob names it
  std::string path;       // local; before Fetch a name with the same ending
  uint64_t size = 0;
  std::string identity = {};  // empty until IdentityOf
  std::string facts = {};     // the origin's own, of the file as it was listed
};

class Origin {  // the driver's thread
 public:
  // How much of a file its reader looks at: all, whole lines from its beginning, or what a Parquet
  // file says of itself.
  enum class Extent : uint8_t { kWhole, kHead, kFooter };

  virtual ~Origin() = default;
  // The files that the globs match, sorted by name as bytes, each once. No match is kRejected,
  // unless `allow_empty`.
  virtual Result<std::vector<ListedFile>> List(const std::vector<Written>& globs, bool allow_empty,
                                               std::stop_token stop) = 0;
  // One file as it is now; kRejected: it is gone.
  virtual Result<ListedFile> Look(const std::string& partition) = 0;
  // What two equal readings of a file have in common: 16 hex digits.
  virtual Result<std::string> IdentityOf(const ListedFile& file) = 0;
  // Gives each its local path, as the file was listed; kRejected where it changed since.
  virtual Status Fetch(std::vector<ListedFile>& files, Extent extent, std::stop_token stop) = 0;
  // What is fetched whole next, in this order, so that it may come while others are read. A hint:
  // Fetch tells all errors.
  virtual void Expect(const std::vector<ListedFile>& /*next*/) {}
  // Nobody reads the local copy of this file any more.
  virtual void Drop(const std::string& /*partition*/) {}
  // How many bytes may be local at once; 0: any.
  virtual uint64_t room() const { return 0; }
};

// Files of this machine, whose local path is their own. What makes two readings the same: name,
// size, time, inode, and the bytes of the first and last 64 KB.
std::unique_ptr<Origin> LocalOrigin(Files& files, std::string folder);

}  // namespace sluice
