// Functions of the user's in Python: `python3` runs a few lines of ours, which load the user's file
// and answer batch by batch.
//
// The file is read at plan time and handed over as text: what runs is what was planned.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sluice {

// argv of the process that answers rows.
std::vector<std::string> PythonCommand();
// The first line that it reads.
std::string PythonOpening(const std::string& path, const std::string& source,
                          const std::string& name);
// Reads the file without running it: kConfig at a place in it where it is no Python, at `mark`
// where it has no such function of one row.
Status CheckPython(const std::string& path, const std::string& source, const std::string& name,
                   const Mark& mark);

}  // namespace sluice
