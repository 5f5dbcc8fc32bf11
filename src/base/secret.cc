// Wipes secrets. The write goes through a barrier that the compiler may not drop, though nothing
// reads the bytes again.
#include "base/secret.h"

#include <cstring>

namespace sluice {

Secret::~Secret() {
  // The whole capacity: a shorter value may have left the tail of a longer one.
  value_.resize(value_.capacity());
  explicit_bzero(value_.data(), value_.size());
}

}  // namespace sluice
