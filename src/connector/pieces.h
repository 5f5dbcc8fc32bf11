// Rows of one range as blocks, read by DuckDB's workers themselves: each takes a reader that nobody
// reads from, takes a block from it and gives it back, so one worker waits for the server while
// another decodes.
//
// What columns are needed is known only when the first decoder is made; what is asked for is sent
// after that, and names no others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "sql/scan.h"

namespace sluice {

inline constexpr size_t kPieceBlockBytes = 1 << 20;
inline constexpr size_t kBlockPadding = 64;

// A connection that reads one piece of a range at a time.
class PieceReader {  // one thread at a time
 public:
  virtual ~PieceReader() = default;
  // Asks for the columns `wanted` of the rows of `piece`.
  virtual Status Start(const std::string& piece, const std::vector<uint64_t>& wanted,
                       std::stop_token stop) = 0;
  // Appends whole rows to the block's bytes until it has kPieceBlockBytes or so, and counts them in
  // its `records`. False: the piece has been read to its end.
  virtual Result<bool> Read(Block& block, std::stop_token stop) = 0;
  virtual bool lost() const = 0;  // it can read nothing more
};

struct Pieces {
  std::string table;                // for letters
  std::vector<std::string> pieces;  // conditions ("": none) that together are the range
  int64_t readers = 1;
  // Called on the worker's thread, as often as there are readers.
  std::function<Result<std::unique_ptr<PieceReader>>(std::stop_token)> connect;
};

class PieceFeed final : public sql::BlockFeed {  // any thread
 public:
  explicit PieceFeed(Pieces plan) : plan_(std::move(plan)) {}

  // The first one decides; every worker asks for the same.
  void Want(const std::vector<uint64_t>& projected);
  Result<std::optional<Block>> Next(std::stop_token stop) override;

 private:
  struct Place {
    std::unique_ptr<PieceReader> reader;
    std::string piece;
    bool reading = false;  // in the middle of it
  };

  Result<std::unique_ptr<Place>> Take(const std::stop_token& stop);
  void GiveBack(std::unique_ptr<Place> place, bool more);
  Status Start(Place& place, const std::stop_token& stop);
  Result<Block> Read(Place& place, const std::stop_token& stop);

  const Pieces plan_;
  Mutex mutex_;
  Condition changed_;
  std::optional<std::vector<uint64_t>> wanted_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Place>> idle_ GUARDED_BY(mutex_);
  int64_t busy_ GUARDED_BY(mutex_) = 0;
  size_t next_ GUARDED_BY(mutex_) = 0;
  int64_t records_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> failed_ GUARDED_BY(mutex_);
};

}  // namespace sluice
