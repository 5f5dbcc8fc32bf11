// Footers are read by parquet_file_metadata; rows by read_parquet.
#include "format/parquet.h"

#include <fmt/format.h>

#include <charconv>

#include "format/path_list.h"

namespace sluice::format {
namespace {

Error Unreadable(const std::string& what, const Error& error) {
  if (error.kind == ErrorKind::kCancelled) return error;
  const bool encrypted = error.message.find("ncrypt") != std::string::npos;
  return RejectedError(fmt::format("reading {}: {}{}", what, encrypted ? "the file is encrypted; " : "",
                                   error.message.substr(0, error.message.find("\n\n"))));
}

}  // namespace

std::string ReadParquet(const std::vector<std::string>& paths) {
  return fmt::format("read_parquet({}, hive_partitioning=false)", PathList(paths));
}

Result<Schema> ParquetSchema(sql::Session& session, const std::string& path, std::stop_token) {
  Result<Schema> schema = session.Describe("SELECT * FROM " + ReadParquet({path}));
  if (!schema.ok()) return Unreadable(fmt::format("'{}'", path), schema.error());
  return schema;
}

Result<uint64_t> ParquetRows(sql::Session& session, const std::vector<std::string>& paths, std::stop_token stop) {
  Result<sql::Rows> rows = session.Query(
      fmt::format("SELECT coalesce(sum(num_rows), 0)::BIGINT FROM parquet_file_metadata({})", PathList(paths)), {}, stop);
  if (!rows.ok()) return Unreadable("footers of Parquet files", rows.error());
  uint64_t count = 0;
  const std::string& text = rows->rows.at(0).at(0).text;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

}  // namespace sluice::format
