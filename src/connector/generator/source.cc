// See source.h.
#include "connector/generator/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/mutex.h"
#include "base/text.h"
#include "calendar/instant.h"

namespace sluice {
namespace {

constexpr uint64_t kBlockRows = 64 << 10;
constexpr uint64_t kRowBytes = 40;
constexpr uint64_t kEndlessRows = 1'000'000;  // of one range where nothing else limits it

struct Shape {
  uint64_t seed = 1, partitions = 1, keys = 1, every = 0, disorder = 0;
  int64_t start = 0;
};

uint64_t Mix(uint64_t x) {  // splitmix64
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}
// A number in [0, below) out of 64 random bits, without a division.
__extension__ typedef unsigned __int128 Wide;
uint64_t Scale(uint64_t random, uint64_t below) {
  return static_cast<uint64_t>((static_cast<Wide>(random) * below) >> 64);
}

class GeneratorDecoder final : public Decoder {
 public:
  GeneratorDecoder(const Shape& shape, std::vector<uint64_t> projected)
      : shape_(shape), projected_(std::move(projected)) {}

  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject&) override {
    const uint64_t count = std::min(slots.capacity, static_cast<uint64_t>(block.records) - at);
    const uint64_t first = static_cast<uint64_t>(block.first) + at;
    const uint64_t partition = static_cast<uint64_t>(block.bytes[0] & 0xFF) |
                               static_cast<uint64_t>(block.bytes[1] & 0xFF) << 8 |
                               static_cast<uint64_t>(block.bytes[2] & 0xFF) << 16;
    for (size_t c = 0; c < projected_.size(); ++c)
      Column(projected_[c], slots.columns[c], first, partition, count);
    for (uint64_t row = 0; row < count && !offsets.empty(); ++row)
      offsets[row] = static_cast<int64_t>(first + row);
    at += count;
    read += count;
    return count;
  }

