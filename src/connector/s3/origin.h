// The objects of a bucket as the files of an extract.
//
// A reading is of the very version that was listed: every request names its ETag, so that an object
// that changes meanwhile is an error and never a mixture. Local copies lie in a spool that holds at
// most so many bytes as the connection says: those that are read, and with what room they leave
// those that are read next (ahead.h), which give way to them.
#pragma once

#include <memory>

#include "connector/file/origin.h"
#include "connector/s3/settings.h"

namespace sluice::s3 {

std::unique_ptr<Origin> BucketOrigin(Settings settings, const ConnectorContext& context);

}  // namespace sluice::s3
