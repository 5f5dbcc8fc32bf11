// Our own files, injected, so that a test can fail a write or lose what was not synced. What DuckDB
// and SQLite write does not pass here; strace and kills test that.
//
// Durability: Append does not sync. A file is durable after Sync and SyncFolder of its folder. A
// failed Sync is final: the caller gives up the file, never tries Sync on it again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice {

class File {  // one thread at a time
 public:
  virtual ~File() = default;
  // Bytes read, fewer than asked only at the end of the file.
  virtual Result<size_t> ReadAt(uint64_t offset, std::span<char> into) = 0;
  virtual Status Append(std::string_view bytes) = 0;
  virtual Status Sync() = 0;
};

struct FileFacts {
  uint64_t size = 0;
  int64_t modified_ns = 0;  // since 1970
  uint64_t device = 0;
  uint64_t inode = 0;
  bool folder = false;
};

class Files {  // any thread
 public:
  enum class Mode : uint8_t { kRead, kCreateNew, kTruncate };

  virtual ~Files() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) = 0;
  virtual Result<std::string> ReadAll(const std::string& path, uint64_t limit_bytes) = 0;
  virtual Result<FileFacts> Facts(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Fails with kRejected where `to` exists: the decision of a manifest.
  virtual Status RenameNoReplace(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(
      const std::string& path) = 0;  // a file or an empty folder; fine where there is none
  virtual Status RemoveAll(const std::string& path) = 0;
  virtual Status MakeFolders(const std::string& path) = 0;
  virtual Status Sync(const std::string& path) = 0;  // of a file that others wrote
  virtual Status SyncFolder(const std::string& path) = 0;
  // The files that match a glob (* ? [] and ** for folders), sorted by name; empty where none does.
  virtual Result<std::vector<std::string>> Glob(const std::string& pattern) = 0;
};

std::unique_ptr<Files> LocalFiles();

// Writes the whole file so that a reader, or a crash, sees the old or the new one: temp name, sync,
// rename, sync folder.
Status WriteAtomically(Files& files, const std::string& path, std::string_view bytes);

std::string ParentFolder(const std::string& path);  // "a/b.c" -> "a", "b.c" -> "."
std::string FileName(const std::string& path);      // "a/b.c" -> "b.c"
std::string FileStem(const std::string& path);      // "a/b.csv.gz" -> "b"
std::string JoinPath(const std::string& folder, const std::string& path);  // an absolute path stays

}  // namespace sluice
