// Names of milestones, as tests and logs write them.
#include "engine/epoch.h"

namespace sluice {

std::string_view NameOf(Milestone milestone) {
  switch (milestone) {
    case Milestone::kRecovered:
      return "recovered";
    case Milestone::kFrozen:
      return "frozen";
    case Milestone::kIntended:
      return "intended";
    case Milestone::kMoving:
      return "moving";
    case Milestone::kMoved:
      return "moved";
    case Milestone::kLettersHeld:
      return "letters-held";
    case Milestone::kStateCommitted:
      return "state-committed";
    case Milestone::kFollowerCommitted:
      return "follower-committed";
    case Milestone::kDeciding:
      return "deciding";
    case Milestone::kDecided:
      return "decided";
    case Milestone::kNoted:
      return "noted";
    case Milestone::kReleased:
      return "released";
  }
  return "unknown";
}

}  // namespace sluice
