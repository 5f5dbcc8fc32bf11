// See avro_file.h.
#include "format/avro_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/text.h"

namespace sluice::format {
namespace {

constexpr std::string_view kMagic{"Obj\1", 4};
constexpr size_t kHeadBytes = 64 << 10;
constexpr size_t kMostHeadBytes = 64 << 20;
constexpr size_t kBlockHeadBytes = 20;  // two numbers
constexpr size_t kPadding = 64;
// Of records that take no bytes, as those of a schema without fields.
constexpr uint64_t kMostEmptyRecords = 100'000'000;

Error CutOff(const std::string& name, uint64_t at) {
  return RejectedError(
      fmt::format("'{}' ends in the middle of the block at byte {}: it was cut off, or is not "
                  "complete yet",
                  name, at));
}
Error Damaged(const std::string& name, uint64_t at, std::string_view how) {
  return RejectedError(fmt::format("'{}' is damaged: the block at byte {} {}", name, at, how));
}

enum class Parsed : uint8_t { kDone, kMore, kWrong };

// The pairs of the header and the mark after them.
Parsed ReadHead(std::string_view bytes, AvroFile& file, std::string& schema, std::string& codec) {
  AvroCursor cursor(bytes.substr(kMagic.size()));
  for (;;) {
    int64_t count = 0, size = 0;
    if (!cursor.Long(&count)) return cursor.left() < 10 ? Parsed::kMore : Parsed::kWrong;
    if (count == 0) break;
    if (count < 0 && !cursor.Long(&size)) return Parsed::kMore;
    if (count == INT64_MIN) return Parsed::kWrong;
    for (int64_t i = 0; i < std::abs(count); ++i) {
      std::string_view key, value;
      if (!cursor.Bytes(&key) || !cursor.Bytes(&value)) return Parsed::kMore;
      if (key == "avro.schema") schema = value;
      if (key == "avro.codec") codec = value;
    }
  }
  const char* mark = cursor.Take(kAvroMarkBytes);
  if (mark == nullptr) return Parsed::kMore;
  std::copy_n(mark, kAvroMarkBytes, file.mark.begin());
  file.data_at = bytes.size() - cursor.left();
  return Parsed::kDone;
}

Error NoContainer(const std::string& name, std::string_view head) {
  if (head.empty()) return RejectedError(fmt::format("'{}' is empty: not an Avro file", name));
  if (StartsWith(head, "Obj")) {
    return RejectedError(
        fmt::format("'{}' is an Avro file of version {}, from before the format was settled (1.3); "
                    "write it anew with a newer Avro",
                    name, head.size() > 3 ? static_cast<unsigned char>(head[3]) : 0));
  }
  if (StartsWith(head, "\xC3\x01")) {
    return RejectedError(fmt::format(
        "'{}' is a single Avro message and no file of records (an object container)", name));
  }
  return RejectedError(
      fmt::format("'{}' is not an Avro file: it does not begin with Obj and byte 1", name));
}

// SQL does not tell them apart.
Status RefuseTwins(const AvroFile& file) {
  std::set<std::string> names;
  for (const auto& [name, type] : file.schema.root().parts) {
    if (names.insert(ToLower(name)).second) continue;
    return RejectedError(
        fmt::format("'{}' has two fields '{}' (case does not count in SQL)", file.name, name));
  }
  return Ok();
}

class AvroFeed final : public sql::BlockFeed {
 public:
  AvroFeed(Files& files, AvroFiles parts) : files_(files), parts_(std::move(parts)) {}

  Result<std::optional<Block>> Next(std::stop_token stop) override {
    MutexLock lock(mutex_);
    for (; part_ < parts_.size(); ++part_, file_.reset()) {
      const AvroFile& part = *parts_[part_];
      if (!file_) {
        file_ = TRY(files_.Open(part.path, Files::Mode::kRead));
        at_ = part.data_at;
        record_ = 0;
      }
      for (;;) {
        if (stop.stop_requested()) return CancelledError();
        AvroBlockHead head;
        auto block = TRY(Read(part, head));
        if (!block) break;
        if (head.records > 0) return std::optional<Block>(std::move(*block));
      }
    }
    return std::optional<Block>();
  }

