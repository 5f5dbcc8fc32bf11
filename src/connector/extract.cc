// The keys of `extract`, those of every kind of source in one spec. Which source takes which is the
// registry's to say.
#include "connector/extract.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"

namespace sluice {
namespace {

Spec<IncrementalConfig> IncrementalSpec() {
  return Spec<IncrementalConfig>("incremental", "Reads what changed since the last run.")
      .Main("cursor")
      .TextSlot(&IncrementalConfig::cursor, "cursor", "The column that rises with every change.",
                Need::kRequired)
      .Read("initial", "Where the first run starts.", Slot::kText, "text",
            [](IncrementalConfig& config, const Node& node, const std::string& field) -> Status {
              config.initial = TRY(ReadWritten(node, field));
              return Ok();
            })
      .Duration(&IncrementalConfig::lookback, "lookback",
                "How far behind the cursor to read again.")
      .TextSlot(&IncrementalConfig::key, "key",
                "The column that tells rows with the same cursor apart (postgres, mysql, sqlite).");
}

// Epochs take rows by cursor and key; an order of its own would be a second key.
Status RefuseOrder(const Node& node) {
  if (!node.IsMap()) return Ok();
  for (const auto& [key, value] : node.map) {
    if (key.scalar != "order") continue;
    return ConfigError(key.mark,
                       fmt::format("'order' beside a cursor says nothing that 'key' does "
                                   "not: rows with the same cursor are read in the order "
                                   "of 'key'; write key: {}",
                                   value.IsScalar() ? EscapeControl(value.scalar) : "column"));
  }
  return Ok();
}

Status ReadSample(ExtractConfig& config, const Node& node, const std::string& field) {
  const std::string text = TRY(ReadWritten(node, field)).text;
  const bool percent = EndsWith(text, "%");
  const std::string number(Trim(std::string_view(text).substr(0, text.size() - (percent ? 1 : 0))));
  const char* const end = number.data() + number.size();
  if (percent) {
    double share = 0;
    const auto [stop, code] = std::from_chars(number.data(), end, share);
    if (code == std::errc() && stop == end && share > 0 && share <= 100) {
      config.sample_share = share / 100;
      return Ok();
    }
  } else {
    int64_t rows = 0;
    const auto [stop, code] = std::from_chars(number.data(), end, rows);
    if (code == std::errc() && stop == end && rows > 0) {
      config.sample_rows = rows;
      return Ok();
    }
  }
  return WrongShape(node, field, "a number of rows (1000), or a share of them (5%)");
}

Status ReadDelimiter(ExtractConfig& config, const Node& node, const std::string& field) {
  config.delimiter = TRY(ReadWritten(node, field)).text;
  if (config.delimiter == "\\t" || config.delimiter == "\t") config.delimiter = "tab";
  if (config.delimiter == "tab" || config.delimiter.size() == 1) return Ok();
  return WrongShape(node, field, "one character, or tab");
}

}  // namespace

std::vector<std::string> CommonExtractKeys() {
  return {"from", "columns", "select", "sample", "renamed_from"};
}

Spec<ExtractConfig> ExtractSpec() {
  Spec<ExtractConfig> spec("extract", "Reads rows from a source.");
  spec.Text(&ExtractConfig::from, "from", "A connection, or file, inline, generator.",
            Need::kRequired)
      .Text(&ExtractConfig::renamed_from, "renamed_from",
            "What this step was called before: it reads on from there; `none`: it is another one.")
      .Names(&ExtractConfig::columns, "columns",
             "Names and types of the columns; without it they are inferred once.", Slot::kText,
             "map of name to type")
      .List(&ExtractConfig::select, "select", "The columns to read; without it all.", Slot::kText,
            "list of columns")
      .Read("sample", "Reads only so many rows (1000), or so many percent of them (5%).",
            Slot::kText, "number of rows, or percent", ReadSample)
      .Read("incremental", "Reads what changed since the last run.", Slot::kNode,
            "a cursor column, or a map",
            [](ExtractConfig& config, const Node& node, const std::string&) -> Status {
              TRY(RefuseOrder(node));
              config.incremental = TRY(IncrementalSpec().Bind(node));
              return Ok();
            })
      .List(&ExtractConfig::path, "path", "Glob or globs of the files to read.", Slot::kText,
            "text, or list of texts")
      .Choice(&ExtractConfig::format, "format",
              "Format of the files; 'auto' goes by their extension.",
              {"auto", "csv", "ndjson", "json", "avro", "parquet"})
      .Flag(&ExtractConfig::allow_empty, "allow_empty",
            "Whether no file at all is an empty input and no error.")
      .TextSlot(&ExtractConfig::records, "records",
                "Where the list of records is in a JSON document: data.items; without it the "
                "document is the list.")
      .Read("delimiter", "What separates the values of a CSV; without it seen from the file.",
            Slot::kText, "one character, or tab", ReadDelimiter)
      .Choice(&ExtractConfig::quote, "quote", "What quotes the values of a CSV.",
              {"double", "single", "none"})
      .Choice(&ExtractConfig::header, "header",
              "Whether the first line of a CSV names its columns; without it seen from the file.",
              {"on", "off"})
      .Integer(&ExtractConfig::skip, "skip", "Lines of a CSV before its header.")
      .Choice(&ExtractConfig::encoding, "encoding",
              "How the characters of a CSV are written; without it UTF-8, or what its mark says.",
              {"utf-8", "latin-1", "utf-16"})
      .TextSlot(&ExtractConfig::table, "table", "The table to read.")
      .TextSlot(&ExtractConfig::query, "query", "A SELECT that the database runs.")
      .TextSlot(&ExtractConfig::interval, "interval",
                "The column that must lie in the run's interval.")
      .Choice(&ExtractConfig::consistency, "consistency",
              "Of a whole table: each key once and resumable, or all rows at one moment.",
              {"keys", "snapshot"})
      .TextSlot(&ExtractConfig::event_time, "event_time",
                "The column that says when a row happened.")
      .Duration(&ExtractConfig::out_of_order, "out_of_order",
                "How far rows of a partition may lag behind its newest.")
      .Duration(&ExtractConfig::idle_after, "idle_after",
                "When a silent partition no longer holds back the others.")
      .Choice(&ExtractConfig::on_null_time, "on_null_time",
              "What becomes of a row without event time.", {"reject", "drop", "fail"})
      .Whole(&ExtractConfig::rows, "rows", "The rows themselves.",
             "list of maps, or map of partition to list of maps")
      .Read("count", "How many rows to generate; without it no end.", Slot::kNumber, "whole number",
            [](ExtractConfig& config, const Node& node, const std::string& field) -> Status {
              config.count = TRY(ReadInteger(node, field));
              return Ok();
            })
      .Integer(&ExtractConfig::partitions, "partitions",
               "Into how many partitions the generated rows go in turn.")
      .Integer(&ExtractConfig::keys, "keys", "How many different keys the generated rows have.")
      .Integer(&ExtractConfig::seed, "seed",
               "Another seed gives other rows; the same one the same.")
      .TextSlot(&ExtractConfig::start, "start", "The time of the first generated row.")
      .Duration(&ExtractConfig::every, "every", "The time between generated rows.")
      .Duration(&ExtractConfig::disorder, "disorder",
                "How far a generated row's time may lie before its turn.")
      .Reserved("pii", "Columns with personal data.", "security and metering");
  for (const char* key : {"topic", "stream", "group", "until"})
    spec.Reserved(key, "Streams.", "streams");
  for (const char* key : {"method", "params", "headers", "body", "pagination"}) {
    spec.Reserved(key, "HTTP.", "API workflows");
  }
  return spec;
}

}  // namespace sluice
