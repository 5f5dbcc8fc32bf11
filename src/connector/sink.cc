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

}  // namespace sluice
