// Every row is accounted for: per step, in = out + filtered + deduplicated + rejected + late +
// skipped + held, from counts that are independent of each other: what the source says it held,
// what each tap counted, what the destination says it took. Books that do not balance fail the
// epoch before it is decided.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/range.h"
#include "relation/render.h"

namespace sluice {

struct TapCount {
  relation::TapPlan plan;
  std::vector<uint64_t> fates;  // rows of fate k at fates[k - 1]
  uint64_t total = 0;
};

class BookKeeper {  // one epoch of one flow
 public:
  struct Step {
    std::string name;
    std::vector<std::string> from;  // steps whose rows it takes
    bool restarts = false;          // aggregate, join, sql, window: out does not follow from in
    bool partial =
        false;  // may stop reading early (sql with LIMIT, semi join): in may be less than was given
    bool unfolds = false;  // function: a row that lives may become several
  };

  explicit BookKeeper(std::vector<Step> steps) : steps_(std::move(steps)) {}

  // What the source itself says: records seen, and those that it could not turn into rows.
  void Source(const std::string& step, std::optional<uint64_t> read, uint64_t refused);
  // Rows that the scan handed to the query: an edge of its own, right behind the decoders.
  void Given(const std::string& step, uint64_t rows);
  void Tap(const TapCount& tap);
  // What a keyed step did: rows that fired, those it dropped as duplicates, rows in state after
  // less before.
  void Keyed(const std::string& step, uint64_t out, uint64_t deduplicated, int64_t held);
  // `refused`: rows that it was given and did not take. What comes below a load sees them all.
  void Landed(const std::string& load, uint64_t rows, uint64_t refused = 0);
  // What a program says: rows that it was given, rows that they became.
  void Answered(const std::string& step, uint64_t asked, uint64_t answered);

  // All steps; kInternal with both numbers where an equation does not hold.
  Result<Books> Close() const;

 private:
  struct Facts {
    std::optional<uint64_t> read, given, in, out;
    std::optional<uint64_t> alive, answered;  // of a step that unfolds
    std::optional<uint64_t> handed;           // by a load, to what is below it
    uint64_t refused = 0;                     // by the source itself
    uint64_t misfits = 0;                     // answers that did not fit their columns
    uint64_t filtered = 0, deduplicated = 0, rejected = 0, late = 0;
    int64_t held = 0;
    bool keyed = false;
  };
  std::vector<Step> steps_;
  std::map<std::string, Facts> facts_;
  Status conflict_ = Ok();

  TapCount Unpruned(TapCount tap);
  bool Unfolds(const std::string& step) const;
  Status CheckUnfolded(const Step& step, const Facts& facts) const;
  void Set(std::optional<uint64_t>& slot, uint64_t value, const std::string& what);
};

}  // namespace sluice
