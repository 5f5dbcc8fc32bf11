// DuckDB's partitioned COPY: a folder per value of a column, `_sluice_path=<value, %XX>`. That
// column is the path itself, so that the rows go by in one pass and nothing is sorted.
#include "connector/file/many.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/glob.h"
#include "base/hex.h"
#include "base/text.h"
#include "data/schema.h"

namespace sluice {
namespace {

constexpr std::string_view kPath = "_sluice_path";
constexpr std::string_view kJson = "(FORMAT json";
constexpr size_t kMostNameBytes = 230;  // of a path as DuckDB writes it, in one name

// "_sluice_path=a%2Fb" -> "a/b".
std::string ValueOf(const std::string& part) {
  return DecodePercent(part.substr(part.find('=') + 1));
}

}  // namespace

std::string CopyMany(const PathTemplate& paths, const Schema& columns, const std::string& select,
                     const std::string& folder, const std::string& options) {
  const std::string files = paths.of_files ? fmt::format(", {}", kPartitionColumn) : "";
  const std::string checked = fmt::format(
      "CASE WHEN length(url_encode(p)) > {} THEN error('the path ''' || p || ''' is longer than {} "
      "bytes') ELSE p END",
      kMostNameBytes, kMostNameBytes);
  std::string list, fields, how = options.substr(0, options.rfind(')'));
  for (const Column& column : columns) {
    const std::string name = QuoteIdentifier(column.name);
    list += (list.empty() ? "" : ", ") + name;
    fields += fmt::format("{}{}: {}", fields.empty() ? "" : ", ", QuoteLiteral(column.name), name);
  }
  // COPY of JSON knows no partitions. It is one of CSV inside: a column of objects, unquoted.
  if (StartsWith(how, kJson)) {
    list = fmt::format("to_json({{{}}}) AS _sluice_json", fields);
    how =
        "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\n'" + how.substr(kJson.size());
  }
  return fmt::format(
      "COPY (SELECT {0}, {1} AS {2}{3} FROM (SELECT *, {4} AS p FROM ({5}) AS \"row\")) TO {6} "
      "{7}, "
      "PARTITION_BY ({2}{3}), WRITE_PARTITION_COLUMNS false, FILENAME_PATTERN 'part_{{i}}')",
      list, checked, kPath, files, paths.sql, select, QuoteLiteral(folder), how);
}

Result<std::vector<Draft>> DraftsIn(Files& files, const std::string& folder) {
  std::vector<Draft> drafts;
  std::map<std::string, std::string> sources;  // path -> the file that its rows come from
  std::set<std::string> names;
  for (const std::string& found : TRY(files.Glob(EscapeGlob(folder) + "/**"))) {
    const std::vector<std::string> parts = Split(found.substr(folder.size() + 1), '/');
    const std::string name = ValueOf(parts[0]);
    if (LeadsOut(name) || StartsWith(name, ".sluice/") || EndsWith(name, "/") || name.empty())
      return RejectedError(fmt::format("'{}' is no path for a file", EscapeControl(name)));
    const std::string source = parts.size() > 2 ? ValueOf(parts[1]) : "";
    const auto [other, fresh] = sources.emplace(name, source);
    if (other->second != source) {
      return RejectedError(
          fmt::format("'{}' and '{}' would be written into one file, '{}'; put {{{{ file.folder "
                      "}}}} into the path too",
                      other->second, source, name));
    }
    if (!names.insert(name).second) {
      return RejectedError(
          fmt::format("the rows of one epoch go into more than {} files (limit max_files); use a "
                      "coarser value, "
                      "or smaller epochs with {{{{ batch.id }}}} in the path",
                      kMostFiles));
    }
    drafts.push_back({found, name});
  }
  return drafts;
}

}  // namespace sluice
