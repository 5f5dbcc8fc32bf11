// What is computed, in typed form; text for an engine is produced last (relation/render.h).
//
// A row-wise step never removes a row silently: it names a fate. Consecutive sifts over the same
// columns become one nested CASE, so that the first fate that applies takes the row and a guarded
// expression is never evaluated for a row that a step before it removed. Hidden columns of the
// input go through every row-wise node unasked. Names that begin with `_sluice_` are ours.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/schema.h"
#include "relation/program.h"

namespace sluice::relation {

// A bound value: `$name` in the text. Names derive from type and value, so that equal ones are
// shared and none collide.
struct Bound {
  std::string name, type;
  std::string text = {};
  bool null = false;

  auto operator<=>(const Bound&) const = default;
};

// DuckDB SQL over the columns of the node's input, with the user's place.
struct Expr {
  std::string sql = {};
  Mark mark = {};
};
struct Named {
  std::string name = {};
  Expr expr = {};
};

enum class FateKind : uint8_t { kFiltered, kDeduplicated, kRejected, kLate };
struct Fate {
  FateKind kind = FateKind::kFiltered;
  std::string step = {};
  std::string code = {};  // of the letter, for kRejected and kLate
  Expr applies =
      {};  // true: the row leaves here. NULL counts as false; a filter says `(cond) IS NOT TRUE`
  Expr message = {};       // SQL of type VARCHAR, for the letter; empty sql: none
  std::string keeps = {};  // of a filter: SQL that is true for exactly the rows that stay
};

struct Node;
using Ref = std::shared_ptr<const Node>;

struct Input {
  std::string step;
};  // the rows of an extract (or of a staged step) in this epoch
struct Project {
  Ref from;
  std::vector<Named> columns;
};  // the visible columns, exactly these
struct Sift {
  Ref from;
  std::vector<Fate> fates;
};  // in order; the first that applies
struct Aggregate {
  Ref from;
  std::vector<Named> keys, values;
};
struct Join {
  enum class Kind : uint8_t { kInner, kLeft, kRight, kFull, kSemi, kAnti };
  Kind kind;
  Ref left, right;
  std::string left_name,
      right_name;  // the steps' names: how `on` and `columns` call the two sides; they differ
  Expr on;
  std::vector<Named> columns;
};
// One row per key: the first in `order` (SQL order items over the input's columns, the last ones a
// total tie-break).
struct Distinct {
  Ref from;
  std::string step;
  std::vector<Named> keys;
  std::vector<std::string> order;
};
struct Union {
  std::vector<Ref> parts;
};  // UNION ALL BY NAME
struct Sql {
  std::string text;                   // one SELECT
  std::map<std::string, Ref> inputs;  // each becomes a CTE of its name
  std::set<std::string> once =
      {};  // inputs that the text reads exactly once; the others are materialised
};

// Keyed state over event time. A tumbling window: rows (or partials) wait in state until the
// watermark passes their window's end, then the window fires. `dedupe … within`: rows wait until
// the watermark passes their own time, then per key the kept ones are chosen in order of time. On a
// bounded flow of one epoch nothing waits.
//   pending   what a row leaves in state: SELECT over the input; the column `due` says when it
//   fires fire      SQL with the place-holder {rows} (all pending rows that are due) and {kept}
//   (rows that earlier firings kept) keep      what firings leave behind for later ones (dedupe:
//   key and time), with `due` = when it can go; empty: nothing
struct Keyed {
  Ref from = {};
  std::string step = {};
  std::vector<Named> pending = {};  // one is named "due" (TIMESTAMP): fires when due <= W (window)
                                    // or due < W (dedupe: due = time + 1 µs)
  bool partial = false;  // pending rows are partial aggregates: the epoch's rows are grouped by
                         // `pending` first
  std::vector<Named> pending_values = {};  // aggregates, when partial
  std::string fire = {};                   // SELECT … FROM {rows} …
  std::string keep = {};                   // SELECT … FROM ({fire}) …; empty: none
  Schema state = {};                       // columns of the pending table, `due` included
  Schema kept = {};                        // columns of the kept table, `due` included; empty: none
  bool conserves = false;                  // dedupe: in = out + deduplicated + late + held
};

// Each row is handed to a program, which makes of it no row (filtered), one, several, or an error
// (rejected with the code "function"; "cast" where an answer does not fit the type of its column).
struct Call {
  Ref from;
  std::string step;
  std::shared_ptr<const Program> program;
};

using Operator =
    std::variant<Input, Project, Sift, Aggregate, Join, Distinct, Union, Sql, Keyed, Call>;

struct Node {
  Operator op;
  Schema schema;             // of what it gives, hidden columns last
  std::string step;          // whose rows these are: taps and errors name it
  std::vector<Bound> bound;  // values that the expressions of this node use
};

template <class Op>
Ref Make(Op op, Schema schema, std::string step, std::vector<Bound> bound = {}) {
  return std::make_shared<const Node>(
      Node{std::move(op), std::move(schema), std::move(step), std::move(bound)});
}

// Every relation that a node reads.
std::vector<Ref> InputsOf(const Node& node);

// The bound value of that type and text (null: nullopt), and how an expression refers to it:
// CAST($v_… AS type).
Bound MakeBound(std::string_view type, const std::optional<std::string>& text);
std::string Refer(const Bound& bound);

// REQUIRES: a Keyed node. What one epoch adds to its state: a relation of the schema `state`.
Ref Pending(const Ref& keyed);
// `keyed.fire` or `keyed.keep` with texts that follow FROM in place of {rows}, {kept} and {fire}.
std::string FireText(const Keyed& keyed, std::string_view rows, std::string_view kept);
std::string KeepText(const Keyed& keyed, std::string_view rows, std::string_view kept);

// A text that is equal exactly where two relations compute the same from the same inputs: the
// ground of fingerprints.
std::string Canonical(const Ref& ref);

}  // namespace sluice::relation
