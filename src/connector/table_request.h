// What an extract of a table or query of any database may say together.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connector/extract.h"
#include "data/range.h"

namespace sluice {

// kConfig for keys that exclude each other. `shown`: the database.
Status CheckTableRequest(const ExtractRequest& request, const std::string& shown);

// What is read, for messages and positions: the table, or "query" and its fingerprint.
std::string NameOf(const ExtractRequest& request);
const Mark& PlaceOf(const ExtractRequest& request);
std::string QueryOf(const ExtractRequest& request);  // without the `;` at its end
// Of all rows, or of the run's interval; without an identity.
Cut WholeCut(const ExtractRequest& request);

// Errors of a table or query: `read` of `shown`.
struct ReadFrom {
  std::string read, shown;
};
Error NoColumn(const Mark& mark, std::string_view key, const ReadFrom& from,
               const std::string& name, const std::vector<std::string>& there);
Status RefuseTwins(const Mark& mark, const ReadFrom& from, const std::vector<std::string>& names);
Error KeysOfAQuery(const ExtractRequest& request);
Error NoKeys(const ExtractRequest& request, const std::string& shown);

}  // namespace sluice
