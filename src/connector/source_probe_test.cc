// Tests of connector/source_probe.
#include "connector/source_probe.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/mutex.h"

namespace sluice {

SourceProbe::SourceProbe() : files(LocalFiles()) {
  std::string name = (std::filesystem::temp_directory_path() / "sluice-source-XXXXXX").string();
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  folder = name;
  auto opened = sql::Database::Open({.memory_bytes = 0, .threads = 2, .temp_folder = folder});
  EXPECT_TRUE(opened.ok());
  database = std::move(opened).value();
  auto connected = database->Connect();
  EXPECT_TRUE(connected.ok());
  session = std::move(connected).value();
}
SourceProbe::~SourceProbe() {
  session.reset();
  database.reset();
  std::filesystem::remove_all(folder);
}

void SourceProbe::Write(const std::string& name, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
  std::ofstream(Path(name), std::ios::binary) << bytes;
}

Result<SourceProbe::Epoch> SourceProbe::Read(Source& source, const Range& range) {
  Epoch epoch{.range = range, .rows = {}, .letters = {}, .read = 0};
  Opened opened = TRY(source.Open(range, *session, {}));
  Mutex mutex;
  int64_t number = 0;
  std::string from = opened.from;
  if (opened.scan) {
    opened.scan->reject = [&](Letter letter) {
      MutexLock lock(mutex);
      epoch.letters.push_back(std::move(letter));
    };
    number = database->scans().Add(opened.scan);
    from = fmt::format("sluice_scan({})", number);
  }
  const auto rows = session->Query("SELECT * FROM " + from, opened.bound);
  if (number) database->scans().Remove(number);
  if (!rows.ok()) return rows.error();
  for (const auto& row : rows->rows) {
    std::vector<std::string> texts;
    for (const sql::Cell& cell : row) texts.push_back(cell.null ? "NULL" : cell.text);
    epoch.rows.push_back(std::move(texts));
  }
  std::sort(epoch.rows.begin(), epoch.rows.end());
  if (opened.scan) epoch.read = opened.scan->read;
  if (opened.rows_known) {
    EXPECT_EQ(*opened.rows_known, epoch.rows.size());
  }
  if (opened.rejects) epoch.letters = TRY(opened.rejects(*session));
  TRY(source.Verify(range));
  TRY(source.Locate(epoch.letters));
  std::sort(epoch.letters.begin(), epoch.letters.end(), [](const Letter& a, const Letter& b) {
    return std::tie(a.partition, a.offset) < std::tie(b.partition, b.offset);
  });
  return epoch;
}

Result<std::vector<SourceProbe::Epoch>> SourceProbe::ReadAll(Source& source, const Limits& limits,
                                                             Position from) {
  std::vector<Epoch> epochs;
  for (bool final = false; !final;) {
    std::optional<Range> range = TRY(source.Freeze(from, limits, {}));
    if (!range) break;
    epochs.push_back(TRY(Read(source, *range)));
    from = source.After(from, *range);
    final = range->final;
  }
  return epochs;
}

std::vector<std::vector<std::string>> RowsOf(const std::vector<SourceProbe::Epoch>& epochs) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& epoch : epochs) rows.insert(rows.end(), epoch.rows.begin(), epoch.rows.end());
  std::sort(rows.begin(), rows.end());
  return rows;
}
std::vector<Letter> LettersOf(const std::vector<SourceProbe::Epoch>& epochs) {
  std::vector<Letter> letters;
  for (const auto& epoch : epochs)
    letters.insert(letters.end(), epoch.letters.begin(), epoch.letters.end());
  return letters;
}

ExtractRequest FileRequest(const std::string& glob,
                           const std::vector<std::pair<std::string, std::string>>& columns) {
  ExtractRequest request;
  request.step = "orders";
  request.config.from = "file";
  request.config.path.push_back({.text = glob, .mark = {"p.yml", 3, 7}, .quoted = false});
  for (const auto& [name, type] : columns) {
    request.config.columns.push_back(
        {.name = name,
         .mark = {},
         .value = {.text = type, .mark = {"p.yml", 4, 9}, .quoted = false}});
  }
  return request;
}

}  // namespace sluice
