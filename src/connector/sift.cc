// See sift.h.
#include "connector/sift.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

struct Piece {
  uint64_t from, to;
};

std::vector<Piece> PiecesOf(uint64_t count, uint64_t piece) {
  std::vector<Piece> pieces;
  const uint64_t step = piece == 0 ? std::max<uint64_t>(count, 1) : piece;
  for (uint64_t from = 0; from == 0 || from < count; from += step)
    pieces.push_back({from, std::min(from + step, count)});
  std::reverse(pieces.begin(), pieces.end());  // the next is the last
  return pieces;
}

}  // namespace

Result<Landed> Sift(const Sifting& sifting) {
  Landed landed;
  std::vector<Piece> left = PiecesOf(sifting.count, sifting.piece);
  while (!left.empty()) {
    const Piece piece = left.back();
    left.pop_back();
    auto taken = sifting.take(piece.from, piece.to);
    if (taken.ok()) {
      landed += std::move(taken).value();
      continue;
    }
    Error why = std::move(taken).error();
    if (sifting.refusal == OnRefusal::kFail || why.kind != ErrorKind::kData ||
        piece.from == piece.to)
      return why;
    if (piece.to - piece.from > 1) {
      const uint64_t middle = piece.from + (piece.to - piece.from) / 2;
      left.push_back({middle, piece.to});
      left.push_back({piece.from, middle});
      continue;
    }
    for (Letter& letter : TRY(sifting.letters(piece.from, why)))
      landed.refused.push_back(std::move(letter));
    if (landed.refused.size() > kMostRefused) {
      return RejectedError(
          fmt::format("more than {} rows were refused in one epoch: is it the right table? The "
                      "last: {}",
                      kMostRefused, why.message));
    }
  }
  return landed;
}

}  // namespace sluice
