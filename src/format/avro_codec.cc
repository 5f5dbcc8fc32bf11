// See avro_codec.h.
#include "format/avro_codec.h"

#include <fmt/format.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::format {
namespace {

constexpr std::array<std::pair<std::string_view, AvroCodec>, 4> kCodecs{{
    {"null", AvroCodec::kNull},
    {"deflate", AvroCodec::kDeflate},
    {"snappy", AvroCodec::kSnappy},
    {"zstandard", AvroCodec::kZstandard},
}};
constexpr size_t kChecksumBytes = 4;
constexpr size_t kLeastBuffer = 256 << 10;

Error TooLarge() {
  return DataError(
      fmt::format("it unpacks to more than {} bytes (limit max_block_bytes)", kMaxAvroBlockBytes));
}

uint32_t Checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

// Room for more after `used` bytes.
Status Grow(std::vector<char>& buffer, size_t used) {
  if (used >= kMaxAvroBlockBytes) return TooLarge();
  if (buffer.size() <= used) buffer.resize(std::max(kLeastBuffer, used * 2));
  return Ok();
}

}  // namespace

std::optional<AvroCodec> AvroCodecOf(std::string_view name) {
  for (const auto& [known, codec] : kCodecs) {
    if (known == name) return codec;
  }
  return std::nullopt;
}

std::string_view NameOf(AvroCodec codec) { return kCodecs.at(static_cast<size_t>(codec)).first; }

struct AvroUnpacker::Streams {
  z_stream deflate{};
  bool deflate_open = false;
  ZSTD_DStream* zstd = nullptr;

  ~Streams() {
    if (deflate_open) inflateEnd(&deflate);
    ZSTD_freeDStream(zstd);
  }

  Result<size_t> Inflate(std::string_view packed, std::vector<char>& buffer) {
    if (deflate_open ? inflateReset(&deflate) != Z_OK : inflateInit2(&deflate, -15) != Z_OK)
      return InternalError("zlib does not start");
    deflate_open = true;
    deflate.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    deflate.avail_in = static_cast<uInt>(packed.size());
    for (size_t used = 0;;) {
      TRY(Grow(buffer, used));
      deflate.next_out = reinterpret_cast<Bytef*>(buffer.data() + used);
      deflate.avail_out = static_cast<uInt>(buffer.size() - used);
      const int code = inflate(&deflate, Z_NO_FLUSH);
      used = buffer.size() - deflate.avail_out;
      if (code == Z_STREAM_END) return used;
      const bool stuck = deflate.avail_in == 0 && deflate.avail_out > 0;
      if (code != Z_OK || stuck)
        return DataError(deflate.msg != nullptr ? deflate.msg : "the packed bytes end too early");
    }
  }

  Result<size_t> Zstandard(std::string_view packed, std::vector<char>& buffer) {
    if (zstd == nullptr) zstd = ZSTD_createDStream();
    if (zstd == nullptr || ZSTD_isError(ZSTD_initDStream(zstd)) != 0)
      return InternalError("zstd does not start");
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    for (size_t used = 0;;) {
      TRY(Grow(buffer, used));
      ZSTD_outBuffer out{buffer.data(), buffer.size(), used};
      const size_t left = ZSTD_decompressStream(zstd, &out, &in);
      if (ZSTD_isError(left) != 0) return DataError(ZSTD_getErrorName(left));
      used = out.pos;
      if (left == 0 && in.pos == in.size) return used;
      if (in.pos == in.size && used < buffer.size())
        return DataError("the packed bytes end too early");
    }
  }
};

AvroUnpacker::AvroUnpacker() : streams_(std::make_unique<Streams>()) {}
AvroUnpacker::~AvroUnpacker() = default;

Result<std::string_view> AvroUnpacker::Unpack(AvroCodec codec, std::string_view packed,
                                              std::vector<char>& buffer) {
  switch (codec) {
    case AvroCodec::kNull:
      return packed;
    case AvroCodec::kDeflate: {
      const size_t size = TRY(streams_->Inflate(packed, buffer));
      return std::string_view(buffer.data(), size);
    }
    case AvroCodec::kZstandard: {
      const size_t size = TRY(streams_->Zstandard(packed, buffer));
      return std::string_view(buffer.data(), size);
    }
    case AvroCodec::kSnappy:
      break;
  }
  if (packed.size() < kChecksumBytes) return DataError("the packed bytes end too early");
  const std::string_view inside = packed.substr(0, packed.size() - kChecksumBytes);
  size_t size = 0;
  if (!snappy::GetUncompressedLength(inside.data(), inside.size(), &size))
    return DataError("not snappy");
  if (size > kMaxAvroBlockBytes) return TooLarge();
  if (buffer.size() < size) buffer.resize(size);
  if (!snappy::RawUncompress(inside.data(), inside.size(), buffer.data()))
    return DataError("not snappy");
  const std::string_view bytes(buffer.data(), size);
  uint32_t wanted = 0;
  for (const char c : packed.substr(inside.size()))
    wanted = wanted << 8 | static_cast<unsigned char>(c);
  if (Checksum(bytes) != wanted) return DataError("its checksum is another one");
  return bytes;
}

Result<std::string> PackAvro(AvroCodec codec, std::string_view bytes) {
  std::string packed;
  switch (codec) {
    case AvroCodec::kNull:
      return std::string(bytes);
    case AvroCodec::kZstandard: {
      packed.resize(ZSTD_compressBound(bytes.size()));
      const size_t size =
          ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 3);
      if (ZSTD_isError(size) != 0) return InternalError(ZSTD_getErrorName(size));
      packed.resize(size);
      return packed;
    }
    case AvroCodec::kSnappy: {
      snappy::Compress(bytes.data(), bytes.size(), &packed);
      const uint32_t sum = Checksum(bytes);
      for (int shift = 24; shift >= 0; shift -= 8) packed += static_cast<char>(sum >> shift & 0xFF);
      return packed;
    }
    case AvroCodec::kDeflate:
      break;
  }
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return InternalError("zlib does not start");
  packed.resize(deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int code = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (code != Z_STREAM_END) return InternalError("zlib does not pack a block");
  return packed;
}

}  // namespace sluice::format
