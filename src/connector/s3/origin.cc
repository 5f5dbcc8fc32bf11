// See origin.h.
#include "connector/s3/origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/glob.h"
#include "base/text.h"
#include "connector/file/shape.h"
#include "connector/file/spool.h"
#include "connector/s3/ahead.h"
#include "connector/s3/bucket.h"
#include "connector/s3/download.h"

namespace sluice::s3 {
namespace {

constexpr uint64_t kMostHeadBytes = 4 << 20;
constexpr uint64_t kFooterBytes = 64 << 10;
constexpr uint64_t kParquetTail = 8;  // the footer's length, and a mark

Slice TailOf(const Object& object, uint64_t bytes) {
  const uint64_t size = std::min(bytes, object.size);
  return {object.size - size, size};
}

class Origin final : public sluice::Origin {
 public:
  Origin(Settings settings, const ConnectorContext& context)
      : settings_(std::move(settings)), context_(context) {}

  Result<std::vector<ListedFile>> List(const std::vector<Written>& globs, bool allow_empty,
                                       std::stop_token stop) override {
    Bucket* bucket = TRY(Reach());
    objects_.clear();
    for (const Written& glob : globs) {
      TRY(CheckGlob(glob));
      size_t found = 0;
      for (Object& object : TRY(bucket->List(GlobPrefix(glob.text), stop))) {
        // Some programs mark folders by empty objects.
        if (EndsWith(object.key, "/")) continue;
        if (object.key != glob.text && !MatchesPath(glob.text, object.key)) continue;
        ++found;
        objects_.insert_or_assign(object.key, std::move(object));
      }
      if (found > 0 || allow_empty) continue;
      return RejectedError(
                 fmt::format("no object of {} matches '{}' (allow_empty: on reads nothing instead)",
                             settings_.Shown(), glob.text))
          .At(glob.mark);
    }
    std::vector<ListedFile> listed;
    for (const auto& [key, object] : objects_) listed.push_back(FileOf(object));
    return listed;
  }

  Result<ListedFile> Look(const std::string& partition) override {
    Bucket* bucket = TRY(Reach());
    for (Object& object : TRY(bucket->List(partition, {}))) {
      if (object.key != partition) continue;
      ListedFile file = FileOf(object);
      objects_.insert_or_assign(partition, std::move(object));
      return file;
    }
    return RejectedError(fmt::format("'{}' is gone", partition));
  }

  Result<std::string> IdentityOf(const ListedFile& file) override {
    return fmt::format("{:016x}",
                       Hash64(fmt::format("{}\n{}\n{}\n", file.partition, file.size, file.facts)));
  }

  Status Fetch(std::vector<ListedFile>& files, Extent extent, std::stop_token stop) override {
    Bucket* bucket = TRY(Reach());
    std::vector<Copy> copies;
    for (const ListedFile& file : files) {
      if (Has(file.partition, extent)) continue;
      auto came = extent == Extent::kWhole ? ahead_->Take(file.partition, stop) : std::nullopt;
      if (came)
        Keep(*came, extent);
      else
        copies.push_back(TRY(Plan(*bucket, file, extent, stop)));
    }
    // Both together would be more requests at once than the connection says.
    if (!copies.empty()) ahead_->Stop();
    TRY(MakeRoom(files, copies));
    const Status done = Download(*bucket, copies, std::move(stop));
    for (const Copy& copy : copies) {
      Keep(copy, extent);
      if (!done.ok()) Drop(copy.object.key);
    }
    TRY(done);
    for (ListedFile& file : files) {
      file.path = locals_.at(file.partition).path;
      if (extent == Extent::kHead) TRY(EndAtLine(file));
    }
    return Ok();
  }

  void Expect(const std::vector<ListedFile>& next) override {
    if (ahead_ == nullptr || spool_ == nullptr) return;
    std::vector<Copy> copies;
    const uint64_t taken = used_ + ahead_->bytes();
    uint64_t room = settings_.spool - std::min(settings_.spool, taken);
    for (const ListedFile& file : next) {
      const auto object = objects_.find(file.partition);
      if (object == objects_.end() || file.size > room) break;
      if (Has(file.partition, Extent::kWhole) || ahead_->Has(file.partition)) continue;
      room -= file.size;
      copies.push_back({.object = object->second, .path = spool_->Path(file.partition)});
    }
    ahead_->Begin(std::move(copies));
  }

  void Drop(const std::string& partition) override {
    const auto found = locals_.find(partition);
    if (found == locals_.end()) return;
    Forget(found->second);
    locals_.erase(found);
  }

  uint64_t room() const override { return settings_.spool; }

 private:
  struct Local {
    std::string path;
    uint64_t bytes = 0;
    Extent extent = Extent::kWhole;
  };

  Result<Bucket*> Reach() {
    if (bucket_ == nullptr) {
      bucket_ = TRY(Bucket::Open(settings_, context_));
      ahead_ = std::make_unique<Ahead>(*bucket_, context_.files);
    }
    return bucket_.get();
  }

