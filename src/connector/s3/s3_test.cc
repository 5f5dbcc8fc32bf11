// Requests, reading and writing against a real server.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/http_server_for_tests.h"
#include "base/text.h"
#include "connector/file/sink.h"
#include "connector/file/source.h"
#include "connector/file/spool.h"
#include "connector/postgres/server_for_tests.h"
#include "connector/s3/bucket.h"
#include "connector/s3/connector.h"
#include "connector/s3/origin.h"
#include "connector/s3/server_for_tests.h"
#include "connector/source_probe.h"

namespace sluice::s3 {
namespace {

using Names = std::vector<std::string>;
const std::stop_token kNever;

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << Format(result.error());
    std::abort();
  }
  return std::move(result).value();
}

class S3Test : public testing::Test {
 protected:
  void SetUp() override {
    server_ = TestServer::Shared();
    if (server_ == nullptr) GTEST_SKIP() << "no S3 server";
    name_ = server_->NewBucket(Context());
    bucket_ = server_->Connect(name_, Context());
  }
  ConnectorContext Context() {
    return {.files = *probe_.files,
            .database = *probe_.database,
            .clock = *clock_,
            .folder = probe_.folder,
            .secrets = &secrets_};
  }
  Settings SettingsOf() {
    const Node node = server_->ConnectionTo(name_);
    return Must(ReadSettings(&node));
  }
  void Put(const std::string& key, const std::string& bytes) {
    Must(bucket_->Put(key, bytes, kNever));
  }
  std::string Got(const std::string& key) {
    return Must(bucket_->GetAll(key, 64 << 20, kNever)).value_or("(none)");
  }
  Names Keys(const std::string& prefix = "") {
    Names keys;
    for (const Object& object : Must(bucket_->List(prefix, kNever))) keys.push_back(object.key);
    return keys;
  }
  std::unique_ptr<Source> Read(const std::string& glob, Settings settings) {
    return Must(MakeFileSource(FileRequest(glob), *probe_.files,
                               BucketOrigin(std::move(settings), Context())));
  }
  std::unique_ptr<Sink> Write(const Load& load) {
    const Node node = server_->ConnectionTo(name_);
    return Must(S3Connector().sink(&node, {load}, Context()));
  }
  size_t Spooled() {
    size_t count = 0;
    const std::string folder = probe_.Path(".sluice/spool");
    if (!std::filesystem::exists(folder)) return 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      count += entry.is_regular_file() && entry.path().extension() != ".lock" ? 1 : 0;
    return count;
  }

  SourceProbe probe_;
  std::unique_ptr<Clock> clock_ = SystemClock();
  postgres::EnvironmentSecrets secrets_;
  TestServer* server_ = nullptr;
  std::string name_;
  std::unique_ptr<Bucket> bucket_;
};

TEST_F(S3Test, KeepsOddKeys) {
  const Names odd{"a b+%&=~()'!*:@,;$#?x.csv", "day=2026-01-01/ü 日本.csv", "plain.csv",
                  "<&>\"quoted\".csv"};
  for (const std::string& key : odd) Put(key, key);
  Names sorted = odd;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(Keys(), sorted);
  for (const std::string& key : odd) {
    EXPECT_EQ(Got(key), key);
    EXPECT_EQ(Must(bucket_->Look(key, kNever))->size, key.size());
    Must(bucket_->Remove(key, kNever));
  }
  EXPECT_EQ(Keys(), Names{});
  EXPECT_EQ(Got("plain.csv"), "(none)");
  EXPECT_FALSE(Must(bucket_->Look("plain.csv", kNever)));
}

TEST_F(S3Test, ListsAllPages) {
  for (int i = 0; i < 1005; ++i) Put(fmt::format("many/{:05}", i), "x");
  EXPECT_EQ(Keys("many/").size(), 1005u);
  EXPECT_EQ(Keys("many/0100").size(), 5u);
  EXPECT_EQ(Must(bucket_->Peek(kNever)).objects.size(), 1000u);
}

TEST_F(S3Test, OneOfTwoDecidersIsRefused) {
  EXPECT_TRUE(Must(bucket_->PutNew("k", "first", kNever)));
  EXPECT_FALSE(Must(bucket_->PutNew("k", "second", kNever)));
  EXPECT_EQ(Got("k"), "first");
}

