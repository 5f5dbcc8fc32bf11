// A file appears whole or not at all, at every point where a run can be killed.
#include "connector/file/sink.h"

#include <fmt/format.h>

#include <gtest/gtest.h>

#include <filesystem>

#include "base/clock.h"
#include "base/text.h"
#include "connector/file/manifest.h"

namespace sluice {
namespace {

const std::stop_token kNever;

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << Format(result.error());
    std::abort();
  }
  return std::move(result).value();
}

class FileSinkTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "file_sink_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    database_ = Must(sql::Database::Open({}));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static Load MakeLoad(std::string target, Mode mode = Mode::kAppend) {
    return {.step = "out",
            .target = std::move(target),
            .mode = mode,
            .schema = {{"id", "INTEGER"}, {"v", "VARCHAR"}},
            .format = "auto",
            .compression = "auto",
            .mark = {"p.yml", 3, 1}};
  }
  std::unique_ptr<Sink> Make(const Load& load) {
    return Must(MakeFileSink(
        {load}, {.files = *files_, .database = *database_, .clock = *clock_, .folder = folder_}));
  }
  EpochRecord RecordOf(EpochId epoch, int64_t fence = 1, bool published = true) {
    EpochRecord record{
        .lane = lane_, .epoch = epoch, .fence = {fence}, .run = {1}, .fingerprint = "f"};
    record.ranges["in"].cuts.push_back({"p", "0", "1", "id-" + std::to_string(epoch.value)});
    record.published = published;
    return record;
  }
  static std::string Rows(int from, int to) {
    return fmt::format("SELECT CAST(i AS INTEGER) AS id, 'v' || i AS v FROM range({}, {}) r(i)",
                       from, to);
  }
  Result<Landed> TryLoad(Sink& sink, const Load& load, const std::string& select,
                         Visibility visibility = Visibility::kTarget) {
    TRY(sink.Prepare({load}, kNever));
    auto landing = TRY(sink.Begin(lane_, {load}, visibility, std::nullopt));
    auto landed = TRY(landing->Write(0, select, {}, kNever));
    TRY(landing->Commit(RecordOf(landing->epoch(), 1, visibility == Visibility::kTarget)));
    return landed;
  }
  Landed DoLoad(const Load& load, const std::string& select,
                Visibility visibility = Visibility::kTarget) {
    return Must(TryLoad(*Make(load), load, select, visibility));
  }
  std::string Read(const std::string& name) {
    return Must(files_->ReadAll(folder_ + "/" + name, 1 << 20));
  }
  // What a reader's glob finds.
  std::vector<std::string> Seen(const std::string& pattern = "*") {
    std::vector<std::string> names;
    for (const std::string& path : Must(files_->Glob(folder_ + "/" + pattern)))
      names.push_back(path.substr(folder_.size() + 1));
    return names;
  }
  // All files there are, hidden ones too, except manifests.
  std::vector<std::string> Left() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (entry.is_regular_file() && entry.path().extension() != ".json")
        names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  int64_t Count(const std::string& from) {
    auto session = Must(database_->Connect());
    return std::stoll(Must(session->Query("SELECT count(*) FROM " + from)).rows.at(0).at(0).text);
  }

  using Names = std::vector<std::string>;
  std::string folder_;
  std::unique_ptr<Files> files_ = LocalFiles();
  std::unique_ptr<Clock> clock_ = SystemClock();
  std::unique_ptr<sql::Database> database_;
  Lane lane_{"shop", "daily", "out", "stream"};
};

