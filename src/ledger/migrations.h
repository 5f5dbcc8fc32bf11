// The shape of the ledger, as a list of changes that is only ever appended to: file of version n has had the first n.
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

// Brings the file to version `migrations.size()` in one transaction; nothing is written where it is there already.
// kRejected for a file of a newer version or of another program.
Status Migrate(sqlite::Connection& connection, std::span<const std::string_view> migrations);

}  // namespace sluice
