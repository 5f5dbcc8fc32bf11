// See modes.h.
#include "connector/duckdb/modes.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace sluice::duckdb {
namespace {

constexpr std::string_view kRows = "temp.main._sluice_rows";
constexpr std::string_view kPartitionError = "sluice_partition:";

std::string TermText(const Target& target, const Load& load, const PartitionTerm& term) {
  const bool column = target.Has(term.column) || Find(load.schema, term.column) != nullptr;
  return column ? QuoteIdentifier(term.column) : "(" + term.column + ")";
}

// The rows into a temporary table, where they can be read more than once.
std::string StageText(const std::vector<std::string>& values, const Load& load,
                      const Incoming& rows) {
  std::string others = rows.staged ? fmt::format(", {}", QuoteIdentifier(kEpochColumn)) : "";
  for (const Column& column : load.order) {
    if (column.hidden) others += ", " + QuoteIdentifier(column.name);
  }
  return fmt::format("CREATE OR REPLACE TEMP TABLE _sluice_rows AS SELECT {}{} FROM ({}) AS _rows",
                     Join(values, ", "), others, rows.select);
}

std::vector<std::string> QuotedNames(const Load& load) {
  std::vector<std::string> names;
  for (const Column& column : Visible(load.schema)) names.push_back(QuoteIdentifier(column.name));
  return names;
}

std::string Loading(const Load& load) { return fmt::format("loading into '{}'", load.target); }

class Application {  // one load of one landing
 public:
  Application(sql::Session& session, const Target& target, const Load& load, const Incoming& rows,
              const Keeping& keeping, std::stop_token stop)
      : session_(session),
        target_(target),
        load_(load),
        rows_(rows),
        keeping_(keeping),
        stop_(std::move(stop)),
        bound_(rows.bound),
        names_(QuotedNames(load)) {
    for (size_t i = 0; i < load.partition.size(); ++i) {
      if (!load.partition[i].value) continue;
      sql::Bound value = *load.partition[i].value;
      value.name = fmt::format("sluice_partition_{}", i);
      bound_.push_back(std::move(value));
    }
  }

  Result<Landed> Run() {
    if (IsStagedFirst(load_)) TRY(CountStaged());
    switch (load_.mode) {
      case Mode::kAppend:
        return Append();
      case Mode::kInsert:
        return Insert();
      case Mode::kUpsert:
        return Upsert();
      case Mode::kReplace:
        return Replace();
      case Mode::kOverwrite:
        return Overwrite();
      case Mode::kReplacePartition:
        return ReplacePartition();
    }
    return InternalError("an unknown load mode");
  }

 private:
  Result<Landed> Append() {
    const uint64_t rows = TRY(Execute(InsertText(fmt::format("({})", rows_.select), rows_.epoch)));
    return Landed{.rows = rows, .inserted = rows};
  }

  Result<Landed> Insert() {
    TRY(RefuseNullKeys());
    if (TRY(Count(DistinctKeys())) < staged_) return RepeatedKey();
    const std::string known =
        fmt::format("SELECT {} FROM {} AS s WHERE EXISTS (SELECT 1 FROM {} AS t WHERE {}) LIMIT 1",
                    KeyList(""), kRows, target_.quoted, KeysEqual("s", "t"));
    const sql::Rows clash = TRY(session_.Query(known, {}, stop_));
    if (!clash.rows.empty()) {
      return DataError(fmt::format(
          "{}: a row with {} is there already; mode 'insert' refuses it: use 'upsert' to update "
          "it, or filter the rows",
          Loading(load_), KeyText(clash.rows[0])));
    }
    return InsertStaged(Landed{.rows = staged_});
  }

  Result<Landed> Upsert() {
    TRY(RefuseNullKeys());
    Landed landed{.rows = staged_};
    TRY(MergeRepeats(landed));
    if (load_.compared) TRY(DropUnchanged(landed));
    TRY(KeepByKey());
    if (!target_.ColumnsNotIn(load_.schema).empty()) return UpsertKeepingColumns(landed);
    landed.updated += TRY(DeleteByKey());
    const uint64_t written = TRY(Execute(InsertText(std::string(kRows), StagedEpoch())));
    landed.inserted = landed.rows - landed.updated - landed.unchanged - landed.touched;
    if (written + landed.unchanged + landed.touched > landed.rows)
      return InternalError(Loading(load_) + ": more rows were written than came");
    return Finish(landed);
  }

