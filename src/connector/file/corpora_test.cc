// Files that others made, through the file source: what they say must come out, or an error that
// says why.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json_full.h"
#include "base/text.h"
#include "connector/file/source.h"
#include "connector/source_probe.h"

namespace sluice {
namespace {

using Row = std::vector<std::string>;

std::filesystem::path Corpus(const std::string& name) {
  const char* folder = std::getenv("SLUICE_CORPORA");
  return std::filesystem::absolute(folder ? folder : "../shared/corpora") / name;
}
std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
std::vector<std::filesystem::path> FilesIn(const std::filesystem::path& folder,
                                           const std::string& extension) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (EndsWith(entry.path().string(), extension)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Corpora : public testing::Test {
 protected:
  Result<std::vector<SourceProbe::Epoch>> Read(ExtractRequest request) {
    auto source = TRY(MakeFileSource(std::move(request), *probe_.files,
                                     LocalOrigin(*probe_.files, probe_.folder)));
    return probe_.ReadAll(*source, {});
  }
  SourceProbe probe_;
};

TEST_F(Corpora, CsvSpectrumGivesItsRows) {
  const auto folder = Corpus("csv/spectrum");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "skipped: 12 files are not at " << folder;
  int exact = 0;
  for (const auto& path : FilesIn(folder / "csvs", ".csv")) {
    const std::string name = path.stem();
    const auto parsed = ParseJson(ReadFile(folder / "json" / (name + ".json")));
    ASSERT_TRUE(parsed.ok());
    std::vector<std::pair<std::string, std::string>> columns;
    std::vector<Row> expected;
    if (name ==
        "location_coordinates") {  // its JSON is wrong upstream: an object, and another number
      columns = {{"lat_lng", "varchar"}};
    } else {
      for (const auto& object : *parsed) {
        Row row;
        for (const auto& [key, value] : object.items()) {
          if (expected.empty()) columns.emplace_back(key, "varchar");
          row.push_back(value.get<std::string>());
        }
        expected.push_back(row);
      }
    }
    if (name == "location_coordinates") columns.clear();
    const auto epochs = Read(FileRequest(path, columns));
    ASSERT_TRUE(epochs.ok()) << name << ": " << Format(epochs.error());
    EXPECT_TRUE(LettersOf(*epochs).empty()) << name;
    std::vector<Row> rows = RowsOf(*epochs);
    for (Row& row : rows) {
      for (std::string& value : row)
        value = value == "NULL" ? "" : value;  // an empty field is a NULL
    }
    std::sort(rows.begin(), rows.end());
    std::sort(expected.begin(), expected.end());
    if (name == "location_coordinates") {
      ASSERT_EQ(rows.size(), 1u);
      EXPECT_THAT(rows[0], testing::Contains("2095257564"));
    } else {
      EXPECT_EQ(rows, expected) << name;
      ++exact;
    }
  }
  std::cout << fmt::format("csv-spectrum: {} files exact, 1 known exception\n", exact);
  EXPECT_EQ(exact, 11);
}

// As many lines as come in go out: rows, letters, a header; quoted line feeds and blank or comment
// lines aside.
TEST_F(Corpora, CsvDialectsGiveRowsOrSayWhy) {
  const auto folder = Corpus("csv/dialects");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "skipped: 27 files are not at " << folder;
  const std::map<std::string, std::pair<size_t, size_t>> expected{
      // rows, letters
      {"backtick", {2, 0}},
      {"bad-data", {3, 0}},
      {"basic", {1, 0}},
      {"comma-in-quote", {1, 0}},
      {"comment", {1, 0}},
      {"empty-columns", {2, 0}},
      {"escape-quotes", {3, 0}},
      {"headers", {3, 0}},
      {"latin", {1, 1}},
      {"mac-newlines", {2, 0}},
      {"newlines", {3, 0}},
      {"no-headers", {2, 1}},
      {"option-escape", {3, 0}},
      {"option-quote", {2, 0}},
      {"option-quote-escape", {3, 0}},
      {"option-quote-many", {3, 0}},
      {"quotes+newlines", {3, 0}},
      {"strict", {2, 1}},
      {"strict+skipLines", {4, 0}},
      {"strict-false-less-columns", {2, 1}},
      {"strict-false-more-columns", {2, 1}},
      {"utf16", {2, 0}},
      {"utf8", {2, 0}}};
  int read = 0, refused = 0;
  for (const auto& path : FilesIn(folder, ".csv")) {
    const std::string name = path.stem();
    const auto epochs = Read(FileRequest(path));
    const size_t rows = epochs.ok() ? RowsOf(*epochs).size() : 0;
    const size_t letters = epochs.ok() ? LettersOf(*epochs).size() : 0;
    std::cout << fmt::format(
        "  {}: {}\n", name,
        epochs.ok() ? fmt::format("{} rows, {} letters", rows, letters) : Format(epochs.error()));
    read += epochs.ok(), refused += !epochs.ok();
    if (!epochs.ok()) {
      EXPECT_THAT(Format(epochs.error()), testing::HasSubstr(name));
      EXPECT_EQ(name, "utf16-big");
      continue;
    }
    for (const Letter& letter : LettersOf(*epochs)) EXPECT_GT(letter.line, 0) << name;
    if (const auto found = expected.find(name); found != expected.end()) {
      EXPECT_EQ(rows, found->second.first) << name;
      EXPECT_EQ(letters, found->second.second) << name;
    }
  }
  std::cout << fmt::format("dialects: {} read, {} refused\n", read, refused);
  EXPECT_EQ(read + refused, 27);
}

TEST_F(Corpora, ParquetIsReadOrRefusedByName) {
  const auto folder = Corpus("parquet");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "skipped: 96 files are not at " << folder;
  std::map<std::string, int> counts;
  for (const char* part : {"data", "bad_data"}) {
    for (const auto& path : FilesIn(folder / part, ".parquet")) {
      if (path.stem() == "large_string_map.brotli")
        continue;  // two strings of 1 GiB: too much for a small machine
      const auto epochs =
          Read(FileRequest(path));  // the probe compares the rows with the footer's count
      ++counts[std::string(part) + (epochs.ok() ? " read" : " refused")];
      if (!epochs.ok()) {
        std::cout << "  " << Format(epochs.error()).substr(0, 250) << "\n";
        // What only the query finds is DuckDB's to word; its caller says which step it was.
        EXPECT_FALSE(epochs.error().message.empty());
      }
    }
  }
  for (const auto& path : FilesIn(folder, ".encrypted")) {
    ExtractRequest request = FileRequest(path);
    request.config.format = "parquet";
    const auto epochs = Read(request);
    ASSERT_FALSE(epochs.ok());
    ++counts["encrypted refused"];
    EXPECT_THAT(epochs.error().message,
                testing::AnyOf(testing::HasSubstr("an encrypted file must be decrypted"),
                               testing::HasSubstr("is damaged or encrypted")));
  }
  for (const auto& [what, count] : counts)
    std::cout << fmt::format("parquet: {} {}\n", count, what);
  EXPECT_EQ(counts["data read"] + counts["data refused"], 74);
  EXPECT_EQ(counts["data read"], 59);  // DuckDB reads 70: 10 have a GEOMETRY, one is too large here
  EXPECT_EQ(counts["bad_data read"] + counts["bad_data refused"], 8);
  EXPECT_EQ(counts["encrypted refused"], 13);
}

// Records as Avro's own project wrote them, each codec, and the files that are none.
TEST_F(Corpora, AvroGivesItsRecords) {
  const auto folder = Corpus("avro");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "skipped: no files at " << folder;
  std::vector<Row> expected;
  std::istringstream lines(ReadFile(folder / "weather.json"));
  for (std::string line; std::getline(lines, line);) {
    const auto record = ParseJson(line);
    ASSERT_TRUE(record.ok());
    expected.push_back({(*record)["station"].get<std::string>(),
                        std::to_string((*record)["time"].get<int64_t>()),
                        std::to_string((*record)["temp"].get<int64_t>())});
  }
  std::sort(expected.begin(), expected.end());
  ASSERT_EQ(expected.size(), 5u);
  for (const char* name :
       {"weather", "weather-deflate", "weather-snappy", "weather-zstd", "weather-sorted"}) {
    const auto epochs = Read(FileRequest(folder / (std::string(name) + ".avro")));
    ASSERT_TRUE(epochs.ok()) << name << ": " << Format(epochs.error());
    EXPECT_EQ(RowsOf(*epochs), expected) << name;
  }
  const std::pair<const char*, size_t> counts[] = {{"schemas/simple/data.avro", 3},
                                                   {"schemas/withUnion/data.avro", 3},
                                                   {"syncInMeta.avro", 6001}};
  for (const auto& [name, count] : counts) {
    const auto epochs = Read(FileRequest(folder / name));
    ASSERT_TRUE(epochs.ok()) << name << ": " << Format(epochs.error());
    EXPECT_EQ(RowsOf(*epochs).size(), count) << name;
    EXPECT_TRUE(LettersOf(*epochs).empty()) << name;
  }
  ExtractRequest old = FileRequest(folder / "test.avro12");
  old.config.format = "avro";
  const auto refused = Read(std::move(old));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, testing::HasSubstr("is an Avro file of version 0"));
  ExtractRequest message = FileRequest(folder / "messageV1/test_message.bin");
  message.config.format = "avro";
  const auto single = Read(std::move(message));
  ASSERT_FALSE(single.ok());
  EXPECT_THAT(single.error().message, testing::HasSubstr("is a single Avro message"));
}

}  // namespace
}  // namespace sluice