TEST_F(S3Test, AnUploadIsSeenWhenItIsFinished) {
  const std::string id = Must(bucket_->StartUpload("up.bin", "mine", kNever));
  const std::string part(5 << 20, 'x');
  std::vector<Part> parts;
  parts.push_back(Must(bucket_->UploadPart("up.bin", id, 1, part, kNever)));
  parts.push_back(Must(bucket_->UploadPart("up.bin", id, 2, "end", kNever)));
  EXPECT_EQ(Keys(), Names{});
  EXPECT_EQ(Must(bucket_->Uploads("up.bin", kNever)), Names{id});
  EXPECT_TRUE(Must(bucket_->FinishUpload("up.bin", id, parts, kNever)));
  EXPECT_FALSE(Must(bucket_->FinishUpload("up.bin", id, parts, kNever)));
  std::string mark;
  EXPECT_EQ(Must(bucket_->Look("up.bin", kNever, &mark))->size, part.size() + 3);
  EXPECT_EQ(mark, "mine");
  const std::string other = Must(bucket_->StartUpload("up.bin", "", kNever));
  Must(bucket_->EndUpload("up.bin", other, kNever));
  EXPECT_EQ(Must(bucket_->Uploads("up.bin", kNever)), Names{});
}

TEST_F(S3Test, SaysWhatIsRefusedAndNoSecret) {
  Node node = server_->ConnectionTo(name_);
  const auto refusal = [&](const std::string& key, const std::string& value) {
    Node wrong = node;
    for (auto& entry : wrong.map) {
      if (entry.key.scalar == key) entry.value.scalar = value;
    }
    auto bucket = Must(Bucket::Open(Must(ReadSettings(&wrong)), Context()));
    auto page = bucket->Peek(kNever);
    return page.ok() ? std::string("accepted") : Format(page.error());
  };
  ::setenv("SLUICE_TEST_WRONG", "canary-of-a-secret", 1);
  const std::string signature = refusal("secret_key", "env:SLUICE_TEST_WRONG");
  EXPECT_NE(signature.find("SignatureDoesNotMatch"), std::string::npos) << signature;
  EXPECT_NE(signature.find("is secret_key the right one?"), std::string::npos) << signature;
  EXPECT_EQ(signature.find("canary"), std::string::npos) << signature;
  const std::string id = refusal("access_key", "nobody");
  EXPECT_NE(id.find("InvalidAccessKeyId"), std::string::npos) << id;
  const std::string none = refusal("bucket", "no-such-bucket");
  EXPECT_NE(none.find("NoSuchBucket"), std::string::npos) << none;
  EXPECT_NE(none.find("create the bucket"), std::string::npos) << none;
}

TEST_F(S3Test, ReadsSeveralObjectsAndLeavesNothing) {
  for (int i = 0; i < 3; ++i) Put(fmt::format("in/{}.csv", i), fmt::format("id,v\n{0},{0}\n", i));
  Put("in/other.txt", "x");
  Put("in/folder/", "");
  {
    auto source = Read("in/*.csv", SettingsOf());
    const SourceShape shape = Must(source->Describe(*probe_.session, kNever));
    EXPECT_EQ(shape.describe, "3 files, csv, 27 B");
    const auto epochs = Must(probe_.ReadAll(*source, {}));
    EXPECT_EQ(RowsOf(epochs).size(), 3u);
    EXPECT_EQ(Spooled(), 3u);
    Must(source->Release(epochs[0].range));
    EXPECT_EQ(Spooled(), 0u);
  }
  EXPECT_FALSE(std::filesystem::exists(probe_.Path(".sluice/spool")));
}

TEST_F(S3Test, AnObjectThatChangesIsTold) {
  Put("in/a.csv", "id\n1\n");
  auto source = Read("in/*.csv", SettingsOf());
  const auto range = Must(source->Freeze({}, {}, kNever));
  Put("in/a.csv", "id\n2\n");
  auto opened = source->Open(*range, *probe_.session, kNever);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::kRejected);
  EXPECT_NE(opened.error().message.find("'in/a.csv' changed while it was read"), std::string::npos)
      << opened.error().message;
  // And it is another reading to the next run.
  auto next = Read("in/*.csv", SettingsOf());
  EXPECT_NE(Must(next->Freeze({}, {}, kNever))->cuts[0].identity, range->cuts[0].identity);
}

