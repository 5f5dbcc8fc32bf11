// macros/*.sql of a project: CREATE MACRO statements, there wherever the project's SQL runs.
#pragma once

#include <string>
#include <vector>

#include "base/files.h"
#include "pipeline/project.h"
#include "sql/database.h"

namespace sluice {

// kConfig with file and line: a statement that makes no macro.
Result<std::vector<Macro>> ReadMacros(Files& files, const std::string& folder);

// Makes them in the database. kConfig with file and line: what DuckDB does not take.
Status LoadMacros(const Project& project, sql::Database& database);

}  // namespace sluice
