// Reads a source to its end in tests, epoch by epoch, as the driver would.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "connector/extract.h"
#include "connector/source.h"
#include "sql/database.h"

namespace sluice {

// A folder that is gone with the test, and a database.
struct SourceProbe {
  SourceProbe();
  ~SourceProbe();
  void Write(const std::string& name, const std::string& bytes);
  std::string Path(const std::string& name) const { return folder + "/" + name; }

  struct Epoch {
    Range range;
    std::vector<std::vector<std::string>> rows;  // sorted; NULL as "NULL"
    std::vector<Letter> letters;                 // located, sorted by partition and offset
    uint64_t read = 0;                           // by our decoders
  };
  Result<Epoch> Read(Source& source, const Range& range);
  // From `from` on; each epoch is read, verified, and the position moved.
  Result<std::vector<Epoch>> ReadAll(Source& source, const Limits& limits, Position from = {});

  std::string folder;
  std::unique_ptr<Files> files;
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<sql::Session> session;
};

std::vector<std::vector<std::string>> RowsOf(
    const std::vector<SourceProbe::Epoch>& epochs);  // all, sorted
std::vector<Letter> LettersOf(const std::vector<SourceProbe::Epoch>& epochs);
ExtractRequest FileRequest(const std::string& glob,
                           const std::vector<std::pair<std::string, std::string>>& columns = {});

}  // namespace sluice
