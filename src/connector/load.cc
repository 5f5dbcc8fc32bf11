// The keys of `load`, one list for every kind of sink. Which of them a sink takes is in its
// ConnectorFacts.
#include "connector/load.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/text.h"

namespace sluice {
namespace {

constexpr std::array<std::pair<Mode, std::string_view>, 6> kModes{{
    {Mode::kAppend, "append"},
    {Mode::kInsert, "insert"},
    {Mode::kUpsert, "upsert"},
    {Mode::kReplace, "replace"},
    {Mode::kOverwrite, "overwrite"},
    {Mode::kReplacePartition, "replace_partition"},
}};

constexpr std::array<std::string_view, 2> kLaterModes{"scd2", "scd3"};

std::vector<std::string> ModeWords() {
  std::vector<std::string> words;
  for (const auto& [mode, word] : kModes) words.emplace_back(word);
  return words;
}

}  // namespace

std::string_view NameOf(Mode mode) {
  for (const auto& [known, word] : kModes) {
    if (known == mode) return word;
  }
  return "append";
}

Result<Mode> ParseMode(std::string_view word, const Mark& mark) {
  for (const auto& [mode, known] : kModes) {
    if (known == word) return mode;
  }
  for (std::string_view later : kLaterModes) {
    if (later == word) {
      return ConfigError(mark, fmt::format("mode '{}' is not built yet: comes with checks", word));
    }
  }
  const std::vector<std::string> words = ModeWords();
  const auto nearest = Nearest(word, words);
  return ConfigError(mark, fmt::format("unknown mode '{}'; {}valid: {}", word,
                                       nearest ? fmt::format("did you mean '{}'? ", *nearest) : "",
                                       Join(words, ", ")));
}

Status CheckMode(const Load& load) {
  const std::string_view mode = NameOf(load.mode);
  const bool by_key =
      load.mode == Mode::kInsert || load.mode == Mode::kUpsert || load.mode == Mode::kReplace;
  if (by_key && load.key.empty()) {
    return ConfigError(
        load.mark,
        load.mode == Mode::kReplace
            ? "mode 'replace' replaces the rows of the keys that come: it needs 'key'; "
              "to replace the whole table, did you mean 'overwrite'?"
            : fmt::format("mode '{}' needs 'key': the column or columns that make a row itself",
                          mode));
  }
  if (load.mode == Mode::kReplacePartition && load.partition.empty()) {
    return ConfigError(
        load.mark, "mode 'replace_partition' needs 'partition': a column, or { column: value }");
  }
  if (load.mode != Mode::kReplacePartition && !load.partition.empty()) {
    return ConfigError(
        load.mark,
        fmt::format("'partition' belongs to mode 'replace_partition', not to '{}'", mode));
  }
  for (const std::string& key : load.key) {
    if (Find(load.schema, key) != nullptr) continue;
    const std::vector<std::string> names = VisibleNames(load.schema);
    const auto nearest = Nearest(key, names);
    return ConfigError(
        load.mark, fmt::format("the key '{}' is not a column of the rows; {}the rows have: {}", key,
                               nearest ? fmt::format("did you mean '{}'? ", *nearest) : "",
                               Join(names, ", ")));
  }
  return Ok();
}

std::vector<std::string> CommonLoadKeys() { return {"into", "mode", "renamed_from"}; }

Spec<LoadConfig> LoadSpec() {
  std::vector<std::string> modes = ModeWords();
  modes.emplace_back("view");
  modes.insert(modes.end(), kLaterModes.begin(), kLaterModes.end());
  return Spec<LoadConfig>(
             "load",
             "Writes the rows to a table or to files, and hands them on once they are there.")
      .Text(&LoadConfig::into, "into", "Name of a connection, or `file`.", Need::kRequired)
      .TextSlot(&LoadConfig::table, "table",
                "Table to write, `name` or `schema.name`; created where it is missing.")
      .TextSlot(&LoadConfig::path, "path",
                "File to write, or a folder (ending in `/`) that gets one file per epoch; with "
                "`{{ row.day }}`, `{{ file.stem }}`, `{{ batch.id }}` in it one file for each.")
      .Choice(&LoadConfig::mode, "mode", "What happens to rows that are there already.",
              std::move(modes))
      .List(&LoadConfig::key, "key", "The columns that make a row itself.", Slot::kText,
            "column or list of columns")
      .Names(&LoadConfig::partition, "partition",
             "The part of the table that is replaced: a column (its values come from the rows), or "
             "column or "
             "expression -> value.",
             Slot::kColumn, "column, or map column or expression -> value")
      .Choice(&LoadConfig::format, "format",
              "Format of the files; 'auto' goes by the path's extension.",
              {"auto", "csv", "ndjson", "avro", "parquet"})
      .Choice(&LoadConfig::compression, "compression",
              "Compression of the files; 'auto' goes by the path's extension, and is snappy for "
              "Parquet, gzip (deflate) for Avro.",
              {"auto", "snappy", "gzip", "zstd", "none"})
      .Choice(
          &LoadConfig::provenance, "provenance",
          "Whether a table that is created gets the column _sluice_epoch; 'before': and what the "
          "load changes or removes is kept in _sluice_before (duckdb).",
          {"on", "off", "before"})
      .Integer(&LoadConfig::batch_size, "batch_size",
               "The most rows that are sent to a database at once; 0: as many as there are. The "
               "transaction is the epoch all the same.")
      .Whole(&LoadConfig::latest, "latest",
             "A view beside the table with the newest row of each key: { view, key, order_by }.",
             "map of view, key, order_by")
      .Text(
          &LoadConfig::renamed_from, "renamed_from",
          "What this step was called when it loaded before, `step` or `pipeline.step`: it goes on "
          "from there; `none`: it is another one.")
      .Reserved("contract", "What happens when columns or types change.", "schema contracts")
      .List(&LoadConfig::compare, "compare",
            "An upsert writes only rows that have changed: in any column (all), by a checksum of "
            "them, or in those named.",
            Slot::kText, "all, checksum, or list of columns")
      .List(&LoadConfig::ignore, "ignore", "Columns that do not decide whether a row has changed.",
            Slot::kText, "column or list of columns")
      .Reserved("history", "Columns of scd2 and scd3.", "checks")
      .Reserved("version", "Number of the table's version.", "schema contracts")
      .Reserved("fresh", "How old the target may become.", "the checks")
      .Reserved("topic", "Topic to write.", "Kafka")
      .Reserved("headers", "Headers of messages.", "Kafka")
      .Reserved("method", "HTTP method.", "API workflows")
      .Reserved("body", "HTTP body.", "API workflows")
      .Reserved("idempotency_key", "Key of an HTTP request.", "API workflows");
}

}  // namespace sluice
