// See batch.h.
#include "connector/batch.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/sift.h"

namespace sluice {
namespace {

constexpr std::string_view kTable = "temp.main._sluice_batch", kNumber = "_sluice_number";

std::string Names(const Schema& schema) {
  std::vector<std::string> names;
  for (const Column& column : schema) names.push_back(QuoteIdentifier(column.name));
  return Join(names, ", ");
}

}  // namespace

Result<Batch> Batch::Gather(sql::Session& session, const std::string& select,
                            const std::vector<sql::Bound>& bound, std::stop_token stop) {
  Schema schema = TRY(session.Describe(select, bound));
  const bool placed =
      Find(schema, kPartitionColumn) != nullptr && Find(schema, kOffsetColumn) != nullptr;
  const std::string order =
      placed ? fmt::format("ORDER BY {}, {}", kPartitionColumn, kOffsetColumn) : std::string();
  TRY(session.Execute(fmt::format("CREATE OR REPLACE TEMP TABLE _sluice_batch AS SELECT "
                                  "row_number() OVER ({}) - 1 AS {}, * FROM ({}) AS _rows",
                                  order, kNumber, select),
                      bound, stop));
  TRY(session.Commit());
  const sql::Rows count = TRY(session.Query(fmt::format("SELECT count(*) FROM {}", kTable)));
  TRY(session.Begin());
  return Batch(session, std::stoull(count.rows.at(0).at(0).text), std::move(schema));
}

Batch::Batch(Batch&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)),
      rows_(other.rows_),
      schema_(std::move(other.schema_)) {}

Batch::~Batch() {
  if (session_ == nullptr) return;
  (void)session_->Rollback();  // of a query that failed
  (void)session_->Execute(fmt::format("DROP TABLE IF EXISTS {}", kTable));
  (void)session_->Begin();
}

Result<Landed> Batch::TakeBy(
    const Load& load, const std::function<Result<Landed>(const std::string& select)>& take) const {
  const auto again = [&](uint64_t from, uint64_t to) -> Result<Landed> {
    auto landed = take(Select(from, to));
    if (landed.ok()) return landed;
    TRY(session_->Rollback());  // DuckDB ends a transaction whose query fails
    TRY(session_->Begin());
    return landed;
  };
  const auto letters = [&](uint64_t row, const Error& why) -> Result<std::vector<Letter>> {
    return std::vector<Letter>{TRY(LetterOf(row, load, why))};
  };
  return Sift({.count = rows_,
               .piece = load.batch_size,
               .refusal = load.on_refusal,
               .take = again,
               .letters = letters});
}

std::string Batch::Select(uint64_t from, uint64_t to) const {
  return fmt::format("SELECT {} FROM {} WHERE {} >= {} AND {} < {}", Names(schema_), kTable,
                     kNumber, from, kNumber, to);
}

Result<Letter> Batch::LetterOf(uint64_t row, const Load& load, const Error& why) const {
  const auto origin = [&](std::string_view column, std::string_view type) {
    return Find(schema_, column) != nullptr ? std::string(column)
                                            : fmt::format("CAST(NULL AS {})", type);
  };
  std::vector<std::string> fields;
  for (const Column& column : Visible(load.schema)) {
    fields.push_back(
        fmt::format("{}: {}", QuoteLiteral(column.name), QuoteIdentifier(column.name)));
  }
  const sql::Rows found = TRY(session_->Query(fmt::format(
      "SELECT CAST(to_json({{{}}}) AS VARCHAR), {}, {} FROM {} WHERE {} = {}", Join(fields, ", "),
      origin(kPartitionColumn, "VARCHAR"), origin(kOffsetColumn, "BIGINT"), kTable, kNumber, row)));
  if (found.rows.size() != 1) return InternalError(fmt::format("row {} of a batch is gone", row));
  const auto& cells = found.rows[0];
  Letter letter = RefusedLetter(load, why, cells[0].text);
  if (!cells[1].null) letter.partition = cells[1].text;
  if (!cells[2].null) letter.offset = std::stoll(cells[2].text);
  return letter;
}

Letter RefusedLetter(const Load& load, const Error& why, std::string original) {
  return {.source = "",
          .partition = "",
          .offset = -1,
          .line = -1,
          .step = load.step,
          .code = "refused",
          .message = why.message,
          .original = std::move(original)};
}

}  // namespace sluice