  // The target has columns that the rows do not: an update leaves them as they are.
  Result<Landed> UpsertKeepingColumns(Landed landed) {
    const std::string kept = Kept("t.");
    TRY(Execute(fmt::format(
        "CREATE OR REPLACE TEMP TABLE _sluice_kept AS SELECT s.*, {}, t.rowid IS NOT NULL AS "
        "_sluice_known FROM {} AS s LEFT JOIN {} AS t ON {}",
        kept, kRows, target_.quoted, KeysEqual("s", "t"))));
    landed.updated += TRY(DeleteByKey());
    TRY(Execute(InsertText("(SELECT * FROM temp.main._sluice_kept WHERE NOT _sluice_known)",
                           StagedEpoch())));
    for (const std::string& name : target_.ColumnsNotIn(load_.schema))
      names_.push_back(QuoteIdentifier(name));
    TRY(Execute(
        InsertText("(SELECT * FROM temp.main._sluice_kept WHERE _sluice_known)", StagedEpoch())));
    TRY(Execute("DROP TABLE temp.main._sluice_kept"));
    landed.inserted = landed.rows - landed.updated - landed.unchanged - landed.touched;
    return Finish(landed);
  }

  Result<Landed> Replace() {
    TRY(RefuseNullKeys());
    Landed landed{.rows = staged_};
    TRY(KeepByKey());
    landed.deleted += TRY(DeleteByKey());
    landed.inserted += TRY(Execute(InsertText(std::string(kRows), StagedEpoch())));
    return Finish(landed);
  }

  Result<Landed> Overwrite() {
    Landed landed{.deleted = TRY(Count("SELECT count(*) FROM " + target_.quoted))};
    TRY(Keep("true"));
    if (TRY(IsPlain(session_, target_))) {
      TRY(Execute(fmt::format("CREATE OR REPLACE TABLE {} AS SELECT {} FROM ({}) AS _rows",
                              target_.quoted, NewContents(), rows_.select)));
      landed.rows = TRY(Count("SELECT count(*) FROM " + target_.quoted));
    } else {
      // Constraints, defaults and comments are the user's: the table stays, its rows go.
      TRY(Execute("DELETE FROM " + target_.quoted));
      landed.rows = TRY(Execute(InsertText(fmt::format("({})", rows_.select), rows_.epoch)));
    }
    landed.inserted = landed.rows;
    return landed;
  }

  Result<Landed> ReplacePartition() {
    std::vector<std::string> given, from_rows, columns;
    for (size_t i = 0; i < load_.partition.size(); ++i) {
      const PartitionTerm& term = load_.partition[i];
      const std::string text = TermText(target_, load_, term);
      if (term.value) {
        given.push_back(fmt::format("{} IS NOT DISTINCT FROM {}", text, GivenText(i)));
      } else {
        from_rows.push_back(fmt::format("{} IS NOT DISTINCT FROM _p._sluice_{}", text, i));
        columns.push_back(fmt::format("{} AS _sluice_{}", text, i));
      }
    }
    given_ = Join(given, " AND ");
    return from_rows.empty() ? ReplaceGiven() : ReplaceOccurring(given, from_rows, columns);
  }

  Result<Landed> ReplaceGiven() {
    Landed landed;
    TRY(Keep(given_));
    landed.deleted = TRY(Execute(fmt::format("DELETE FROM {} WHERE {}", target_.quoted, given_)));
    landed.rows = TRY(Execute(InsertText(fmt::format("({})", rows_.select), rows_.epoch)));
    landed.inserted = landed.rows;
    return landed;
  }

