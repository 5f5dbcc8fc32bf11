// A user's SELECT over a file's own tables, with every table named in full, so that it means the
// same in any session: never a table of another attached file, whatever is in that session.
#pragma once

#include <string>

#include "connector/duckdb/database_file.h"

namespace sluice::duckdb {

// REQUIRES: the file is open. kConfig where `query` is not one SELECT.
Result<std::string> QualifyTables(sql::Session& session, const DatabaseFile& file,
                                  const std::string& query);

}  // namespace sluice::duckdb
