// See listing.h.
#include "connector/file/listing.h"

#include <fmt/format.h>

#include "base/text.h"
#include "format/unpack.h"

namespace sluice {
namespace {

std::string ExtensionOf(const std::string& path) {
  const std::string name = ToLower(FileName(path));
  const size_t dot = name.find('.', 1);
  return dot == std::string::npos ? "" : name.substr(dot);
}

Result<FileFormat> ByExtension(const std::string& path, const Mark& mark) {
  const format::Packing packing = format::PackingOf(path);
  const std::string all =
      ExtensionOf(path.substr(0, path.size() - format::ExtensionOf(packing).size()));
  const std::string last = all.empty() ? "" : all.substr(all.rfind('.'));
  if (last == ".csv" || last == ".tsv") return FileFormat::kCsv;
  if (last == ".ndjson" || last == ".jsonl") return FileFormat::kNdjson;
  if (last == ".json") return FileFormat::kJson;
  if (last == ".parquet" && packing == format::Packing::kNone) return FileFormat::kParquet;
  if (last == ".parquet")
    return ConfigError(mark,
                       fmt::format("'{}': Parquet packs itself; unpack the file first", path));
  if (last == ".avro" && packing == format::Packing::kNone) return FileFormat::kAvro;
  if (last == ".avro")
    return ConfigError(mark, fmt::format("'{}': Avro packs itself; unpack the file first", path));
  for (const char* foreign : {".bz2", ".orc", ".xml", ".xlsx", ".zip", ".xz"}) {
    if (last != foreign) continue;
    return ConfigError(
        mark,
        fmt::format("'{}': files that end in {} are not read; write them as one of .csv, .tsv, "
                    ".ndjson, .jsonl, .json (each also .gz or .zst), .avro or .parquet",
                    path, last));
  }
  return ConfigError(
      mark,
      fmt::format("'{}': the extension does not say the format; add format: csv, ndjson, json, "
                  "avro or parquet",
                  path));
}

}  // namespace

std::string_view NameOf(FileFormat format) {
  switch (format) {
    case FileFormat::kCsv:
      return "csv";
    case FileFormat::kNdjson:
      return "ndjson";
    case FileFormat::kJson:
      return "json";
    case FileFormat::kAvro:
      return "avro";
    case FileFormat::kParquet:
      break;
  }
  return "parquet";
}

Result<FileFormat> FormatOf(const std::string& word, const std::vector<ListedFile>& files,
                            const Written& glob) {
  const Mark& mark = glob.mark;
  if (word == "csv") return FileFormat::kCsv;
  if (word == "ndjson") return FileFormat::kNdjson;
  if (word == "json") return FileFormat::kJson;
  if (word == "avro") return FileFormat::kAvro;
  if (word == "parquet") return FileFormat::kParquet;
  if (files.empty()) {
    auto named = ByExtension(glob.text, mark);
    return named.ok() ? *named : FileFormat::kCsv;
  }
  const FileFormat format = TRY(ByExtension(files[0].partition, mark));
  for (const ListedFile& file : files) {
    if (TRY(ByExtension(file.partition, mark)) == format) continue;
    return ConfigError(
        mark, fmt::format("'{}' and '{}' have different formats; one extract reads one format",
                          files[0].partition, file.partition));
  }
  return format;
}

}  // namespace sluice
