// What an extract of a table or query of any database may say together.
#pragma once

#include <string>

#include "connector/extract.h"

namespace sluice {

// kConfig for keys that exclude each other. `shown`: the database.
Status CheckTableRequest(const ExtractRequest& request, const std::string& shown);

}  // namespace sluice
