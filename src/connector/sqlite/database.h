// One connection to an SQLite file. A stop ends the statement at hand within a moment; a file that
// another program holds is waited for, at most so long as the settings say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connector/sqlite/settings.h"
#include "connector/tables/system.h"

namespace sluice::sqlite {

struct DeclaredColumn {
  std::string name, declared;
};

class Database : public tables::Link {  // one thread at a time
 public:
  // The columns that a SELECT gives, with the types that their tables declare.
  virtual Result<std::vector<DeclaredColumn>> ColumnsOf(const std::string& select) = 0;
  virtual Result<std::string> CollationOf(const std::string& table, const std::string& column) = 0;
};

// `shown`: the file as the user wrote it.
Result<std::unique_ptr<Database>> Open(const std::string& path, const std::string& shown,
                                       const Settings& settings, tables::Use use);

}  // namespace sluice::sqlite
