// See download.h. Files are written by position, which base/files.h has no word for.
#include "connector/s3/download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "connector/s3/at_once.h"

namespace sluice::s3 {
namespace {

constexpr uint64_t kPieceBytes = 8 << 20;

class Destination {  // any thread; each byte written by one
 public:
  static Result<std::unique_ptr<Destination>> Make(const std::string& path, uint64_t size) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return SystemError(fmt::format("making '{}'", path), errno);
    std::unique_ptr<Destination> made(new Destination(path, file));
    if (::ftruncate(file, static_cast<off_t>(size)) != 0)
      return SystemError(fmt::format("making '{}'", path), errno);
    return made;
  }
  ~Destination() { ::close(file_); }

  Status Write(uint64_t at, std::span<const char> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return SystemError(fmt::format("writing '{}'", path_), errno);
      bytes = bytes.subspan(static_cast<size_t>(count));
      at += static_cast<uint64_t>(count);
    }
    return Ok();
  }

 private:
  Destination(std::string path, int file) : path_(std::move(path)), file_(file) {}

  const std::string path_;
  const int file_;
};

struct Piece {
  const Object* object;
  Destination* to;
  Slice slice;
  size_t copy;
};

std::vector<Slice> Cut(const Slice& whole) {
  std::vector<Slice> pieces;
  for (uint64_t at = 0; at < whole.size; at += kPieceBytes)
    pieces.push_back({whole.from + at, std::min(kPieceBytes, whole.size - at)});
  return pieces;
}

}  // namespace

uint64_t BytesOf(const Copy& copy) {
  uint64_t bytes = copy.slices.empty() ? copy.object.size : 0;
  for (const Slice& slice : copy.slices) bytes += slice.size;
  return bytes;
}

Status Download(Bucket& bucket, const std::vector<Copy>& copies, std::stop_token stop,
                const std::function<void(size_t)>& whole) {
  std::vector<std::unique_ptr<Destination>> files;
  std::vector<Piece> pieces;
  std::vector<std::atomic<size_t>> left(copies.size());
  for (size_t i = 0; i < copies.size(); ++i) {
    const Copy& copy = copies[i];
    const std::vector<Slice> slices =
        copy.slices.empty() ? std::vector<Slice>{{0, copy.object.size}} : copy.slices;
    files.push_back(TRY(Destination::Make(copy.path, slices.back().from + slices.back().size)));
    const size_t before = pieces.size();
    for (const Slice& slice : slices) {
      for (const Slice& piece : Cut(slice))
        pieces.push_back({&copy.object, files.back().get(), piece, i});
    }
    left[i] = pieces.size() - before;
    if (left[i] == 0 && whole) whole(i);
  }
  return AtOnce(
      pieces.size(), static_cast<size_t>(bucket.settings().readers), std::move(stop),
      [&](size_t i, std::stop_token ended) -> Status {
        const Piece& piece = pieces[i];
        TRY(bucket.Get(
            *piece.object, piece.slice,
            [&](uint64_t at, std::span<const char> bytes) { return piece.to->Write(at, bytes); },
            std::move(ended)));
        if (--left[piece.copy] == 0 && whole) whole(piece.copy);
        return Ok();
      });
}

}  // namespace sluice::s3
