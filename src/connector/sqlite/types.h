// The table of types, both ways (docs/sqlite.md has it in words).
//
// SQLite keeps a class with each value, not with a column; what a column declares decides only what
// is converted when a value comes in (its affinity). So a declared type says what we read a column
// as, and a value of another class is a bad row; and rows are written only into columns whose
// affinity leaves every value as it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::sqlite {

enum class Affinity : uint8_t { kText, kNumeric, kInteger, kReal, kBlob };
Affinity AffinityOf(std::string_view declared);

// DuckDB's type that a declared one is read as; empty: it goes by the rows.
std::string ReadTypeOf(std::string_view declared);

// The declared type of a column that is created for DuckDB's `type`; nullopt: there is none.
std::optional<std::string> DeclaredTypeFor(const std::string& type);

// DuckDB's type in which values of `row` are sent into a column; nullopt: not every value would
// fit.
std::optional<std::string> SentTypeFor(const std::string& row, std::string_view declared,
                                       const std::string& read);

// Whether a number of a column with numeric affinity keeps all its digits: SQLite turns the text of
// a decimal into a double where 15 of its digits are the same.
bool KeepsDigits(std::string_view decimal);

}  // namespace sluice::sqlite
