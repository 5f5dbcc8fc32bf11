// See merge_staged.h.
#include "connector/tables/merge_staged.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/batch.h"
#include "connector/sift.h"

namespace sluice::tables {
namespace {

constexpr std::string_view kUnits = "_sluice_units", kPiece = "_sluice_piece",
                           kUnit = "_sluice_unit";

Result<Landed> MergeOf(Link& link, const System& system, const Target& target, const Load& load,
                       const Incoming& rows, std::stop_token stop, Part part) {
  auto merge = TRY(Merge::Make(link, system, target, load, rows, std::move(stop), part));
  TRY(merge.Gather());
  return merge.Apply();
}

class Pieces {
 public:
  Pieces(Link& link, const System& system, const Target& target, const Load& load, EpochId epoch,
         std::stop_token stop)
      : link_(link),
        system_(system),
        target_(target),
        load_(load),
        epoch_(epoch),
        stop_(std::move(stop)) {}

  Result<Landed> Take(const std::string& stage) {
    TRY(Number(stage));
    const auto units = static_cast<uint64_t>(
        TRY(QueryNumber(link_, fmt::format("SELECT max({}) + 1 FROM {}", kUnit, Units()), stop_)));
    const Landed cleared =
        TRY(MergeOf(link_, system_, target_, load_, From(stage), stop_, Part::kClear));
    Landed landed =
        TRY(Sift({.count = units,
                  .piece = 0,
                  .refusal = OnRefusal::kReject,
                  .take = [&](uint64_t from, uint64_t to) { return Take(from, to); },
                  .letters = [&](uint64_t unit, const Error& why) { return Letters(unit, why); }}));
    TRY(link_.Run(system_.DropTemporary(kUnits), stop_));
    landed += cleared;
    return landed;
  }

 private:
  Status Number(const std::string& stage) {
    std::vector<std::string> keys;
    for (const std::string& key : load_.key) keys.push_back(system_.Quote(target_.Find(key)->name));
    const std::string number =
        keys.empty() ? "row_number() OVER ()"
                     : fmt::format("dense_rank() OVER (ORDER BY {})", Join(keys, ", "));
    TableColumn unit{.name = std::string(kUnit)};
    unit.shown = "bigint";
    const std::string index = system_.KeyOfStage(Units(), {&unit});
    TRY(link_.Run(system_.DropTemporary(kUnits), stop_));
    TRY(link_.Run(fmt::format("{}{} AS SELECT {} - 1 AS {}, s.* FROM {} AS s",
                              system_.CreateTemporary(kUnits),
                              index.empty() ? "" : " (" + index + ")", number, kUnit, stage),
                  stop_));
    if (index.empty()) TRY(link_.Run(system_.IndexTemporary(kUnits, kUnit), stop_));
    return Ok();
  }

  Result<Landed> Take(uint64_t from, uint64_t to) {
    return Tried(link_, load_, [&]() -> Result<Landed> {
      TRY(link_.Run(system_.DropTemporary(kPiece), stop_));
      TRY(link_.Run(fmt::format("{0} AS SELECT * FROM {1} WHERE {2} >= {3} AND {2} < {4}",
                                system_.CreateTemporary(kPiece), Units(), kUnit, from, to),
                    stop_));
      Landed landed = TRY(MergeOf(link_, system_, target_, load_, From(system_.Temporary(kPiece)),
                                  stop_, Part::kAdd));
      TRY(link_.Run(system_.DropTemporary(kPiece), stop_));
      return landed;
    });
  }

  Result<std::vector<Letter>> Letters(uint64_t unit, const Error& why) {
    std::vector<std::string> fields;
    for (const Column& column : Visible(load_.schema)) {
      fields.push_back(
          fmt::format("{}, {}", system_.Literal(column.name),
                      system_.JsonValue(system_.Quote(target_.Find(column.name)->name))));
    }
    const Answer rows = TRY(link_.Run(fmt::format("SELECT JSON_OBJECT({}) FROM {} WHERE {} = {}",
                                                  Join(fields, ", "), Units(), kUnit, unit),
                                      stop_));
    std::vector<Letter> letters;
    for (const auto& row : rows.rows)
      letters.push_back(RefusedLetter(load_, why, row[0].value_or("")));
    return letters;
  }

  std::string Units() const { return system_.Temporary(kUnits); }
  Incoming From(const std::string& table) const {
    return {.query = {}, .staged = table, .epoch = epoch_};
  }

  Link& link_;
  const System& system_;
  const Target& target_;
  const Load& load_;
  const EpochId epoch_;
  const std::stop_token stop_;
};

Status Plain(Link& link, const std::string& text) {
  TRY(link.Run(text));
  return Ok();
}

}  // namespace

Result<Landed> MergeStaged(Link& link, const System& system, const Target& target, const Load& load,
                           const std::string& stage, EpochId epoch, std::stop_token stop) {
  const auto whole = [&] {
    return MergeOf(link, system, target, load, {.query = {}, .staged = stage, .epoch = epoch}, stop,
                   Part::kBoth);
  };
  auto taken = Tried(link, load, whole);
  if (load.on_refusal == OnRefusal::kFail || taken.ok() || taken.error().kind != ErrorKind::kData)
    return taken;
  return Pieces(link, system, target, load, epoch, stop).Take(stage);
}

Result<Landed> Tried(Link& link, const Load& load, const std::function<Result<Landed>()>& take) {
  if (load.on_refusal == OnRefusal::kFail) return take();
  TRY(Plain(link, "SAVEPOINT _sluice_mark"));
  auto landed = take();
  if (landed.ok()) {
    TRY(Plain(link, "RELEASE SAVEPOINT _sluice_mark"));
    return landed;
  }
  Error why = std::move(landed).error();
  if (why.kind != ErrorKind::kData) return why;
  if (const std::string code = link.code(); !code.empty())
    why.message = fmt::format("{}: {}", code, why.message);
  TRY(Plain(link, "ROLLBACK TO SAVEPOINT _sluice_mark"));
  TRY(Plain(link, "RELEASE SAVEPOINT _sluice_mark"));
  return why;
}

}  // namespace sluice::tables