 private:
  // nullopt: the file is at its end.
  Result<std::optional<Block>> Read(const AvroFile& part, AvroBlockHead& head)
      REQUIRES_LOCK(mutex_) {
    std::array<char, kBlockHeadBytes> bytes{};
    const size_t have = TRY(file_->ReadAt(at_, bytes));
    if (have == 0) return std::optional<Block>();
    AvroCursor cursor(bytes.data(), bytes.data() + have);
    int64_t records = 0, size = 0;
    if (!cursor.Long(&records) || !cursor.Long(&size)) {
      return have < kBlockHeadBytes ? CutOff(part.name, at_)
                                    : Damaged(part.name, at_, "does not begin with two numbers");
    }
    if (records < 0 || size < 0 || static_cast<uint64_t>(size) > kMaxAvroBlockBytes) {
      return Damaged(part.name, at_,
                     fmt::format("says that it has {} records in {} bytes", records, size));
    }
    head = {.at = at_, .records = static_cast<uint64_t>(records)};
    if (head.records > kMostEmptyRecords && head.records / 1000 > static_cast<uint64_t>(size))
      return Damaged(part.name, at_,
                     fmt::format("says that it has {} records in {} bytes", records, size));
    Block block;
    block.partition = part.name;
    block.first = record_;
    block.records = records;
    block.size = sizeof(head) + static_cast<size_t>(size);
    block.bytes.resize(block.size + kPadding);
    std::memcpy(block.bytes.data(), &head, sizeof(head));
    const size_t wanted = static_cast<size_t>(size) + kAvroMarkBytes;
    static_assert(kAvroMarkBytes <= kPadding);
    const uint64_t data = at_ + (have - cursor.left());
    if (TRY(file_->ReadAt(data, {block.bytes.data() + sizeof(head), wanted})) < wanted)
      return CutOff(part.name, at_);
    if (std::memcmp(block.bytes.data() + block.size, part.mark.data(), kAvroMarkBytes) != 0)
      return Damaged(part.name, at_, "does not end with the mark of its file");
    at_ = data + wanted;
    record_ += records;
    return std::optional<Block>(std::move(block));
  }

  Files& files_;
  const AvroFiles parts_;
  Mutex mutex_;
  size_t part_ GUARDED_BY(mutex_) = 0;
  std::unique_ptr<File> file_ GUARDED_BY(mutex_);
  uint64_t at_ GUARDED_BY(mutex_) = 0;
  int64_t record_ GUARDED_BY(mutex_) = 0;
};

}  // namespace

Result<std::shared_ptr<const AvroFile>> OpenAvro(Files& files, const std::string& path,
                                                 const std::string& name) {
  auto opened = std::make_shared<AvroFile>();
  opened->path = path;
  opened->name = name;
  const auto file = TRY(files.Open(path, Files::Mode::kRead));
  std::string schema, codec;
  for (size_t wanted = kHeadBytes;; wanted *= 4) {
    std::string head(wanted, '\0');
    head.resize(TRY(file->ReadAt(0, head)));
    if (!StartsWith(head, kMagic)) return NoContainer(name, head);
    const Parsed parsed = ReadHead(head, *opened, schema, codec);
    if (parsed == Parsed::kDone) break;
    const bool all = head.size() < wanted;
    if (parsed == Parsed::kMore && !all && wanted < kMostHeadBytes) continue;
    return RejectedError(fmt::format(
        "'{}': its header {}", name,
        parsed == Parsed::kMore && all ? "is cut off: the file is not complete" : "is damaged"));
  }
  if (schema.empty()) return RejectedError(fmt::format("'{}': its header has no schema", name));
  const auto known = AvroCodecOf(codec.empty() ? "null" : codec);
  if (!known) {
    return RejectedError(
        fmt::format("'{}' is packed by the codec '{}', which cannot be read; null, deflate, snappy "
                    "and zstandard can: write it anew with one of those",
                    name, EscapeControl(codec)));
  }
  opened->codec = *known;
  auto parsed = AvroSchema::Parse(schema);
  if (!parsed.ok()) {
    return RejectedError(
        fmt::format("'{}': its schema cannot be read: {}", name, parsed.error().message));
  }
  opened->schema = std::move(parsed).value();
  if (opened->schema.root().kind != AvroType::Kind::kRecord) {
    return RejectedError(fmt::format("'{}': its schema is {}, and rows need a record", name,
                                     NameOf(opened->schema.root())));
  }
  TRY(RefuseTwins(*opened));
  return std::shared_ptr<const AvroFile>(std::move(opened));
}

std::unique_ptr<sql::BlockFeed> MakeAvroFeed(Files& files, AvroFiles parts) {
  return std::make_unique<AvroFeed>(files, std::move(parts));
}

void PutAvroLong(std::string& into, int64_t value) {
  auto bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  while (bits >= 0x80) {
    into += static_cast<char>(bits | 0x80);
    bits >>= 7;
  }
  into += static_cast<char>(bits);
}

void PutAvroBytes(std::string& into, std::string_view bytes) {
  PutAvroLong(into, static_cast<int64_t>(bytes.size()));
  into += bytes;
}

}  // namespace sluice::format
