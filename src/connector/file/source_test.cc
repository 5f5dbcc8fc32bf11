// Tests of connector/file/source.
#include "connector/file/source.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "connector/source_probe.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using Row = std::vector<std::string>;

class FileSourceTest : public testing::Test {
 protected:
  std::unique_ptr<Source> Make(ExtractRequest request) {
    auto made = MakeFileSource(std::move(request), *probe_.files,
                               LocalOrigin(*probe_.files, probe_.folder));
    EXPECT_TRUE(made.ok());
    return std::move(made).value();
  }
  std::unique_ptr<Source> Make(
      const std::string& glob,
      const std::vector<std::pair<std::string, std::string>>& columns = {}) {
    return Make(FileRequest(glob, columns));
  }
  std::string Shape(Source& source) {
    const auto shape = source.Describe(*probe_.session, {});
    return shape.ok() ? Format(shape->schema) : Format(shape.error());
  }
  std::vector<SourceProbe::Epoch> All(Source& source, const Limits& limits = {},
                                      Position from = {}) {
    auto epochs = probe_.ReadAll(source, limits, std::move(from));
    EXPECT_TRUE(epochs.ok()) << Format(epochs.error());
    return epochs.ok() ? std::move(epochs).value() : std::vector<SourceProbe::Epoch>{};
  }
  std::string ErrorOf(Source& source, const Limits& limits = {}) {
    const auto epochs = probe_.ReadAll(source, limits);
    return epochs.ok() ? "none" : Format(epochs.error());
  }

  SourceProbe probe_;
};

TEST_F(FileSourceTest, ReadsNdjsonWithGuessedTypesAndTellsBadLines) {
  probe_.Write("a.ndjson",
               "{\"id\":1,\"at\":\"2026-01-02 03:04:05\",\"tags\":[\"x\"]}\n\nnot "
               "json\n{\"id\":\"2\",\"at\":null}\n{\"id\":{}}\n");
  probe_.Write("b.ndjson", "{\"id\":3.5}\n");
  auto source = Make("*.ndjson");
  EXPECT_EQ(Shape(*source), "(id JSON, at TIMESTAMP, tags VARCHAR[])");
  auto declared = Make("a.ndjson", {{"id", "int"}, {"at", "timestamp"}});
  EXPECT_EQ(Shape(*declared), "(id INTEGER, at TIMESTAMP)");
  const auto epochs = All(*declared);
  ASSERT_THAT(epochs, SizeIs(1));
  EXPECT_THAT(epochs[0].rows, ElementsAre(Row{"1", "2026-01-02 03:04:05"}, Row{"2", "NULL"}));
  ASSERT_THAT(epochs[0].letters, SizeIs(2));
  EXPECT_EQ(epochs[0].read, 4u);
  EXPECT_EQ(epochs[0].letters[0].line, 3);
  EXPECT_EQ(epochs[0].letters[0].partition, "a.ndjson");
  EXPECT_EQ(epochs[0].letters[1].line, 5);
  EXPECT_EQ(epochs[0].letters[1].message, "column 'id': '{}' is not a INTEGER");
}

TEST_F(FileSourceTest, EveryCutGivesEveryRowExactlyOnceFromAnyPosition) {
  std::vector<Row> expected;
  for (int file = 0; file < 3; ++file) {
    std::string text = file == 1 ? "\xEF\xBB\xBF" : "";
    for (int i = 0; i < 17; ++i) {
      expected.push_back({std::to_string(file * 100 + i)});
      text += fmt::format("{{\"id\":{}}}\n{}", file * 100 + i, i % 5 == 0 ? " \r\n" : "");
    }
    if (file == 2) text.pop_back();
    probe_.Write(fmt::format("f{}.ndjson", file), text);
  }
  probe_.Write("f3.ndjson", "");
  std::sort(expected.begin(), expected.end());
  for (const Limits& limits :
       {Limits{}, Limits{.rows = 1}, Limits{.rows = 3}, Limits{.rows = 20}, Limits{.bytes = 1},
        Limits{.bytes = 50}, Limits{.rows = 4, .bytes = 30}, Limits{.bytes = 100000}}) {
    auto source = Make("*.ndjson", {{"id", "bigint"}});
    const auto epochs = All(*source, limits);
    EXPECT_EQ(RowsOf(epochs), expected) << limits.rows << " " << limits.bytes;
    for (const auto& epoch : epochs) {
      if (limits.rows) {
        EXPECT_LE(epoch.rows.size(), limits.rows);
      }
    }
    // Another process goes on after each epoch and redoes its range.
    Position at;
    std::vector<Row> before;
    for (const auto& epoch : epochs) {
      auto other = Make("*.ndjson", {{"id", "bigint"}});
      const auto redone = probe_.Read(*other, epoch.range);
      ASSERT_TRUE(redone.ok());
      EXPECT_EQ(redone->rows, epoch.rows);
      auto rest = RowsOf(All(*Make("*.ndjson", {{"id", "bigint"}}), limits, at));
      rest.insert(rest.end(), before.begin(), before.end());
      std::sort(rest.begin(), rest.end());
      EXPECT_EQ(rest, expected);
      at = other->After(at, epoch.range);
      before.insert(before.end(), epoch.rows.begin(), epoch.rows.end());
    }
    EXPECT_TRUE(All(*Make("*.ndjson", {{"id", "bigint"}}), limits, at).empty());
  }
}

