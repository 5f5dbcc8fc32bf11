// Closing the books of an epoch: counts meet where two parties have counted the same edge.
#include "engine/books.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice {

using relation::FateKind;

void BookKeeper::Set(std::optional<uint64_t>& slot, uint64_t value, const std::string& what) {
  if (slot && *slot != value && conflict_.ok()) {
    conflict_ = InternalError(fmt::format(
        "the books do not balance: {} was counted as {} and as {}", what, *slot, value));
  }
  slot = value;
}

void BookKeeper::Source(const std::string& step, std::optional<uint64_t> read, uint64_t refused) {
  Facts& facts = facts_[step];
  facts.rejected += refused;
  facts.refused += refused;
  if (read) facts.read = *read;
}

void BookKeeper::Given(const std::string& step, uint64_t rows) { facts_[step].given = rows; }

// What a scan left out by itself, as if the tap had seen it: nobody counted it but the source.
TapCount BookKeeper::Unpruned(TapCount tap) {
  if (!tap.plan.pruned) return tap;
  const Facts& source = facts_[tap.plan.step_in];
  uint64_t held = source.read.value_or(0) - source.refused;
  if (held < tap.total && conflict_.ok()) {
    conflict_ =
        InternalError(fmt::format("the books do not balance: step '{}' holds {} rows and gave {}",
                                  tap.plan.step_in, held, tap.total));
  }
  tap.plan.fates.insert(tap.plan.fates.begin(), *tap.plan.pruned);
  tap.fates.insert(tap.fates.begin(), held - tap.total);
  tap.total = held;
  return tap;
}

void BookKeeper::Tap(const TapCount& counted) {
  TapCount tap = Unpruned(counted);
  uint64_t alive = tap.total;
  if (!tap.plan.step_in.empty())
    Set(facts_[tap.plan.step_in].out, alive, "what left step '" + tap.plan.step_in + "'");
  for (size_t k = 0; k < tap.plan.fates.size(); ++k) {
    const relation::Fate& fate = tap.plan.fates[k];
    Facts& facts = facts_[fate.step];
    bool source_itself = fate.step == tap.plan.step_in;
    if (!source_itself && (k == 0 || tap.plan.fates[k - 1].step != fate.step)) {
      Set(facts.in, alive, "what reached step '" + fate.step + "'");
    }
    uint64_t gone = tap.fates[k];
    alive -= gone;
    switch (fate.kind) {
      case FateKind::kFiltered:
        facts.filtered += gone;
        break;
      case FateKind::kDeduplicated:
        facts.deduplicated += gone;
        break;
      case FateKind::kRejected:
        facts.rejected += gone;
        if (fate.code == "cast") facts.misfits += gone;
        break;
      case FateKind::kLate:
        facts.late += gone;
        break;
    }
    bool last_of_step = k + 1 == tap.plan.fates.size() || tap.plan.fates[k + 1].step != fate.step;
    if (last_of_step && source_itself) facts.out = alive;
    if (last_of_step && Unfolds(fate.step)) {
      facts.alive = alive;
      continue;
    }
    // A late row leaves before the keyed step takes it in; what the step gives is counted when it
    // fires.
    if (last_of_step && !source_itself && fate.kind != FateKind::kLate)
      Set(facts.out, alive, "what left step '" + fate.step + "'");
  }
}

void BookKeeper::Keyed(const std::string& step, uint64_t out, uint64_t deduplicated, int64_t held) {
  Facts& facts = facts_[step];
  facts.keyed = true;
  facts.out = out;
  facts.deduplicated += deduplicated;
  facts.held = held;
}

bool BookKeeper::Unfolds(const std::string& step) const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [&](const Step& s) { return s.name == step && s.unfolds; });
}

void BookKeeper::Answered(const std::string& step, uint64_t asked, uint64_t answered) {
  Set(facts_[step].in, asked, "what reached step '" + step + "'");
  facts_[step].answered = answered;
}

