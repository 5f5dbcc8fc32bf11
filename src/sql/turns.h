// Turns at what two transactions of this process must not write at once.
//
// DuckDB finds a conflict only where two transactions touch one row: deletes and inserts by key of
// rows that are not there yet touch none. One process writes a file at a time, so an exclusion in
// memory is enough. It holds if a turn is taken before the transaction's snapshot and given back
// after its end.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"

namespace sluice::sql {

class Turns;

// Holds its names until destroyed. Outlived by the Turns.
class Turn {
 public:
  Turn() = default;
  Turn(Turns& turns, std::set<std::string> names) : turns_(&turns), names_(std::move(names)) {}
  Turn(Turn&& other) noexcept
      : turns_(std::exchange(other.turns_, nullptr)), names_(std::move(other.names_)) {}
  Turn& operator=(Turn&& other) noexcept {
    std::swap(turns_, other.turns_);
    std::swap(names_, other.names_);
    return *this;
  }
  ~Turn();

 private:
  Turns* turns_ = nullptr;
  std::set<std::string> names_;
};

class Turns {  // any thread
 public:
  // Waits until nobody holds any of `names`, then takes them all for `owner`. kCancelled by `stop`;
  // kTransient (contended) where the owner would wait for one that waits for it: he gives back what
  // he holds and comes again.
  Result<Turn> Wait(const std::string& owner, const std::set<std::string>& names,
                    std::stop_token stop) EXCLUDES_LOCK(mutex_);
  // The same without waiting: kTransient (contended) where somebody holds one.
  Result<Turn> Try(const std::string& owner, const std::string& name) EXCLUDES_LOCK(mutex_);

 private:
  friend class Turn;
  void GiveBack(const std::set<std::string>& names) EXCLUDES_LOCK(mutex_);
  std::set<std::string> HoldersOf(const std::set<std::string>& names) const REQUIRES_LOCK(mutex_);
  bool WouldWaitForItself(const std::string& owner, const std::set<std::string>& names) const
      REQUIRES_LOCK(mutex_);

  Mutex mutex_;
  Condition changed_;
  std::map<std::string, std::string> held_ GUARDED_BY(mutex_);                    // name -> owner
  std::multimap<std::string, std::set<std::string>> waiting_ GUARDED_BY(mutex_);  // owner -> names
};

}  // namespace sluice::sql
