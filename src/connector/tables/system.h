// What the common source and sink (tables/source.h, tables/sink.h) must know of a database system:
// a connection that runs SQL, and the places where its SQL differs from that of others.
//
// MySQL and SQLite share what is above this line: one record of epochs, one way to stage and merge,
// one way to walk a table. PostgreSQL and DuckDB have faster ways of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "connector/discover.h"
#include "connector/load.h"
#include "connector/pushdown.h"
#include "connector/table_name.h"
#include "connector/tables/cells.h"
#include "sql/database.h"

namespace sluice::tables {

using Value = std::optional<std::string>;  // as the system prints it; nullopt: NULL

struct Answer {
  std::vector<std::vector<Value>> rows;
  uint64_t changed = 0;
};

// A column of a table, or of what follows FROM.
struct TableColumn {
  std::string name;
  std::string shown;       // its type, for messages
  std::string definition;  // its type as one writes it to make another alike; of a target
  std::string type;        // DuckDB's that it is read as; empty: it is not mapped
  std::string fetch;       // the SQL that delivers it
  bool guessed = false;    // nothing declares `type`: it goes by the rows
  bool not_null = false;
  bool numbered = false;  // AUTO_INCREMENT: NULL would become a number
  bool computed = false;  // GENERATED ALWAYS
};

struct Target {
  TableName name;
  std::string quoted;  // as SQL names it
  std::vector<TableColumn> columns;
  std::vector<std::set<std::string>> unique;  // the columns of each unique index
  bool provenance = false;                    // it has _sluice_epoch

  const TableColumn* Find(std::string_view column) const;
  bool HasUniqueKey(const std::vector<std::string>& key) const;
};

// One column on its way into a table.
struct SentColumn {
  std::string name;    // there
  std::string source;  // in the query
  std::string cast;    // DuckDB's type in which it is sent
  TableColumn to;      // its kind there; no name: one of ours
};

// A query of DuckDB's whose rows go into a table.
struct Outgoing {
  sql::Database& database;
  sql::Session& session;
  const std::string& select;
  const std::vector<sql::Bound>& bound;
};

class Link {  // a connection; one thread at a time
 public:
  virtual ~Link() = default;

  virtual Result<Answer> Run(const std::string& text, std::stop_token stop = {}) = 0;
  // One or more statements of the user's. kConfig for those that end the transaction.
  virtual Result<uint64_t> RunScript(const std::string& text, std::stop_token stop) = 0;
  virtual Status Begin() = 0;  // to write
  // kUnsettled where the answer did not come.
  virtual Status Commit() = 0;
  virtual Status Rollback() = 0;  // fine where no transaction is open or the connection is lost

  // Rows of a SELECT as cells: Read appends them until the block is full; false: the end.
  virtual Status StartRead(const std::string& text, std::stop_token stop) = 0;
  virtual Result<bool> Read(Block& block, std::stop_token stop) = 0;

  // The query's rows into `table`, each with `epoch` in _sluice_epoch where it is given; what the
  // system counts.
  virtual Result<uint64_t> Fill(const std::string& table, const std::vector<SentColumn>& columns,
                                std::optional<int64_t> epoch, const Outgoing& rows,
                                std::stop_token stop) = 0;

  virtual bool duplicate() const = 0;    // the last error was that a key is there already
  virtual std::string code() const = 0;  // what the system calls its last error; empty: none
  virtual bool lost() const = 0;
  virtual int64_t process() const { return 0; }  // the server's; to be ended when it hangs
};

enum class Use : uint8_t { kRead, kWrite };

class System {
 public:
  virtual ~System() = default;

  virtual std::string Shown() const = 0;   // "MySQL shop at localhost:3306"
  virtual std::string Origin() const = 0;  // the same for identities: "shop at localhost:3306"
  // False: nothing is there yet, and nothing is made by looking.
  virtual bool Exists() const { return true; }
  virtual Result<std::unique_ptr<Link>> Connect(Use use, std::stop_token stop) const = 0;
  // Why several connections cannot see the table at one moment; empty: they can.
  virtual Result<std::string> WhyAlone(Link&, const TableName&, std::stop_token) const {
    return std::string("the system has no shared snapshots");
  }
  // Connections that see one moment from here on; none: it could not be had now.
  virtual Result<std::vector<std::unique_ptr<Link>>> ShareMoment(int64_t /*links*/,
                                                                 std::stop_token) const {
    return std::vector<std::unique_ptr<Link>>();
  }
  virtual int64_t readers() const { return 1; }  // connections that read one range at a time
  virtual CellRules cell_rules() const { return {}; }

  // Text
  virtual std::string Quote(std::string_view name) const = 0;
  virtual std::string Literal(std::string_view text) const = 0;
  virtual std::string_view Same() const = 0;  // = that holds between NULLs too
  // A value as it is compared where no two different ones may be the same (collations).
  virtual std::string Exactly(const std::string& value) const = 0;
  virtual std::string_view LongText() const = 0;  // type of a text of ours
  virtual std::string RowNumber() const = 0;      // definition of a column that numbers its rows
  std::string ValueText(const sql::Bound& value) const;
  std::string Quoted(const TableName& table) const;
  std::string QuoteAll(const std::vector<std::string>& names, std::string_view prefix = "") const;
  // The user's SQL with values of ours in it.
  virtual std::string WithValues(const std::string& text,
                                 const std::vector<sql::Bound>& bound) const = 0;

