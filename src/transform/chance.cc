// See chance.h.
#include "transform/chance.h"

#include <fmt/core.h>

#include <set>

#include "base/text.h"

namespace sluice {

void WarnOfChance(const std::vector<std::string>& functions,
                  const std::vector<std::string>& columns, const std::string& step,
                  const Mark& mark, const std::function<void(Mark, std::string)>& warn) {
  static const std::set<std::string> kWords = {"current_date", "current_time", "current_timestamp",
                                               "localtime", "localtimestamp"};
  static const std::set<std::string> kFunctions = {"now",
                                                   "random",
                                                   "uuid",
                                                   "uuidv4",
                                                   "uuidv7",
                                                   "gen_random_uuid",
                                                   "today",
                                                   "get_current_timestamp",
                                                   "get_current_time",
                                                   "transaction_timestamp"};
  if (!warn) return;
  std::set<std::string> told;
  const auto tell = [&](const std::string& what) {
    if (!told.insert(what).second) return;
    warn(mark, fmt::format("{} in step '{}': a run again gives other rows; use {{{{ ds }}}} or "
                           "{{{{ interval.end }}}}",
                           what, step));
  };
  for (const std::string& name : functions) {
    const std::string lower = ToLower(name);
    if (kFunctions.contains(lower)) tell(lower + "()");
    if (kWords.contains(lower)) tell(lower);
  }
  for (const std::string& name : columns) {
    if (kWords.contains(ToLower(name))) tell(ToLower(name));
  }
}

}  // namespace sluice