void BookKeeper::Landed(const std::string& load, uint64_t rows, uint64_t refused) {
  Facts& facts = facts_[load];
  Set(facts.in, rows + refused, "what load '" + load + "' took");
  facts.out = rows;
  facts.rejected += refused;
  facts.handed = rows + refused;
}

// What a program says it answered is what left the step, unless answers were refused later or the
// reading stopped early.
Status BookKeeper::CheckUnfolded(const Step& step, const Facts& facts) const {
  if (!facts.answered || facts.misfits > 0 || !facts.out || *facts.out == *facts.answered)
    return Ok();
  const bool stops =
      std::any_of(steps_.begin(), steps_.end(), [](const Step& s) { return s.partial; });
  if (stops && *facts.out < *facts.answered) return Ok();
  return InternalError(
      fmt::format("the books do not balance: step '{}' was answered with {} rows and gave {}",
                  step.name, *facts.answered, *facts.out));
}

Result<Books> BookKeeper::Close() const {
  if (!conflict_.ok()) return conflict_.error();
  std::map<std::string, Facts> facts = facts_;
  // What a step is given: the sum of what its inputs gave, where all of them are known.
  auto given = [&](const Step& step) -> std::optional<uint64_t> {
    uint64_t sum = 0;
    for (const std::string& from : step.from) {
      auto it = facts.find(from);
      if (it == facts.end() || !it->second.out) return std::nullopt;
      sum += it->second.handed.value_or(*it->second.out);
    }
    return sum;
  };
  auto gone = [](const Facts& f) { return f.filtered + f.deduplicated + f.rejected + f.late; };
  // Backwards first: what reached a row-wise step with one input is what its input gave.
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    Facts& f = facts[step->name];
    if (!f.in && !step->restarts && !step->unfolds && !f.keyed && f.out && !step->from.empty())
      f.in = *f.out + gone(f);
    if (step->from.size() == 1 && f.in && !step->partial) {
      Facts& before = facts[step->from[0]];
      if (!before.out) before.out = f.in;
    }
  }
  Books books;
  for (const Step& step : steps_) {
    Facts& f = facts[step.name];
    if (step.from.empty()) {  // an extract
      if (f.read && f.given && *f.read != *f.given + f.refused) {
        return InternalError(fmt::format(
            "the books do not balance: step '{}' read {} records, refused {} and gave {}",
            step.name, *f.read, f.refused, *f.given));
      }
      if (!f.read) f.read = f.out.value_or(0) + gone(f);
      f.in = f.read;
      if (!f.out) f.out = *f.in - gone(f);
    } else {
      std::optional<uint64_t> sum = given(step);
      if (!f.in) f.in = sum.value_or(0);
      if (sum && *sum != *f.in && !step.partial) {
        return InternalError(
            fmt::format("the books do not balance: step '{}' was given {} rows and took {}",
                        step.name, *sum, *f.in));
      }
      if (step.unfolds) TRY(CheckUnfolded(step, f));
      if (!f.out) f.out = step.restarts ? 0 : *f.in - gone(f);
    }
    Counts counts{.in = *f.in,
                  .out = *f.out,
                  .filtered = f.filtered,
                  .deduplicated = f.deduplicated,
                  .rejected = f.rejected,
                  .late = f.late,
                  .skipped = 0,
                  .held = f.held};
    uint64_t right = (step.unfolds && f.alive ? *f.alive : counts.out) + gone(f) +
                     static_cast<uint64_t>(counts.held);
    bool stops_early = false;
    for (const Step& other : steps_) {
      if (!other.partial) continue;
      for (const std::string& from : other.from) stops_early = stops_early || from == step.name;
    }
    if (!step.restarts && counts.in != right && !(stops_early && right < counts.in)) {
      return InternalError(
          fmt::format("the books do not balance: step '{}' took {} rows and gave {}, filtered {}, "
                      "deduplicated {}, rejected {}, late {}, held {}",
                      step.name, counts.in, counts.out, counts.filtered, counts.deduplicated,
                      counts.rejected, counts.late, counts.held));
    }
    books[step.name] = counts;
  }
  return books;
}

}  // namespace sluice
