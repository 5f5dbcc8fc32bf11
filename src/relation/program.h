// A program of the user's that answers rows, as a plan knows it: everything that decides what it
// computes, and how it is run.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "data/schema.h"

namespace sluice::relation {

// How the value of a column is handed over, and as what DuckDB type its vector comes.
enum class Wire : uint8_t {
  kSigned,    // BIGINT
  kUnsigned,  // UBIGINT
  kFloat,     // FLOAT
  kDouble,    // DOUBLE
  kBool,      // BOOLEAN
  kText,      // VARCHAR, as a JSON string
  kJson,      // VARCHAR that is JSON already
};

struct Given {
  std::string name;
  std::string sql;  // over the columns of the input, of the wire's type
  Wire wire = Wire::kText;
};

struct Program {
  std::string step;
  std::string shown;                 // what errors call it: "functions/clean.py", "jq -c ."
  std::vector<std::string> command;  // argv
  std::string folder;                // it runs there
  // Of Python: the first line that it reads (the source and the name of its function), and rows
  // come as one array per batch. Empty: a command, rows come as lines.
  std::string opening;
  std::string identity;  // changes where what it computes does: the text of its files
  std::vector<Given> given;
  Schema gives;  // visible columns, in the types that the user wants
  uint64_t batch_size = 1000;
  int parallelism = 1;
  std::chrono::microseconds timeout{0};  // of one batch

  bool IsPython() const { return !opening.empty(); }
};

}  // namespace sluice::relation
