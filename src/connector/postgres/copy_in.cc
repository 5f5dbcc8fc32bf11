// See copy_in.h.
#include "connector/postgres/copy_in.h"

#include <fmt/format.h>

#include <utility>

#include "base/mutex.h"
#include "base/text.h"
#include "connector/postgres/relay.h"
#include "sql/pour.h"

namespace sluice::postgres {
namespace {

class Stream final : public sql::Vessel {
 public:
  Stream(Connection& connection, CopyEncoder encoder, std::stop_token stop)
      : connection_(connection), encoder_(std::move(encoder)), stop_(std::move(stop)) {}

  Status Take(std::span<const sql::VectorView> columns, uint64_t rows) override {
    std::vector<char> bytes;
    bytes.reserve(rows * 64);
    auto done = encoder_.Append(columns, 0, rows, bytes);
    if (done.ok()) {
      MutexLock lock(mutex_);
      if (failed_) return *failed_;
      done = connection_.Write(bytes, stop_);
      if (!done.ok()) failed_ = done.error();
      return done;
    }
    MutexLock lock(mutex_);
    if (!failed_) failed_ = done.error();
    return done;
  }

  std::optional<Error> failed() {
    MutexLock lock(mutex_);
    return failed_;
  }

 private:
  Mutex mutex_;
  Connection& connection_;
  const CopyEncoder encoder_;
  const std::stop_token stop_;
  std::optional<Error> failed_ GUARDED_BY(mutex_);
};

// A column of the rows in the form that the encoder takes.
std::string CastText(const std::string& name, const WriteAs& write) {
  const std::string quoted = QuoteIdentifier(name);
  if (write.cast == "JSON") return fmt::format("CAST(to_json({}) AS VARCHAR)", quoted);
  return fmt::format("CAST({} AS {})", quoted, write.cast);
}

Result<uint64_t> Pour(Connection& connection, CopyEncoder encoder, const std::string& arguments,
                      const Outgoing& rows, std::stop_token stop) {
  auto stream = std::make_shared<Stream>(connection, std::move(encoder), stop);
  const int64_t number = rows.database.vessels().Add(stream);
  const auto poured =
      rows.session.Query(fmt::format("SELECT count(sluice_pour({}, {})) FROM ({}) AS _rows", number,
                                     arguments, rows.select),
                         rows.bound, stop);
  rows.database.vessels().Remove(number);
  if (poured.ok()) return std::stoull(poured->rows.at(0).at(0).text);
  const auto failed = stream->failed();
  return failed ? *failed : poured.error();
}

}  // namespace

Result<uint64_t> CopyIn(Connection& connection, const std::string& table,
                        const std::vector<EncodedColumn>& columns, std::optional<int64_t> epoch,
                        const Outgoing& rows, std::stop_token stop, Seen seen) {
  std::vector<std::string> into, arguments;
  for (size_t i = 0; i < columns.size(); ++i) {
    into.push_back(QuoteIdentifier(columns[i].name));
    arguments.push_back(CastText(rows.names.at(i), columns[i].write));
  }
  if (epoch) into.push_back(QuoteIdentifier(kEpochColumn));
  TRY(connection.StartWrite(fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary{})", table,
                                        Join(into, ", "), seen == Seen::kFrozen ? ", FREEZE" : ""),
                            stop));
  std::vector<char> edge;
  AppendHeader(edge);
  TRY(connection.Write(edge, stop));
  auto sent =
      rows.relayed != nullptr
          ? SendRelayed(connection, *rows.relayed, rows.names, epoch, stop)
          : Pour(connection, CopyEncoder(columns, epoch), Join(arguments, ", "), rows, stop);
  if (!sent.ok()) {
    connection.AbandonWrite();
    return sent;
  }
  edge.clear();
  AppendTrailer(edge);
  TRY(connection.Write(edge, stop));
  const uint64_t taken = TRY(connection.FinishWrite(stop));
  if (taken != *sent) {
    return InternalError(
        fmt::format("{} rows were sent into {}, and the server took {}", *sent, table, taken));
  }
  return taken;
}

}  // namespace sluice::postgres
