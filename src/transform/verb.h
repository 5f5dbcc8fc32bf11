// What happens to rows between: a verb only lowers what the user wrote to relations; nothing of it
// runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "relation/relation.h"
#include "spec/field.h"
#include "sql/database.h"
#include "sql/parse.h"

namespace sluice {

// How much input a row of output needs. kRow may be cut anywhere; kKeyed keeps state; kWhole needs
// one epoch over the whole bounded input, and is refused on an endless one.
enum class Reach : uint8_t { kRow, kKeyed, kWhole };
enum class OnRowError : uint8_t { kFail, kReject };

struct StepInput {
  std::string step;  // its name, as the user's SQL calls it
  relation::Ref rows;
  bool endless = false;
  bool event_time = false;  // its rows carry kEventTimeColumn and kWatermarkColumn
  bool ordered = false;     // its rows carry kPartitionColumn and kOffsetColumn
};

// A user's text with its `{{ }}` and '{{ }}' replaced by CAST($name AS type).
struct Expanded {
  std::string sql;
  std::vector<relation::Bound> bound;
  Mark mark;
};

struct LowerContext {
  std::string step;
  Mark mark;              // of the step
  sql::Session& session;  // for schemas only; nothing is run
  sql::Parser& parser;
  OnRowError on_row_error = OnRowError::kFail;
  std::function<Result<Expanded>(const Written&)> expand;
  std::function<void(Mark, std::string)> warn;
  // The text of a file of the project; it becomes part of the pipeline's revision.
  std::function<Result<std::string>(const Written& path)> read_file = {};
  std::string folder = {};  // of the project
};

struct Lowered {
  relation::Ref rows;
  Reach reach = Reach::kRow;
};

struct Verb {
  SpecFacts facts;  // name, keys, main key, help
  int min_inputs = 1,
      max_inputs = 1;  // after `from: [a, b]` became one Union; -1: any (sql finds its own)
  std::function<Result<Lowered>(const Node& body, const std::vector<StepInput>& inputs,
                                LowerContext& context)>
      lower;
  // Steps that the body names as inputs besides `from` (join's `with`, the tables in a sql text).
  std::function<Result<std::vector<std::string>>(const Node& body, LowerContext& context)> mentions;
};

using Verbs = std::vector<Verb>;
Verbs BuiltinVerbs();  // builtin.cc: map derive filter aggregate join sql dedupe window function
const Verb* Find(const Verbs& verbs, std::string_view name);

// Places an error of DuckDB inside the user's file: `offset` into `expanded` (which may differ from
// the file by what `{{ }}` became).
Error PlaceError(Error error, const Written& written, int64_t offset);

}  // namespace sluice
