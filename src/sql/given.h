// The values of a kept statement. DuckDB plans a prepared statement with parameters anew whenever
// it runs (1.5: if it names a table or folds them), which is what keeping it was to save. So its
// text asks for them instead: `sluice_given(N, i)` is the i-th value of line N, a VARCHAR.
//
// Invariant: the values of a line change only between its statements.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sql/database.h"
#include "sql/handle.h"
#include "sql/numbered.h"

namespace sluice::sql {

struct Given {
  std::vector<std::optional<std::string>> values;
};
using GivenValues = Numbered<Given>;

class GivenOfLine {  // one thread
 public:
  explicit GivenOfLine(std::shared_ptr<GivenValues> all)
      : all_(std::move(all)), own_(std::make_shared<Given>()), number_(all_->Add(own_)) {}
  ~GivenOfLine() { all_->Remove(number_); }
  GivenOfLine(const GivenOfLine&) = delete;
  GivenOfLine& operator=(const GivenOfLine&) = delete;

  // The text with each `$name` as the call that gives its value. REQUIRES: no `$` in it but those.
  std::string Asking(std::string text, const std::vector<Bound>& bound) const;
  void Set(const std::vector<Bound>& bound);

 private:
  std::shared_ptr<GivenValues> all_;
  std::shared_ptr<Given> own_;
  int64_t number_;
};

Status RegisterGiven(duckdb_connection connection, std::shared_ptr<GivenValues> all);

}  // namespace sluice::sql
