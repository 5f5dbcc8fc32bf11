// What a program wrote, as rows: one line for each row that it was given.
//
//   {"id": 1, …}                    the row it became
//   [{…}, {…}]                      several rows; [] none
//   null                            none
//   {"_sluice_error": "no amount"}  an error of that row
//
// Anything else that is JSON is an error of its row; what is not JSON means that the program does
// not speak this language, and ends the try.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/block.h"
#include "format/json_tokens.h"
#include "relation/program.h"
#include "sql/exchange.h"

namespace sluice {

class ReplyText {  // one thread; of one vector of rows at a time
 public:
  explicit ReplyText(const relation::Program& program);

  void Begin();
  // Where the next lines are to be appended.
  std::vector<char>& bytes() { return block_.bytes; }
  // The lines from byte `from` on answer these rows, in their order. REQUIRES: as many lines.
  Status Sort(size_t from, std::span<const uint64_t> rows, sql::Replies& replies);
  // The rows of all that was sorted; gives how many.
  Result<uint64_t> Decode(sql::Replies& replies);

 private:
  struct Line {
    size_t offset;
    uint64_t row;
  };
  Status SortOther(size_t begin, size_t end, uint64_t row, sql::Replies& replies);
  Error NotRows(std::string_view line, std::string_view why) const;

  const relation::Program& program_;
  std::unique_ptr<Decoder> decoder_;
  format::JsonTokens tokens_;
  Block block_;
  std::vector<Line> lines_;     // of objects in block_.bytes
  std::vector<char> unfolded_;  // objects that stood in arrays, a line each
  std::vector<Line> unfolded_lines_;
  std::vector<int64_t> offsets_;
};

}  // namespace sluice
