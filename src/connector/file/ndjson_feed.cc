// Every read is bounded by the end that was frozen: what is appended meanwhile is not seen, what is
// cut off is an error.
#include "connector/file/ndjson_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/mutex.h"
#include "format/ndjson.h"

namespace sluice {
namespace {

constexpr uint64_t kBlockBytes = 1 << 20;
constexpr uint64_t kPadding = 64;

Status ReadAll(File& file, const std::string& name, uint64_t offset, std::span<char> into) {
  if (TRY(file.ReadAt(offset, into)) == into.size()) return Ok();
  return RejectedError(fmt::format("'{}' changed while it was read: it became shorter", name));
}

// The position after the next line feed at or after `at`; `to` where there is none.
Result<uint64_t> AfterLine(File& file, const std::string& name, uint64_t at, uint64_t to) {
  std::vector<char> buffer(256 << 10);
  while (at < to) {
    const std::span<char> part(buffer.data(), std::min<uint64_t>(buffer.size(), to - at));
    TRY(ReadAll(file, name, at, part));
    if (const void* feed = std::memchr(part.data(), '\n', part.size())) {
      return at + static_cast<uint64_t>(static_cast<const char*>(feed) - part.data()) + 1;
    }
    at += part.size();
  }
  return to;
}

class NdjsonFeed final : public sql::BlockFeed {
 public:
  NdjsonFeed(OpenLines open, std::vector<FilePart> parts)
      : open_(std::move(open)), parts_(std::move(parts)) {}

  Result<std::optional<Block>> Next(std::stop_token stop) override {
    MutexLock lock(mutex_);
    if (stop.stop_requested()) return CancelledError();
    for (; at_part_ < parts_.size(); ++at_part_, file_.reset()) {
      FilePart& part = parts_[at_part_];
      if (!file_) {
        file_ = TRY(open_(part));
        at_ = part.from;
        if (part.to_its_end) part.to = UINT64_MAX;
      }
      if (at_ >= part.to) continue;
      Block block = TRY(Read(part));
      if (block.size > 0) return std::optional<Block>(std::move(block));
    }
    return std::optional<Block>();
  }

 private:
  // Fills the bytes; where the end was not known and shows, the part is given it.
  Status Fill(FilePart& part, std::span<char> into) REQUIRES_LOCK(mutex_) {
    if (!part.to_its_end) return ReadAll(*file_, part.partition, at_, into);
    const size_t count = TRY(file_->ReadAt(at_, into));
    if (count < into.size()) part.to = at_ + count;
    return Ok();
  }

  Result<Block> Read(FilePart& part) REQUIRES_LOCK(mutex_) {
    Block block;
    block.partition = part.partition;
    block.first = static_cast<int64_t>(at_);
    for (uint64_t capacity = kBlockBytes;; capacity *= 2) {
      uint64_t size = std::min(capacity, part.to - at_);
      block.bytes.resize(size + kPadding);
      TRY(Fill(part, {block.bytes.data(), size}));
      size = std::min(size, part.to - at_);
      const void* feed = memrchr(block.bytes.data(), '\n', size);
      block.size =
          feed ? static_cast<size_t>(static_cast<const char*>(feed) - block.bytes.data()) + 1
          : at_ + size == part.to ? size
                                  : 0;
      if (at_ + size == part.to) block.size = size;
      if (block.size > 0 && (feed || block.size <= format::kMaxRecordBytes)) break;
      if (size >= format::kMaxRecordBytes) {
        TRY(CutOff(part, block));
        return block;
      }
    }
    at_ += block.size;
    block.last_of_partition = at_ == part.to;
    return block;
  }
  Status CutOff(FilePart& part, Block& block) REQUIRES_LOCK(mutex_) {
    if (part.to_its_end) {
      return RejectedError(
          fmt::format("'{}': a record of more than {} bytes at byte {} (limit max_record_bytes)",
                      part.partition, format::kMaxRecordBytes, at_));
    }
    const uint64_t end = TRY(AfterLine(*file_, part.partition, at_, part.to));
    block.size = format::kMaxOriginalBytes;
    block.bytes.resize(block.size + kPadding);
    block.bytes.shrink_to_fit();
    block.cut_off = end - at_ - block.size;
    block.last_of_partition = end == part.to;
    at_ = end;
    return Ok();
  }

  const OpenLines open_;
  Mutex mutex_;
  std::vector<FilePart> parts_ GUARDED_BY(mutex_);
  size_t at_part_ GUARDED_BY(mutex_) = 0;
  uint64_t at_ GUARDED_BY(mutex_) = 0;
  std::unique_ptr<File> file_ GUARDED_BY(mutex_);
};

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

std::unique_ptr<sql::BlockFeed> MakeNdjsonFeed(OpenLines open, std::vector<FilePart> parts) {
  return std::make_unique<NdjsonFeed>(std::move(open), std::move(parts));
}

Result<LineCut> CutLines(Files& files, const std::string& path, uint64_t from, uint64_t size,
                         uint64_t rows, uint64_t bytes) {
  std::unique_ptr<File> file = TRY(files.Open(path, Files::Mode::kRead));
  LineCut cut{.to = size, .rows = 0};
  if (bytes > 0 && bytes < size - from) {
    // The last line that ends within the limit; where the first one is longer, that one.
    cut.to = TRY(AfterLine(*file, path, from + bytes - 1, size));
  }
  if (rows == 0) return cut;
  std::vector<char> buffer(256 << 10);
  bool blank = true;
  for (uint64_t at = from; at < cut.to;) {
    const std::span<char> part(buffer.data(), std::min<uint64_t>(buffer.size(), cut.to - at));
    TRY(ReadAll(*file, path, at, part));
    for (size_t i = 0; i < part.size(); ++i) {
      if (part[i] != '\n') {
        blank = blank && IsBlank(part[i]);
        continue;
      }
      cut.rows += !blank;
      blank = true;
      if (cut.rows == rows) return LineCut{.to = at + i + 1, .rows = rows};
    }
    at += part.size();
  }
  cut.rows += !blank;
  return cut;
}

Result<std::vector<int64_t>> LinesOf(File& file, const std::vector<int64_t>& offsets) {
  std::vector<int64_t> lines;
  std::vector<char> buffer(256 << 10);
  int64_t line = 1;
  uint64_t at = 0;
  for (const int64_t offset : offsets) {
    const auto to = static_cast<uint64_t>(std::max<int64_t>(offset, 0));
    while (at < to) {
      const std::span<char> part(buffer.data(), std::min<uint64_t>(buffer.size(), to - at));
      const size_t count = TRY(file.ReadAt(at, part));
      if (count == 0) break;
      line += std::count(part.begin(), part.begin() + static_cast<ptrdiff_t>(count), '\n');
      at += count;
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace sluice
