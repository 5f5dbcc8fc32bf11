// File names as DuckDB's readers must see them.
#pragma once

#include <string>
#include <vector>

namespace sluice::format {

std::string PlainPath(const std::string& path);               // * ? [ mean themselves, not a glob
std::string PathList(const std::vector<std::string>& paths);  // SQL: ['a', 'b'], each plain

}  // namespace sluice::format
