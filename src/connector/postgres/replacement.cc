// See replacement.h.
#include "connector/postgres/replacement.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace sluice::postgres {
namespace {

constexpr std::string_view kBound = "_sluice_bound";
constexpr std::string_view kCheckViolation = "23514", kLockNotAvailable = "55P03";
constexpr int kLockTries = 4;  // of half a second: so long readers wait, and no longer

// How the storage of $1 is written in CREATE TABLE.
constexpr const char* kStorage = R"(
SELECT concat('USING ', quote_ident(m.amname),
  (SELECT ' WITH (' || string_agg(split_part(o, '=', 1) || '=' || quote_literal(substr(o,
   strpos(o, '=') + 1)), ', ') || ')' FROM (SELECT unnest(c.reloptions) AS o UNION ALL
   SELECT 'toast.' || unnest(t.reloptions)) AS options),
  ' TABLESPACE ' || quote_ident(s.spcname))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am m ON m.oid = c.relam
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace WHERE c.oid = to_regclass($1))";

// Of each index of $1: name, "UNIQUE " or nothing, what follows the table's name, the kind of the
// constraint that it is, the comments on both.
constexpr const char* kIndexes = R"(
SELECT x.relname, CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
  substr(pg_get_indexdef(x.oid), length(format('CREATE %sINDEX %I ON %I.%I',
    CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, n.nspname, c.relname)) + 1),
  k.contype, obj_description(x.oid, 'pg_class'), obj_description(k.oid, 'pg_constraint')
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = c.oid
WHERE c.oid = to_regclass($1) ORDER BY x.relname)";

// The statements that give $2 the comment, the owner and the grants of $1. What a new table is
// granted by itself (default privileges) goes.
constexpr const char* kBelongings = R"(
WITH old AS (SELECT * FROM pg_catalog.pg_class WHERE oid = to_regclass($1)),
     new AS (SELECT * FROM pg_catalog.pg_class WHERE oid = to_regclass($2)),
     who AS (SELECT 0::oid AS role, 'PUBLIC' AS name UNION ALL
             SELECT oid, quote_ident(rolname) FROM pg_catalog.pg_roles)
SELECT statement FROM (
  SELECT 1 AS turn, format('COMMENT ON TABLE %s IS %L', $2, obj_description(oid, 'pg_class'))
         AS statement FROM old
  UNION ALL SELECT 2, format('ALTER TABLE %s OWNER TO %s', $2, who.name)
    FROM old JOIN new ON old.relowner <> new.relowner JOIN who ON who.role = old.relowner
  UNION ALL SELECT DISTINCT 3, format('REVOKE ALL ON TABLE %s FROM %s', $2, who.name)
    FROM new CROSS JOIN old
    CROSS JOIN aclexplode(coalesce(new.relacl, acldefault('r', new.relowner))) AS a
    JOIN who ON who.role = a.grantee OR who.role = old.relowner
    WHERE new.relacl IS NOT NULL OR old.relacl IS NOT NULL
  UNION ALL SELECT 4, format('GRANT %s ON TABLE %s TO %s%s', a.privilege_type, $2, who.name,
                             CASE WHEN a.is_grantable AND a.grantee <> old.relowner
                             THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM new CROSS JOIN old
    CROSS JOIN aclexplode(coalesce(old.relacl, acldefault('r', old.relowner))) AS a
    JOIN who ON who.role = a.grantee WHERE new.relacl IS NOT NULL OR old.relacl IS NOT NULL
  UNION ALL SELECT 5, format('GRANT %s (%I) ON TABLE %s TO %s%s', a.privilege_type, c.attname, $2,
                             who.name, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM old JOIN pg_catalog.pg_attribute c ON c.attrelid = old.oid AND NOT c.attisdropped
    CROSS JOIN aclexplode(c.attacl) AS a JOIN who ON who.role = a.grantee
) AS s ORDER BY turn)";

std::string CommentText(std::string_view on, const std::string& name, const Value& comment) {
  if (!comment) return "";
  return fmt::format("COMMENT ON {} {} IS {};", on, name, QuoteLiteral(*comment));
}

}  // namespace

Replacement::Replacement(Target target, Leaf leaf, const std::string& mark)
    : target_(std::move(target)),
      leaf_(std::move(leaf)),
      schema_(QuoteIdentifier(leaf_.name.schema)),
      name_("_sluice_" + mark),
      quoted_(schema_ + "." + QuoteIdentifier(name_)) {}