 private:
  void Column(uint64_t column, ColumnSlot& slot, uint64_t first, uint64_t partition,
              uint64_t count) const {
    uint64_t i = first * shape_.partitions + partition;
    const uint64_t step = shape_.partitions;
    const uint64_t seed = Mix(shape_.seed * 4 + column);
    if (column == 1) {
      std::fill_n(static_cast<int32_t*>(slot.values), count, static_cast<int32_t>(partition));
    } else if (column == 3) {
      auto* values = static_cast<double*>(slot.values);
      for (uint64_t row = 0; row < count; ++row, i += step) {
        values[row] = static_cast<double>(Scale(Mix(seed ^ i), 100'000)) / 100.0;
      }
    } else {
      auto* values = static_cast<int64_t*>(slot.values);
      for (uint64_t row = 0; row < count; ++row, i += step) {
        if (column == 0) values[row] = static_cast<int64_t>(i);
        if (column == 2) values[row] = static_cast<int64_t>(Scale(Mix(seed ^ i), shape_.keys));
        if (column == 4) {
          values[row] =
              shape_.start +
              static_cast<int64_t>(i * shape_.every - Scale(Mix(seed ^ i), shape_.disorder + 1));
        }
      }
    }
  }

  const Shape shape_;
  const std::vector<uint64_t> projected_;
};

Schema Columns() {
  return {{.name = "i", .type = "BIGINT"},
          {.name = "partition", .type = "INTEGER"},
          {.name = "key", .type = "BIGINT"},
          {.name = "value", .type = "DOUBLE"},
          {.name = "ts", .type = "TIMESTAMP"}};
}

struct Part {
  uint64_t partition = 0, from = 0, to = 0;
};

// Blocks of all partitions in turn, so that their times go forward together.
class GeneratorFeed final : public sql::BlockFeed {
 public:
  explicit GeneratorFeed(std::vector<Part> parts) : parts_(std::move(parts)) {}

  Result<std::optional<Block>> Next(std::stop_token stop) override {
    MutexLock lock(mutex_);
    if (stop.stop_requested()) return CancelledError();
    for (size_t tried = 0; tried < parts_.size(); ++tried, turn_ = (turn_ + 1) % parts_.size()) {
      Part& part = parts_[turn_];
      if (part.from == part.to) continue;
      Block block;
      block.bytes.resize(3 + 64);
      for (size_t byte = 0; byte < 3; ++byte)
        block.bytes[byte] = static_cast<char>(part.partition >> (8 * byte));
      block.partition = fmt::format("generator/{}", part.partition);
      block.first = static_cast<int64_t>(part.from);
      block.records = static_cast<int64_t>(std::min(kBlockRows, part.to - part.from));
      part.from += static_cast<uint64_t>(block.records);
      block.last_of_partition = part.from == part.to;
      turn_ = (turn_ + 1) % parts_.size();
      return std::optional<Block>(std::move(block));
    }
    return std::optional<Block>();
  }

 private:
  Mutex mutex_;
  std::vector<Part> parts_ GUARDED_BY(mutex_);
  size_t turn_ GUARDED_BY(mutex_) = 0;
};

class GeneratorSource final : public Source {
 public:
  GeneratorSource(const Shape& shape, std::optional<uint64_t> count)
      : shape_(shape), count_(count) {
    identity_ = Fingerprint(fmt::format("{} {} {} {} {} {}", shape.seed, shape.partitions,
                                        shape.keys, shape.every, shape.disorder, shape.start));
  }

  Result<SourceShape> Describe(sql::Session&, std::stop_token) override {
    SourceShape described;
    described.schema = Columns();
    described.endless = !count_;
    described.ordered = true;
    described.describe = fmt::format("{} generated rows, seed {}, {} partition{}",
                                     count_ ? FormatCount(*count_) : "endless", shape_.seed,
                                     shape_.partitions, shape_.partitions == 1 ? "" : "s");
    return described;
  }

  Result<std::optional<Range>> Freeze(const Position& from, const Limits& limits,
                                      std::stop_token) override {
    uint64_t begin =
        0;  // rows are taken in the order of i, so the sum of the partitions says how many
    for (uint64_t partition = 0; partition < shape_.partitions; ++partition)
      begin += Begin(partition, from);
    uint64_t rows = count_ ? *count_ - std::min(begin, *count_) : kEndlessRows;
    if (rows == 0) return std::optional<Range>();
    if (limits.rows) rows = std::min(rows, limits.rows);
    if (limits.bytes) rows = std::min(rows, std::max<uint64_t>(limits.bytes / kRowBytes, 1));
    Range range;
    for (uint64_t partition = 0; partition < shape_.partitions; ++partition) {
      const uint64_t first = Begin(partition, from);
      const uint64_t last = RowsOf(partition, begin + rows);
      if (first >= last) continue;
      range.cuts.push_back({fmt::format("generator/{}", partition), std::to_string(first),
                            std::to_string(last),
                            fmt::format("{}/{}#{}-{}", identity_, partition, first, last)});
    }
    range.final = count_ && begin + rows == *count_;
    return std::optional<Range>(std::move(range));
  }

  Position After(const Position& from, const Range& range) const override {
    Position after = from;
    for (const Cut& cut : range.cuts) after[cut.partition] = cut.to;
    return after;
  }

  std::vector<std::string> Unfinished(const Position& position) const override {
    std::vector<std::string> names;
    for (uint64_t partition = 0; partition < shape_.partitions; ++partition) {
      if (count_ && Begin(partition, position) >= RowsOf(partition, *count_)) continue;
      names.push_back(fmt::format("generator/{}", partition));
    }
    return names;
  }

  Result<Opened> Open(const Range& range, sql::Session&, std::stop_token) override {
    std::vector<Part> parts;
    for (const Cut& cut : range.cuts) {
      const uint64_t partition = NumberOf(cut.partition.substr(cut.partition.find('/') + 1));
      if (partition >= shape_.partitions || !StartsWith(cut.identity, identity_)) {
        return RejectedError("the generator's keys changed since its rows were chosen");
      }
      parts.push_back({partition, NumberOf(cut.from), NumberOf(cut.to)});
    }
    Opened opened;
    opened.scan = std::make_shared<sql::Scan>();
    opened.scan->schema = Columns();
    opened.scan->decoder = [shape = shape_](std::vector<uint64_t> projected) {
      return std::make_unique<GeneratorDecoder>(shape, std::move(projected));
    };
    opened.scan->feed = std::make_unique<GeneratorFeed>(std::move(parts));
    return opened;
  }

 private:
  static uint64_t NumberOf(const std::string& text) {
    uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }
  static uint64_t Begin(uint64_t partition, const Position& from) {
    const auto found = from.find(fmt::format("generator/{}", partition));
    return found == from.end() ? 0 : NumberOf(found->second);
  }
  // How many of the rows 0 … total-1 are of the partition.
  uint64_t RowsOf(uint64_t partition, uint64_t total) const {
    return total <= partition ? 0 : (total - partition - 1) / shape_.partitions + 1;
  }

  const Shape shape_;
  const std::optional<uint64_t> count_;
  std::string identity_;
};

}  // namespace

Result<std::unique_ptr<Source>> MakeGeneratorSource(ExtractRequest request) {
  const ExtractConfig& config = request.config;
  const auto refuse = [&](std::string_view key, std::string_view wanted) {
    return ConfigError(config.mark, fmt::format("`{}` of a generator must be {}", key, wanted));
  };
  if (!config.columns.empty()) {
    return ConfigError(config.columns[0].mark,
                       "a generator has its own columns: i, partition, key, value, ts");
  }
  if (config.partitions < 1 || config.partitions > 100'000)
    return refuse("partitions", "between 1 and 100,000");
  if (config.keys < 1) return refuse("keys", "at least 1");
  if (config.count && *config.count < 0) return refuse("count", "0 or more");
  if (config.every.count() < 0 || config.disorder.count() < 0)
    return refuse("every, disorder", "0 or more");
  Shape shape{.seed = static_cast<uint64_t>(config.seed),
              .partitions = static_cast<uint64_t>(config.partitions),
              .keys = static_cast<uint64_t>(config.keys),
              .every = static_cast<uint64_t>(config.every.count()),
              .disorder = static_cast<uint64_t>(config.disorder.count())};
  Result<Micros> start = ParseInstant(config.start.empty() ? "2026-01-01" : config.start.text);
  if (!start.ok())
    return Error(start.error()).While("`start` of a generator").At(config.start.mark);
  shape.start = start->count();
  std::optional<uint64_t> count;
  if (config.count) count = static_cast<uint64_t>(*config.count);
  return std::unique_ptr<Source>(std::make_unique<GeneratorSource>(shape, count));
}

}  // namespace sluice
