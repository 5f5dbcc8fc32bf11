// Columns in memory that a decoder fills, as DuckDB's vectors would be; tests read them back as
// text.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "data/block.h"
#include "data/schema.h"

namespace sluice::format {

class TestSlots {
 public:
  TestSlots(const Schema& schema, const std::vector<uint64_t>& projected, uint64_t capacity);

  Slots Reset();                                     // all valid, as before each Fill
  std::vector<std::string> Row(uint64_t row) const;  // NULL as "NULL"
  std::span<int64_t> offsets() { return offsets_; }

 private:
  struct Memory {
    Physical type = Physical::kText;
    std::vector<uint64_t> values;  // 8 bytes for each row, whatever the type takes
    std::vector<uint64_t> validity;
    std::vector<std::string> texts;
  };
  uint64_t capacity_;
  std::vector<Memory> memory_;
  std::vector<ColumnSlot> slots_;
  std::vector<int64_t> offsets_;
};

// What a decoder made of some bytes.
struct Decoded {
  std::vector<std::vector<std::string>> rows;
  std::vector<int64_t> offsets;
  std::vector<Letter> letters;
  uint64_t read = 0;
};
Block BlockOf(std::string_view bytes, int64_t first = 0, std::string partition = "f.ndjson");
Decoded Decode(Decoder& decoder, const Block& block, TestSlots& slots);
Decoded DecodeAll(const Schema& schema, std::string_view bytes, uint64_t capacity = 2048);

}  // namespace sluice::format
