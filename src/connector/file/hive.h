// What a path says of all rows in its file: `day=2026-01-01/country=DE/part-1.parquet`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/file/origin.h"
#include "data/schema.h"
#include "sql/database.h"

namespace sluice {

// name -> value, of the folders in a path that are written so; nullopt: Hive's word for NULL.
std::map<std::string, std::optional<std::string>> HiveValues(const std::string& path);

// The names that the paths of all files have, each BIGINT, DATE or VARCHAR, whichever fits all.
Result<Schema> HiveColumns(sql::Session& session, const std::vector<ListedFile>& files);

// The column's value of this path as SQL; nullopt: the path does not say it.
std::optional<std::string> HiveLiteral(const std::string& path, const Column& column);

}  // namespace sluice