TEST_F(FileSourceTest, IdentityChangesWithSizeTimeAndEdges) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += fmt::format("{{\"id\":{:06}}}\n", i);
  for (char& c : text) c = c == '0' ? '1' : c;
  probe_.Write("f.ndjson", text);
  const auto time = std::filesystem::last_write_time(probe_.Path("f.ndjson"));
  const auto identity = [&] {
    auto range = Make("f.ndjson", {{"id", "bigint"}})->Freeze({}, {}, {});
    return range.ok() && *range ? (*range)->cuts[0].identity : "";
  };
  const std::string first = identity();
  EXPECT_THAT(first, SizeIs(16));
  EXPECT_EQ(identity(), first);
  for (const size_t at : {size_t{7}, text.size() - 5}) {
    std::string other = text;
    other[at] = '7';
    std::fstream(probe_.Path("f.ndjson"), std::ios::in | std::ios::out | std::ios::binary) << other;
    std::filesystem::last_write_time(probe_.Path("f.ndjson"), time);
    EXPECT_NE(identity(), first) << at;
    std::fstream(probe_.Path("f.ndjson"), std::ios::in | std::ios::out | std::ios::binary) << text;
    std::filesystem::last_write_time(probe_.Path("f.ndjson"), time);
    EXPECT_EQ(identity(), first);
  }
  std::filesystem::last_write_time(probe_.Path("f.ndjson"), time + std::chrono::seconds(1));
  EXPECT_NE(identity(), first);
  std::ofstream(probe_.Path("f.ndjson"), std::ios::app) << "{}\n";
  std::filesystem::last_write_time(probe_.Path("f.ndjson"), time);
  EXPECT_NE(identity(), first);
}

TEST_F(FileSourceTest, AFileThatChangesIsNotedAtEachPoint) {
  probe_.Write("f.ndjson", "{\"id\":1}\n{\"id\":2}\n");
  auto source = Make("f.ndjson", {{"id", "bigint"}});
  auto range = source->Freeze({}, {}, {});
  ASSERT_TRUE(range.ok() && *range);
  EXPECT_TRUE(source->Verify(**range).ok());
  auto first = Make("f.ndjson", {{"id", "bigint"}})->Freeze({}, Limits{.rows = 1}, {});
  const Position half = source->After({}, **first);
  const Position done = source->After({}, **range);
  std::ofstream(probe_.Path("f.ndjson"), std::ios::app) << "{\"id\":3}\n";
  const Status verified = source->Verify(**range);
  ASSERT_FALSE(verified.ok());
  EXPECT_EQ(verified.error().kind, ErrorKind::kRejected);
  EXPECT_THAT(verified.error().message, HasSubstr("'f.ndjson' changed while it was read"));
  EXPECT_FALSE(source->Open(**range, *probe_.session, {}).ok());
  const auto resumed = Make("f.ndjson", {{"id", "bigint"}})->Freeze(half, {}, {});
  ASSERT_FALSE(resumed.ok());
  EXPECT_THAT(resumed.error().message, HasSubstr("changed after its first 9 bytes were loaded"));
  EXPECT_THAT(RowsOf(All(*Make("f.ndjson", {{"id", "bigint"}}), {}, done)),
              SizeIs(3));  // a new file by the same name
  std::filesystem::remove(probe_.Path("f.ndjson"));
  EXPECT_FALSE(source->Verify(**range).ok());
}

