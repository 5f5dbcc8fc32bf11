// Globs over local files: * and ? within a name, [a-z] [!a-z], ** for any number of folders,
// \ before a character that means itself. Names that begin with a dot match only a pattern that
// does. A pattern that matches nothing but is itself the name of a file gives that file, so that
// "report[1].csv" can be named as it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice {

// Files, not folders, sorted by name, each once. A folder that may not be read is an error, not an
// empty folder.
Result<std::vector<std::string>> ExpandGlob(const std::string& pattern);

// Whether one name (no slashes) matches one part of a pattern.
bool MatchesGlob(std::string_view part, std::string_view name);

bool HasGlob(std::string_view pattern);

// Whether a name with slashes matches a whole pattern, as ExpandGlob would find it; for what lies
// in no folder. `GlobPrefix`: what every name that matches begins with.
bool MatchesPath(std::string_view pattern, std::string_view path);
std::string GlobPrefix(std::string_view pattern);

// The pattern that matches exactly `name`.
std::string EscapeGlob(std::string_view name);

}  // namespace sluice