  static Status CheckGlob(const Written& glob) {
    if (!StartsWith(glob.text, "s3://") && !StartsWith(glob.text, "/")) return Ok();
    return ConfigError(glob.mark,
                       fmt::format("'{}': a path in a bucket is what follows the bucket's name, "
                                   "like orders/*.csv",
                                   EscapeControl(glob.text)));
  }

  static ListedFile FileOf(const Object& object) {
    return {.partition = object.key,
            .path = object.key,
            .size = object.size,
            .facts = object.etag + "\n" + object.modified};
  }

  // The heads of all files that are looked into fit.
  uint64_t HeadBytes() const {
    return std::min(kMostHeadBytes, settings_.spool / (2 * kSampledFiles));
  }

  bool Has(const std::string& partition, Extent extent) const {
    const auto found = locals_.find(partition);
    return found != locals_.end() &&
           (found->second.extent == Extent::kWhole || found->second.extent == extent);
  }

  void Keep(const Copy& copy, Extent extent) {
    Local& local = locals_[copy.object.key];
    if (!local.path.empty()) Forget(local);
    local = {.path = copy.path,
             .bytes = BytesOf(copy),
             .extent = copy.slices.empty() ? Extent::kWhole : extent};
    used_ += local.bytes;
  }

  Result<Copy> Plan(Bucket& bucket, const ListedFile& file, Extent extent, std::stop_token stop) {
    if (spool_ == nullptr) spool_ = TRY(Spool::Open(context_.files, SpoolRoot(context_)));
    Copy copy{.object = objects_.at(file.partition), .path = spool_->Path(file.partition)};
    if (extent == Extent::kHead && file.size > HeadBytes()) copy.slices = {{0, HeadBytes()}};
    if (extent == Extent::kFooter && file.size > kFooterBytes)
      copy.slices = {{0, kParquetTail}, TRY(FooterOf(bucket, copy.object, std::move(stop)))};
    return copy;
  }

  // Of a file that is none, any of its end: its reader says what is wrong.
  static Result<Slice> FooterOf(Bucket& bucket, const Object& object, std::stop_token stop) {
    const Slice tail = TailOf(object, kParquetTail);
    std::string bytes(tail.size, '\0');
    TRY(bucket.Get(
        object, tail,
        [&](uint64_t at, std::span<const char> piece) -> Status {
          std::copy(piece.begin(), piece.end(), bytes.begin() + static_cast<long>(at - tail.from));
          return Ok();
        },
        std::move(stop)));
    uint32_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    return TailOf(object, std::max<uint64_t>(uint64_t{length} + kParquetTail, kFooterBytes));
  }

  Status MakeRoom(const std::vector<ListedFile>& files, const std::vector<Copy>& copies) {
    uint64_t wanted = 0, largest = 0;
    for (const Copy& copy : copies) {
      wanted += BytesOf(copy);
      largest = std::max(largest, BytesOf(copy));
    }
    if (used_ + ahead_->bytes() + wanted > settings_.spool) ahead_->Clear();
    for (auto local = locals_.begin(); local != locals_.end();) {
      const bool stays = used_ + wanted <= settings_.spool ||
                         std::any_of(files.begin(), files.end(), [&](const ListedFile& file) {
                           return file.partition == local->first;
                         });
      if (!stays) Forget(local->second);
      local = stays ? std::next(local) : locals_.erase(local);
    }
    if (used_ + wanted <= settings_.spool) return Ok();
    return RejectedError(fmt::format(
        "{} must be on this machine at once, more than the {} that 'spool' of the connection "
        "allows; raise it{}",
        FormatBytes(used_ + wanted), FormatBytes(settings_.spool),
        largest < used_ + wanted ? ", or read fewer objects in one epoch" : ""));
  }

  void Forget(const Local& local) {
    (void)context_.files.Remove(local.path);
    used_ -= local.bytes;
  }

  // A head ends anywhere: what follows its last line feed is no whole line.
  Status EndAtLine(const ListedFile& file) {
    if (file.size <= HeadBytes() || locals_.at(file.partition).extent != Extent::kHead) return Ok();
    std::string head = TRY(context_.files.ReadAll(file.path, HeadBytes()));
    const size_t feed = head.rfind('\n');
    std::error_code code;
    std::filesystem::resize_file(file.path, feed == std::string::npos ? head.size() : feed + 1,
                                 code);
    if (code) return SystemError(fmt::format("shortening '{}'", file.path), code.value());
    return Ok();
  }

  const Settings settings_;
  const ConnectorContext context_;
  std::unique_ptr<Bucket> bucket_;
  std::unique_ptr<Spool> spool_;
  std::map<std::string, Object> objects_;  // by key, as they were listed
  std::map<std::string, Local> locals_;    // by key
  uint64_t used_ = 0;                      // by them; with what is ahead no more than the spool
  std::unique_ptr<Ahead> ahead_;           // ends before the spool and the bucket
};

}  // namespace

std::unique_ptr<sluice::Origin> BucketOrigin(Settings settings, const ConnectorContext& context) {
  return std::make_unique<Origin>(std::move(settings), context);
}

}  // namespace sluice::s3
