// See counted_files.h.
#include "connector/file/counted_files.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

class CountedFile final : public File {
 public:
  CountedFile(std::unique_ptr<File> file, std::atomic<uint64_t>& bytes)
      : file_(std::move(file)), bytes_(bytes) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<char> into) override {
    const size_t count = TRY(file_->ReadAt(offset, into));
    const uint64_t end = offset + count;
    if (end > furthest_) bytes_ += end - std::max(furthest_, offset);
    furthest_ = std::max(furthest_, end);
    return count;
  }
  Status Append(std::string_view bytes) override { return file_->Append(bytes); }
  Status Sync() override { return file_->Sync(); }

 private:
  const std::unique_ptr<File> file_;
  std::atomic<uint64_t>& bytes_;
  uint64_t furthest_ = 0;
};

}  // namespace

Result<std::unique_ptr<File>> CountedFiles::Open(const std::string& path, Mode mode) {
  return std::unique_ptr<File>(std::make_unique<CountedFile>(TRY(files_.Open(path, mode)), bytes_));
}

}  // namespace sluice
