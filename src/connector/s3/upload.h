// A local file as the parts of an upload, several at once.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/files.h"
#include "connector/s3/bucket.h"

namespace sluice::s3 {

Result<std::vector<Part>> UploadFile(Bucket& bucket, Files& files, const std::string& path,
                                     const std::string& key, const std::string& upload,
                                     size_t at_once, std::stop_token stop);

}  // namespace sluice::s3
