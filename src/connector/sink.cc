// What a destination took, added up.
#include "connector/sink.h"

namespace sluice {

Landed& Landed::operator+=(const Landed& other) {
  rows += other.rows;
  inserted += other.inserted;
  updated += other.updated;
  deleted += other.deleted;
  unchanged += other.unchanged;
  bytes += other.bytes;
  touched += other.touched;
  return *this;
}

}  // namespace sluice
