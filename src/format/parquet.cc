// Footers are read by parquet_file_metadata; rows by read_parquet.
#include "format/parquet.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"
#include "format/path_list.h"

namespace sluice::format {
namespace {

Error Unreadable(const std::vector<std::string>& paths, const Error& error) {
  if (error.kind == ErrorKind::kCancelled) return error;
  const std::string message = error.message.substr(0, error.message.find("\n\n"));
  const bool encrypted = message.find("is encrypted, but") != std::string::npos;
  return RejectedError(
      fmt::format("reading the footer of '{}'{}: {}; {}", paths.at(0),
                  paths.size() > 1 ? fmt::format(" and {} more", paths.size() - 1) : "", message,
                  encrypted ? "an encrypted file must be decrypted first"
                            : "the file is damaged or encrypted"));
}

}  // namespace

std::string ReadParquet(const std::vector<std::string>& paths, const std::string& file_column) {
  const std::string file =
      file_column.empty() ? "" : fmt::format(", filename={}", QuoteLiteral(file_column));
  return fmt::format("read_parquet({}, hive_partitioning=false{})", PathList(paths), file);
}

Result<Schema> ParquetSchema(sql::Session& session, const std::string& path) {
  Result<Schema> schema = session.Describe("SELECT * FROM " + ReadParquet({path}));
  if (!schema.ok()) return Unreadable({path}, schema.error());
  for (const Column& column : *schema) {
    if (!StartsWith(column.type, "GEOMETRY")) continue;
    return RejectedError(
        fmt::format("'{}': column '{}' is a GEOMETRY, which sluice does not carry; write it as WKB "
                    "(BLOB) or as text",
                    path, column.name));
  }
  return schema;
}

Result<std::optional<uint64_t>> ParquetRows(sql::Session& session,
                                            const std::vector<std::string>& paths,
                                            std::stop_token stop) {
  const Result<sql::Rows> rows = session.Query(
      fmt::format("SELECT sum(num_rows)::BIGINT, bool_or(num_rows = 0 AND num_row_groups > 0) "
                  "FROM parquet_file_metadata({})",
                  PathList(paths)),
      {}, stop);
  if (!rows.ok()) return Unreadable(paths, rows.error());
  const auto& cells = rows->rows.at(0);
  if (cells.at(0).null || cells.at(1).text == "true") return std::optional<uint64_t>();
  uint64_t count = 0;
  std::from_chars(cells[0].text.data(), cells[0].text.data() + cells[0].text.size(), count);
  return std::optional<uint64_t>(count);
}

}  // namespace sluice::format
