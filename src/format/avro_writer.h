// The rows of a query as an Avro container. Rows of one of DuckDB's vectors stay together and in
// order; whose vector comes first is not said.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "data/schema.h"
#include "format/avro_codec.h"
#include "sql/database.h"
#include "sql/pour.h"

namespace sluice::format {

struct AvroTarget {
  Files& files;
  sql::Vessels& vessels;
  std::string path;  // made anew
  AvroCodec codec = AvroCodec::kDeflate;
};

// Returns the rows. Not synced.
Result<uint64_t> WriteAvro(sql::Session& session, const AvroTarget& target, const Schema& columns,
                           const std::string& select, const std::vector<sql::Bound>& bound,
                           std::stop_token stop);

}  // namespace sluice::format
