// The order of the steps in SniffCsv is the point: what DuckDB's sniffer would skip or merge
// silently (leading lines that look odd, ragged rows, quotes that first occur late) is kept from it
// by declaring it.
#include "format/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "format/path_list.h"

namespace sluice::format {
namespace {

constexpr uint64_t kMaxCsvOriginal = 64 << 10;
// Of what a sniff looks at; DuckDB's own, of 32 MB, is memory fetched for a few thousand rows.
constexpr uint64_t kSniffBuffer = 4 << 20;

Result<sql::Rows> Sniff(sql::Session& session, const std::string& path, const std::string& extra,
                        std::stop_token stop) {
  const std::string text = fmt::format(
      "SELECT Delimiter, Quote, Escape, NewLineDelimiter, Comment, HasHeader, coalesce(DateFormat, "
      "''), "
      "coalesce(TimestampFormat, ''), unnest(Columns, recursive := true) FROM sniff_csv({}, "
      "store_rejects=true, buffer_size={}{})",
      QuoteLiteral(PlainPath(path)), kSniffBuffer, extra);
  Result<sql::Rows> rows = session.Query(text, {}, stop);
  if (!rows.ok() && rows.error().kind != ErrorKind::kCancelled) {
    std::string message = rows.error().message;
    message = message.substr(0, message.find("\n\n"));
    return RejectedError(fmt::format("reading the shape of '{}': {}", path, message));
  }
  return rows;
}

std::string WordOf(const sql::Cell& cell) {
  return cell.null || cell.text == "(empty)" ? "" : cell.text;
}

CsvFacts FactsOf(const sql::Rows& rows) {
  CsvFacts facts;
  if (rows.rows.empty()) return facts;
  const std::vector<sql::Cell>& first = rows.rows[0];
  CsvDialect& dialect = facts.dialect;
  dialect.delimiter = WordOf(first[0]);
  // No quote in the sample is no promise for the rest of the file.
  if (const std::string quote = WordOf(first[1]); !quote.empty()) dialect.quote = quote;
  const std::string escape = WordOf(first[2]);
  dialect.escape = escape.empty() ? dialect.quote : escape;
  dialect.newline = WordOf(first[3]);
  dialect.comment = WordOf(first[4]);
  dialect.header = first[5].text == "true";
  dialect.date_format = WordOf(first[6]);
  dialect.timestamp_format = WordOf(first[7]);
  for (const auto& row : rows.rows)
    facts.columns.push_back({.name = row[8].text, .type = row[9].text});
  return facts;
}

bool SameNames(const Schema& columns, const std::vector<std::string>& wanted) {
  return columns.size() == wanted.size() &&
         std::all_of(wanted.begin(), wanted.end(),
                     [&](const std::string& name) { return Find(columns, name); });
}

Result<std::string> EncodingOf(const std::string& path, std::string_view head) {
  if (StartsWith(head, "\xFF\xFE")) return std::string("utf-16");
  if (StartsWith(head, "\xFE\xFF")) {
    return RejectedError(
        fmt::format("'{}' is UTF-16 big endian, which cannot be read; convert it to UTF-8: "
                    "iconv -f UTF-16 -t UTF-8",
                    path));
  }
  return std::string();
}

// Each delimiter and line feed of UTF-16 has a byte of zeros. Text without one, read as UTF-16, is
// a header of strange characters and no row: what is there would be lost without a word.
Status RefuseFalseUtf16(const std::string& path, std::string_view head) {
  if (StartsWith(head, "\xFF\xFE") || head.find('\0') != std::string_view::npos) return Ok();
  return RejectedError(fmt::format(
      "'{}' is not UTF-16: its characters are single bytes; leave `encoding` out, or say "
      "utf-8 or latin-1",
      path));
}

int64_t NumberOf(const sql::Cell& cell) {
  int64_t number = -1;
  if (!cell.null) std::from_chars(cell.text.data(), cell.text.data() + cell.text.size(), number);
  return number;
}

}  // namespace

Result<CsvFacts> SniffCsv(sql::Session& session, const std::string& path, std::string_view head,
                          const std::vector<std::string>& wanted, const CsvTold& told,
                          std::stop_token stop) {
  const std::string encoding = told.encoding.empty()      ? TRY(EncodingOf(path, head))
                               : told.encoding == "utf-8" ? ""
                                                          : told.encoding;
  if (told.encoding == "utf-16") TRY(RefuseFalseUtf16(path, head));
  std::string extra = fmt::format(", skip={}", told.skip);
  if (!encoding.empty()) extra += ", encoding=" + QuoteLiteral(encoding);
  if (!told.delimiter.empty()) extra += ", delim=" + QuoteLiteral(told.delimiter);
  if (!told.quote.empty())
    extra += ", quote=" + QuoteLiteral(told.quote == "none" ? "" : told.quote);
  if (!told.header.empty()) extra += told.header == "on" ? ", header=true" : ", header=false";
  CsvFacts facts = FactsOf(TRY(Sniff(session, path, extra, stop)));
  if (!facts.dialect.header && !wanted.empty() && told.header.empty()) {
    CsvFacts headed = FactsOf(TRY(Sniff(session, path, extra + ", header=true", stop)));
    if (SameNames(headed.columns, wanted)) facts = std::move(headed);
  }
  facts.dialect.encoding = encoding;
  facts.dialect.skip = told.skip;
  if (told.quote == "none") facts.dialect.quote = facts.dialect.escape = "";
  if (facts.columns.empty()) return RejectedError(fmt::format("'{}' has no columns", path));
  return facts;
}

std::string ReadCsv(const std::vector<std::string>& paths, const CsvDialect& dialect,
                    const Schema& columns, const std::string& rejects,
                    const std::string& file_column) {
  std::string declared;
  for (const Column& column : columns) {
    declared += fmt::format("{}{}: {}", declared.empty() ? "" : ", ", QuoteLiteral(column.name),
                            QuoteLiteral(column.type));
  }
  std::string options = fmt::format(
      "auto_detect=false, delim={}, quote={}, escape={}, comment={}, skip={}, header={}, "
      "store_rejects=true, "
      "rejects_limit=0, rejects_table={}, rejects_scan={}, hive_partitioning=false",
      QuoteLiteral(dialect.delimiter), QuoteLiteral(dialect.quote), QuoteLiteral(dialect.escape),
      QuoteLiteral(dialect.comment), dialect.skip, dialect.header,
      QuoteLiteral(rejects + "_errors"), QuoteLiteral(rejects + "_scans"));
  if (!dialect.newline.empty()) options += ", new_line=" + QuoteLiteral(dialect.newline);
  if (!dialect.date_format.empty()) options += ", dateformat=" + QuoteLiteral(dialect.date_format);
  if (!dialect.timestamp_format.empty())
    options += ", timestampformat=" + QuoteLiteral(dialect.timestamp_format);
  if (!dialect.encoding.empty()) options += ", encoding=" + QuoteLiteral(dialect.encoding);
  if (!file_column.empty()) options += ", filename=" + QuoteLiteral(file_column);
  return fmt::format("(SELECT * FROM read_csv({}, {}, columns={{{}}}))", PathList(paths), options,
                     declared);
}

Result<std::vector<Letter>> TakeCsvRejects(sql::Session& session, const std::string& rejects) {
  const sql::Rows exist =
      TRY(session.Query(fmt::format("SELECT count(*) FROM duckdb_tables() WHERE table_name = {}",
                                    QuoteLiteral(rejects + "_errors"))));
  if (exist.rows[0][0].text == "0") return std::vector<Letter>{};
  const sql::Rows rows = TRY(session.Query(fmt::format(
      "SELECT s.file_path, e.line_byte_position, min(e.line), bool_and(e.error_type = 'CAST'), "
      "string_agg(DISTINCT e.error_message, '; ' ORDER BY e.error_message), "
      "any_value(left(e.csv_line, {2})), "
      "max(strlen(e.csv_line)) FROM {0} e JOIN (SELECT DISTINCT scan_id, file_id, file_path FROM "
      "{1}) s "
      "USING (scan_id, file_id) GROUP BY ALL ORDER BY ALL",
      QuoteIdentifier(rejects + "_errors"), QuoteIdentifier(rejects + "_scans"), kMaxCsvOriginal)));
  std::vector<Letter> letters;
  for (const auto& row : rows.rows) {
    Letter letter;
    letter.source = letter.partition = row[0].text;
    letter.offset = NumberOf(row[1]);
    letter.line = NumberOf(row[2]);
    letter.code = row[3].text == "true" ? "cast" : "malformed";
    letter.message = row[4].text;
    letter.original = row[5].text;
    if (NumberOf(row[6]) > static_cast<int64_t>(letter.original.size())) {
      letter.message +=
          fmt::format(" (the first {} of {} bytes are kept)", letter.original.size(), row[6].text);
    }
    while (!letter.original.empty() &&
           (letter.original.back() == '\n' || letter.original.back() == '\r')) {
      letter.original.pop_back();
    }
    letters.push_back(std::move(letter));
  }
  TRY(session.Execute(fmt::format("DROP TABLE {}; DROP TABLE {}",
                                  QuoteIdentifier(rejects + "_errors"),
                                  QuoteIdentifier(rejects + "_scans"))));
  return letters;
}

}  // namespace sluice::format