class AheadTest : public S3Test {
 protected:
  // Four objects of 1004 bytes.
  void SetUp() override {
    S3Test::SetUp();
    if (server_ == nullptr) return;
    for (int i = 0; i < 4; ++i) Put(Key(i), fmt::format("id\n{:0>1000}\n", i));
  }
  static std::string Key(int i) { return fmt::format("in/{}.csv", i); }
  std::unique_ptr<Source> Objects(const Settings& settings) {
    return Must(MakeFileSource(FileRequest("in/*.csv", {{"id", "bigint"}}), *probe_.files,
                               BucketOrigin(settings, Context())));
  }
  // Until so many local copies are there.
  void AwaitSpooled(size_t count) {
    for (int i = 0; i < 2000 && Spooled() != count; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // looks again
    EXPECT_EQ(Spooled(), count);
  }
  const Limits one_{.rows = 0, .bytes = 1010}, two_{.rows = 0, .bytes = 2020};
};

TEST_F(AheadTest, TheNextObjectComesWhileOneIsRead) {
  auto source = Objects(SettingsOf());
  Position at;
  for (int i = 0; i < 4; ++i) {
    const Range range = *Must(source->Freeze(at, one_, kNever));
    ASSERT_EQ(range.cuts.size(), 1u);
    const auto rows = Must(probe_.Read(*source, range)).rows;
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0][0], std::to_string(i));
    AwaitSpooled(i < 3 ? 2 : 1);
    at = source->After(at, range);
    Must(source->Release(range));
  }
  EXPECT_EQ(Spooled(), 0u);
  EXPECT_FALSE(Must(source->Freeze(at, one_, kNever)));
}

// A change is told when the object's turn comes, and the one before it is read all the same.
TEST_F(AheadTest, AnObjectThatChangedIsToldInItsTurn) {
  auto source = Objects(SettingsOf());
  const Range first = *Must(source->Freeze({}, one_, kNever));
  Put(Key(1), "id\n77\n");
  EXPECT_EQ(Must(probe_.Read(*source, first)).rows.size(), 1u);
  const Position at = source->After({}, first);
  const Range second = *Must(source->Freeze(at, one_, kNever));
  auto opened = source->Open(second, *probe_.session, kNever);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::kRejected);
  EXPECT_NE(opened.error().message.find("'in/1.csv' changed while it was read"), std::string::npos)
      << opened.error().message;
  source.reset();
  EXPECT_EQ(Spooled(), 0u);
}

TEST_F(AheadTest, OnlyWhatHasRoomComesAhead) {
  Settings settings = SettingsOf();
  settings.spool = 2500;  // one that is read, one ahead
  auto source = Objects(settings);
  Position at;
  for (int i = 0; i < 4; ++i) {
    const Range range = *Must(source->Freeze(at, two_, kNever));
    ASSERT_EQ(range.cuts.size(), 1u) << "half of the room is for what comes next";
    Must(probe_.Read(*source, range));
    AwaitSpooled(i < 3 ? 2 : 1);
    at = source->After(at, range);
    Must(source->Release(range));
  }
}

// What is needed now takes the room of what may be needed later.
TEST_F(AheadTest, WhatIsAheadGivesWay) {
  Settings settings = SettingsOf();
  settings.spool = 2500;
  const auto origin = BucketOrigin(settings, Context());
  const auto listed = Must(origin->List({{"in/*.csv", {}}}, false, kNever));
  ASSERT_EQ(listed.size(), 4u);
  std::vector<ListedFile> now{listed[0]}, others{listed[2], listed[3]};
  Must(origin->Fetch(now, Origin::Extent::kWhole, kNever));
  origin->Expect({listed[1], listed[2]});
  AwaitSpooled(2);
  origin->Drop(listed[0].partition);
  Must(origin->Fetch(others, Origin::Extent::kWhole, kNever));
  EXPECT_EQ(Spooled(), 2u);
  for (const ListedFile& file : others)
    EXPECT_EQ(Must(probe_.files->ReadAll(file.path, 1 << 20)), Got(file.partition));
}

