// Rows from files: CSV and Parquet by DuckDB's own readers, NDJSON by our decoder.
//
// The list of files is fixed when a run first asks, each file's identity when it is its turn. A
// range is whole files; NDJSON may also be cut inside a file, at the ends of lines. A position says
// for each file where to go on and of which identity: a finished file that has changed is a new
// reading, an unfinished one an error.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "connector/extract.h"
#include "connector/file/origin.h"
#include "connector/source.h"

namespace sluice {

// Refuses what files cannot do; no I/O.
Result<std::unique_ptr<Source>> MakeFileSource(ExtractRequest request, Files& files,
                                               std::unique_ptr<Origin> origin);

}  // namespace sluice
