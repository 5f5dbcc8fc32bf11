// What a `load` step says, for every kind of sink.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/schema.h"
#include "spec/field.h"
#include "sql/database.h"

namespace sluice {

enum class Mode : uint8_t { kAppend, kInsert, kUpsert, kReplace, kOverwrite, kReplacePartition };
std::string_view NameOf(Mode mode);

// What becomes of rows that a destination refuses: the epoch fails, or they are dead letters.
enum class OnRefusal : uint8_t { kFail, kReject };
// kConfig at `mark` for a word that is no mode, or one that is not built yet.
Result<Mode> ParseMode(std::string_view word, const Mark& mark);

struct LoadConfig {
  std::string into;  // a connection's name, or file
  Mark mark;
  Written table, path;
  std::string mode = "append";
  std::vector<Written> key;
  std::vector<NamedWritten>
      partition;  // column (value empty: the rows say), or column or expression -> value
  std::string format = "auto", compression = "auto";
  std::string provenance = "on";
  std::vector<Written> compare, ignore;  // all, checksum or columns; columns
  int64_t batch_size = 0;
  Node latest;  // { view, key, order_by }
  std::string renamed_from;
};

Spec<LoadConfig> LoadSpec();
std::vector<std::string> CommonLoadKeys();  // of every destination

struct PartitionTerm {
  std::string column;               // a column of the target, or an expression over its columns
  std::optional<sql::Bound> value;  // absent: the values that occur in the rows
};

// A path that depends on the rows, the epoch or the file that a row comes from.
struct PathTemplate {
  std::string root;  // the folders before the first such part; ends in `/`, or is empty
  std::string sql;   // what follows, of a row: over the row as "row"; $sluice_batch is the epoch
  bool of_files = false;   // uses kPartitionColumn, which comes with the rows
  bool of_epochs = false;  // no two epochs write one file
};

// One target of a flow, exact.
struct Load {
  std::string step;
  std::string target;  // table "schema.name", or a path
  Mode mode = Mode::kAppend;
  std::vector<std::string> key;
  std::vector<PartitionTerm> partition;
  Schema schema;  // visible columns of the rows
  Schema order;   // upsert: the columns by which a row of a key is later than another; a hidden one
                  // comes with the rows that are written. Empty: nothing says it
  // upsert: a row that the target has already is not written where it is the same in these columns;
  // nullopt: each is written.
  std::optional<std::vector<std::string>> compared = {};
  bool by_checksum = false;
  std::string format, compression;    // files
  std::optional<PathTemplate> paths;  // files
  bool provenance = true;
  bool keeps_before = false;  // what it changes or removes stays known (`_sluice_before`)
  std::string latest = {};    // statement that makes the view of `latest`; empty: none
  OnRefusal on_refusal = OnRefusal::kFail;
  uint64_t batch_size = 0;  // rows that are sent at once, at most; 0: as many as there are
  Mark mark;

  // Whether its rows are taken piece by piece.
  bool in_pieces() const { return on_refusal == OnRefusal::kReject || batch_size > 0; }
};

// Whether mode, key, partition and the rows' columns fit together (kConfig), for every sink.
Status CheckMode(const Load& load);

}  // namespace sluice
