// One connection to a MySQL or MariaDB server: the only file that knows libmariadb.
//
// A stop closes the socket, so that a wait ends at once, and asks the server over another
// connection to end what it was doing. Every session has the same sql_mode, time zone and character
// set, whatever the server's are.
//
// A COMMIT that was sent and whose answer did not come is kUnsettled and nothing else: everything
// before it is undone by the server when the connection ends.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/secret.h"
#include "connector/mysql/settings.h"
#include "connector/tables/system.h"

namespace sluice::mysql {

struct ResultColumn {
  std::string name;
  std::string shown;  // its type, as ReadType takes it
};

class Connection : public tables::Link {  // one thread at a time
 public:
  // Of a SELECT, which is run for it.
  virtual Result<std::vector<ResultColumn>> ColumnsOf(const std::string& select,
                                                      std::stop_token stop) = 0;
  virtual bool mariadb() const = 0;
  virtual int error_number() const = 0;  // of the last error: MySQL's own
};

// `kill`: ends the server's process of that number, over another connection.
Result<std::unique_ptr<Connection>> Connect(const Settings& settings, const Secret& password,
                                            std::function<void(int64_t)> kill,
                                            std::stop_token stop);

}  // namespace sluice::mysql
