// The rows of a DuckDB query into a table, by binary COPY. DuckDB's workers encode, one at a time
// sends; the server's own count is what is returned.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "connector/postgres/connection.h"
#include "connector/postgres/copy_encoder.h"
#include "sql/database.h"
#include "sql/scan.h"

namespace sluice::postgres {

// The query whose rows go.
struct Outgoing {
  sql::Database& database;
  sql::Session& session;
  const std::string& select;  // gives the columns by the names of `names`
  const std::vector<sql::Bound>& bound;
  std::vector<std::string> names;
  sql::Scan* relayed = nullptr;  // instead of a query: its blocks (relay.h)
};

// kFrozen: the table was made in this transaction, and who sees it sees the rows, however old the
// snapshot is that it looks through.
enum class Seen : uint8_t { kAsUsual, kFrozen };

// `table`: as SQL names it. `epoch`: goes into the column _sluice_epoch of each row.
Result<uint64_t> CopyIn(Connection& connection, const std::string& table,
                        const std::vector<EncodedColumn>& columns, std::optional<int64_t> epoch,
                        const Outgoing& rows, std::stop_token stop, Seen seen = Seen::kAsUsual);

}  // namespace sluice::postgres
