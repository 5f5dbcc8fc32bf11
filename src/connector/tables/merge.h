// What each load mode does to a table, as statements of one transaction, in the SQL that the
// systems share. Every count is the system's own.
//
// Rows come from a query of DuckDB's, or from a stage of the lane's. Where the system can take rows
// straight into a table while they are computed, `append` and `overwrite` do so; else, and in all
// other modes, they are gathered in a temporary table first, so that the database is locked only
// for the statements that merge them.
//
// Repeated keys: `insert` refuses them. Of an `upsert` the last row of a key by Load::order counts,
// those before it as updates; rows of a key that are equal in every column are one (the repeats
// count as unchanged), different ones that no order tells apart are refused. `replace` takes all
// rows of a key. A column that the rows do not have keeps its value.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "connector/sink.h"
#include "connector/tables/target.h"

namespace sluice::tables {

// Rows on their way into a table: from a query, or from a table of the lane's stage.
struct Incoming {
  std::optional<Outgoing> query;
  std::string staged;  // as SQL names it; it has the load's columns and kEpochColumn
  EpochId epoch;
};

// What replaces does two things, and rows that are added piece by piece need them apart.
enum class Part : uint8_t { kBoth, kClear, kAdd };

class Merge {  // one load of one landing
 public:
  static Result<Merge> Make(Link& link, const System& system, const Target& target,
                            const Load& load, const Incoming& rows, std::stop_token stop,
                            Part part = Part::kBoth);

  // Before the transaction: gathers the rows, where they are not taken directly.
  Status Gather();
  // Within it.
  Result<Landed> Apply();

 private:
  Merge(Link& link, const System& system, const Target& target, const Load& load,
        const Incoming& rows, std::vector<SentColumn> columns, std::vector<SentColumn> order,
        std::stop_token stop, Part part);

  bool direct() const;
  Status CreateTemporary(std::string_view name, const std::string& what);
  Result<Landed> ByMode();
  Result<Landed> Append(Landed landed);
  Result<Landed> Overwrite();
  Result<Landed> Insert();
  Result<Landed> Upsert();
  Result<Landed> Replace();
  Result<Landed> ReplacePartition();
  Status RefuseOthers(const std::vector<std::string>& given);
  Status RefuseNullKeys();
  Status MergeRepeats(Landed& landed);
  Status DropUnchanged(Landed& landed);
  Status RefuseRepeats(const std::string& which);
  Result<Landed> InsertStaged(Landed landed);
  std::string InsertText() const;
  std::string EpochText() const;
  std::string Ranked() const;
  std::string KeysEqual() const;
  std::string TermText(const PartitionTerm& term) const;
  std::string KeyText(const std::vector<Value>& row) const;
  std::string Loading() const;
  Error AlreadyThere(const std::string& which) const;
  Result<Answer> Ask(const std::string& text);
  Result<uint64_t> Change(const std::string& text);
  Result<uint64_t> Count(const std::string& what);

  Link& link_;
  const System& system_;
  const Target& target_;
  const Load& load_;
  const Incoming& rows_;
  const std::vector<SentColumn> columns_, order_;
  std::stop_token stop_;
  Part part_;
  std::vector<std::string> names_, keys_;  // quoted
  std::vector<std::string_view> made_;     // temporary tables
  std::string from_;                       // where the gathered rows are
  uint64_t staged_ = 0;
};

inline constexpr std::string_view kStageRow = "_sluice_row";  // numbers the rows of a stage
// The definitions of a table that holds a load's rows until they are merged.
std::vector<std::string> StageColumns(const System& system, const std::vector<SentColumn>& columns,
                                      const std::vector<SentColumn>& order);

// The name under which two landings of this load exclude each other; empty: they need not (append).
std::string LockOf(const TableName& table, const Load& load);

}  // namespace sluice::tables
