// Parquet by DuckDB: what the footers say, and a damaged file told by its name.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/schema.h"
#include "sql/database.h"

namespace sluice::format {

Result<Schema> ParquetSchema(sql::Session& session, const std::string& path);
// Rows of all the files, from their footers; nullopt where a footer does not say (0 rows in some
// row groups).
Result<std::optional<uint64_t>> ParquetRows(sql::Session& session,
                                            const std::vector<std::string>& paths,
                                            std::stop_token stop);
// A FROM item over files of one schema. `file_column`: where not empty, a column more that holds a
// row's file.
std::string ReadParquet(const std::vector<std::string>& paths, const std::string& file_column = "");

}  // namespace sluice::format