  // Reading
  virtual Result<TableName> ParseName(std::string_view text) const = 0;
  virtual Result<std::vector<TableColumn>> ColumnsOf(Link& link, const std::string& from,
                                                     std::stop_token stop) const = 0;
  // The tables of a schema, without their columns; `schema` empty: all that a user would look for.
  virtual Result<std::vector<FoundTable>> TablesOf(Link& link, const std::string& schema) const = 0;
  // How a column is read as DuckDB's `type`.
  virtual std::string FetchAs(const TableColumn& column, const std::string& type) const = 0;
  // The columns by which a table can be walked, each key once: those of its primary key.
  virtual Result<std::vector<std::string>> KeyOf(Link& link, const TableName& table,
                                                 std::stop_token stop) const = 0;
  // Whether > and ORDER BY mean the same for a column, so that it can be walked by.
  virtual bool IsOrdered(const TableColumn&) const { return true; }
  // How values of a column compare, where that is as in DuckDB; nullopt: not at all.
  virtual std::optional<ComparedAs> ToCompare(const TableColumn&) const { return std::nullopt; }
  virtual std::string PositionOf(const TableColumn& column) const = 0;  // SQL of its text
  virtual Result<std::string> FromPosition(const TableColumn& column,
                                           const std::string& text) const = 0;
  virtual std::string FromWritten(const TableColumn& column, const std::string& text) const = 0;
  // So much before a position. kConfig where the column is no time.
  virtual Result<std::string> Earlier(const TableColumn& column, const std::string& position,
                                      Micros by) const = 0;
  // SQL of a value below another: a text without its last `shorter` characters. nullopt: of such a
  // column there is none.
  virtual std::optional<std::string> Below(const TableColumn& column, const std::string& literal,
                                           int64_t shorter) const = 0;
  // SQL of the text of a value, as PositionOf gives it of a column.
  virtual std::string PositionOfValue(const std::string& value) const = 0;
  // What rows are in an interval, and those that it cannot say it of; kConfig where the column is
  // no time.
  struct Within {
    std::string condition, unknown;  // unknown: empty where there are none
  };
  virtual Result<Within> During(const TableColumn& column, Micros from, Micros to) const = 0;
  // Of a row; 0: unknown.
  virtual Result<uint64_t> WidthOf(Link&, const TableName&, std::stop_token) const {
    return uint64_t{0};
  }

  // Writing
  virtual Result<std::optional<Target>> FindTarget(Link& link, const TableName& name,
                                                   std::stop_token stop) const = 0;
  // The type of a column that is created for DuckDB's `type`; `key`: it will be in a key. nullopt:
  // there is none.
  enum class Part : uint8_t { kPlain, kKey };
  virtual std::optional<std::string> CreatedType(const std::string& type, Part part) const = 0;
  // What follows the columns of a table that is created.
  virtual std::string TableOptions() const { return ""; }
  // DuckDB's type in which a column of the rows is sent into `to`; nullopt: not every value would
  // fit.
  virtual std::optional<std::string> SentAs(const std::string& type,
                                            const TableColumn& to) const = 0;
  // Whether rows may go straight into a target while they are computed.
  virtual bool FillsDirectly() const = 0;
  virtual std::string Temporary(std::string_view name) const = 0;  // as SQL names it
  virtual std::string CreateTemporary(std::string_view name) const = 0;
  virtual std::string DropTemporary(std::string_view name) const = 0;  // where it is
  // A definition of an index on `keys` within CREATE TABLE; empty: it is a statement of its own.
  virtual std::string KeyOfStage(const std::string& table,
                                 const std::vector<const TableColumn*>& keys) const = 0;
  // A statement that makes an index of a temporary table; where KeyOfStage gives none.
  virtual std::string IndexTemporary(std::string_view /*name*/, std::string_view /*column*/) const {
    return "";
  }
  virtual std::string JsonValue(const std::string& quoted) const { return quoted; }
  // Equal for equal values only, whatever the column's own comparison says.
  virtual std::string Exact(const TableColumn& column, const std::string& quoted) const = 0;
  // `insert` so that rows whose key is there are updated instead; empty: it would go by other keys
  // too, or two statements do as well.
  virtual std::string InsertOrUpdate(
      const Target&, const std::vector<std::string>& /*key*/, const std::string& /*insert*/,
      const std::vector<std::pair<std::string, std::string>>& /*sets*/) const {
    return "";
  }
  virtual std::string BeforeLargeJoin() const { return ""; }  // a statement; empty: none
  virtual std::string UpdateFrom(
      const std::string& target, const std::string& from, const std::string& on,
      const std::vector<std::pair<std::string, std::string>>& sets) const = 0;
  // Rows of the target whose keys (quoted) occur in `from`.
  virtual std::string DeleteByKey(const std::string& target, const std::string& from,
                                  const std::vector<std::string>& keys) const = 0;
  // Rows of the target (t) for which a row of `from` (p) with `on` exists.
  virtual std::string DeleteMatching(const std::string& target, const std::string& from,
                                     const std::string& on) const = 0;
  virtual Result<std::vector<std::string>> TablesWith(Link& link,
                                                      const std::string& prefix) const = 0;

  // From here to the end of the transaction nobody else holds `name`. `EnsureLocks` first, outside
  // of a transaction.
  virtual Status EnsureLocks(Link&, const std::vector<std::string>&) const { return Ok(); }
  virtual Status Lock(Link&, const std::string&, std::stop_token) const { return Ok(); }
  // Waits until what holds `name` is decided; `unsettled`: the server's process that a COMMIT was
  // sent to, and from which no answer came.
  virtual Status Settle(Link&, const std::string&, int64_t /*unsettled*/) const { return Ok(); }
};

// The first value of the first row as a number; 0 where there is none.
Result<int64_t> QueryNumber(Link& link, const std::string& text, std::stop_token stop = {});

}  // namespace sluice::tables
