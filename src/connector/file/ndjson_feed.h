// Reads parts of NDJSON files as blocks of whole lines, and finds where a part may end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "sql/scan.h"

namespace sluice {

struct FilePart {
  std::string path, partition;
  uint64_t from = 0, to = 0;  // bytes; both at the beginning of a line, or at the end of the file
  bool to_its_end = false;    // where that is shows when it is read: `to` is not known
};

// Opens a part's file as lines: as it is, unpacked, or the records of a document.
using OpenLines = std::function<Result<std::unique_ptr<File>>(const FilePart&)>;

// DuckDB's workers read for themselves, one after the other: a block is copied from the page cache
// in a tenth of the time that it takes to decode. A line longer than the record limit is not held:
// its block has the beginning and says how much is left out.
std::unique_ptr<sql::BlockFeed> MakeNdjsonFeed(OpenLines open, std::vector<FilePart> parts);

struct LineCut {
  uint64_t to = 0;
  uint64_t rows = 0;  // lines that are not blank; counted only where `rows` limits
};
// The end of the longest part from `from` with at most `rows` lines that are not blank and `bytes`
// bytes (0: no limit), at least one line.
Result<LineCut> CutLines(Files& files, const std::string& path, uint64_t from, uint64_t size,
                         uint64_t rows, uint64_t bytes);

// The line of each offset (ascending), from 1.
Result<std::vector<int64_t>> LinesOf(File& file, const std::vector<int64_t>& offsets);

}  // namespace sluice
