// Rows of one range of a table or query, by binary COPY over several connections.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "connector/postgres/connection.h"
#include "connector/postgres/copy_decoder.h"
#include "sql/scan.h"

namespace sluice::postgres {

struct CopyPlan {
  std::vector<DecodedColumn> columns;  // all that the range could give
  std::string from;                    // what follows FROM
  std::vector<std::string> pieces;     // conditions ("": none) that together are the range
  std::string table;                   // for letters
  int64_t readers = 1;
  Encoding encoding = Encoding::kChecked;
  // A connection for one reader, in its transaction where it needs one.
  std::function<Result<std::unique_ptr<Connection>>(std::stop_token)> connect;
  // Takes it when its reader has read a piece to the end and gets no other; null: it is closed.
  std::function<void(std::unique_ptr<Connection>)> give_back;
};

// The scan's schema, feed and decoder.
std::shared_ptr<sql::Scan> MakeCopyScan(CopyPlan plan);

}  // namespace sluice::postgres
