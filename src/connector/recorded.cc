// See recorded.h.
#include "connector/recorded.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace sluice {

std::vector<std::string> IdentitiesOf(const EpochRecord& record) {
  std::vector<std::string> identities;
  for (const auto& [step, range] : record.ranges) {
    for (const Cut& cut : range.cuts) {
      if (!cut.identity.empty()) identities.push_back(cut.identity);
    }
  }
  return identities;
}

std::string NumberList(const std::vector<EpochId>& epochs) {
  if (epochs.empty()) return "NULL";
  std::vector<std::string> numbers;
  for (const EpochId epoch : epochs) numbers.push_back(std::to_string(epoch.value));
  return Join(numbers, ", ");
}

Status Repeatable(Status committed) {
  if (committed.ok() || committed.error().kind != ErrorKind::kUnsettled) return committed;
  Error error = std::move(committed).error();
  error.kind = ErrorKind::kTransient;
  return error;
}

Status RefuseEpochColumn(const Load& load) {
  if (Find(Visible(load.schema), kEpochColumn) == nullptr) return Ok();
  return ConfigError(
      load.mark,
      fmt::format("the rows have a column '{}', which is reserved; leave it out or rename it",
                  kEpochColumn));
}

Error SharedEpochs(const std::vector<EpochId>& epochs, std::string_view shown) {
  return RejectedError(fmt::format(
      "taking back epochs {} in {}: other pipelines have epochs of the same number there, so their "
      "rows cannot be told apart; delete the rows by hand",
      NumberList(epochs), shown));
}

Error WithoutProvenance(const Load& load) {
  return RejectedError(fmt::format(
      "'{}' has no column {}, so what a run put there cannot be taken back; delete the rows by "
      "hand, or load into a table that the pipeline creates",
      load.target, kEpochColumn));
}

}  // namespace sluice