  Result<Landed> ReplaceOccurring(const std::vector<std::string>& given,
                                  std::vector<std::string> conditions,
                                  const std::vector<std::string>& columns) {
    TRY(Execute(StageText(Checked(), load_, rows_)));
    TRY(CountStaged());
    conditions.insert(conditions.end(), given.begin(), given.end());
    Landed landed{.rows = staged_};
    const std::string occurring =
        fmt::format("(SELECT DISTINCT {} FROM {}) AS _p WHERE {}", Join(columns, ", "), kRows,
                    Join(conditions, " AND "));
    TRY(Keep(fmt::format("EXISTS (SELECT 1 FROM {})", occurring)));
    landed.deleted =
        TRY(Execute(fmt::format("DELETE FROM {} USING {}", target_.quoted, occurring)));
    given_.clear();  // staging has checked them
    return InsertStaged(landed);
  }

  Status Keep(const std::string& condition) {
    if (!load_.keeps_before) return Ok();
    return keeping_.before.Keep(session_, keeping_.epoch, target_, load_, condition, bound_, stop_);
  }
  Status KeepByKey() {
    return Keep(fmt::format("EXISTS (SELECT 1 FROM {} AS s WHERE {})", kRows, KeysEqual("t", "s")));
  }

  Status CountStaged() {
    staged_ = TRY(Count(fmt::format("SELECT count(*) FROM {}", kRows)));
    return Ok();
  }

  Result<Landed> InsertStaged(Landed landed) {
    landed.inserted = TRY(Execute(InsertText(std::string(kRows), StagedEpoch())));
    return Finish(landed);
  }

  Result<Landed> Finish(Landed landed) {
    TRY(Execute(fmt::format("DROP TABLE {}", kRows)));
    return landed;
  }

  Status RefuseNullKeys() {
    for (const std::string& key : load_.key) {
      const uint64_t nulls = TRY(Count(
          fmt::format("SELECT count(*) FROM {} WHERE {} IS NULL", kRows, QuoteIdentifier(key))));
      if (nulls == 0) continue;
      return DataError(fmt::format(
          "{}: the key '{}' is NULL in {} of {} rows; filter them out ({} IS NOT NULL) or give "
          "them a key",
          Loading(load_), key, nulls, staged_, QuoteIdentifier(key)));
    }
    return Ok();
  }

  // Leaves one row of each key.
  Status MergeRepeats(Landed& landed) {
    const uint64_t keys = TRY(Count(DistinctKeys()));
    if (keys == staged_) return Ok();
    landed.updated += TRY(DropSuperseded());
    const uint64_t rows = TRY(Count(fmt::format("SELECT count(*) FROM {}", kRows)));
    if (keys == rows) return Ok();
    const std::string epoch =
        rows_.staged ? fmt::format(", max({0}) AS {0}", QuoteIdentifier(kEpochColumn)) : "";
    TRY(Execute(
        fmt::format("CREATE OR REPLACE TEMP TABLE _sluice_distinct AS SELECT {1}{2} FROM {0} GROUP "
                    "BY {1}; DROP TABLE {0}; "
                    "ALTER TABLE temp.main._sluice_distinct RENAME TO _sluice_rows",
                    kRows, Join(names_, ", "), epoch)));
    if (TRY(Count(fmt::format("SELECT count(*) FROM {}", kRows))) > keys) return RepeatedKey();
    landed.unchanged += rows - keys;
    return Ok();
  }

  // Rows that the table has already, wholly or as far as it counts.
  Status DropUnchanged(Landed& landed) {
    const auto drop = [&](const std::vector<std::string>& columns) {
      return Execute(fmt::format("DELETE FROM {} AS s USING {} AS t WHERE {}{}", kRows,
                                 target_.quoted, KeysEqual("s", "t"), SameIn(columns)));
    };
    landed.unchanged += TRY(drop(VisibleNames(load_.schema)));
    landed.touched += TRY(drop(*load_.compared));
    return Ok();
  }

  std::string SameIn(const std::vector<std::string>& columns) const {
    std::string same, ours, theirs;
    for (const std::string& name : columns) {
      if (!target_.Has(name)) continue;
      const std::string column = QuoteIdentifier(name);
      same += fmt::format(" AND s.{0} IS NOT DISTINCT FROM t.{0}", column);
      ours += fmt::format("{}s.{}", ours.empty() ? "" : ", ", column);
      theirs += fmt::format("{}CAST(t.{} AS {})", theirs.empty() ? "" : ", ", column,
                            Find(load_.schema, name)->type);
    }
    if (!load_.by_checksum || same.empty()) return same;
    return fmt::format(" AND md5(CAST(row({}) AS VARCHAR)) = md5(CAST(row({}) AS VARCHAR))", ours,
                       theirs);
  }

