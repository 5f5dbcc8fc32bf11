// See pieces.h.
#include "connector/pieces.h"

#include <fmt/format.h>

#include <utility>

namespace sluice {

void PieceFeed::Want(const std::vector<uint64_t>& projected) {
  MutexLock lock(mutex_);
  if (!wanted_) wanted_ = projected;
}

Result<std::optional<Block>> PieceFeed::Next(std::stop_token stop) {
  while (true) {
    auto place = TRY(Take(stop));
    if (!place) return std::optional<Block>();
    auto block = Read(*place, stop);
    const bool more = block.ok() && place->reading;
    GiveBack(std::move(place), more);
    if (!block.ok()) return std::move(block).error();
    if (block.value().size > 0) return std::optional<Block>(std::move(block).value());
  }
}

// One to read from, perhaps a new one; null: the range is read.
Result<std::unique_ptr<PieceFeed::Place>> PieceFeed::Take(const std::stop_token& stop) {
  auto place = std::make_unique<Place>();
  {
    MutexLock lock(mutex_);
    while (true) {
      if (stop.stop_requested()) return CancelledError();
      if (failed_) return *failed_;
      if (!idle_.empty()) {
        place = std::move(idle_.back());
        idle_.pop_back();
        ++busy_;
        if (place->reading) return place;
      } else if (busy_ < plan_.readers && next_ < plan_.pieces.size()) {
        ++busy_;
      } else if (busy_ == 0) {
        return std::unique_ptr<Place>();
      } else {
        changed_.wait_for(mutex_, std::chrono::milliseconds(50));
        continue;
      }
      if (next_ < plan_.pieces.size()) {
        place->piece = plan_.pieces[next_++];
        break;
      }
      --busy_;  // one that has nothing left to read
      place = std::make_unique<Place>();
    }
  }
  auto begun = Start(*place, stop);
  if (begun.ok()) return place;
  MutexLock lock(mutex_);
  --busy_;
  failed_ = begun.error();
  changed_.notify_all();
  return std::move(begun).error();
}

void PieceFeed::GiveBack(std::unique_ptr<Place> place, bool more) {
  MutexLock lock(mutex_);
  --busy_;
  if (more || !place->reader->lost()) idle_.push_back(std::move(place));
  changed_.notify_all();
}

Status PieceFeed::Start(Place& place, const std::stop_token& stop) {
  if (!place.reader) place.reader = TRY(plan_.connect(stop));
  std::vector<uint64_t> wanted;
  {
    MutexLock lock(mutex_);
    wanted = wanted_.value_or(wanted);
  }
  TRY(place.reader->Start(place.piece, wanted, stop).While(fmt::format("reading {}", plan_.table)));
  place.reading = true;
  return Ok();
}

Result<Block> PieceFeed::Read(Place& place, const std::stop_token& stop) {
  Block block;
  block.partition = plan_.table;
  block.records = 0;
  block.bytes.reserve(kPieceBlockBytes + kBlockPadding);
  auto more = place.reader->Read(block, stop);
  if (!more.ok()) {
    auto error = std::move(more).error().While(fmt::format("reading {}", plan_.table));
    MutexLock lock(mutex_);
    failed_ = error;
    return error;
  }
  place.reading = *more;
  block.size = block.bytes.size();
  block.bytes.resize(block.size + kBlockPadding);
  MutexLock lock(mutex_);
  block.first = records_;
  records_ += block.records;
  return block;
}

}  // namespace sluice
