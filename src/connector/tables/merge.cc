// See merge.h.
#include "connector/tables/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace sluice::tables {
namespace {

constexpr std::string_view kRows = "_sluice_rows", kOnce = "_sluice_once",
                           kPartitions = "_sluice_partitions";

}  // namespace

std::vector<std::string> StageColumns(const System& system, const std::vector<SentColumn>& columns,
                                      const std::vector<SentColumn>& order) {
  std::vector<std::string> texts;
  for (const auto* list : {&columns, &order}) {
    for (const SentColumn& column : *list)
      texts.push_back(system.Quote(column.name) + " " + column.to.definition);
  }
  texts.push_back(system.Quote(kStageRow) + " " + system.RowNumber());
  return texts;
}

Merge::Merge(Link& link, const System& system, const Target& target, const Load& load,
             const Incoming& rows, std::vector<SentColumn> columns, std::vector<SentColumn> order,
             std::stop_token stop, Part part)
    : link_(link),
      system_(system),
      target_(target),
      load_(load),
      rows_(rows),
      columns_(std::move(columns)),
      order_(std::move(order)),
      stop_(std::move(stop)),
      part_(part) {
  for (const SentColumn& column : columns_) names_.push_back(system_.Quote(column.name));
  for (const std::string& key : load_.key) {
    const TableColumn* column = target_.Find(key);
    keys_.push_back(system_.Quote(column == nullptr ? key : column->name));
  }
}

Result<Merge> Merge::Make(Link& link, const System& system, const Target& target, const Load& load,
                          const Incoming& rows, std::stop_token stop, Part part) {
  auto columns = TRY(SendingTo(system, target, load));
  auto order = TRY(SendingOrder(system, load));
  return Merge(link, system, target, load, rows, std::move(columns), std::move(order),
               std::move(stop), part);
}

Status Merge::CreateTemporary(std::string_view name, const std::string& what) {
  TRY(Change(system_.DropTemporary(name)));  // that an epoch which failed has left
  TRY(Change(fmt::format("{} {}", system_.CreateTemporary(name), what)));
  made_.push_back(name);
  return Ok();
}

bool Merge::direct() const {
  const bool plain = load_.mode == Mode::kAppend || load_.mode == Mode::kOverwrite;
  return plain && rows_.query && system_.FillsDirectly();
}

Status Merge::Gather() {
  if (direct()) return Ok();
  if (!rows_.query) {
    from_ = rows_.staged;
    return Ok();
  }
  from_ = system_.Temporary(kRows);
  std::vector<std::string> definitions = StageColumns(system_, columns_, order_);
  // The table's own index serves a merge as well.
  if (!keys_.empty() && !target_.HasUniqueKey(load_.key)) {
    std::vector<const TableColumn*> keys;
    for (const std::string& key : load_.key) keys.push_back(target_.Find(key));
    const std::string index = system_.KeyOfStage(from_, keys);
    if (!index.empty()) definitions.push_back(index);
  }
  TRY(CreateTemporary(kRows, fmt::format("({})", Join(definitions, ", "))));
  std::vector<SentColumn> sent = columns_;
  sent.insert(sent.end(), order_.begin(), order_.end());
  staged_ = TRY(link_.Fill(from_, sent, {}, *rows_.query, stop_).While(Loading()));
  return Ok();
}

Result<Landed> Merge::Apply() {
  const bool replaces = load_.mode == Mode::kOverwrite || load_.mode == Mode::kReplacePartition;
  if (part_ == Part::kClear && !replaces) return Landed{};
  if (!rows_.query) staged_ = TRY(Count("FROM " + from_));
  const Landed landed = TRY(ByMode());
  for (const std::string_view name : made_) TRY(Change(system_.DropTemporary(name)));
  return landed;
}

