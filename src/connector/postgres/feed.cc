// See feed.h.
#include "connector/postgres/feed.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/pieces.h"
#include "connector/postgres/bytes.h"

namespace sluice::postgres {
namespace {

constexpr size_t kHeaderBytes = 19;  // and the extension whose length it ends with

std::vector<DecodedColumn> ColumnsOf(const CopyPlan& plan, const std::vector<uint64_t>& projected) {
  std::vector<DecodedColumn> columns;
  for (const uint64_t index : projected) columns.push_back(plan.columns.at(index));
  return columns;
}

class CopyReader final : public PieceReader {
 public:
  CopyReader(std::shared_ptr<const CopyPlan> plan, std::unique_ptr<Connection> connection)
      : plan_(std::move(plan)), connection_(std::move(connection)) {}
  ~CopyReader() override {
    if (!reading_ && plan_->give_back) plan_->give_back(std::move(connection_));
  }

  Status Start(const std::string& piece, const std::vector<uint64_t>& wanted,
               std::stop_token stop) override {
    std::vector<std::string> columns;
    for (const DecodedColumn& column : ColumnsOf(*plan_, wanted))
      columns.push_back(FetchText(QuoteIdentifier(column.name), column.read));
    TRY(connection_->StartRead(
        fmt::format("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT binary)", Join(columns, ", "),
                    plan_->from, piece.empty() ? "" : " WHERE " + piece),
        std::move(stop)));
    reading_ = true;
    begun_ = false;
    rows_ = 0;
    return Ok();
  }

  Result<bool> Read(Block& block, std::stop_token stop) override {
    while (block.bytes.size() < kPieceBlockBytes) {
      const size_t at = block.bytes.size();
      if (!TRY(connection_->Read(block.bytes, stop))) {
        reading_ = false;
        if (connection_->copied() == rows_) return false;
        return InternalError(
            fmt::format("the server sent {} rows and says {}", rows_, connection_->copied()));
      }
      if (!begun_) TRY(DropHeader(block.bytes, at));
      begun_ = true;
      if (IsTrailer(block.bytes, at)) {
        block.bytes.resize(at);
      } else if (block.bytes.size() > at) {
        ++block.records;
        ++rows_;
      }
    }
    return true;
  }

  bool lost() const override { return connection_->lost(); }

 private:
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

  const std::shared_ptr<const CopyPlan> plan_;
  std::unique_ptr<Connection> connection_;
  bool reading_ = false;  // in the middle of a COPY
  bool begun_ = false;    // the header of its COPY is behind us
  uint64_t rows_ = 0;     // of this COPY
};

}  // namespace

std::shared_ptr<sql::Scan> MakeCopyScan(CopyPlan given) {
  auto plan = std::make_shared<const CopyPlan>(std::move(given));
  auto scan = std::make_shared<sql::Scan>();
  for (const DecodedColumn& column : plan->columns)
    scan->schema.push_back({column.name, column.read.type, false, ""});
  scan->physical = NativeOf;
  auto feed = std::make_unique<PieceFeed>(
      Pieces{.table = plan->table,
             .pieces = plan->pieces,
             .readers = plan->readers,
             .connect = [plan](std::stop_token stop) -> Result<std::unique_ptr<PieceReader>> {
               return std::unique_ptr<PieceReader>(
                   std::make_unique<CopyReader>(plan, TRY(plan->connect(std::move(stop)))));
             }});
  PieceFeed* const owned = feed.get();  // the scan outlives its decoders
  scan->feed = std::move(feed);
  scan->decoder = [owned, plan](const std::vector<uint64_t>& projected) {
    owned->Want(projected);
    return MakeCopyDecoder(ColumnsOf(*plan, projected), plan->table, plan->encoding);
  };
  return scan;
}

}  // namespace sluice::postgres
