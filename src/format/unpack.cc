// See unpack.h. The only file that knows zlib and zstd.
#include "format/unpack.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include "base/text.h"
#include "format/forward_file.h"

namespace sluice::format {
namespace {

constexpr size_t kInputBytes = 256 << 10;

// One library's stream. Consumes from `input`, gives to `output`, both advanced.
class Codec {
 public:
  virtual ~Codec() = default;
  virtual Status Reset() = 0;
  virtual Status Step(std::span<const char>& input, std::span<char>& output) = 0;
  // Whether the input may end here: between two members or frames.
  virtual bool complete() const = 0;
};

class GzipCodec final : public Codec {
 public:
  ~GzipCodec() override {
    if (open_) inflateEnd(&stream_);
  }
  Status Reset() override {
    if (open_) inflateEnd(&stream_);
    stream_ = z_stream{};
    open_ = inflateInit2(&stream_, 15 + 16) == Z_OK;
    complete_ = false;
    if (!open_) return InternalError("zlib does not start");
    return Ok();
  }
  Status Step(std::span<const char>& input, std::span<char>& output) override {
    if (complete_) {  // another member follows
      if (inflateReset(&stream_) != Z_OK) return InternalError("zlib does not start again");
      complete_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    stream_.next_out = reinterpret_cast<Bytef*>(output.data());
    stream_.avail_out = static_cast<uInt>(output.size());
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return DataError(stream_.msg != nullptr ? stream_.msg : "not gzip");
    }
    complete_ = code == Z_STREAM_END;
    input = input.last(stream_.avail_in);
    output = output.last(stream_.avail_out);
    return Ok();
  }
  bool complete() const override { return complete_; }

 private:
  z_stream stream_{};
  bool open_ = false, complete_ = false;
};

class ZstdCodec final : public Codec {
 public:
  ~ZstdCodec() override { ZSTD_freeDStream(stream_); }
  Status Reset() override {
    if (stream_ == nullptr) stream_ = ZSTD_createDStream();
    if (stream_ == nullptr || ZSTD_isError(ZSTD_initDStream(stream_)) != 0)
      return InternalError("zstd does not start");
    left_ = 1;
    return Ok();
  }
  Status Step(std::span<const char>& input, std::span<char>& output) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{output.data(), output.size(), 0};
    left_ = ZSTD_decompressStream(stream_, &out, &in);
    if (ZSTD_isError(left_) != 0) return DataError(ZSTD_getErrorName(left_));
    input = input.subspan(in.pos);
    output = output.subspan(out.pos);
    return Ok();
  }
  bool complete() const override { return left_ == 0; }

 private:
  ZSTD_DStream* stream_ = nullptr;
  size_t left_ = 1;
};

class UnpackedFile final : public ForwardFile {
 public:
  UnpackedFile(std::unique_ptr<File> packed, std::string name, uint64_t size,
               std::unique_ptr<Codec> codec)
      : packed_(std::move(packed)),
        name_(std::move(name)),
        size_(size),
        codec_(std::move(codec)),
        buffer_(kInputBytes) {}

  Status Restart() override {
    taken_ = made_ = 0;
    input_ = {};
    return codec_->Reset();
  }

 protected:
  Result<size_t> Produce(std::span<char> into) override {
    std::span<char> left = into;
    while (!left.empty()) {
      if (input_.empty()) {
        const size_t count = TRY(packed_->ReadAt(taken_, buffer_));
        if (count == 0) {
          if (codec_->complete() || size_ == 0) break;
          return RejectedError(fmt::format(
              "'{}' ends in the middle of its packed bytes: it was cut off, or is not complete yet",
              name_));
        }
        taken_ += count;
        input_ = std::span<const char>(buffer_).first(count);
      }
      const size_t before = left.size();
      if (Status step = codec_->Step(input_, left); !step.ok()) {
        return RejectedError(
            fmt::format("'{}' cannot be unpacked, it is damaged at about byte {}: {}", name_,
                        taken_ - input_.size(), step.error().message));
      }
      made_ += before - left.size();
      if (made_ > kUnpackFreeBytes && made_ / kMaxUnpackRatio > size_) {
        return RejectedError(
            fmt::format("'{}' unpacks to more than {} times its {} (limit max_unpack_ratio); if "
                        "that is right, unpack it first",
                        name_, kMaxUnpackRatio, FormatBytes(size_)));
      }
    }
    return into.size() - left.size();
  }

 private:
  std::unique_ptr<File> packed_;
  const std::string name_;
  const uint64_t size_;
  std::unique_ptr<Codec> codec_;
  std::vector<char> buffer_;
  std::span<const char> input_;
  uint64_t taken_ = 0, made_ = 0;
};

}  // namespace

Packing PackingOf(std::string_view path) {
  const std::string lower = ToLower(path);
  if (EndsWith(lower, ".gz")) return Packing::kGzip;
  if (EndsWith(lower, ".zst")) return Packing::kZstd;
  return Packing::kNone;
}

std::string_view ExtensionOf(Packing packing) {
  return packing == Packing::kGzip ? ".gz" : packing == Packing::kZstd ? ".zst" : "";
}

Result<std::unique_ptr<File>> OpenUnpacked(Files& files, const std::string& path,
                                           const std::string& name) {
  std::unique_ptr<File> packed = TRY(files.Open(path, Files::Mode::kRead));
  std::unique_ptr<Codec> codec;
  switch (PackingOf(path)) {
    case Packing::kNone:
      return packed;
    case Packing::kGzip:
      codec = std::make_unique<GzipCodec>();
      break;
    case Packing::kZstd:
      codec = std::make_unique<ZstdCodec>();
      break;
  }
  const uint64_t size = TRY(files.Facts(path)).size;
  auto unpacked = std::make_unique<UnpackedFile>(std::move(packed), name, size, std::move(codec));
  TRY(unpacked->Restart());
  return std::unique_ptr<File>(std::move(unpacked));
}

Status CheckPacked(Files& files, const std::string& path, const std::string& name,
                   std::stop_token stop) {
  if (PackingOf(path) == Packing::kNone) return Ok();
  const auto file = TRY(OpenUnpacked(files, path, name));
  std::vector<char> buffer(1 << 20);
  for (uint64_t at = 0;;) {
    if (stop.stop_requested()) return CancelledError();
    const size_t count = TRY(file->ReadAt(at, buffer));
    if (count < buffer.size()) return Ok();
    at += count;
  }
}

}  // namespace sluice::format
