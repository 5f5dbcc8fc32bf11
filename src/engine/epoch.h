// The life of an epoch. DECIDER LAST: everything else of epoch N is keyed by N, invisible or
// idempotent, and done before the decider commits rows and record together; so a kill anywhere
// leaves N wholly undone or wholly done.
//
//   killed in   the next start finds                       and does
//   kFreeze     nothing of N                                N again, ranges free to differ (unless
//   an intent exists) kIntend     intent N                                    N again with the
//   intent's ranges kMove       open transactions died with us; staging     sweeps; N again kHold
//   letters, state rows, followers of N         drops held letters and state rows after the decided
//   epoch; N again kDecide     the decider has N or has not: it is asked   has: settles. has not:
//   as kHold kSettle     the decider has N, the ledger has not       settles again
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

enum class EpochState : uint8_t { kFreeze, kIntend, kMove, kHold, kDecide, kSettle };

constexpr bool Follows(EpochState from, EpochState to) {
  using enum EpochState;
  return (from == kFreeze && (to == kIntend || to == kMove)) || (from == kIntend && to == kMove) ||
         (from == kMove && to == kHold) || (from == kHold && to == kDecide) ||
         (from == kDecide && to == kSettle) || (from == kSettle && to == kFreeze);
}

// What is durable right after each step of an epoch: where a test kills the process
// (docs/architecture.md, crash table).
enum class Milestone : uint8_t {
  kRecovered,          // what a killed run left is swept; nothing of a new epoch
  kFrozen,             // ranges are fixed, in memory only
  kIntended,           // the ledger holds the ranges
  kMoving,             // the landings are open; rows on their way
  kMoved,              // all rows are in the landings, none visible
  kLettersHeld,        // the ledger holds the letters, invisible
  kStateCommitted,     // the state file holds the epoch's rows
  kFollowerCommitted,  // one sink that does not decide has committed
  kDeciding,           // the commit is about to be sent
  kDecided,            // the decider holds rows and record
  kNoted,              // the ledger knows
  kReleased,           // sources and dead state are released
};
std::string_view NameOf(Milestone milestone);

// How a driver starts, from the epochs that the decider, the ledger and the state file know last
// (0: none).
enum class Start : uint8_t { kFresh, kContinue, kSettleFirst, kRefuseRestored, kRefuseStateLost };

constexpr Start Recover(int64_t decider, int64_t ledger, int64_t state, bool stateful) {
  if (decider < ledger)
    return Start::kRefuseRestored;  // restored from a backup, or dropped: never redone silently
  if (stateful && state < decider)
    return Start::kRefuseStateLost;  // state is written before the decision: this is damage
  if (decider == 0) return Start::kFresh;
  return decider > ledger ? Start::kSettleFirst : Start::kContinue;  // state > decider: taken back
}

}  // namespace sluice
