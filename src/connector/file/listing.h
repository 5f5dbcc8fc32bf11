// The files that an extract reads, fixed when a run first asks, and what makes two readings of a
// file the same: name, size, time, inode, and the bytes of its first and last 64 KB.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "spec/field.h"

namespace sluice {

struct ListedFile {
  std::string partition;  // as the user's glob names it: relative to the project
  std::string path;
  uint64_t size = 0;
  std::string identity;  // empty until Identify
};

enum class FileFormat : uint8_t { kCsv, kNdjson, kJson, kParquet };
std::string_view NameOf(FileFormat format);

// Sorted by name, each once. No match is kRejected, unless `allow_empty`.
Result<std::vector<ListedFile>> ListFiles(Files& files, const std::vector<Written>& globs,
                                          const std::string& folder, bool allow_empty);
// Reads size, time and edges: 16 hex digits.
Result<std::string> IdentityOf(Files& files, const ListedFile& file);
// `word`: csv, ndjson, parquet, or auto (by extension; all files must agree, and where there is
// none the glob's own counts). An extension that is not known: kConfig at the glob.
Result<FileFormat> FormatOf(const std::string& word, const std::vector<ListedFile>& files,
                            const Written& glob);

}  // namespace sluice