Result<Landed> Merge::ByMode() {
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

Result<Landed> Merge::Append(Landed landed) {
  if (!direct()) return InsertStaged(landed);
  const auto epoch = target_.provenance ? std::optional(rows_.epoch.value) : std::nullopt;
  auto taken = link_.Fill(target_.quoted, columns_, epoch, *rows_.query, stop_);
  landed.rows = landed.inserted = TRY(std::move(taken).While(Loading()));
  return landed;
}

Result<Landed> Merge::Overwrite() {
  Landed landed;
  if (part_ != Part::kAdd) landed.deleted = TRY(Change("DELETE FROM " + target_.quoted));
  return part_ == Part::kClear ? landed : Append(landed);
}

Result<Landed> Merge::Insert() {
  TRY(RefuseNullKeys());
  TRY(RefuseRepeats("count(*) > 1"));
  const Answer clash =
      TRY(Ask(fmt::format("SELECT {} FROM {} AS s JOIN {} AS t ON {} LIMIT 1",
                          system_.QuoteAll(load_.key, "s."), from_, target_.quoted, KeysEqual())));
  if (!clash.rows.empty()) return AlreadyThere(KeyText(clash.rows[0]));
  return InsertStaged({});
}

Error Merge::AlreadyThere(const std::string& which) const {
  return DataError(fmt::format(
      "{}: a row with {} is there already; mode 'insert' refuses it: use 'upsert' to update it, or "
      "filter the rows",
      Loading(), which));
}

Result<Landed> Merge::Upsert() {
  TRY(RefuseNullKeys());
  Landed landed{.rows = staged_};
  TRY(MergeRepeats(landed));
  if (load_.compared) TRY(DropUnchanged(landed));
  std::vector<std::pair<std::string, std::string>> sets;
  for (const std::string& name : names_) {
    if (std::find(keys_.begin(), keys_.end(), name) == keys_.end())
      sets.emplace_back(name, "s." + name);
  }
  if (target_.provenance) sets.emplace_back(system_.Quote(kEpochColumn), EpochText());
  const std::string both = system_.InsertOrUpdate(target_, load_.key, InsertText(), sets);
  if (!both.empty()) {
    const uint64_t known = TRY(
        Count(fmt::format("FROM {} AS s JOIN {} AS t ON {}", from_, target_.quoted, KeysEqual())));
    TRY(Change(both));
    landed.inserted = landed.rows - landed.unchanged - landed.touched - landed.updated - known;
    landed.updated += known;
    return landed;
  }
  if (const std::string setting = system_.BeforeLargeJoin(); !setting.empty()) TRY(Change(setting));
  if (!sets.empty()) TRY(Change(system_.UpdateFrom(target_.quoted, from_, KeysEqual(), sets)));
  // A join, for which every system uses the table's index or makes one.
  landed.inserted = TRY(Change(fmt::format("{} LEFT JOIN {} AS t ON {} WHERE t.{} IS NULL",
                                           InsertText(), target_.quoted, KeysEqual(), keys_[0])));
  // An update of several rows with one key in the table is one of ours.
  landed.updated = landed.rows - landed.unchanged - landed.touched - landed.inserted;
  return landed;
}

// Rows that the table has already, wholly or as far as it counts.
Status Merge::DropUnchanged(Landed& landed) {
  const auto drop = [&](const std::vector<std::string>& columns) {
    std::string same;
    for (const std::string& key : keys_)
      same += fmt::format("{0}t.{1} = {2}.{1}", same.empty() ? "" : " AND ", key, from_);
    for (const std::string& name : columns) {
      const TableColumn* column = target_.Find(name);
      if (column == nullptr) continue;
      const std::string quoted = system_.Quote(column->name);
      same += fmt::format(" AND {} {} {}", system_.Exactly("t." + quoted), system_.Same(),
                          system_.Exactly(fmt::format("{}.{}", from_, quoted)));
    }
    return Change(fmt::format("DELETE FROM {} WHERE EXISTS (SELECT 1 FROM {} AS t WHERE {})", from_,
                              target_.quoted, same));
  };
  landed.unchanged += TRY(drop(VisibleNames(load_.schema)));
  landed.touched += TRY(drop(*load_.compared));
  return Ok();
}

Result<Landed> Merge::Replace() {
  TRY(RefuseNullKeys());
  Landed landed;
  landed.deleted = TRY(Change(system_.DeleteByKey(target_.quoted, from_, keys_)));
  return InsertStaged(landed);
}

Result<Landed> Merge::ReplacePartition() {
  std::vector<std::string> given, equal, columns;
  for (size_t i = 0; i < load_.partition.size(); ++i) {
    const PartitionTerm& term = load_.partition[i];
    const std::string text = TermText(term);
    if (term.value) {
      given.push_back(
          fmt::format("{} {} {}", text, system_.Same(), system_.ValueText(*term.value)));
      continue;
    }
    equal.push_back(fmt::format("{} {} p._sluice_{}", text, system_.Same(), i));
    columns.push_back(fmt::format("{} AS _sluice_{}", text, i));
  }
  if (!given.empty() && part_ != Part::kClear) TRY(RefuseOthers(given));
  Landed landed;
  if (part_ == Part::kAdd) return InsertStaged(landed);
  if (columns.empty()) {
    landed.deleted =
        TRY(Change(fmt::format("DELETE FROM {} WHERE {}", target_.quoted, Join(given, " AND "))));
    return part_ == Part::kClear ? landed : InsertStaged(landed);
  }
  const std::string partitions = system_.Temporary(kPartitions);
  TRY(CreateTemporary(kPartitions,
                      fmt::format("AS SELECT DISTINCT {} FROM {}", Join(columns, ", "), from_)));
  equal.insert(equal.end(), given.begin(), given.end());
  landed.deleted =
      TRY(Change(system_.DeleteMatching(target_.quoted, partitions, Join(equal, " AND "))));
  return part_ == Part::kClear ? landed : InsertStaged(landed);
}

Status Merge::RefuseOthers(const std::vector<std::string>& given) {
  std::vector<std::string> texts, found, wanted;
  for (const PartitionTerm& term : load_.partition) {
    if (term.value) texts.push_back(TermText(term));
  }
  const Answer other = TRY(Ask(fmt::format("SELECT {} FROM {} WHERE NOT ({}) LIMIT 1",
                                           Join(texts, ", "), from_, Join(given, " AND "))));
  if (other.rows.empty()) return Ok();
  for (const PartitionTerm& term : load_.partition) {
    if (!term.value) continue;
    const Value& value = other.rows[0][found.size()];
    found.push_back(fmt::format("{} = {}", term.column, EscapeControl(value.value_or("NULL"))));
    wanted.push_back(fmt::format("{} = {}", term.column, term.value->text.value_or("NULL")));
  }
  return DataError(fmt::format(
      "{}: a row has {}, but the load replaces the partition {}; filter the rows to it, or name "
      "the column alone to take its values from the rows",
      Loading(), Join(found, ", "), Join(wanted, ", ")));
}

std::string Merge::TermText(const PartitionTerm& term) const {
  const TableColumn* column = target_.Find(term.column);
  return column != nullptr ? system_.Quote(column->name) : "(" + term.column + ")";
}

Status Merge::RefuseNullKeys() {
  for (const std::string& key : keys_) {
    const uint64_t nulls = TRY(Count(fmt::format("FROM {} WHERE {} IS NULL", from_, key)));
    if (nulls == 0) continue;
    return DataError(fmt::format(
        "{}: the key {} is NULL in {} of {} rows; filter them out ({} IS NOT NULL) or give them a "
        "key",
        Loading(), key, nulls, staged_, key));
  }
  return Ok();
}

// The rows with their rank among those of their key: 1 is the latest.
std::string Merge::Ranked() const {
  std::vector<std::string> latest;
  for (const Column& column : load_.order) latest.push_back(system_.Quote(column.name) + " DESC");
  return fmt::format("(SELECT r.*, {} AS _sluice_rank FROM {} AS r)",
                     latest.empty() ? "1"
                                    : fmt::format("rank() OVER (PARTITION BY {} ORDER BY {})",
                                                  Join(keys_, ", "), Join(latest, ", ")),
                     from_);
}

// Leaves one row of each key. Repeated keys are rare, so looking for them comes first; no statement
// names the temporary table twice, which MySQL would refuse.
Status Merge::MergeRepeats(Landed& landed) {
  const uint64_t keys =
      TRY(Count(fmt::format("FROM (SELECT DISTINCT {} FROM {}) AS k", Join(keys_, ", "), from_)));
  if (keys == staged_) return Ok();
  TRY(CreateTemporary(
      kOnce, fmt::format("AS SELECT q.*, row_number() OVER (PARTITION BY {} ORDER BY {}) AS "
                         "_sluice_nth FROM {} AS q WHERE q._sluice_rank = 1",
                         Join(keys_, ", "), system_.Quote(kStageRow), Ranked())));
  from_ = system_.Temporary(kOnce);
  const uint64_t latest = TRY(Count("FROM " + from_));
  std::vector<std::string> exact;
  for (size_t i = 0; i < columns_.size(); ++i)
    exact.push_back(system_.Exact(columns_[i].to, names_[i]));
  for (const std::string& text : exact)
    TRY(
        RefuseRepeats(fmt::format("count(DISTINCT {0}) + max(CASE WHEN {0} IS NULL THEN 1 ELSE 0 "
                                  "END) > 1",
                                  text)));
  landed.unchanged += TRY(Change(fmt::format("DELETE FROM {} WHERE _sluice_nth > 1", from_)));
  landed.updated += staged_ - latest;
  return Ok();
}

Status Merge::RefuseRepeats(const std::string& which) {
  const Answer found = TRY(
      Ask(fmt::format("SELECT {0}, count(*) FROM {1} GROUP BY {0} HAVING {2} ORDER BY 1 LIMIT 1",
                      Join(keys_, ", "), from_, which)));
  if (found.rows.empty()) return Ok();
  const auto& row = found.rows[0];
  return DataError(fmt::format(
      "{}: {} rows have {}, and nothing says which of them counts; put a step before it: dedupe: "
      "{{ key: [{}], order_by: … }}",
      Loading(), row.back().value_or(""), KeyText(row), Join(load_.key, ", ")));
}

Result<Landed> Merge::InsertStaged(Landed landed) {
  auto inserted = Change(InsertText());
  if (!inserted.ok() && link_.duplicate() && load_.mode == Mode::kInsert)
    return AlreadyThere("one of its keys (" + inserted.error().message + ")");
  landed.rows = landed.inserted = TRY(std::move(inserted));
  return landed;
}

std::string Merge::InsertText() const {
  std::vector<std::string> into = names_, values;
  for (const std::string& name : names_) values.push_back("s." + name);
  if (target_.provenance) {
    into.push_back(system_.Quote(kEpochColumn));
    values.push_back(EpochText());
  }
  return fmt::format("INSERT INTO {} ({}) SELECT {} FROM {} AS s", target_.quoted, Join(into, ", "),
                     Join(values, ", "), from_);
}

std::string Merge::EpochText() const {
  return rows_.query ? std::to_string(rows_.epoch.value) : "s." + system_.Quote(kEpochColumn);
}

// The table's column first: its way of comparing texts decides.
std::string Merge::KeysEqual() const {
  std::vector<std::string> equal;
  for (const std::string& key : keys_) equal.push_back(fmt::format("t.{0} = s.{0}", key));
  return Join(equal, " AND ");
}

std::string Merge::KeyText(const std::vector<Value>& row) const {
  std::vector<std::string> parts;
  for (size_t i = 0; i < load_.key.size(); ++i)
    parts.push_back(fmt::format("{} = '{}'", load_.key[i], EscapeControl(row[i].value_or(""))));
  return Join(parts, ", ");
}

std::string Merge::Loading() const { return fmt::format("loading into '{}'", load_.target); }

Result<Answer> Merge::Ask(const std::string& text) {
  return link_.Run(text, stop_).While(Loading());
}

Result<uint64_t> Merge::Change(const std::string& text) { return TRY(Ask(text)).changed; }

Result<uint64_t> Merge::Count(const std::string& what) {
  return static_cast<uint64_t>(TRY(QueryNumber(link_, "SELECT count(*) " + what, stop_)));
}

std::string LockOf(const TableName& table, const Load& load) {
  if (load.mode == Mode::kAppend) return "";
  return fmt::format("table {}.{}", table.schema, table.name);
}

}  // namespace sluice::tables
