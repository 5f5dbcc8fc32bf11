// See feed.h.
#include "connector/postgres/feed.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/mutex.h"
#include "base/text.h"
#include "connector/postgres/bytes.h"

namespace sluice::postgres {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
constexpr size_t kPadding = 64;
constexpr size_t kHeaderBytes = 19;  // and the extension whose length it ends with

class CopyFeed final : public sql::BlockFeed {
 public:
  explicit CopyFeed(CopyPlan plan) : plan_(std::move(plan)) {}

  // The first one decides; every worker asks for the same.
  void Want(const std::vector<uint64_t>& projected) {
    MutexLock lock(mutex_);
    if (!wanted_) wanted_ = projected;
  }

  std::vector<DecodedColumn> ColumnsOf(const std::vector<uint64_t>& projected) const {
    std::vector<DecodedColumn> columns;
    for (const uint64_t index : projected) columns.push_back(plan_.columns.at(index));
    return columns;
  }

  const CopyPlan& plan() const { return plan_; }

  Result<std::optional<Block>> Next(std::stop_token stop) override {
    while (true) {
      auto reader = TRY(Take(stop));
      if (!reader) return std::optional<Block>();
      auto block = Read(*reader, stop);
      const bool more = block.ok() && reader->reading;
      GiveBack(std::move(reader), more);
      if (!block.ok()) return std::move(block).error();
      if (block.value().size > 0) return std::optional<Block>(std::move(block).value());
    }
  }

 private:
  struct Reader {
    std::unique_ptr<Connection> connection;
    std::string piece;
    bool reading = false;  // in the middle of a COPY
    bool begun = false;    // its header is behind us
    uint64_t rows = 0;     // of this COPY
  };

  // A reader to read from, perhaps a new one; null: the range is read.
  Result<std::unique_ptr<Reader>> Take(const std::stop_token& stop) {
    auto reader = std::make_unique<Reader>();
    {
      MutexLock lock(mutex_);
      while (true) {
        if (stop.stop_requested()) return CancelledError();
        if (failed_) return *failed_;
        if (!idle_.empty()) {
          reader = std::move(idle_.back());
          idle_.pop_back();
          ++busy_;
          if (reader->reading) return reader;
        } else if (busy_ < plan_.readers && next_ < plan_.pieces.size()) {
          ++busy_;
        } else if (busy_ == 0) {
          return std::unique_ptr<Reader>();
        } else {
          changed_.wait_for(mutex_, std::chrono::milliseconds(50));
          continue;
        }
        if (next_ < plan_.pieces.size()) {
          reader->piece = plan_.pieces[next_++];
          break;
        }
        --busy_;  // a reader that has nothing left to read
        reader = std::make_unique<Reader>();
      }
    }
    auto begun = Start(*reader, stop);
    if (begun.ok()) return reader;
    MutexLock lock(mutex_);
    --busy_;
    failed_ = begun.error();
    changed_.notify_all();
    return std::move(begun).error();
  }

  void GiveBack(std::unique_ptr<Reader> reader, bool more) {
    MutexLock lock(mutex_);
    --busy_;
    if (more || !reader->connection->lost()) idle_.push_back(std::move(reader));
    changed_.notify_all();
  }

  Status Start(Reader& reader, const std::stop_token& stop) {
    if (!reader.connection) reader.connection = TRY(plan_.connect(stop));
    std::vector<std::string> columns;
    {
      MutexLock lock(mutex_);
      for (const DecodedColumn& column : ColumnsOf(wanted_.value_or(std::vector<uint64_t>())))
        columns.push_back(FetchText(QuoteIdentifier(column.name), column.read));
    }
    const std::string text =
        fmt::format("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT binary)", Join(columns, ", "),
                    plan_.from, reader.piece.empty() ? "" : " WHERE " + reader.piece);
    TRY(reader.connection->StartRead(text, stop).While(fmt::format("reading {}", plan_.table)));
    reader.reading = true;
    reader.begun = false;
    reader.rows = 0;
    return Ok();
  }

  Result<Block> Read(Reader& reader, const std::stop_token& stop) {
    Block block;
    block.partition = plan_.table;
    block.records = 0;
    block.bytes.reserve(kBlockBytes + kPadding);
    while (block.bytes.size() < kBlockBytes) {
      const size_t at = block.bytes.size();
      auto more = reader.connection->Read(block.bytes, stop);
      if (!more.ok()) {
        auto error = std::move(more).error().While(fmt::format("reading {}", plan_.table));
        MutexLock lock(mutex_);
        failed_ = error;
        return error;
      }
      if (!*more) {
        reader.reading = false;
        if (reader.connection->copied() != reader.rows) {
          return InternalError(fmt::format("reading {}: the server sent {} rows and says {}",
                                           plan_.table, reader.rows, reader.connection->copied()));
        }
        break;
      }
      if (!reader.begun) {
        TRY(DropHeader(block.bytes, at));
        reader.begun = true;
      }
      if (IsTrailer(block.bytes, at)) {
        block.bytes.resize(at);
      } else if (block.bytes.size() > at) {
        ++block.records;
        ++reader.rows;
      }
    }
    block.size = block.bytes.size();
    block.bytes.resize(block.size + kPadding);
    MutexLock lock(mutex_);
    block.first = records_;
    records_ += block.records;
    return block;
  }

  static Status DropHeader(std::vector<char>& bytes, size_t at) {
    constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
    if (bytes.size() < at + kHeaderBytes ||
        std::string_view(bytes.data() + at, kSignature.size()) != kSignature) {
      return InternalError("the server sent no binary COPY");
    }
    const auto extension = ReadBig<int32_t>(bytes.data() + at + kHeaderBytes - 4);
    const size_t header = kHeaderBytes + static_cast<size_t>(std::max(extension, 0));
    if (bytes.size() < at + header) return InternalError("the server sent no binary COPY");
    bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(at),
                bytes.begin() + static_cast<ptrdiff_t>(at + header));
    return Ok();
  }
  static bool IsTrailer(const std::vector<char>& bytes, size_t at) {
    return bytes.size() == at + 2 && ReadBig<int16_t>(bytes.data() + at) == -1;
  }

  const CopyPlan plan_;
  Mutex mutex_;
  Condition changed_;
  std::optional<std::vector<uint64_t>> wanted_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Reader>> idle_ GUARDED_BY(mutex_);
  int64_t busy_ GUARDED_BY(mutex_) = 0;
  size_t next_ GUARDED_BY(mutex_) = 0;
  int64_t records_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> failed_ GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<sql::Scan> MakeCopyScan(CopyPlan plan) {
  auto scan = std::make_shared<sql::Scan>();
  for (const DecodedColumn& column : plan.columns)
    scan->schema.push_back({column.name, column.read.type, false, ""});
  scan->physical = NativeOf;
  auto feed = std::make_unique<CopyFeed>(std::move(plan));
  CopyFeed* const owned = feed.get();  // the scan outlives its decoders
  scan->feed = std::move(feed);
  scan->decoder = [owned](std::vector<uint64_t> projected) {
    owned->Want(projected);
    return MakeCopyDecoder(owned->ColumnsOf(projected), owned->plan().table,
                           owned->plan().encoding);
  };
  return scan;
}

}  // namespace sluice::postgres