TEST_F(FileSourceTest, ALineOf100MegabytesIsOneLetterInBoundedMemory) {
  {
    std::ofstream out(probe_.Path("big.ndjson"), std::ios::binary);
    out << "{\"id\":1}\n{\"id\":2,\"x\":\"";
    const std::string mega(1 << 20, 'x');
    for (int i = 0; i < 100; ++i) out << mega;
    out << "\"}\n{\"id\":3}\n";
  }
  const auto epochs = All(*Make("big.ndjson", {{"id", "bigint"}}));
  EXPECT_THAT(RowsOf(epochs), ElementsAre(Row{"1"}, Row{"3"}));
  ASSERT_THAT(LettersOf(epochs), SizeIs(1));
  EXPECT_EQ(LettersOf(epochs)[0].line, 2);
  EXPECT_THAT(LettersOf(epochs)[0].original, SizeIs(64 << 10));
  EXPECT_THAT(LettersOf(epochs)[0].message, HasSubstr("of 104857616 bytes"));
}

TEST_F(FileSourceTest, CsvIsSniffedOnceAndEveryBadLineTold) {
  probe_.Write("d/a.csv", "id,name,amt\n1,a,1.5\n2,b,x\nx,c,y\n3,d\n4,e,1,9\n6,g,3\n");
  auto source = Make("d/*.csv", {{"id", "bigint"}, {"name", "varchar"}, {"amt", "double"}});
  const auto epochs = All(*source);
  EXPECT_THAT(RowsOf(epochs), ElementsAre(Row{"1", "a", "1.5"}, Row{"6", "g", "3.0"}));
  const auto letters = LettersOf(epochs);
  ASSERT_THAT(letters, SizeIs(4));
  EXPECT_EQ(letters[0].partition, "d/a.csv");
  EXPECT_EQ(letters[0].line, 3);
  EXPECT_EQ(letters[0].code, "cast");
  EXPECT_EQ(letters[0].original, "2,b,x");
  EXPECT_THAT(letters[1].message, testing::AllOf(HasSubstr("\"amt\""), HasSubstr("\"id\"")));
  EXPECT_EQ(letters[2].code, "malformed");
  EXPECT_EQ(letters[3].original, "4,e,1,9");
}

TEST_F(FileSourceTest, OfACsvOnlyWhatIsAskedForIsReadButEveryLineHasItsShape) {
  probe_.Write("a.csv", "id,amt\n1,1\n2,x\n3,3,3\n");
  auto source = Make("a.csv", {{"id", "bigint"}, {"amt", "bigint"}});
  auto range = source->Freeze({}, {}, {});
  auto opened = source->Open(**range, *probe_.session, {});
  ASSERT_TRUE(opened.ok()) << Format(opened.error());
  const auto rows = probe_.session->Query("SELECT count(id) FROM " + opened->from);
  ASSERT_TRUE(rows.ok()) << Format(rows.error());
  EXPECT_EQ(rows->rows[0][0].text, "2");
  const auto letters = opened->rejects(*probe_.session);
  ASSERT_TRUE(letters.ok());
  ASSERT_THAT(*letters, SizeIs(1));
  EXPECT_EQ((*letters)[0].line, 4);
  EXPECT_TRUE(opened->rejects(*probe_.session)->empty());  // taken once
}

TEST_F(FileSourceTest, CsvFilesOfSeveralShapesAreReadTogetherByName) {
  probe_.Write("a.csv", "id,name\n1,x\n");
  probe_.Write("b.csv", "name;id\n\"y;z\";2\n");
  probe_.Write("c.csv", "");
  probe_.Write("d.csv", "id,name\n");
  probe_.Write("e.csv", "id,name\r\n2.5,w\r\n");
  auto source = Make("*.csv");
  EXPECT_EQ(Shape(*source), "(id DOUBLE, name VARCHAR)");
  EXPECT_THAT(RowsOf(All(*source)),
              ElementsAre(Row{"1.0", "x"}, Row{"2.0", "y;z"}, Row{"2.5", "w"}));
  EXPECT_THAT(All(*source, Limits{.rows = 1}), SizeIs(5));
  EXPECT_THAT(All(*source, Limits{.bytes = 1'000'000}), SizeIs(1));
}

