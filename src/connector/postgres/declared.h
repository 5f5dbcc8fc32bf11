// Types that a user declares for columns of a table: the server casts to them.
#pragma once

#include "connector/postgres/types.h"
#include "spec/field.h"

namespace sluice::postgres {

// How `column` is read as `type` ("bigint", "decimal(10,2)"); where that is empty, as what it is.
// kConfig for a type that is not plain.
Result<ReadAs> ToReadAs(const TypedColumn& column, const Written& type);

}  // namespace sluice::postgres
