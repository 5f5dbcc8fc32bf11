// What a destination took, added up.
#include "connector/sink.h"

#include <iterator>
#include <utility>

namespace sluice {

Landed& Landed::operator+=(Landed other) {
  rows += other.rows;
  inserted += other.inserted;
  updated += other.updated;
  deleted += other.deleted;
  unchanged += other.unchanged;
  bytes += other.bytes;
  touched += other.touched;
  std::move(other.refused.begin(), other.refused.end(), std::back_inserter(refused));
  return *this;
}

Result<Landed> Landing::Relay(size_t, sql::Scan&, const std::vector<std::string>&,
                              std::stop_token) {
  return InternalError("blocks were relayed to a sink that takes none");
}

}  // namespace sluice
