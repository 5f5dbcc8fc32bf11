// Libraries that are opened when one of their functions is called for the first time. The release
// binary is linked so (cmake/delayed.cmake); in others they are loaded before `main`, and all is
// well here.
//
// Invariant: a record's `address` is the way into SluiceResolveDelayed or, from the first call on
// and for good, the function. Two threads that resolve it at once store the same address.
#pragma once

#include <string_view>

#include "base/result.h"

namespace sluice {

// Before the first call, where an error can be told: kRejected says what to install. `name` as in
// "libpq".
Status NeedLibrary(std::string_view name);

}  // namespace sluice
