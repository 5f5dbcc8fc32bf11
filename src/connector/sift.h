// Leaves out of a batch the rows that a destination refuses, and only those: what is refused is
// halved until a single one is left. Its cost goes with the rows that are refused, not with those
// that are there: n rows of which k are bad are sent about log2(k) + 3 times, in about
// 2k log2(n / k) pieces.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "connector/sink.h"

namespace sluice {

// So many in one epoch are no bad rows any more: something else is wrong.
inline constexpr uint64_t kMostRefused = 10'000;

struct Sifting {
  uint64_t count = 0;  // units 0, 1, …: rows, or the rows of one key
  uint64_t piece = 0;  // at most so many at a time; 0: all of them
  OnRefusal refusal = OnRefusal::kFail;
  // Takes the units [from, to), or leaves no trace of them. kData: one of them was refused; any
  // other error has nothing to do with rows, and ends it all.
  std::function<Result<Landed>(uint64_t from, uint64_t to)> take;
  // The rows of a unit that was refused alone.
  std::function<Result<std::vector<Letter>>(uint64_t unit, const Error& why)> letters;
};

// In the order of the units. The letters are in what it gives.
Result<Landed> Sift(const Sifting& sifting);

}  // namespace sluice