TEST_F(FileSinkTest, AFileOfEachFormat) {
  const Landed csv = DoLoad(MakeLoad("a.csv"), Rows(0, 2));
  EXPECT_EQ(csv.rows, 2u);
  EXPECT_EQ(csv.inserted, 2u);
  EXPECT_EQ(Read("a.csv"), "id,v\n0,v0\n1,v1\n");
  EXPECT_EQ(csv.bytes, Read("a.csv").size());
  DoLoad(MakeLoad("a.ndjson"), Rows(0, 2));
  EXPECT_EQ(Read("a.ndjson"), "{\"id\":0,\"v\":\"v0\"}\n{\"id\":1,\"v\":\"v1\"}\n");
  for (const auto& [compression, codec] : std::map<std::string, std::string>{
           {"auto", "SNAPPY"}, {"snappy", "SNAPPY"}, {"zstd", "ZSTD"}, {"none", "UNCOMPRESSED"}}) {
    Load load = MakeLoad("deep/er/" + compression + ".parquet");
    load.compression = compression;
    DoLoad(load, Rows(0, 5));
    const std::string path = QuoteLiteral(folder_ + "/" + load.target);
    EXPECT_EQ(Count(fmt::format("read_parquet({})", path)), 5);
    EXPECT_GT(Count(fmt::format("parquet_metadata({}) WHERE compression = '{}'", path, codec)), 0)
        << compression;
  }
  DoLoad(MakeLoad("empty.csv"), Rows(0, 0));
  EXPECT_EQ(Read("empty.csv"), "id,v\n");
}

TEST_F(FileSinkTest, PathsThatSayNothingAreRefused) {
  const auto refusal = [&](Load load) {
    auto sink = MakeFileSink(
        {load}, {.files = *files_, .database = *database_, .clock = *clock_, .folder = folder_});
    return sink.ok() ? std::string("accepted") : Format(sink.error());
  };
  EXPECT_EQ(
      refusal(MakeLoad("out.txt")),
      "p.yml:3:1: 'out.txt': the extension says no format; name it .csv, .tsv, .ndjson, .jsonl, "
      ".avro or .parquet, or set format: csv, ndjson, avro or parquet");
  EXPECT_EQ(
      refusal(MakeLoad("out*.csv")),
      "p.yml:3:1: 'out*.csv': a load writes one file, or a folder that ends in '/'; wildcards "
      "are for reading");
  Load zipped = MakeLoad("out.csv");
  zipped.compression = "zstd";
  EXPECT_EQ(refusal(zipped),
            "p.yml:3:1: 'out.csv' would be packed and not be named so; name it out.csv.zst");
}

TEST_F(FileSinkTest, AppendingToAFileThatIsThereIsRefused) {
  DoLoad(MakeLoad("a.csv"), Rows(0, 2));
  auto again = TryLoad(*Make(MakeLoad("a.csv")), MakeLoad("a.csv"), Rows(2, 3));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::kRejected);
  EXPECT_NE(again.error().message.find("append to one existing file 'a.csv'"), std::string::npos)
      << again.error().message;
  EXPECT_EQ(Read("a.csv"), "id,v\n0,v0\n1,v1\n");
  EXPECT_EQ(Left(), Names{"a.csv"});
  DoLoad(MakeLoad("a.csv", Mode::kOverwrite), Rows(2, 3));
  EXPECT_EQ(Read("a.csv"), "id,v\n2,v2\n");
}

TEST_F(FileSinkTest, AFolderGetsOneFilePerEpoch) {
  const Load load = MakeLoad("out/");
  DoLoad(load, Rows(0, 2));
  DoLoad(load, Rows(2, 3));
  EXPECT_EQ(DoLoad(load, Rows(0, 0)).rows, 0u);
  EXPECT_EQ(Seen("out/*"), (Names{"out/part-1.parquet", "out/part-2.parquet"}));
  EXPECT_EQ(Count(fmt::format("read_parquet({})", QuoteLiteral(folder_ + "/out/**/*.parquet"))), 3);
  const auto loaded = Must(Make(load)->Loaded(lane_));
  ASSERT_EQ(loaded.size(), 3u);
  EXPECT_EQ(loaded[1].identity, "id-2");
  EXPECT_EQ(Must(Make(load)->Last(lane_))->epoch.value, 3);
  DoLoad(MakeLoad("out/", Mode::kOverwrite), Rows(5, 6));
  EXPECT_EQ(Seen("out/*"), Names{"out/part-4.parquet"});
}