  // Rows of a key that are followed by a later one.
  Result<uint64_t> DropSuperseded() {
    if (load_.order.empty()) return uint64_t{0};
    std::vector<std::string> latest;
    for (const Column& column : load_.order)
      latest.push_back(QuoteIdentifier(column.name) + " DESC NULLS LAST");
    return Execute(fmt::format(
        "DELETE FROM {0} WHERE rowid IN (SELECT _row FROM (SELECT rowid AS _row, rank() OVER "
        "(PARTITION BY {1} ORDER BY {2}) AS _rank FROM {0}) WHERE _rank > 1)",
        kRows, KeyList(""), Join(latest, ", ")));
  }

  Error RepeatedKey() {
    auto found = session_.Query(
        fmt::format(
            "SELECT {0}, count(*) FROM {1} GROUP BY {0} HAVING count(*) > 1 ORDER BY ALL LIMIT 1",
            KeyList(""), kRows),
        {}, stop_);
    if (!found.ok()) return std::move(found).error();
    if (found.value().rows.empty())
      return InternalError(Loading(load_) + ": repeated keys that nobody finds");
    const auto& row = found.value().rows[0];
    return DataError(fmt::format(
        "{}: {} rows have {}, and nothing says which of them counts; put a step before it: "
        "dedupe: {{ key: [{}], order_by: … }}",
        Loading(load_), row.back().text, KeyText(row), Join(load_.key, ", ")));
  }

  Result<uint64_t> DeleteByKey() {
    const std::string keys = load_.mode == Mode::kReplace
                                 ? fmt::format("(SELECT DISTINCT {} FROM {})", KeyList(""), kRows)
                                 : std::string(kRows);
    return Execute(fmt::format("DELETE FROM {} AS t USING {} AS s WHERE {}", target_.quoted, keys,
                               KeysEqual("t", "s")));
  }

  std::string InsertText(const std::string& from, const std::string& epoch) const {
    std::vector<std::string> into = names_, values = from == kRows ? names_ : Checked();
    if (target_.provenance) {
      into.push_back(QuoteIdentifier(kEpochColumn));
      values.push_back(epoch);
    }
    return fmt::format("INSERT INTO {} ({}) SELECT {} FROM {} AS _rows", target_.quoted,
                       Join(into, ", "), Join(values, ", "), from);
  }

  // The columns, the first of them guarded: a row outside the partition given ends the statement.
  // In the select list no optimiser moves it below the rows' own filters.
  std::vector<std::string> Checked() const {
    std::vector<std::string> values = names_;
    if (given_.empty() || values.empty()) return values;
    std::vector<std::string> shown;
    for (size_t i = 0; i < load_.partition.size(); ++i) {
      if (!load_.partition[i].value) continue;
      const std::string text = TermText(target_, load_, load_.partition[i]);
      shown.push_back(fmt::format("{} || coalesce(CAST({} AS VARCHAR), 'NULL')",
                                  QuoteLiteral(load_.partition[i].column + " = "), text));
    }
    values[0] =
        fmt::format("CASE WHEN {} THEN {} ELSE error({} || {}) END AS {}", given_, values[0],
                    QuoteLiteral(kPartitionError), Join(shown, " || ', ' || "), values[0]);
    return values;
  }

  // All columns of the target in its order, for a table that takes its place.
  std::string NewContents() const {
    std::vector<std::string> values;
    for (const Column& column : target_.columns) {
      std::string value = "NULL";
      if (column.name == kEpochColumn) {
        value = rows_.epoch;
      } else if (Find(load_.schema, column.name) != nullptr) {
        value = QuoteIdentifier(column.name);
      }
      values.push_back(
          fmt::format("CAST({} AS {}) AS {}", value, column.type, QuoteIdentifier(column.name)));
    }
    return Join(values, ", ");
  }

