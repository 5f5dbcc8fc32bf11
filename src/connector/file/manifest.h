// The decisions of a file sink: `<root>/.sluice/<lane and target>/<epoch>.json`, one per epoch,
// holding the epoch's record and what has to be placed and removed for it to be seen.
//
// Invariant: the manifest appears under its name at once, complete and synced, or not at all; that
// is the decision. All it names is synced before. What it says is rolled forward afterwards, any
// number of times: what is placed and what is gone has been done. A
// file that no manifest names was never decided.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connector/file/depot.h"
#include "connector/sink.h"
#include "data/range.h"

namespace sluice {

struct Manifest {
  EpochRecord record;
  Sealed renames;  // names from the depot's root on
  std::vector<std::string> removes;
  std::vector<EpochId> taken_back;
};

std::string Serialise(const Manifest& manifest);
Result<Manifest> ParseManifest(std::string_view text);

class ManifestStore {  // of one lane and one target; one thread
 public:
  // `target`: what the sink writes in the root; empty: the root itself.
  ManifestStore(Depot& depot, const Lane& lane, std::string_view target);

  Result<std::vector<EpochId>> Epochs() const;  // decided, rising
  Result<Manifest> Read(EpochId epoch) const;
  Result<std::optional<Manifest>> Last() const;

  // A number that no other lane of this folder gets, held until Release: higher than all before.
  Result<EpochId> Allocate();
  void Release(EpochId epoch);

  Status Decide(const Manifest& manifest);  // kRejected where that epoch is decided already
  Status RollForward(const Manifest& manifest);
  // Deletes what undecided epochs left; finishes the decided ones.
  Status Sweep();
  // Removes manifests but the newest `keep` and those that are needed; the names of files that they
  // put in place go into the list of old parts before.
  Status Prune(uint64_t keep, Needed needed);
  Result<std::vector<std::string>> OldParts() const;  // from the depot's root on
  Status Forget(EpochId epoch);  // the decision itself, of an epoch that was only staged
  void RemoveIfEmpty();          // the store's own folders

  // Names of files of an epoch, from the depot's root on; no glob of a reader finds them.
  std::string LandingName(EpochId epoch) const {
    return lane_folder_ + "/" + std::to_string(epoch.value) + ".landing";
  }
  std::string StagedName(EpochId epoch) const {
    return lane_folder_ + "/" + std::to_string(epoch.value) + ".staged";
  }

 private:
  std::string ManifestName(EpochId epoch) const {
    return lane_folder_ + "/" + std::to_string(epoch.value) + ".json";
  }
  std::string DecidingName(EpochId epoch) const {
    return lane_folder_ + "/" + std::to_string(epoch.value) + ".deciding";
  }
  Result<std::vector<EpochId>> Numbers(const std::string& pattern) const;
  std::string ClaimName(EpochId epoch) const {
    return ".sluice/" + std::to_string(epoch.value) + ".claim";
  }

  Depot& depot_;
  std::string lane_folder_, owner_;
};

}  // namespace sluice
