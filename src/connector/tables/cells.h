// Rows of a system that sends values as they are, each with its own class: SQLite's integers,
// reals, texts and blobs, MySQL's texts. A row is its cells, one after the other; the decoder puts
// each into a column of DuckDB's, exactly or not at all.
//
// A value that its column cannot hold is never rounded or guessed: the row becomes a letter that
// names the column, the value and what to declare.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/block.h"
#include "data/schema.h"

namespace sluice::tables {

enum class CellKind : char { kNull, kWhole, kReal, kText, kBlob };

void AppendNull(std::vector<char>& into);
void AppendWhole(std::vector<char>& into, int64_t value);
void AppendReal(std::vector<char>& into, double value);
void AppendBytes(std::vector<char>& into, CellKind kind, std::string_view bytes);

// What to do with a date whose year, month or day is 0, which only MySQL has.
enum class ZeroDates : uint8_t { kReject, kNull };

struct CellRules {
  ZeroDates zero_dates = ZeroDates::kReject;
  bool texts_are_utf8 = true;  // whoever sends them has checked
};

// `columns`: those that the blocks hold, in their order. `table`: for letters.
std::unique_ptr<Decoder> MakeCellDecoder(Schema columns, std::string table, CellRules rules);

// How the decoder fills a column of a type; kText: as text, which the caller casts.
Physical PhysicalOfCells(std::string_view type);

}  // namespace sluice::tables
