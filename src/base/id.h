// Strong ids: numbers that cannot be mistaken for one another.
#pragma once

#include <compare>
#include <cstdint>

namespace sluice {

template <class Tag>
struct Id {
  int64_t value = 0;  // 0 means none

  auto operator<=>(const Id&) const = default;
  explicit operator bool() const { return value != 0; }
};

using EpochId = Id<struct EpochTag>;  // allocated by the deciding sink, unique and rising within it
using RunId = Id<struct RunTag>;      // allocated by the ledger
using FenceId =
    Id<struct FenceTag>;  // rises with every lease of a lane; a lower one may not commit

}  // namespace sluice
