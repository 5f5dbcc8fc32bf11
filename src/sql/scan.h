// Our own decoders as a table function: `FROM sluice_scan(17)`.
//
// Blocks come from a feed that may block (on `stop` it returns promptly); DuckDB's workers take a
// block each and decode it into DuckDB's vectors. With `event_time` set, one worker reads all
// blocks in the feed's order, so that the running maximum of each partition is a function of the
// partition's own order alone.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/block.h"
#include "data/schema.h"

namespace sluice::sql {

class BlockFeed {  // any thread; calls may be concurrent
 public:
  virtual ~BlockFeed() = default;
  virtual Result<std::optional<Block>> Next(std::stop_token stop) = 0;  // nullopt: no more
};

// Stamps each row with the event time watermark of its partition: Wp = greatest event time so far -
// out_of_order.
struct EventTime {
  std::string column;  // a TIMESTAMP column of the schema
  Micros out_of_order{0};
  std::map<std::string, Micros>
      watermarks;  // partition -> Wp at the start; raised by the scan, read after the query
};

struct Scan {
  Schema schema;  // visible columns first; hidden ones (kPartitionColumn, kOffsetColumn,
                  // kWatermarkColumn) may follow
  // How the decoder fills a column of a type.
  Physical (*physical)(std::string_view type) = PhysicalOf;
  // The decoder fills the visible columns whose indices are given. A column of Physical::kText
  // whose type is not VARCHAR is delivered as VARCHAR: the caller casts it.
  std::function<std::unique_ptr<Decoder>(std::vector<uint64_t> projected)> decoder;
  std::unique_ptr<BlockFeed> feed;
  Decoder::Reject reject;  // any thread
  std::optional<EventTime> event_time;
  bool in_order = false;           // one worker reads all blocks, as with event_time
  std::atomic<uint64_t> read{0};   // records seen by the decoders, good or bad
  std::atomic<uint64_t> given{0};  // rows handed to DuckDB, counted here and not by the decoders
  std::stop_token stop;
};

class Scans {  // any thread
 public:
  virtual ~Scans() = default;
  // The scan can be read once, by one query, until `Remove`. Returns its number.
  virtual int64_t Add(std::shared_ptr<Scan> scan) = 0;
  virtual void Remove(int64_t number) = 0;
};

}  // namespace sluice::sql