TEST_F(S3Test, TheSpoolIsBounded) {
  for (int i = 0; i < 4; ++i) {
    std::string csv = "id,v\n";
    for (int k = 0; k < 60'000; ++k) csv += fmt::format("{},some text\n", k);
    Put(fmt::format("in/{}.csv", i), csv);
  }
  Settings settings = SettingsOf();
  settings.spool = uint64_t{4} << 20;  // two of the four, and the next two
  auto source = Read("in/*.csv", settings);
  const auto epochs = Must(probe_.ReadAll(*source, {}));
  EXPECT_EQ(epochs.size(), 2u);
  EXPECT_EQ(RowsOf(epochs).size(), 240'000u);
  settings.spool = uint64_t{1} << 20;
  Put("in/0.csv", Got("in/0.csv") + Got("in/1.csv"));
  auto narrow = Read("in/0.csv", settings);
  auto refused = probe_.ReadAll(*narrow, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("'spool'"), std::string::npos) << refused.error().message;
}

// A plan looks at the beginning of a text and at the end of a Parquet file.
TEST_F(S3Test, ColumnsAreSeenWithoutReadingAll) {
  std::string csv = "id,v\n";
  for (int k = 0; csv.size() < (9 << 20); ++k) csv += fmt::format("{},some text of a row\n", k);
  Put("big.csv", csv);
  const std::string path = probe_.Path("big.parquet");
  Must(probe_.session->Execute(
      "COPY (SELECT i AS id, hash(i) AS h, random() AS r FROM range(1000000) t(i)) TO '" + path +
      "' (FORMAT parquet)"));
  std::string parquet = Must(probe_.files->ReadAll(path, 64 << 20));
  ASSERT_GT(parquet.size(), size_t{4} << 20);
  Put("big.parquet", parquet);
  for (const auto& [key, columns, most] :
       {std::tuple("big.csv", "(id BIGINT, v VARCHAR)", 5 << 20),
        std::tuple("big.parquet", "(id BIGINT, h UBIGINT, r DOUBLE)", 1 << 20)}) {
    Settings settings = SettingsOf();
    settings.spool = static_cast<uint64_t>(most);
    auto source = Read(key, settings);
    EXPECT_EQ(Format(Visible(Must(source->Describe(*probe_.session, kNever)).schema)), columns);
  }
  auto source = Read("big.parquet", SettingsOf());
  EXPECT_EQ(RowsOf(Must(probe_.ReadAll(*source, {}))).size(), 1'000'000u);
}

TEST_F(S3Test, AKilledProcessesSpoolIsSwept) {
  const std::string root = probe_.Path("spool");
  std::string left;
  {
    auto one = Must(Spool::Open(*probe_.files, root));
    probe_.Write(one->Path("a.csv").substr(probe_.folder.size() + 1), "x");
    auto two = Must(Spool::Open(*probe_.files, root));  // does not take what is in use
    EXPECT_TRUE(std::filesystem::exists(ParentFolder(one->Path("b.csv")) + "/000001-a.csv"));
    left = ParentFolder(two->Path("c"));
  }
  EXPECT_FALSE(std::filesystem::exists(root));
  std::filesystem::create_directories(left);  // as a kill leaves it
  probe_.Write("spool/" + FileName(left) + "/000001-x.csv", "x");
  probe_.Write("spool/" + FileName(left) + ".lock", "");
  auto three = Must(Spool::Open(*probe_.files, root));
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_FALSE(std::filesystem::exists(left + ".lock"));
}

class S3SinkTest : public S3Test {
 protected:
  static Load LoadOf(std::string target, Mode mode = Mode::kAppend) {
    return {.step = "out",
            .target = std::move(target),
            .mode = mode,
            .schema = {{"id", "BIGINT"}},
            .format = "csv",
            .compression = "auto",
            .mark = {"p.yml", 3, 1}};
  }
  EpochRecord RecordOf(EpochId epoch, bool published = true) {
    EpochRecord record{.lane = lane_, .epoch = epoch, .fence = {1}, .run = {1}};
    record.published = published;
    return record;
  }
  std::unique_ptr<Landing> Begin(Sink& sink, const Load& load, int from, int to) {
    auto landing = Must(sink.Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
    Must(landing->Write(0, fmt::format("SELECT i AS id FROM range({}, {}) t(i)", from, to), {},
                        kNever));
    return landing;
  }
  Names Seen() {
    Names keys = Keys();
    std::erase_if(keys, [](const std::string& key) { return Hidden(key); });
    return keys;
  }
  // What only a run that goes on leaves.
  Names Unfinished(const std::string& key) {
    Names left = Must(bucket_->Uploads(key, kNever));
    for (const std::string& one : Keys()) {
      if (Hidden(one) && !EndsWith(one, ".json")) left.push_back(one);
    }
    return left;
  }
  static bool Hidden(const std::string& key) { return key.find(".sluice/") != std::string::npos; }

  Lane lane_{"shop", "daily", "out", "stream"};
};

TEST_F(S3SinkTest, AnAbandonedEpochLeavesNothing) {
  auto sink = Write(LoadOf("out/"));
  auto landing = Begin(*sink, LoadOf("out/"), 0, 2);
  EXPECT_EQ(Seen(), Names{});
  EXPECT_FALSE(Unfinished("out/part-1.csv").empty());
  landing.reset();
  EXPECT_EQ(Unfinished("out/part-1.csv"), Names{});
  EXPECT_EQ(Keys(), Names{});
}

// As a kill before the decision leaves it: the intent and an upload.
TEST_F(S3SinkTest, AKillBeforeTheDecisionIsSwept) {
  const Load load = LoadOf("out.csv", Mode::kOverwrite);
  auto sink = Write(load);
  Must(Begin(*sink, load, 0, 1)->Commit(RecordOf({1})));
  auto killed = Begin(*sink, load, 7, 8);
  auto left = killed.release();  // never destroyed: the process is gone
  EXPECT_FALSE(Unfinished("out.csv").empty());
  for (int i = 0; i < 2; ++i) {
    auto next = Write(load);
    Must(next->Sweep(lane_, {1}));
    EXPECT_EQ(Unfinished("out.csv"), Names{});
    EXPECT_EQ(Got("out.csv"), "id\n0\n");
    EXPECT_EQ(Must(next->Last(lane_))->epoch.value, 1);
  }
  delete left;
}

// The manifest is there and nothing is placed.
TEST_F(S3SinkTest, AKillAfterTheDecisionIsFinished) {
  const Load load = LoadOf("out.csv", Mode::kOverwrite);
  auto sink = Write(load);
  Must(Begin(*sink, load, 0, 1)->Commit(RecordOf({1})));
  auto landing = Begin(*sink, load, 7, 8);
  const Names before = Keys();
  const auto intent = std::find_if(before.begin(), before.end(), [](const std::string& key) {
    return EndsWith(key, ".landing");
  });
  ASSERT_NE(intent, before.end());
  const std::string intended = Got(*intent);
  Must(landing->Commit(RecordOf({2})));
  // Take back what came after the manifest: the intent is there again, the object is the old one.
  Put(*intent, intended);
  for (int i = 0; i < 2; ++i) {
    auto next = Write(load);
    Must(next->Sweep(lane_, {2}));
    EXPECT_EQ(Got("out.csv"), "id\n7\n");
    EXPECT_EQ(Unfinished("out.csv"), Names{});
  }
  // An upload that was decided and ended by someone else is told, not forgotten.
  Put(*intent, intended);
  Put("out.csv", "someone's");
  auto told = Write(load)->Sweep(lane_, {2});
  ASSERT_FALSE(told.ok());
  EXPECT_NE(told.error().message.find("lifecycle"), std::string::npos) << told.error().message;
}

TEST_F(S3SinkTest, WritesLargeAndEmptyObjects) {
  Load load = LoadOf("big.csv", Mode::kOverwrite);
  auto sink = Write(load);
  Must(Begin(*sink, load, 0, 3'000'000)->Commit(RecordOf({1})));
  EXPECT_GT(Must(bucket_->Look("big.csv", kNever))->size, uint64_t{16} << 20);
  auto source = Read("big.csv", SettingsOf());
  EXPECT_EQ(RowsOf(Must(probe_.ReadAll(*source, {}))).size(), 3'000'000u);
  load = LoadOf("none.ndjson", Mode::kOverwrite);
  load.format = "ndjson";
  auto empty = Write(load);
  Must(Begin(*empty, load, 0, 0)->Commit(RecordOf({2})));  // numbers are of the folder
  EXPECT_EQ(Got("none.ndjson"), "");
}

// The answer to the manifest is lost: whether it happened is asked for, never guessed.
TEST(S3Requests, ALostDecisionIsUnsettled) {
  HttpServerForTests server([](const HttpServerForTests::Asked&) { return std::string(); });
  SourceProbe probe;
  const auto clock = SystemClock();
  const ConnectorContext context{
      .files = *probe.files, .database = *probe.database, .clock = *clock, .folder = probe.folder};
  Settings settings;
  settings.scheme = "http";
  settings.host = fmt::format("127.0.0.1:{}", server.port());
  settings.base = "/b/";
  settings.bucket.text = "lake";
  auto bucket = Must(Bucket::Open(settings, context));
  auto put = bucket->PutNew("k", "v", kNever);
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().kind, ErrorKind::kUnsettled);
}

TEST(S3Requests, TriesAgainAsLongAsTheServerSays) {
  int asked = 0;
  HttpServerForTests server([&](const HttpServerForTests::Asked&) {
    ++asked;
    if (asked == 1) return HttpAnswerText(503, "", "Retry-After: 1\r\n");
    if (asked == 2) return HttpAnswerText(500, "<Error><Code>InternalError</Code></Error>");
    return HttpAnswerText(200, "body");
  });
  SourceProbe probe;
  const auto clock = SystemClock();
  const ConnectorContext context{
      .files = *probe.files, .database = *probe.database, .clock = *clock, .folder = probe.folder};
  Settings settings;
  settings.scheme = "http";
  settings.host = fmt::format("127.0.0.1:{}", server.port());
  settings.base = "/b/";
  auto bucket = Must(Bucket::Open(settings, context));
  EXPECT_EQ(Must(bucket->GetAll("k", 100, kNever)), "body");
  EXPECT_EQ(asked, 3);
  asked = 0;
  settings.attempts = 1;
  auto once = Must(Bucket::Open(settings, context));
  auto got = once->GetAll("k", 100, kNever);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().kind, ErrorKind::kTransient);
  EXPECT_EQ(got.error().retry_after, std::chrono::seconds(1));
  // A pipeline's server does not let it into its own network.
  ConnectorContext outside = context;
  outside.egress.inside = EgressPolicy::Inside::kRefused;
  auto refused = Must(Bucket::Open(settings, outside))->GetAll("k", 100, kNever);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kRejected);
}

