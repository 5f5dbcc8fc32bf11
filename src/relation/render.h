// A relation as one DuckDB SELECT, with taps that count each row-wise step exactly
// (guides/duckdb.md has the recipe).
//
// The invariant: under every optimiser rule, on or off, tap counts equal what an unfused execution
// of the steps would count. It holds because each tap is a volatile function in a WHERE with a
// huge-LIMIT barrier between it and any other tap, join, aggregate, distinct or union, and because
// the caller disables join_filter_pushdown.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "relation/relation.h"

namespace sluice::relation {

// What the renderer decided to count at one place of the text. Fate k (from 1) of the tap is
// fates[k - 1].
struct TapPlan {
  std::vector<Fate> fates = {};
  std::string step_in = {};   // rows that reach the tap are the output of this step
  std::string step_out = {};  // rows that live are the output of this step
  bool diverts = false;
  // A filter right above a source that counts by itself is the scan's own, so that it skips what it
  // need not read: what it left out is what the source holds less what reaches the tap.
  std::optional<Fate> pruned = {};
};

struct InputText {
  std::string from =
      {};  // what follows FROM: "read_parquet([…])", "sluice_scan(4)", "stage.orders"
  bool rows_known = false;  // the source counts exactly by itself: no tap is needed right above it
  bool has_origin = false;  // gives kPartitionColumn and kOffsetColumn
};

// The function that hands rows to a program, with its first argument: "sluice_exchange_4f…(17".
using CallText = std::function<Result<std::string>(const Call&)>;

struct RenderOptions {
  std::function<Result<InputText>(const std::string& step)> input;  // of an Input node
  std::function<int64_t(const TapPlan&)> tap =
      {};  // gives the number of a new tap; none: no taps at all
  // Without it the text is to be read only.
  CallText call = {};
  // If it returns text, that is read instead of the node: rows that the caller staged. A node that
  // several others of one text read and that is not staged becomes a materialised CTE.
  std::function<std::string(const Ref&)> staged = {};
};

struct Text {
  std::string sql;                // a SELECT of the visible columns (and hidden ones if asked)
  std::vector<Bound> bound = {};  // all that the text uses, without repeats
};

enum class Hidden : uint8_t { kLeaveOut, kKeep };
Result<Text> Render(const Ref& ref, const RenderOptions& options, Hidden hidden);

// The same without taps and over typed empty inputs: for schemas at plan time
// (`sql::Session::Describe`) and for `plan` to print.
std::string EmptyInput(
    const Schema& schema);  // "(SELECT CAST(NULL AS BIGINT) AS id, … WHERE false)"

}  // namespace sluice::relation
