// See modes.h.
#include "connector/postgres/modes.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace sluice::postgres {
namespace {

constexpr std::string_view kRows = "pg_temp._sluice_rows";
constexpr std::string_view kCardinality = "21000";  // one key twice in one INSERT … ON CONFLICT
constexpr std::string_view kUnique = "23505", kNotNull = "23502";

class Application {  // one load of one landing
 public:
  Application(Connection& connection, const Target& target, const Load& load, const Incoming& rows,
              std::vector<EncodedColumn> columns, std::stop_token stop, Part part)
      : connection_(connection),
        target_(target),
        load_(load),
        rows_(rows),
        columns_(std::move(columns)),
        stop_(std::move(stop)),
        part_(part) {
    for (const EncodedColumn& column : columns_) {
      names_.push_back(QuoteIdentifier(column.name));
      const bool text = column.write.path == Path::kThroughText;
      direct_ = direct_ && !text;
      values_.push_back(text ? fmt::format("CAST(s.{} AS {})", names_.back(),
                                           target_.Find(column.name)->type.shown)
                             : "s." + names_.back());
    }
    for (const std::string& key : load_.key) {
      const TypedColumn* column = target_.Find(key);
      keys_.push_back(QuoteIdentifier(column == nullptr ? key : column->name));
    }
  }