TEST(S3Settings, SaysWhatIsWrongAndWhere) {
  const Mark mark{"sluice.yml", 3, 5};
  const auto refusal = [&](std::vector<std::pair<std::string, std::string>> words) {
    Node map{.kind = Node::Kind::kMap, .mark = mark};
    for (const auto& [key, value] : words) {
      map.map.push_back({{.kind = Node::Kind::kScalar, .scalar = key, .mark = mark},
                         {.kind = Node::Kind::kScalar, .scalar = value, .mark = mark}});
    }
    auto settings = ReadSettings(&map);
    return settings.ok() ? settings->scheme + " " + settings->host + " " + settings->base
                         : Format(settings.error());
  };
  EXPECT_EQ(refusal({{"bucket", "lake"}, {"region", "eu-central-1"}}),
            "https lake.s3.eu-central-1.amazonaws.com /");
  EXPECT_EQ(refusal({{"bucket", "lake"}, {"endpoint", "http://127.0.0.1:9000/"}}),
            "http 127.0.0.1:9000 /lake/");
  EXPECT_EQ(refusal({{"bucket", "lake"}, {"endpoint", "https://o.example"}, {"style", "virtual"}}),
            "https lake.o.example /");
  for (const auto& [words, message] :
       std::vector<std::pair<std::vector<std::pair<std::string, std::string>>, std::string>>{
           {{{"region", "x"}}, "needs 'bucket'"},
           {{{"bucket", "a/b"}}, "is no name of a bucket"},
           {{{"bucket", "lake"}, {"endpoint", "o.example"}}, "write it as https://HOST"},
           {{{"bucket", "lake"}, {"endpoint", "https://u:p@o.example"}},
            "write it as https://HOST"},
           {{{"bucket", "lake"}, {"secret_key", "abc"}}, "never written here"},
           {{{"bucket", "lake"}, {"access_key", "abc"}}, "belong together"},
           {{{"bucket", "lake"}, {"readers", "0"}}, "valid: 1 to 64"},
           {{{"bucket", "lake"}, {"region", "a b"}}, "is no region"},
           {{{"bucket", "lake"}, {"spool", "10"}}, "spool is"},
           {{{"bucket", "lake"}, {"profile", "me"}}, "profile"}}) {
    const std::string said = refusal(words);
    EXPECT_NE(said.find(message), std::string::npos) << said;
    EXPECT_TRUE(StartsWith(said, "sluice.yml:3:5: ")) << said;
  }
}

}  // namespace
}  // namespace sluice::s3