  std::string GivenText(size_t term) const {
    return fmt::format("CAST($sluice_partition_{} AS {})", term, load_.partition[term].value->type);
  }
  std::string StagedEpoch() const {
    return rows_.staged ? QuoteIdentifier(kEpochColumn) : rows_.epoch;
  }
  std::string Kept(std::string_view prefix) const {
    std::vector<std::string> names;
    for (const std::string& name : target_.ColumnsNotIn(load_.schema)) {
      names.push_back(std::string(prefix) + QuoteIdentifier(name));
    }
    return Join(names, ", ");
  }
  std::string KeyList(std::string_view prefix) const {
    std::vector<std::string> names;
    for (const std::string& key : load_.key)
      names.push_back(std::string(prefix) + QuoteIdentifier(key));
    return Join(names, ", ");
  }
  std::string KeysEqual(std::string_view left, std::string_view right) const {
    std::vector<std::string> equal;
    for (const std::string& key : load_.key) {
      equal.push_back(fmt::format("{0}.{2} = {1}.{2}", left, right, QuoteIdentifier(key)));
    }
    return Join(equal, " AND ");
  }
  std::string DistinctKeys() const {
    return fmt::format("SELECT count(*) FROM (SELECT DISTINCT {} FROM {})", KeyList(""), kRows);
  }
  std::string KeyText(const std::vector<sql::Cell>& row) const {
    std::vector<std::string> parts;
    for (size_t i = 0; i < load_.key.size(); ++i)
      parts.push_back(fmt::format("{} = '{}'", load_.key[i], row[i].text));
    return Join(parts, ", ");
  }
  Result<uint64_t> Execute(const std::string& text) {
    auto done = session_.Execute(text, bound_, stop_);
    if (done.ok()) return done;
    const std::string& message = done.error().message;
    const size_t at = message.find(kPartitionError);
    if (at == std::string::npos) return std::move(done).error().While(Loading(load_));
    std::vector<std::string> wanted;
    for (const PartitionTerm& term : load_.partition) {
      if (term.value)
        wanted.push_back(fmt::format("{} = {}", term.column, term.value->text.value_or("NULL")));
    }
    const std::string found = message.substr(at + kPartitionError.size());
    return DataError(fmt::format(
        "{}: a row has {}, but the load replaces the partition {}; filter the rows to it, or name "
        "the column alone to take its values from the rows",
        Loading(load_), found.substr(0, found.find('\n')), Join(wanted, ", ")));
  }

  Result<uint64_t> Count(const std::string& text) {
    return static_cast<uint64_t>(TRY(QueryNumber(session_, text, bound_, stop_)));
  }

  sql::Session& session_;
  const Target& target_;
  const Load& load_;
  const Incoming& rows_;
  const Keeping& keeping_;
  std::stop_token stop_;
  std::vector<sql::Bound> bound_;
  std::vector<std::string> names_;
  std::string given_;
  uint64_t staged_ = 0;
};

}  // namespace

bool IsStagedFirst(const Load& load) {
  return load.mode == Mode::kInsert || load.mode == Mode::kUpsert || load.mode == Mode::kReplace;
}

Status StageRows(sql::Session& session, const Load& load, const Incoming& rows,
                 std::stop_token stop) {
  TRY(session.Execute(StageText(QuotedNames(load), load, rows), rows.bound, std::move(stop))
          .While(Loading(load)));
  return Ok();
}

Result<Landed> Apply(sql::Session& session, const Target& target, const Load& load,
                     const Incoming& rows, const Keeping& keeping, std::stop_token stop) {
  return Application(session, target, load, rows, keeping, std::move(stop)).Run();
}

std::string TurnOf(const TableName& table, const Load& load) {
  if (load.mode == Mode::kAppend) return "";
  std::string turn = "table:" + Format(table);
  for (const PartitionTerm& term : load.partition) {
    if (!term.value) return "table:" + Format(table);
    turn += "/" + term.column + "=" + term.value->text.value_or("NULL");
  }
  return turn;
}

}  // namespace sluice::duckdb