  Result<Landed> Run() {
    const bool replaces = load_.mode == Mode::kOverwrite || load_.mode == Mode::kReplacePartition;
    if (part_ == Part::kClear && !replaces) return Landed{};
    switch (load_.mode) {
      case Mode::kAppend:
        return Append({});
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
  Result<Landed> Append(Landed landed) {
    if (rows_.query && direct_) {
      landed.rows = landed.inserted = TRY(CopyInto(target_.quoted, columns_, TargetEpoch()));
      return landed;
    }
    TRY(Stage());
    return InsertStaged(landed);
  }

  Result<Landed> Insert() {
    if (rows_.query && direct_ && target_.HasUniqueKey(load_.key)) {
      auto copied = CopyInto(target_.quoted, columns_, TargetEpoch());
      if (!copied.ok() && connection_.refusal().state == kUnique) return AlreadyThere();
      const uint64_t rows = TRY(std::move(copied));
      return Landed{.rows = rows, .inserted = rows};
    }
    TRY(Stage());
    TRY(RefuseNullKeys());
    TRY(RefuseRepeats("count(*) > 1"));
    const Answer clash =
        TRY(Ask(fmt::format("SELECT {} FROM {} AS s JOIN {} AS t ON {} LIMIT 1", KeyTexts("s."),
                            from_, target_.quoted, KeysEqual("s", "t"))));
    if (!clash.rows.empty()) {
      return DataError(fmt::format(
          "{}: a row with {} is there already; mode 'insert' refuses it: use 'upsert' to update "
          "it, or filter the rows",
          Loading(), KeyText(clash.rows[0])));
    }
    return InsertStaged({});
  }

  Error AlreadyThere() const {
    return DataError(fmt::format(
        "{}: {} mode 'insert' refuses it: use 'upsert' to update it, or filter the rows", Loading(),
        EscapeControl(connection_.refusal().detail)));
  }

  Result<Landed> Upsert() {
    TRY(Stage());
    TRY(RefuseNullKeys());
    Landed landed{.rows = staged_};
    if (load_.compared) {
      TRY(MergeRepeats(landed));
      TRY(DropUnchanged(landed));
    }
    if (!target_.HasUniqueKey(load_.key)) {
      if (!load_.compared) TRY(MergeRepeats(landed));
      return UpsertByHand(landed);
    }
    // Repeated keys are rare: whether there are any the merge itself says.
    TRY(Change("SAVEPOINT _sluice_merge"));
    auto merged = MergeByIndex(landed);
    if (merged.ok() || connection_.refusal().state != kCardinality) return merged;
    TRY(Change("ROLLBACK TO SAVEPOINT _sluice_merge"));
    TRY(MergeRepeats(landed));
    return MergeByIndex(landed);
  }

  Result<Landed> MergeByIndex(Landed landed) {
    std::vector<std::string> changes;
    for (const std::string& name : names_) {
      if (std::find(keys_.begin(), keys_.end(), name) == keys_.end())
        changes.push_back(fmt::format("{0} = EXCLUDED.{0}", name));
    }
    if (target_.provenance) changes.push_back(fmt::format("{0} = EXCLUDED.{0}", kEpochColumn));
    if (changes.empty()) changes.push_back(fmt::format("{0} = EXCLUDED.{0}", keys_[0]));
    const Answer counts = TRY(Ask(fmt::format(
        "WITH merged AS ({} ON CONFLICT ({}) DO UPDATE SET {} RETURNING (xmax = 0) AS fresh) "
        "SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM merged",
        InsertText(), Join(keys_, ", "), Join(changes, ", "))));
    landed.inserted = Number(counts, 0);
    landed.updated += Number(counts, 1);
    return Finish(landed);
  }

  // The table has no unique index on the key.
  Result<Landed> UpsertByHand(Landed landed) {
    std::vector<std::string> changes;
    for (size_t i = 0; i < names_.size(); ++i)
      changes.push_back(fmt::format("{} = {}", names_[i], values_[i]));
    if (target_.provenance) changes.push_back(fmt::format("{} = {}", kEpochColumn, EpochText()));
    TRY(Change("ANALYZE " + from_));
    TRY(Change(fmt::format("UPDATE {} AS t SET {} FROM {} AS s WHERE {}", target_.quoted,
                           Join(changes, ", "), from_, KeysEqual("s", "t"))));
    const uint64_t inserted =
        TRY(Change(fmt::format("{} WHERE NOT EXISTS (SELECT 1 FROM {} AS t WHERE {})", InsertText(),
                               target_.quoted, KeysEqual("s", "t"))));
    landed.inserted = inserted;
    // An update of several rows with one key in the table is one of ours.
    landed.updated = landed.rows - landed.unchanged - landed.touched - inserted;
    return Finish(landed);
  }

  Result<Landed> Replace() {
    TRY(Stage());
    TRY(RefuseNullKeys());
    Landed landed;
    TRY(Change("ANALYZE " + from_));
    landed.deleted = TRY(
        Change(fmt::format("DELETE FROM {} AS t USING (SELECT DISTINCT {} FROM {}) AS s WHERE {}",
                           target_.quoted, Join(keys_, ", "), from_, KeysEqual("s", "t"))));
    landed = TRY(InsertStaged(landed));
    landed.rows = staged_;
    return landed;
  }

  Result<Landed> Overwrite() {
    Landed landed;
    if (part_ != Part::kAdd) landed.deleted = TRY(Change("DELETE FROM " + target_.quoted));
    return part_ == Part::kClear ? landed : Append(landed);
  }

  Result<Landed> ReplacePartition() {
    TRY(Stage());
    std::vector<std::string> given, equal, columns, nulls;
    for (size_t i = 0; i < load_.partition.size(); ++i) {
      const PartitionTerm& term = load_.partition[i];
      const std::string text = TermText(term);
      if (term.value) {
        given.push_back(fmt::format("{} IS NOT DISTINCT FROM {}", text, ValueText(*term.value)));
        continue;
      }
      equal.push_back(fmt::format("{} = p._sluice_{}", text, i));
      nulls.push_back(fmt::format("{} IS NOT DISTINCT FROM p._sluice_{}", text, i));
      columns.push_back(fmt::format("{} AS _sluice_{}", text, i));
    }
    if (!given.empty() && part_ != Part::kClear) TRY(RefuseOthers(Join(given, " AND ")));
    Landed landed;
    if (part_ == Part::kAdd) return InsertStaged(landed);
    if (columns.empty()) {
      landed.deleted =
          TRY(Change(fmt::format("DELETE FROM {} WHERE {}", target_.quoted, Join(given, " AND "))));
      return part_ == Part::kClear ? landed : InsertStaged(landed);
    }
    TRY(
        Change(fmt::format("DROP TABLE IF EXISTS pg_temp._sluice_partitions; CREATE TEMP TABLE "
                           "_sluice_partitions ON COMMIT DROP AS SELECT DISTINCT {} FROM {} AS s",
                           Join(columns, ", "), CastRows())));
    std::vector<std::string> missing;
    for (size_t i = 0; i < load_.partition.size(); ++i) {
      if (!load_.partition[i].value) missing.push_back(fmt::format("_sluice_{} IS NULL", i));
    }
    const bool any_null =
        TRY(QueryNumber(connection_,
                        fmt::format("SELECT count(*) FROM pg_temp._sluice_partitions "
                                    "WHERE {}",
                                    Join(missing, " OR ")),
                        {}, stop_)) > 0;
    // `=` can be hashed, the comparison that knows NULL cannot.
    std::vector<std::string> conditions = any_null ? nulls : equal;
    conditions.insert(conditions.end(), given.begin(), given.end());
    landed.deleted =
        TRY(Change(fmt::format("DELETE FROM {} AS t USING pg_temp._sluice_partitions "
                               "AS p WHERE {}",
                               target_.quoted, Join(conditions, " AND "))));
    return part_ == Part::kClear ? landed : InsertStaged(landed);
  }

  Status RefuseOthers(const std::string& given) {
    std::vector<std::string> shown, wanted;
    for (const PartitionTerm& term : load_.partition) {
      if (!term.value) continue;
      shown.push_back(fmt::format("{} || coalesce(({})::text, 'NULL')",
                                  QuoteLiteral(term.column + " = "), TermText(term)));
      wanted.push_back(fmt::format("{} = {}", term.column, term.value->text.value_or("NULL")));
    }
    const Answer other = TRY(Ask(fmt::format("SELECT {} FROM {} AS s WHERE NOT ({}) LIMIT 1",
                                             Join(shown, " || ', ' || "), CastRows(), given)));
    if (other.rows.empty()) return Ok();
    return DataError(fmt::format(
        "{}: a row has {}, but the load replaces the partition {}; filter the rows to it, or name "
        "the column alone to take its values from the rows",
        Loading(), EscapeControl(other.rows[0][0].value_or("NULL")), Join(wanted, ", ")));
  }

  std::string TermText(const PartitionTerm& term) const {
    const TypedColumn* column = target_.Find(term.column);
    return column != nullptr ? QuoteIdentifier(column->name) : "(" + term.column + ")";
  }
  static std::string ValueText(const sql::Bound& value) {
    if (!value.text) return "NULL";
    const auto type = ColumnTypeFor(value.type);
    return fmt::format("CAST({} AS {})", QuoteLiteral(*value.text), type.value_or("text"));
  }
  // The staged rows with the target's types.
  std::string CastRows() const {
    if (direct_) return from_;
    std::vector<std::string> columns;
    for (size_t i = 0; i < names_.size(); ++i) columns.push_back(values_[i] + " AS " + names_[i]);
    return fmt::format("(SELECT {} FROM {} AS s)", Join(columns, ", "), from_);
  }

  // The rows into a temporary table, where they can be read more than once.
  Status Stage() {
    if (!rows_.query) {
      from_ = rows_.staged;
      staged_ = static_cast<uint64_t>(
          TRY(QueryNumber(connection_, "SELECT count(*) FROM " + from_, {}, stop_)));
      return Ok();
    }
    from_ = kRows;
    std::vector<std::string> not_null;
    if (load_.mode != Mode::kReplacePartition) not_null = keys_;
    TRY(
        Change(fmt::format("DROP TABLE IF EXISTS {}; CREATE TEMP TABLE _sluice_rows ({}) ON COMMIT "
                           "DROP",
                           kRows, StageColumns(target_, columns_, load_.order, not_null))));
    auto copied = CopyInto(from_, WithOrder(columns_, load_.order), {});
    if (!copied.ok() && connection_.refusal().state == kNotNull) {
      return DataError(fmt::format(
          "{}: the key '{}' is NULL in a row; filter such rows out ({} IS NOT NULL) or give them a "
          "key",
          Loading(), connection_.refusal().column, QuoteIdentifier(connection_.refusal().column)));
    }
    staged_ = TRY(std::move(copied));
    return Ok();
  }

  Result<uint64_t> CopyInto(const std::string& table, const std::vector<EncodedColumn>& columns,
                            std::optional<int64_t> epoch) {
    return CopyIn(connection_, table, columns, epoch, *rows_.query, stop_).While(Loading());
  }

  std::optional<int64_t> TargetEpoch() const {
    return target_.provenance ? std::optional(rows_.epoch.value) : std::nullopt;
  }
  std::string EpochText() const {
    return rows_.query ? std::to_string(rows_.epoch.value) : fmt::format("s.{}", kEpochColumn);
  }

  std::string InsertText() const {
    std::vector<std::string> into = names_, values = values_;
    if (target_.provenance) {
      into.push_back(QuoteIdentifier(kEpochColumn));
      values.push_back(EpochText());
    }
    return fmt::format("INSERT INTO {} ({}) SELECT {} FROM {} AS s", target_.quoted,
                       Join(into, ", "), Join(values, ", "), from_);
  }

  Result<Landed> InsertStaged(Landed landed) {
    auto inserted = Change(InsertText());
    if (!inserted.ok() && connection_.refusal().state == kUnique && load_.mode == Mode::kInsert)
      return AlreadyThere();
    landed.rows = landed.inserted = TRY(std::move(inserted));
    return Finish(landed);
  }

  Result<Landed> Finish(Landed landed) {
    if (rows_.query && from_ == kRows) TRY(Change(fmt::format("DROP TABLE {}", kRows)));
    return landed;
  }

  Status RefuseNullKeys() {
    if (rows_.query) return Ok();  // the temporary table has refused them
    for (const std::string& key : keys_) {
      const auto nulls = TRY(QueryNumber(
          connection_, fmt::format("SELECT count(*) FROM {} WHERE {} IS NULL", from_, key), {},
          stop_));
      if (nulls == 0) continue;
      return DataError(fmt::format(
          "{}: the key {} is NULL in {} of {} rows; filter them out ({} IS NOT NULL) or give them "
          "a key",
          Loading(), key, nulls, staged_, key));
    }
    return Ok();
  }

  // Leaves one row of each key: the latest by the load's order; equal rows become one, different
  // ones are refused. Their texts are compared: json has no equality.
  Status MergeRepeats(Landed& landed) {
    landed.updated += TRY(DropSuperseded());
    TRY(RefuseRepeats(fmt::format("count(DISTINCT ROW({})::text) > 1", Join(names_, ", "))));
    landed.unchanged +=
        TRY(Change(fmt::format("DELETE FROM {0} AS s USING {0} AS t WHERE {1} AND s.ctid < t.ctid",
                               from_, KeysEqual("s", "t"))));
    return Ok();
  }

  // Rows that the table has already, wholly or as far as it counts.
  Status DropUnchanged(Landed& landed) {
    const auto drop = [&](const std::vector<std::string>& columns) {
      std::string same;
      for (size_t i = 0; i < load_.schema.size(); ++i) {
        if (std::find(columns.begin(), columns.end(), load_.schema[i].name) == columns.end())
          continue;
        same += fmt::format(" AND s.{0}::text IS NOT DISTINCT FROM t.{0}::text", names_[i]);
      }
      return Change(fmt::format("DELETE FROM {} AS s USING {} AS t WHERE {}{}", from_,
                                target_.quoted, KeysEqual("s", "t"), same));
    };
    landed.unchanged += TRY(drop(VisibleNames(load_.schema)));
    landed.touched += TRY(drop(*load_.compared));
    return Ok();
  }

  // Rows of a key that are followed by a later one.
  Result<uint64_t> DropSuperseded() {
    if (load_.order.empty()) return uint64_t{0};
    std::vector<std::string> latest;
    for (const Column& column : load_.order)
      latest.push_back(QuoteIdentifier(column.name) + " DESC NULLS LAST");
    return Change(fmt::format(
        "DELETE FROM {0} AS s USING (SELECT ctid AS _row, rank() OVER (PARTITION BY {1} ORDER BY "
        "{2}) AS _rank FROM {0}) AS t WHERE s.ctid = t._row AND t._rank > 1",
        from_, Join(keys_, ", "), Join(latest, ", ")));
  }

  Status RefuseRepeats(std::string_view which) {
    const Answer found = TRY(
        Ask(fmt::format("SELECT {}, count(*) FROM {} AS s GROUP BY {} HAVING {} ORDER BY 1 LIMIT 1",
                        KeyTexts("s."), from_, Join(keys_, ", "), which)));
    if (found.rows.empty()) return Ok();
    const auto& row = found.rows[0];
    return DataError(fmt::format(
        "{}: {} rows have {}, and nothing says which of them counts; put a step before it: "
        "dedupe: {{ key: [{}], order_by: … }}",
        Loading(), row.back().value_or(""), KeyText(row), Join(load_.key, ", ")));
  }

  std::string KeyTexts(std::string_view prefix) const {
    std::vector<std::string> texts;
    for (const std::string& key : keys_) texts.push_back(std::string(prefix) + key + "::text");
    return Join(texts, ", ");
  }
  std::string KeysEqual(std::string_view left, std::string_view right) const {
    std::vector<std::string> equal;
    for (const std::string& key : keys_)
      equal.push_back(fmt::format("{}.{} = {}.{}", left, key, right, key));
    return Join(equal, " AND ");
  }
  std::string KeyText(const std::vector<Value>& row) const {
    std::vector<std::string> parts;
    for (size_t i = 0; i < load_.key.size(); ++i)
      parts.push_back(fmt::format("{} = '{}'", load_.key[i], EscapeControl(row[i].value_or(""))));
    return Join(parts, ", ");
  }
  std::string Loading() const { return fmt::format("loading into '{}'", load_.target); }

  static uint64_t Number(const Answer& answer, size_t column) {
    return std::stoull(answer.rows.at(0).at(column).value_or("0"));
  }
  Result<Answer> Ask(const std::string& text) {
    return connection_.Run(text, {}, stop_).While(Loading());
  }
  Result<uint64_t> Change(const std::string& text) { return TRY(Ask(text)).changed; }

  Connection& connection_;
  const Target& target_;
  const Load& load_;
  const Incoming& rows_;
  const std::vector<EncodedColumn> columns_;
  std::stop_token stop_;
  const Part part_;
  std::vector<std::string> names_, values_, keys_;
  bool direct_ = true;  // no column travels as text
  std::string from_;    // where the staged rows are
  uint64_t staged_ = 0;
};

}  // namespace

std::vector<EncodedColumn> WithOrder(std::vector<EncodedColumn> columns, const Schema& order) {
  for (const Column& column : order) {
    if (column.hidden)
      columns.push_back({column.name, *ToWrite(column.type, CreatedType(column.type))});
  }
  return columns;
}

std::string StageColumns(const Target& target, const std::vector<EncodedColumn>& columns,
                         const Schema& order, const std::vector<std::string>& not_null) {
  std::vector<std::string> texts;
  for (const EncodedColumn& column : columns) {
    const std::string quoted = QuoteIdentifier(column.name);
    const bool text = column.write.path == Path::kThroughText;
    const bool needed = std::find(not_null.begin(), not_null.end(), quoted) != not_null.end();
    texts.push_back(fmt::format("{} {}{}", quoted,
                                text ? "text" : target.Find(column.name)->type.shown,
                                needed ? " NOT NULL" : ""));
  }
  for (const Column& column : order) {
    if (column.hidden)
      texts.push_back(
          fmt::format("{} {}", QuoteIdentifier(column.name), CreatedType(column.type).name));
  }
  return Join(texts, ", ");
}

Result<Landed> Apply(Connection& connection, const Target& target, const Load& load,
                     const Incoming& rows, std::stop_token stop, Part part) {
  auto columns = TRY(EncodingFor(target, load));
  return Application(connection, target, load, rows, std::move(columns), std::move(stop), part)
      .Run();
}

std::string ClaimOf(const TableName& table, const Load& load) {
  if (load.mode == Mode::kAppend) return "";
  return "table " + Quoted(table);
}

}  // namespace sluice::postgres
