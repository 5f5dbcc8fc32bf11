// Local copies of objects, made by several requests at once: an object is cut into pieces, each
// piece is a range of exactly the version that was listed, and goes to its place in the file.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/s3/bucket.h"

namespace sluice::s3 {

struct Copy {
  Object object;
  std::string path;           // a new file
  std::vector<Slice> slices;  // empty: all of it. The file is as long as the last one's end
};

uint64_t BytesOf(const Copy& copy);

// All of them, or an error and files that are not complete. `whole`: called on any thread for each
// copy that has all its bytes, before others have.
Status Download(Bucket& bucket, const std::vector<Copy>& copies, std::stop_token stop,
                const std::function<void(size_t)>& whole = {});

}  // namespace sluice::s3
