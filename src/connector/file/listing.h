// What the files of an extract are written in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/file/origin.h"
#include "spec/field.h"

namespace sluice {

enum class FileFormat : uint8_t { kCsv, kNdjson, kJson, kAvro, kParquet };
std::string_view NameOf(FileFormat format);

// `word`: csv, ndjson, json, avro, parquet, or auto (by extension; all files must agree, and where
// there is none the glob's own counts). An extension that is not known: kConfig at the glob.
Result<FileFormat> FormatOf(const std::string& word, const std::vector<ListedFile>& files,
                            const Written& glob);

}  // namespace sluice
