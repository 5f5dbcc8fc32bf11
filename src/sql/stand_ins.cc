// See stand_ins.h.
#include "sql/stand_ins.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::sql {
namespace {

constexpr std::string_view kPrefix = "v_";
constexpr std::string_view kOurs = "v_0000000000";  // how a stand-in begins
constexpr size_t kDigits = 16;                      // of a fingerprint
constexpr size_t kLength = kPrefix.size() + kDigits;

bool IsNameAt(std::string_view text, size_t at) {
  if (at + kLength > text.size() || text.substr(at, kPrefix.size()) != kPrefix) return false;
  const std::string_view digits = text.substr(at + kPrefix.size(), kDigits);
  return digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string StandIn(size_t number) { return fmt::format("{}{:016x}", kPrefix, number); }

}  // namespace

StandIns::StandIns(std::string_view text) : text_(text) {
  if (text.find(kOurs) != std::string_view::npos) return;
  for (size_t at = text_.find("$v_"); at != std::string::npos; at = text_.find("$v_", at + 1)) {
    if (!IsNameAt(text_, at + 1)) continue;
    const std::string name = text_.substr(at + 1, kLength);
    auto known = std::find(names_.begin(), names_.end(), name);
    if (known == names_.end()) known = names_.insert(known, name);
    text_.replace(at + 1, kLength, StandIn(static_cast<size_t>(known - names_.begin())));
  }
}

std::string StandIns::Back(std::string text) const {
  if (names_.empty()) return text;
  for (size_t at = text.find(kOurs); at != std::string::npos; at = text.find(kOurs, at + 1)) {
    for (size_t i = 0; i < names_.size() && IsNameAt(text, at); ++i) {
      if (text.compare(at, kLength, StandIn(i)) == 0) {
        text.replace(at, kLength, names_[i]);
        break;
      }
    }
  }
  return text;
}

}  // namespace sluice::sql
