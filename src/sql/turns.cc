// See turns.h.
#include "sql/turns.h"

#include <vector>

namespace sluice::sql {
namespace {

Error Contended() {
  Error error = TransientError("another run writes the same at this moment");
  error.contended = true;
  return error;
}

}  // namespace

Turn::~Turn() {
  if (turns_ != nullptr) turns_->GiveBack(names_);
}

Result<Turn> Turns::Wait(const std::string& owner, const std::set<std::string>& names,
                         std::stop_token stop) {
  const std::stop_callback wake(stop, [this] {
    MutexLock lock(mutex_);
    changed_.notify_all();
  });
  MutexLock lock(mutex_);
  while (!HoldersOf(names).empty()) {
    if (stop.stop_requested()) return CancelledError();
    if (WouldWaitForItself(owner, names)) return Contended();
    const auto waiting = waiting_.emplace(owner, names);
    changed_.wait(mutex_);
    waiting_.erase(waiting);
  }
  for (const std::string& name : names) held_.emplace(name, owner);
  return Turn(*this, names);
}

Result<Turn> Turns::Try(const std::string& owner, const std::string& name) {
  MutexLock lock(mutex_);
  if (!held_.emplace(name, owner).second) return Contended();
  return Turn(*this, {name});
}

void Turns::GiveBack(const std::set<std::string>& names) {
  MutexLock lock(mutex_);
  for (const std::string& name : names) held_.erase(name);
  changed_.notify_all();
}

std::set<std::string> Turns::HoldersOf(const std::set<std::string>& names) const {
  std::set<std::string> holders;
  for (const std::string& name : names) {
    if (const auto held = held_.find(name); held != held_.end()) holders.insert(held->second);
  }
  return holders;
}

// Follows who holds, what they wait for, who holds that.
bool Turns::WouldWaitForItself(const std::string& owner, const std::set<std::string>& names) const {
  std::set<std::string> seen;
  std::vector<std::set<std::string>> wanted{names};
  while (!wanted.empty()) {
    const std::set<std::string> holders = HoldersOf(wanted.back());
    wanted.pop_back();
    for (const std::string& holder : holders) {
      if (holder == owner) return true;
      if (!seen.insert(holder).second) continue;
      const auto [first, last] = waiting_.equal_range(holder);
      for (auto it = first; it != last; ++it) wanted.push_back(it->second);
    }
  }
  return false;
}

}  // namespace sluice::sql
