// The shape of the ledger, as a list of changes that is only ever appended to: file of version n
// has had the first n.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "ledger/sqlite.h"

namespace sluice {

// "sluc": tells our file from any other SQLite file.
inline constexpr int64_t kLedgerApplication = 0x736c7563;

std::span<const std::string_view> LedgerMigrations();

// The file's version, 0 for an empty one. Writes nothing. kRejected for a file of a newer version
// or of another program.
Result<int64_t> LedgerVersion(sqlite::Connection& connection,
                              std::span<const std::string_view> migrations);

// Brings the file to version `migrations.size()` in one transaction; nothing is written where it is
// there already.
Status Migrate(sqlite::Connection& connection, std::span<const std::string_view> migrations);

}  // namespace sluice
