// Bytes as the outside world sent them, with the place of the first record: the unit of queues, of
// memory and of back-pressure. All records of a block are of one partition and lie in it one after
// the other.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/schema.h"

namespace sluice {

struct Block {
  std::vector<char>
      bytes;  // whole records; followed by 64 bytes of padding that are not counted in `size`
  size_t size = 0;
  std::string partition;  // "data/orders.ndjson", "generator/3"
  int64_t first = 0;  // position of the first record: byte offset in a file, index in a generator
  int64_t records =
      -1;  // how many, where the source knows it without looking (generator); -1: look
  bool last_of_partition = false;
  uint64_t cut_off = 0;  // not 0: the block holds only the beginning of its one record, so many
                         // bytes were left out
};

// Memory of one output column that a decoder fills in place: DuckDB's own vector.
struct ColumnSlot {
  Physical type = Physical::kText;
  void* values = nullptr;        // array of the physical type, `capacity` long; unused for kText
  uint64_t* validity = nullptr;  // bit i set: row i is not null; all set when Fill is called
  void* text_owner = nullptr;    // for kText: pass to put_text
  void (*put_text)(void* owner, uint64_t row, const char* bytes,
                   uint64_t size) = nullptr;  // must be valid UTF-8

  void SetNull(uint64_t row) { validity[row / 64] &= ~(uint64_t{1} << (row % 64)); }
};

struct Slots {
  std::span<ColumnSlot> columns;  // the projected columns, in the order that was asked for
  uint64_t capacity = 0;          // rows, usually 2048
};

// A record that could not become a row, or a row that must not go on.
struct Letter {
  std::string source;     // what the step reads: "orders.csv", "generator"
  std::string partition;  // "data/orders.csv"; empty where unknown
  int64_t offset = -1;    // byte or index in the partition; -1 unknown
  int64_t line = -1;      // from 1; -1 unknown (may be filled by a second pass)
  std::string step;       // who refused it
  std::string code;       // "malformed", "cast", "late", "not_null", …: stable words
  std::string message;
  std::string original;  // bytes of the record, or the row as JSON
};

// Decodes blocks into rows. One per DuckDB worker, one thread, no I/O. A bad record goes to
// `reject` and never ends the scan. Killed anywhere: nothing to undo.
class Decoder {
 public:
  using Reject = std::function<void(Letter)>;  // any thread

  virtual ~Decoder() = default;
  // Fills rows from `block` from byte or record `at` on, until `slots` are full or the block is
  // used up; advances `at` (at == block.size, or block.records where there are no bytes: used up).
  // `offsets` (may be empty) receives the position of each row in the partition, `read` is raised
  // by each record seen, good or bad. Returns the rows filled.
  virtual Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots,
                                std::span<int64_t> offsets, uint64_t& read,
                                const Reject& reject) = 0;
};

}  // namespace sluice