TEST_F(FileSourceTest, ALaterCsvThatDoesNotFitIsTold) {
  probe_.Write("a.csv", "id,nam,x\n1,a,2\n");
  auto request = FileRequest("a.csv");
  request.pinned = Schema{{.name = "id", .type = "BIGINT"}, {.name = "name", .type = "VARCHAR"}};
  auto source = Make(request);
  EXPECT_EQ(Shape(*source), "(id BIGINT, name VARCHAR)");
  EXPECT_THAT(ErrorOf(*source), HasSubstr("'a.csv' does not have the columns (id BIGINT, name "
                                          "VARCHAR): it lacks 'name' and has 'nam', "
                                          "'x' besides"));
  probe_.Write("a.csv", "id,name\nabc,a\n2,b\n");  // the type stays what it was: not guessed again
  const auto epochs = All(*Make(request));
  EXPECT_THAT(RowsOf(epochs), ElementsAre(Row{"2", "b"}));
  EXPECT_THAT(LettersOf(epochs), SizeIs(1));
}

TEST_F(FileSourceTest, ParquetHasItsOwnSchemaAndCount) {
  ASSERT_TRUE(
      probe_.session
          ->Execute(fmt::format(
              "COPY (SELECT range AS id, 'n' || range AS name FROM range(1000)) TO '{0}/a.parquet' "
              "(FORMAT parquet); "
              "COPY (SELECT 7::INTEGER AS id, 'z' AS name) TO '{0}/b.parquet' (FORMAT parquet)",
              probe_.folder))
          .ok());
  auto source = Make("*.parquet");
  EXPECT_EQ(Shape(*source), "(id BIGINT, name VARCHAR)");
  const auto shape = source->Describe(*probe_.session, {});
  EXPECT_TRUE(shape->guessed.empty());
  EXPECT_FALSE(shape->ordered);
  EXPECT_THAT(RowsOf(All(*source)), SizeIs(1001));
  EXPECT_THAT(All(*source, Limits{.bytes = 1}), SizeIs(2));
  ASSERT_TRUE(probe_.session
                  ->Execute(fmt::format("COPY (SELECT 7 AS id) TO '{0}/c.parquet' (FORMAT parquet)",
                                        probe_.folder))
                  .ok());
  EXPECT_THAT(Shape(*Make("*.parquet")), HasSubstr("'c.parquet' does not have the columns"));
  std::filesystem::resize_file(probe_.Path("a.parquet"), 500);
  EXPECT_THAT(Shape(*Make("a.parquet")), HasSubstr("a.parquet"));
}

TEST_F(FileSourceTest, SaysWhatIsWrongWithPathAndFormat) {
  EXPECT_THAT(ErrorOf(*Make("none*.csv")), HasSubstr("p.yml:3:7: no file matches 'none*.csv'"));
  std::filesystem::create_directories(probe_.Path("days"));
  EXPECT_THAT(ErrorOf(*Make("days")),
              HasSubstr("p.yml:3:7: 'days' is a folder; its files are 'days/*'"));
  auto request = FileRequest("none*.csv", {{"id", "bigint"}});
  request.config.allow_empty = true;
  EXPECT_TRUE(All(*Make(request)).empty());
  EXPECT_EQ(Shape(*Make(request)), "(id BIGINT)");
  probe_.Write("a.csv.gz", "x");
  EXPECT_THAT(ErrorOf(*Make("a.csv.gz")), HasSubstr("ends in the middle of its packed bytes"));
  probe_.Write("a.json", "x");
  EXPECT_THAT(ErrorOf(*Make("a.json")), HasSubstr("Malformed JSON"));
  probe_.Write("a.dat", "x");
  EXPECT_THAT(ErrorOf(*Make("a.dat")), HasSubstr("the extension does not say the format"));
  probe_.Write("a.csv", "x\n1\n");
  probe_.Write("b.ndjson", "{}");
  EXPECT_THAT(ErrorOf(*Make("[ab].*son*")), HasSubstr("have different formats"));
  EXPECT_THAT(Shape(*Make("a.csv", {{"x", "nonsense"}})),
              HasSubstr("p.yml:4:9: column 'x': 'nonsense' is no type"));
  probe_.Write("empty.csv", "");
  EXPECT_THAT(Shape(*Make("empty.csv")), HasSubstr("declare them in `columns:`"));
  EXPECT_TRUE(RowsOf(All(*Make("empty.csv", {{"x", "bigint"}}))).empty());
  auto interval = FileRequest("a.csv");
  interval.config.interval.text = "at";
  EXPECT_FALSE(
      MakeFileSource(interval, *probe_.files, LocalOrigin(*probe_.files, probe_.folder)).ok());
}