Result<Landed> Replacement::Take(Connection& connection, const Load& load, const Outgoing& rows,
                                 EpochId epoch, std::stop_token stop) {
  TRY(Create(connection, stop));
  const auto columns = TRY(EncodingFor(target_, load));
  auto copied = CopyIn(connection, quoted_, columns,
                       target_.provenance ? std::optional(epoch.value) : std::nullopt, rows, stop,
                       Seen::kFrozen);
  const Refusal& refusal = connection.refusal();
  if (!copied.ok() && refusal.state == kCheckViolation && refusal.constraint == kBound) {
    const PartitionTerm& term = load.partition.at(0);
    return DataError(fmt::format(
        "loading into '{}': a row is of another partition than {} = {}, which the load replaces "
        "({}); filter the rows to it, or name the column alone to take its values from the rows",
        load.target, term.column, term.value->text.value_or("NULL"),
        EscapeControl(refusal.detail)));
  }
  Landed landed;
  landed.rows = landed.inserted =
      TRY(std::move(copied).While(fmt::format("loading into '{}'", load.target)));
  landed.deleted = static_cast<uint64_t>(
      TRY(QueryNumber(connection, "SELECT count(*) FROM " + leaf_.quoted, {}, stop)));
  TRY(Furnish(connection, std::move(stop))
          .While(fmt::format("making a new {} for '{}'", leaf_.name.name, load.target)));
  return landed;
}

// The check says what the bound says, so that the rows need not be looked at again when the table
// becomes the partition.
Status Replacement::Create(Connection& connection, std::stop_token stop) const {
  const Answer storage = TRY(connection.Run(kStorage, {leaf_.quoted}, stop));
  TRY(connection.Run(
      fmt::format(
          "CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY) {}; "
          "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({})",
          quoted_, leaf_.quoted, storage.rows.at(0).at(0).value_or(""), quoted_, kBound,
          leaf_.constraint),
      {}, stop));
  return Ok();
}

// What is made when the rows are there: indexes, statistics, and who may do what.
Status Replacement::Furnish(Connection& connection, std::stop_token stop) {
  const Answer indexes = TRY(connection.Run(kIndexes, {leaf_.quoted}, stop));
  for (const auto& row : indexes.rows) {
    const std::string name = QuoteIdentifier(fmt::format("{}_{}", name_, indexes_.size()));
    const std::string full = schema_ + "." + name;
    std::string text = fmt::format("CREATE {}INDEX {} ON {}{};", row[1].value_or(""), name, quoted_,
                                   row[2].value_or(""));
    if (row[3]) {
      text += fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {};", quoted_, name,
                          *row[3] == "p" ? "PRIMARY KEY" : "UNIQUE", name);
      text += CommentText("CONSTRAINT", name + " ON " + quoted_, row[5]);
    }
    text += CommentText("INDEX", full, row[4]);
    TRY(connection.Run(text, {}, stop));
    indexes_.emplace_back(full, QuoteIdentifier(row[0].value_or("")));
  }
  TRY(connection.Run("ANALYZE " + quoted_, {}, stop));
  const Answer belongings = TRY(connection.Run(kBelongings, {leaf_.quoted, quoted_}, stop));
  for (const auto& row : belongings.rows) TRY(connection.Run(row[0].value_or(""), {}, stop));
  return Ok();
}

Status Replacement::Exchange(Connection& connection) const {
  if (!TRY(Locked(connection))) return DeleteAndInsert(connection);
  std::string text = fmt::format(
      "ALTER TABLE {0} DETACH PARTITION {1}; DROP TABLE {1}; ALTER TABLE {0} ATTACH PARTITION {2} "
      "{3}; ALTER TABLE {2} DROP CONSTRAINT {4}; ALTER TABLE {2} RENAME TO {5};",
      target_.quoted, leaf_.quoted, quoted_, leaf_.bound, kBound, QuoteIdentifier(leaf_.name.name));
  for (const auto& [from, to] : indexes_)
    text += fmt::format("ALTER INDEX {} RENAME TO {};", from, to);
  TRY(connection.Run(text));
  return Ok();
}

// A long query holds the lock off, and whoever comes after us would wait for it with us.
Result<bool> Replacement::Locked(Connection& connection) const {
  for (int tried = 0; tried < kLockTries; ++tried) {
    TRY(connection.Mark());
    auto locked = connection.Run(
        fmt::format("SET LOCAL lock_timeout = '500ms'; LOCK TABLE ONLY {}, ONLY {} IN ACCESS "
                    "EXCLUSIVE MODE; SET LOCAL lock_timeout TO DEFAULT",
                    target_.quoted, leaf_.quoted));
    if (locked.ok()) {
      TRY(connection.Keep());
      return true;
    }
    if (connection.refusal().state != kLockNotAvailable) return std::move(locked).error();
    TRY(connection.Undo());
  }
  return false;
}

Status Replacement::DeleteAndInsert(Connection& connection) const {
  const Answer columns = TRY(connection.Run(
      "SELECT string_agg(quote_ident(attname), ', ') FROM pg_catalog.pg_attribute WHERE attrelid = "
      "to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
      {quoted_}));
  TRY(connection.Run(
      fmt::format("DELETE FROM {1}; INSERT INTO {1} ({0}) SELECT {0} FROM {2}; DROP TABLE {2}",
                  columns.rows.at(0).at(0).value_or(""), leaf_.quoted, quoted_)));
  return Ok();
}

}  // namespace sluice::postgres
