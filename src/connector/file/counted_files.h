// Files whose bytes are counted as they are read, once each however often a reader goes back: how
// far the reading of a file has come, also where what is in it is larger than the file.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"

namespace sluice {

class CountedFiles final : public Files {  // any thread
 public:
  explicit CountedFiles(Files& files) : files_(files) {}

  uint64_t bytes() const { return bytes_; }
  void Reset() { bytes_ = 0; }

  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override;
  Result<std::string> ReadAll(const std::string& path, uint64_t limit_bytes) override {
    return files_.ReadAll(path, limit_bytes);
  }
  Result<FileFacts> Facts(const std::string& path) override { return files_.Facts(path); }
  bool Exists(const std::string& path) override { return files_.Exists(path); }
  Status Rename(const std::string& from, const std::string& to) override {
    return files_.Rename(from, to);
  }
  Status RenameNoReplace(const std::string& from, const std::string& to) override {
    return files_.RenameNoReplace(from, to);
  }
  Status Remove(const std::string& path) override { return files_.Remove(path); }
  Status RemoveAll(const std::string& path) override { return files_.RemoveAll(path); }
  Status MakeFolders(const std::string& path) override { return files_.MakeFolders(path); }
  Status Sync(const std::string& path) override { return files_.Sync(path); }
  Status SyncFolder(const std::string& path) override { return files_.SyncFolder(path); }
  Result<std::vector<std::string>> Glob(const std::string& pattern) override {
    return files_.Glob(pattern);
  }

 private:
  Files& files_;
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace sluice