TEST_F(FileSinkTest, LanesOfOneFolderGetDifferentNumbers) {
  const Load load = MakeLoad("out/");
  auto sink = Make(load);
  Must(sink->Prepare({load}, kNever));
  auto one = Must(sink->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  auto two = Must(
      sink->Begin({"shop", "daily", "out", "other"}, {load}, Visibility::kTarget, std::nullopt));
  EXPECT_NE(one->epoch(), two->epoch());
}

TEST_F(FileSinkTest, ADroppedLandingLeavesNothing) {
  const Load load = MakeLoad("out.csv");
  auto sink = Make(load);
  Must(sink->Prepare({load}, kNever));
  for (const Visibility visibility : {Visibility::kTarget, Visibility::kStaging}) {
    auto landing = Must(sink->Begin(lane_, {load}, visibility, std::nullopt));
    Must(landing->Write(0, Rows(0, 9), {}, kNever));
    EXPECT_EQ(Seen(), Names{});
    landing.reset();
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
  }
}

TEST_F(FileSinkTest, StagedEpochsBecomeOneFile) {
  const Load load = MakeLoad("out.csv");
  EXPECT_EQ(DoLoad(load, Rows(0, 2), Visibility::kStaging).inserted, 0u);
  DoLoad(load, Rows(2, 3), Visibility::kStaging);
  EXPECT_EQ(Seen(), Names{});
  auto sink = Make(load);
  EXPECT_FALSE(Must(sink->Last(lane_))->published);
  Must(sink->Sweep(lane_, Must(sink->Last(lane_))->epoch));
  std::vector<Landed> landed;
  { auto dropped = Must(sink->Publish(lane_, {load}, std::nullopt, landed, kNever)); }
  EXPECT_EQ(Seen(), Names{});
  auto landing = Must(sink->Publish(lane_, {load}, std::nullopt, landed, kNever));
  EXPECT_EQ(landed.at(0).rows, 3u);
  Must(landing->Commit(RecordOf(landing->epoch())));
  landing.reset();
  EXPECT_EQ(Count("read_csv(" + QuoteLiteral(folder_ + "/out.csv") + ")"), 3);
  EXPECT_EQ(Left(), Names{"out.csv"});
}

TEST_F(FileSinkTest, StagedEpochsThatNobodyDecidedAreSwept) {
  const Load load = MakeLoad("out.csv");
  DoLoad(load, Rows(0, 2), Visibility::kStaging);
  DoLoad(load, Rows(2, 3), Visibility::kStaging);
  auto sink = Make(load);
  for (int i = 0; i < 2; ++i) {
    Must(sink->Sweep(lane_, {1}));
    EXPECT_EQ(Must(sink->Last(lane_))->epoch.value, 1);
  }
  EXPECT_EQ(Left(), Names{"1.staged"});
}

// The steps of a decision, each as the last one before a kill.
TEST_F(FileSinkTest, AKillAtEachStepIsUndoneOrFinished) {
  const Load load = MakeLoad("out.csv", Mode::kOverwrite);
  DoLoad(load, Rows(0, 1));
  const auto depot = LocalDepot(*files_, folder_);
  ManifestStore store(*depot, lane_, "out.csv");
  const auto write = [&](EpochId epoch) {
    auto session = Must(database_->Connect());
    Must(session->Execute(fmt::format("COPY ({}) TO {} (FORMAT csv)", Rows(7, 8),
                                      QuoteLiteral(folder_ + "/" + store.LandingName(epoch)))));
  };
  // killed before the decision
  EpochId epoch = Must(store.Allocate());
  write(epoch);
  Must(files_->Open(folder_ + "/" + store.LandingName(epoch) + ".deciding",
                    Files::Mode::kCreateNew));
  Must(files_->Remove(folder_ + "/" + store.LandingName(epoch) + ".deciding"));
  auto sink = Make(load);
  Must(sink->Sweep(lane_, {1}));
  EXPECT_EQ(Read("out.csv"), "id,v\n0,v0\n");
  EXPECT_EQ(Left(), Names{"out.csv"});
  EXPECT_EQ(Must(sink->Last(lane_))->epoch.value, 1);
  // killed after the decision, before the rename
  epoch = Must(store.Allocate());
  write(epoch);
  Must(store.Decide({.record = RecordOf(epoch),
                     .renames = {{store.LandingName(epoch), "out.csv"}},
                     .removes = {},
                     .taken_back = {}}));
  EXPECT_EQ(Read("out.csv"), "id,v\n0,v0\n");
  EXPECT_EQ(Must(Make(load)->Last(lane_))->epoch, epoch);
  for (int i = 0; i < 2; ++i) {
    Must(Make(load)->Sweep(lane_, epoch));
    EXPECT_EQ(Read("out.csv"), "id,v\n7,v7\n");
    EXPECT_EQ(Left(), Names{"out.csv"});
  }
  // decided twice
  auto twice =
      store.Decide({.record = RecordOf(epoch), .renames = {}, .removes = {}, .taken_back = {}});
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().kind, ErrorKind::kRejected);
}

