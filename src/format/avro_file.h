// An Avro container: a header with schema, codec and a mark of 16 bytes, then blocks of records,
// each closed by that mark. A file that is cut off or damaged is an error that names the byte.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "format/avro_codec.h"
#include "format/avro_schema.h"
#include "sql/scan.h"

namespace sluice::format {

inline constexpr size_t kAvroMarkBytes = 16;

struct AvroFile {
  std::string path, name;  // `name` is what messages call it, and its rows' partition
  AvroSchema schema;
  AvroCodec codec = AvroCodec::kNull;
  std::array<char, kAvroMarkBytes> mark{};
  uint64_t data_at = 0;  // the first block
};
using AvroFiles = std::vector<std::shared_ptr<const AvroFile>>;

Result<std::shared_ptr<const AvroFile>> OpenAvro(Files& files, const std::string& path,
                                                 const std::string& name);

// What the feed puts before the packed bytes of a block.
struct AvroBlockHead {
  uint64_t at = 0;  // the byte of the file at which the block begins
  uint64_t records = 0;
};

// One block of a file per block; `first` is the index of its first record in the file, from 0.
std::unique_ptr<sql::BlockFeed> MakeAvroFeed(Files& files, AvroFiles parts);

// Reads bytes as Avro writes them; false (null) where they end before or are no number.
class AvroCursor {
 public:
  AvroCursor(const char* at, const char* end) : at_(at), end_(end) {}
  explicit AvroCursor(std::string_view bytes)
      : AvroCursor(bytes.data(), bytes.data() + bytes.size()) {}

  size_t left() const { return static_cast<size_t>(end_ - at_); }
  bool Long(int64_t* value) {
    uint64_t bits = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return false;
      const auto byte = static_cast<unsigned char>(*at_++);
      if (shift == 63 && byte > 1) return false;
      bits |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) {
        *value = static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
        return true;
      }
    }
    return false;
  }
  // So many bytes; null where there are fewer.
  const char* Take(uint64_t size) {
    if (size > left()) return nullptr;
    const char* taken = at_;
    at_ += size;
    return taken;
  }
  // Bytes with their length before them.
  bool Bytes(std::string_view* bytes) {
    int64_t size = 0;
    if (!Long(&size) || size < 0) return false;
    const char* taken = Take(static_cast<uint64_t>(size));
    if (taken == nullptr) return false;
    *bytes = {taken, static_cast<size_t>(size)};
    return true;
  }

 private:
  const char* at_;
  const char* end_;
};

void PutAvroLong(std::string& into, int64_t value);
void PutAvroBytes(std::string& into, std::string_view bytes);

}  // namespace sluice::format
