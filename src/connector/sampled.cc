// See sampled.h. DuckDB's own readers get a LIMIT. Our decoders stop by a budget: one worker reads
// the blocks in order, and what it does not read it does not count.
#include "connector/sampled.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

using Budget = std::atomic<uint64_t>;

class StingyDecoder final : public Decoder {
 public:
  StingyDecoder(std::unique_ptr<Decoder> decoder, std::shared_ptr<Budget> left)
      : decoder_(std::move(decoder)), left_(std::move(left)) {}

  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject& reject) override {
    slots.capacity = std::min(slots.capacity, left_->load());
    const uint64_t rows =
        slots.capacity == 0 ? 0 : TRY(decoder_->Fill(block, at, slots, offsets, read, reject));
    if (left_->fetch_sub(rows) == rows)
      at = std::max<uint64_t>(block.size,
                              static_cast<uint64_t>(std::max<int64_t>(0, block.records)));
    return rows;
  }

 private:
  const std::unique_ptr<Decoder> decoder_;
  const std::shared_ptr<Budget> left_;
};

class StingyFeed final : public sql::BlockFeed {
 public:
  StingyFeed(std::unique_ptr<sql::BlockFeed> feed, std::shared_ptr<Budget> left)
      : feed_(std::move(feed)), left_(std::move(left)) {}

  Result<std::optional<Block>> Next(std::stop_token stop) override {
    if (left_->load() == 0) return std::optional<Block>();
    return feed_->Next(std::move(stop));
  }

 private:
  const std::unique_ptr<sql::BlockFeed> feed_;
  const std::shared_ptr<Budget> left_;
};

class SampledSource final : public Source {
 public:
  SampledSource(std::unique_ptr<Source> source, uint64_t rows)
      : source_(std::move(source)), rows_(rows) {}

  Result<SourceShape> Describe(sql::Session& session, std::stop_token stop) override {
    return source_->Describe(session, std::move(stop));
  }
  Result<std::optional<Range>> Freeze(const Position& from, const Limits&,
                                      std::stop_token stop) override {
    auto range = TRY(source_->Freeze(from, {}, std::move(stop)));
    if (range) range->final = true;
    return range;
  }
  Position After(const Position& from, const Range& range) const override {
    return source_->After(from, range);
  }
  Position Kept(const Position& position) const override { return source_->Kept(position); }
  Result<Position> Resume(Position kept, const std::set<std::string>& loaded) override {
    return source_->Resume(std::move(kept), loaded);
  }
  std::vector<std::string> Unfinished(const Position& position) const override {
    return source_->Unfinished(position);
  }
  Result<Opened> Open(const Range& range, sql::Session& session, std::stop_token stop) override {
    Opened opened = TRY(source_->Open(range, session, std::move(stop)));
    opened.rows_known.reset();
    if (!opened.scan) {
      opened.from = fmt::format("(SELECT * FROM {} LIMIT {})", opened.from, rows_);
      return opened;
    }
    auto left = std::make_shared<Budget>(rows_);
    opened.scan->in_order = true;
    opened.scan->feed = std::make_unique<StingyFeed>(std::move(opened.scan->feed), left);
    opened.scan->decoder =
        [left, make = std::move(opened.scan->decoder)](const std::vector<uint64_t>& projected) {
          return std::make_unique<StingyDecoder>(make(projected), left);
        };
    return opened;
  }
  Status Verify(const Range& range) override { return source_->Verify(range); }
  Status Locate(std::vector<Letter>& letters) override { return source_->Locate(letters); }
  Status Release(const Range& range) override { return source_->Release(range); }

 private:
  const std::unique_ptr<Source> source_;
  const uint64_t rows_;
};

}  // namespace

std::unique_ptr<Source> MakeSampled(std::unique_ptr<Source> source, uint64_t rows) {
  return std::make_unique<SampledSource>(std::move(source), rows);
}

}  // namespace sluice