TEST_F(FileSinkTest, AKilledOverwriteOfAFolderDropsTheOldPartsLater) {
  const Load load = MakeLoad("out/", Mode::kOverwrite);
  DoLoad(load, Rows(0, 1));
  const auto depot = LocalDepot(*files_, folder_ + "/out");
  ManifestStore store(*depot, lane_, "");
  const EpochId epoch = Must(store.Allocate());
  Must(files_->Rename(folder_ + "/out/part-1.parquet",
                      folder_ + "/out/" + store.LandingName(epoch)));
  Must(WriteAtomically(*files_, folder_ + "/out/part-1.parquet", "old"));
  Must(store.Decide({.record = RecordOf(epoch),
                     .renames = {{store.LandingName(epoch), "part-2.parquet"}},
                     .removes = {"part-1.parquet"},
                     .taken_back = {}}));
  Must(files_->Rename(folder_ + "/out/" + store.LandingName(epoch),
                      folder_ + "/out/part-2.parquet"));  // and killed here
  Must(Make(load)->Sweep(lane_, epoch));
  EXPECT_EQ(Seen("out/*"), Names{"out/part-2.parquet"});
}

TEST_F(FileSinkTest, TakingBackReplacesTheFilesOfThoseEpochs) {
  const Load load = MakeLoad("out/");
  DoLoad(load, Rows(0, 2));
  DoLoad(load, Rows(2, 3));
  auto sink = Make(load);
  auto landing = Must(sink->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  Must(sink->TakeBack(*landing, {load}, {EpochId{1}}));
  Must(landing->Write(0, Rows(0, 3), {}, kNever));
  EXPECT_EQ(Seen("out/*").size(), 2u);
  Must(landing->Commit(RecordOf(landing->epoch())));
  EXPECT_EQ(Seen("out/*"), (Names{"out/part-2.parquet", "out/part-3.parquet"}));
  const auto loaded = Must(sink->Loaded(lane_));
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].epoch.value, 2);
}

