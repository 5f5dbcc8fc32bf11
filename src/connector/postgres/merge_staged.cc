// See merge_staged.h.
#include "connector/postgres/merge_staged.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/batch.h"
#include "connector/sift.h"

namespace sluice::postgres {
namespace {

constexpr std::string_view kUnits = "pg_temp._sluice_units", kPiece = "pg_temp._sluice_piece";

class Pieces {
 public:
  Pieces(Connection& connection, const Target& target, const Load& load, EpochId epoch,
         std::stop_token stop)
      : connection_(connection),
        target_(target),
        load_(load),
        epoch_(epoch),
        stop_(std::move(stop)) {}

  Result<Landed> Take(const std::string& stage) {
    const uint64_t units = TRY(Number(stage));
    const Landed cleared =
        TRY(Apply(connection_, target_, load_, From(stage), stop_, Part::kClear));
    Landed landed =
        TRY(Sift({.count = units,
                  .piece = 0,
                  .refusal = OnRefusal::kReject,
                  .take = [&](uint64_t from, uint64_t to) { return Piece(from, to); },
                  .letters = [&](uint64_t unit, const Error& why) { return Letters(unit, why); }}));
    TRY(Run(fmt::format("DROP TABLE {}", kUnits)));
    landed += cleared;
    return landed;
  }

 private:
  Result<uint64_t> Number(const std::string& stage) {
    std::vector<std::string> keys;
    for (const std::string& key : load_.key)
      keys.push_back(QuoteIdentifier(target_.Find(key)->name));
    const std::string number =
        keys.empty() ? "row_number() OVER ()"
                     : fmt::format("dense_rank() OVER (ORDER BY {})", Join(keys, ", "));
    TRY(
        Run(fmt::format("CREATE TEMP TABLE _sluice_units ON COMMIT DROP AS SELECT {} - 1 AS "
                        "_sluice_unit, s.* FROM {} AS s; CREATE INDEX ON {} (_sluice_unit)",
                        number, stage, kUnits)));
    return static_cast<uint64_t>(
        TRY(QueryNumber(connection_, fmt::format("SELECT max(_sluice_unit) + 1 FROM {}", kUnits))));
  }

  Result<Landed> Piece(uint64_t from, uint64_t to) {
    return Tried(connection_, load_, [&]() -> Result<Landed> {
      TRY(
          Run(fmt::format("CREATE TEMP TABLE _sluice_piece ON COMMIT DROP AS SELECT * FROM {} "
                          "WHERE _sluice_unit >= {} AND _sluice_unit < {}",
                          kUnits, from, to)));
      Landed landed =
          TRY(Apply(connection_, target_, load_, From(std::string(kPiece)), stop_, Part::kAdd));
      TRY(Run(fmt::format("DROP TABLE {}", kPiece)));
      return landed;
    });
  }

  Result<std::vector<Letter>> Letters(uint64_t unit, const Error& why) {
    std::vector<std::string> fields;
    for (const Column& column : Visible(load_.schema)) {
      fields.push_back(fmt::format("{} AS {}", QuoteIdentifier(target_.Find(column.name)->name),
                                   QuoteIdentifier(column.name)));
    }
    const Answer rows = TRY(connection_.Run(
        fmt::format("SELECT row_to_json(r)::text FROM (SELECT {} FROM {} WHERE _sluice_unit = {}) "
                    "AS r",
                    Join(fields, ", "), kUnits, unit),
        {}, stop_));
    std::vector<Letter> letters;
    for (const auto& row : rows.rows)
      letters.push_back(RefusedLetter(load_, why, row[0].value_or("")));
    return letters;
  }

  Incoming From(const std::string& table) const {
    return {.query = {}, .staged = table, .epoch = epoch_};
  }
  Status Run(const std::string& text) {
    TRY(connection_.Run(text, {}, stop_));
    return Ok();
  }

  Connection& connection_;
  const Target& target_;
  const Load& load_;
  const EpochId epoch_;
  const std::stop_token stop_;
};

}  // namespace

Result<Landed> MergeStaged(Connection& connection, const Target& target, const Load& load,
                           const std::string& stage, EpochId epoch, std::stop_token stop) {
  const Incoming rows{.query = {}, .staged = stage, .epoch = epoch};
  auto whole = Tried(connection, load, [&] { return Apply(connection, target, load, rows, stop); });
  if (load.on_refusal == OnRefusal::kFail || whole.ok() || whole.error().kind != ErrorKind::kData)
    return whole;
  return Pieces(connection, target, load, epoch, std::move(stop)).Take(stage);
}

Result<Landed> Tried(Connection& connection, const Load& load,
                     const std::function<Result<Landed>()>& take) {
  if (load.on_refusal == OnRefusal::kFail) return take();
  TRY(connection.Mark());
  auto landed = take();
  if (landed.ok()) {
    TRY(connection.Keep());
    return landed;
  }
  Error why = std::move(landed).error();
  if (why.kind != ErrorKind::kData) return why;
  // The refusal may be that of a COPY which we broke off ourselves.
  const Refusal refusal = connection.refusal();
  if (!refusal.message.empty() && why.message.find(refusal.message) != std::string::npos)
    why.message = fmt::format("{}: {}", refusal.Code(), why.message);
  TRY(connection.Undo());
  return why;
}

}  // namespace sluice::postgres