// Two files, one of them in two ranges.
TEST_F(FileSourceTest, SaysHowManyBytesOfAllAreRead) {
  probe_.Write("a.ndjson", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
  probe_.Write("b.ndjson", "{\"id\":4}\n");
  auto source = Make("*.ndjson", {{"id", "int"}});
  EXPECT_EQ(source->ReadSoFar(1).known, 0u);
  Position at;
  std::vector<uint64_t> read;
  while (const auto range = *source->Freeze(at, {.rows = 2}, {})) {
    ASSERT_TRUE(probe_.Read(*source, *range).ok());
    EXPECT_EQ(source->ReadSoFar(-1).known, 36u);
    read.push_back(source->ReadSoFar(-1).read);
    at = source->After(at, *range);
    ASSERT_TRUE(source->Release(*range).ok());
    EXPECT_EQ(source->ReadSoFar(-1).read, read.back());
  }
  EXPECT_THAT(read, ElementsAre(18u, 36u));
  // A run that goes on knows what is left.
  auto rest = Make("*.ndjson", {{"id", "int"}});
  const Range first = **source->Freeze({}, {.rows = 2}, {});
  ASSERT_TRUE(rest->Freeze(source->After({}, first), {}, {}).ok());
  EXPECT_EQ(rest->ReadSoFar(0).known, 18u);
}

TEST_F(FileSourceTest, OfWhatDuckdbReadsAShareIsKnown) {
  probe_.Write("a.csv", "id\n1\n2\n");
  auto source = Make("a.csv", {{"id", "int"}});
  const Range range = **source->Freeze({}, {}, {});
  ASSERT_TRUE(source->Open(range, *probe_.session, {}).ok());
  EXPECT_EQ(source->ReadSoFar(-1).read, 0u);
  EXPECT_EQ(source->ReadSoFar(0.5).read, 3u);
  ASSERT_TRUE(source->Release(range).ok());
  EXPECT_EQ(source->ReadSoFar(-1).read, 7u);
}

TEST_F(FileSourceTest, NamesThatLookLikeGlobsAreRead) {
  probe_.Write("r[1] 'q'.csv", "x\n1\n");
  EXPECT_THAT(RowsOf(All(*Make("r[1] 'q'.csv"))), ElementsAre(Row{"1"}));
  probe_.Write("s[1].ndjson", "{\"x\":1}\n");
  EXPECT_THAT(RowsOf(All(*Make("s[1].ndjson"))), ElementsAre(Row{"1"}));
}

TEST_F(FileSourceTest, APositionNeedsNoFilesThatIdentitiesSayAreLoaded) {
  for (int file = 0; file < 3; ++file)
    probe_.Write(fmt::format("f{}.ndjson", file), "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
  auto source = Make("*.ndjson", {{"id", "int"}});
  std::set<std::string> loaded;
  Position position;
  for (int i = 0; i < 2; ++i) {  // 2 rows, then 1 and 1: into the second file
    auto range = source->Freeze(position, {.rows = 2}, {});
    ASSERT_TRUE(range.ok() && *range);
    for (const Cut& cut : (*range)->cuts) loaded.insert(cut.identity);
    position = source->After(position, **range);
  }
  ASSERT_THAT(position, SizeIs(2));
  const Position kept = source->Kept(position);
  ASSERT_THAT(kept, SizeIs(1));
  EXPECT_EQ(kept.begin()->first, "f1.ndjson");
  auto again = Make("*.ndjson", {{"id", "int"}});
  const auto resumed = again->Resume(kept, loaded);
  ASSERT_TRUE(resumed.ok());
  EXPECT_EQ(*resumed, position);
  EXPECT_EQ(Make("*.ndjson", {{"id", "int"}})->Resume({}, {}).value(), Position{});
}

}  // namespace
}  // namespace sluice