TEST_F(FileSinkTest, ALaterRunShutsAnEarlierOneOut) {
  const Load load = MakeLoad("out/");
  auto sink = Make(load);
  Must(sink->Prepare({load}, kNever));
  auto old_run = Must(sink->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  auto new_run = Must(sink->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  Must(old_run->Write(0, Rows(0, 1), {}, kNever));
  Must(new_run->Write(0, Rows(1, 2), {}, kNever));
  Must(new_run->Commit(RecordOf(new_run->epoch(), 2)));
  auto fenced = old_run->Commit(RecordOf(old_run->epoch(), 1));
  ASSERT_FALSE(fenced.ok());
  EXPECT_EQ(fenced.error().kind, ErrorKind::kRejected);
  old_run.reset();
  EXPECT_EQ(Seen("out/*"), Names{"out/part-2.parquet"});
}

TEST_F(FileSinkTest, AFailedQueryLeavesNothing) {
  const Load load = MakeLoad("out.csv");
  auto failed = TryLoad(*Make(load), load,
                        "SELECT CAST('x' || i AS INTEGER) AS id, 'v' AS v FROM range(3) r(i)");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind, ErrorKind::kData);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(FileSinkTest, AFullDiskIsToldAndLeavesNothing) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP();
  const Load load = MakeLoad("out.csv");
  auto sink = Make(load);
  Must(sink->Prepare({load}, kNever));
  auto landing = Must(sink->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  const auto depot = LocalDepot(*files_, folder_);
  ManifestStore store(*depot, lane_, "out.csv");
  std::filesystem::create_symlink("/dev/full", folder_ + "/" + store.LandingName(landing->epoch()));
  auto failed = landing->Write(0, Rows(0, 100000), {}, kNever);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind, ErrorKind::kRejected) << failed.error().message;
  EXPECT_NE(failed.error().message.find("writing 'out.csv'"), std::string::npos);
  landing.reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(FileSinkTest, TheFolderCannotBeMade) {
  Must(WriteAtomically(*files_, folder_ + "/taken", "a file"));
  const Load load = MakeLoad("taken/out.csv");
  auto failed = TryLoad(*Make(load), load, Rows(0, 1));
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("taken/out.csv"), std::string::npos)
      << failed.error().message;
  EXPECT_EQ(Left(), Names{"taken"});
}

TEST_F(FileSinkTest, AManifestCannotReachOutsideTheFolder) {
  Manifest manifest{
      .record = RecordOf({1}), .renames = {{"a", "b"}}, .removes = {"c"}, .taken_back = {{4}}};
  const Manifest back = Must(ParseManifest(Serialise(manifest)));
  EXPECT_EQ(back.renames, manifest.renames);
  EXPECT_EQ(back.removes, manifest.removes);
  EXPECT_EQ(back.taken_back, manifest.taken_back);
  manifest.renames = {{"a", "../../b"}};
  EXPECT_FALSE(ParseManifest(Serialise(manifest)).ok());
  manifest.renames.clear();
  manifest.removes = {"/etc/passwd"};
  EXPECT_FALSE(ParseManifest(Serialise(manifest)).ok());
  EXPECT_FALSE(ParseManifest("{}").ok());
}

TEST_F(FileSinkTest, PruningLeavesTheNewestAndForgetsNoFile) {
  const Load load = MakeLoad("out/");
  for (int i = 0; i < 5; ++i) DoLoad(load, Rows(i, i + 1));
  const auto manifests = [&] {
    size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      count += entry.path().extension() == ".json" ? 1 : 0;
    return count;
  };
  auto sink = Make(load);
  Must(sink->Prune(lane_, 2, Needed::kIdentities));
  EXPECT_EQ(manifests(), 5u);  // each says what is loaded
  Must(sink->Prune(lane_, 2, Needed::kNewest));
  Must(sink->Prune(lane_, 2, Needed::kNewest));
  EXPECT_EQ(manifests(), 2u);
  EXPECT_EQ(Must(sink->Last(lane_))->epoch.value, 5);
  EXPECT_EQ(Seen("out/*").size(), 5u);
  // Who overwrites still finds the files whose manifests are gone.
  DoLoad(MakeLoad("out/", Mode::kOverwrite), Rows(9, 10));
  EXPECT_EQ(Seen("out/*"), Names{"out/part-6.parquet"});
}

}  // namespace
}  // namespace sluice
