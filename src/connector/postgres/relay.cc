// See relay.h.
#include "connector/postgres/relay.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/text.h"
#include "connector/postgres/bytes.h"

namespace sluice::postgres {
namespace {

constexpr int kRelays = 2;  // one waits for a server while the other sends

std::string WireOfName(const std::string& name) {
  return "postgres:" + (name == "varchar" ? std::string("text") : name);
}

class Relay {
 public:
  Relay(Connection& connection, sql::Scan& scan, std::optional<int64_t> epoch, std::stop_token stop)
      : connection_(connection), scan_(scan), epoch_(epoch), stop_(std::move(stop)) {}

  // On several threads.
  void Run() {
    std::vector<char> spliced;
    while (true) {
      auto more = Pass(spliced);
      if (more.ok() && *more) continue;
      MutexLock lock(mutex_);
      if (!more.ok() && !failed_) failed_ = more.error();
      return;
    }
  }

  std::optional<Error> failed() {
    MutexLock lock(mutex_);
    return failed_;
  }
  uint64_t rows() const { return rows_; }

 private:
  Result<bool> Pass(std::vector<char>& spliced) {
    auto block = TRY(scan_.feed->Next(stop_));
    if (!block) return false;
    const auto count = static_cast<uint64_t>(block->records);
    scan_.read += count;
    std::span<const char> bytes(block->bytes.data(), block->size);
    if (epoch_) {
      spliced.clear();
      TRY(AppendWithEpoch(bytes, block->records, *epoch_, spliced));
      bytes = spliced;
    }
    MutexLock lock(mutex_);
    if (failed_) return false;
    TRY(connection_.Write(bytes, stop_));
    scan_.given += count;
    rows_ += count;
    return true;
  }

  Mutex mutex_;
  Connection& connection_;
  sql::Scan& scan_;
  const std::optional<int64_t> epoch_;
  const std::stop_token stop_;
  std::optional<Error> failed_ GUARDED_BY(mutex_);
  std::atomic<uint64_t> rows_{0};
};

}  // namespace

std::string WireName(const Type& type) {
  return type.kind == 'b' && type.element == 0 ? WireOfName(type.name) : std::string();
}

std::vector<std::string> WireOf(const Target& target, const Load& load) {
  std::vector<std::string> wire;
  for (const Column& row : Visible(load.schema)) {
    const TypedColumn* column = target.Find(row.name);
    if (column == nullptr) return {};
    const auto write = ToWrite(row.type, column->type);
    wire.push_back(WireName(column->type));
    // Through a stage it would be a text.
    if (wire.back().empty() || !write || write->path != Path::kDirect) return {};
  }
  return wire;
}

Result<std::vector<std::string>> CreatedWireOf(Connection& connection, const Load& load) {
  std::vector<std::string> types;
  for (const Column& row : Visible(load.schema)) {
    const auto type = ColumnTypeFor(row.type);
    if (!type || EndsWith(*type, "[]")) return std::vector<std::string>();
    types.push_back(fmt::format("{}::regtype", QuoteLiteral(*type)));
  }
  const Answer names = TRY(connection.Run(
      fmt::format("SELECT t.typname FROM unnest(ARRAY[{}]) WITH ORDINALITY AS u(type, place) JOIN "
                  "pg_catalog.pg_type t ON t.oid = u.type ORDER BY u.place",
                  Join(types, ", "))));
  std::vector<std::string> wire;
  for (const auto& row : names.rows) wire.push_back(WireOfName(row[0].value_or("")));
  return wire;
}

Status AppendWithEpoch(std::span<const char> rows, int64_t count, int64_t epoch,
                       std::vector<char>& into) {
  const auto cut = [] { return InternalError("a relayed row ends before its end"); };
  into.reserve(into.size() + rows.size() + static_cast<size_t>(count) * 12);
  size_t at = 0;
  for (int64_t row = 0; row < count; ++row) {
    if (at + 2 > rows.size()) return cut();
    const auto fields = ReadBig<int16_t>(rows.data() + at);
    const size_t begin = at += 2;
    for (int16_t field = 0; field < fields; ++field) {
      if (at + 4 > rows.size()) return cut();
      const auto size = ReadBig<int32_t>(rows.data() + at);
      at += 4 + static_cast<size_t>(std::max(size, 0));
    }
    if (at > rows.size()) return cut();
    AppendBig<int16_t>(into, static_cast<int16_t>(fields + 1));
    into.insert(into.end(), rows.begin() + static_cast<ptrdiff_t>(begin),
                rows.begin() + static_cast<ptrdiff_t>(at));
    AppendBig<int32_t>(into, sizeof(int64_t));
    AppendBig<int64_t>(into, epoch);
  }
  return at == rows.size() ? Ok() : Status(cut());
}

Result<uint64_t> SendRelayed(Connection& connection, sql::Scan& scan,
                             const std::vector<std::string>& names, std::optional<int64_t> epoch,
                             std::stop_token stop) {
  std::vector<uint64_t> projected;
  for (const std::string& name : names) {
    const Column* column = Find(scan.schema, name);
    if (column == nullptr) return InternalError("a relayed column is not there: " + name);
    projected.push_back(static_cast<uint64_t>(column - scan.schema.data()));
  }
  (void)scan.decoder(projected);  // says which columns the blocks are to have
  Relay relay(connection, scan, epoch, std::move(stop));
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < kRelays; ++i) threads.emplace_back([&relay] { relay.Run(); });
    relay.Run();
  }
  if (auto failed = relay.failed()) return *failed;
  return relay.rows();
}

}  // namespace sluice::postgres
