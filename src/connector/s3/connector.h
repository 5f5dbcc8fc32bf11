// The `s3` connector: objects of a bucket as files, read and written.
#pragma once

#include "connector/registry.h"

namespace sluice {

Connector S3Connector();

}  // namespace sluice
