// See sending.h.
#include "connector/tables/sending.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/duckdb/target.h"

namespace sluice::tables {
namespace {

constexpr std::string_view kZoned = "TIMESTAMP WITH TIME ZONE";

// A column of the rows in the form in which it arrives.
std::string CastText(const std::string& quoted, const std::string& type) {
  switch (ShapeOf(type)) {
    case Shape::kBool:
      return fmt::format("CAST({} AS BOOLEAN)", quoted);
    case Shape::kWhole:
      return fmt::format("CAST({} AS BIGINT)", quoted);
    case Shape::kUnsigned:
      return fmt::format("CAST({} AS UBIGINT)", quoted);
    case Shape::kFloat:
    case Shape::kDouble:
    case Shape::kBlob:
      return fmt::format("CAST({} AS {})", quoted, type);
    case Shape::kText:
    case Shape::kMoment:
      break;
  }
  if (type == kZoned) return fmt::format("CAST(make_timestamp(epoch_us({})) AS VARCHAR)", quoted);
  // JSON goes as it is written; only what is no text yet is made one.
  if (type == "NESTED") return fmt::format("CAST(to_json({}) AS VARCHAR)", quoted);
  return fmt::format("CAST(CAST({} AS {}) AS VARCHAR)", quoted, type);
}

}  // namespace

Shape ShapeOf(const std::string& type) {
  if (type == "BOOLEAN") return Shape::kBool;
  if (type == "UBIGINT") return Shape::kUnsigned;
  if (duckdb::Widens(type, "BIGINT") && type != "NULL" && type != "\"NULL\"") return Shape::kWhole;
  if (type == "FLOAT") return Shape::kFloat;
  if (type == "DOUBLE") return Shape::kDouble;
  if (type == "BLOB") return Shape::kBlob;
  if (type == "DATE" || type == "TIME" || StartsWith(type, "TIMESTAMP")) return Shape::kMoment;
  return Shape::kText;
}

Status CheckMoment(const SentColumn& column, std::string_view text) {
  const bool time = text.size() > 2 && text[2] == ':';
  const bool usual = text.size() >= 10 && text[4] == '-' && text[7] == '-' &&
                     text.find('(') == std::string_view::npos;
  if (time || usual) return Ok();
  return DataError(fmt::format(
      "column '{}': {} is no day of the years 0 to 9999; filter it out or make it a text",
      column.name, text));
}

Status KeepingVessel::Take(std::span<const sql::VectorView> columns, uint64_t rows) {
  if (auto error = failed()) return *error;
  auto done = Put(columns, rows);
  if (done.ok()) return done;
  MutexLock lock(mutex_);
  if (!failed_) failed_ = done.error();
  return done;
}

std::optional<Error> KeepingVessel::failed() {
  MutexLock lock(mutex_);
  return failed_;
}

Result<uint64_t> Pour(const std::shared_ptr<KeepingVessel>& vessel,
                      const std::vector<SentColumn>& columns, const Outgoing& rows,
                      std::stop_token stop) {
  std::vector<std::string> arguments;
  for (const SentColumn& column : columns)
    arguments.push_back(CastText(QuoteIdentifier(column.source), column.cast));
  const int64_t number = rows.database.vessels().Add(vessel);
  const auto poured =
      rows.session.Query(fmt::format("SELECT count(sluice_pour({}, {})) FROM ({}) AS _rows", number,
                                     Join(arguments, ", "), rows.select),
                         rows.bound, std::move(stop));
  rows.database.vessels().Remove(number);
  if (poured.ok()) return std::stoull(poured->rows.at(0).at(0).text);
  const auto failed = vessel->failed();
  return failed ? *failed : poured.error();
}

}  // namespace sluice::tables
