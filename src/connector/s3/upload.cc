// See upload.h.
#include "connector/s3/upload.h"

#include <fmt/format.h>

#include <algorithm>

#include "connector/s3/at_once.h"

namespace sluice::s3 {
namespace {

constexpr uint64_t kPartBytes = 8 << 20;  // held in memory by each thread; S3 wants at least 5 MiB
constexpr uint64_t kMostParts = 10'000;

}  // namespace

Result<std::vector<Part>> UploadFile(Bucket& bucket, Files& files, const std::string& path,
                                     const std::string& key, const std::string& upload,
                                     size_t at_once, std::stop_token stop) {
  const uint64_t size = TRY(files.Facts(path)).size;
  const uint64_t each = std::max(kPartBytes, (size + kMostParts - 1) / kMostParts);
  // An empty file is one empty part.
  const size_t count = std::max<uint64_t>((size + each - 1) / each, 1);
  std::vector<Part> parts(count);
  TRY(AtOnce(count, at_once, std::move(stop), [&](size_t i, std::stop_token ended) -> Status {
    const uint64_t from = i * each;
    std::string bytes(std::min(each, size - from), '\0');
    const auto file = TRY(files.Open(path, Files::Mode::kRead));
    if (TRY(file->ReadAt(from, bytes)) != bytes.size())
      return InternalError(fmt::format("'{}' became shorter", path));
    parts[i] =
        TRY(bucket.UploadPart(key, upload, static_cast<int>(i) + 1, bytes, std::move(ended)));
    return Ok();
  }));
  return parts;
}

}  // namespace sluice::s3
