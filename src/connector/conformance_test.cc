// What every source and every sink promises, whichever it is: the suite walks the registry. A new
// connector needs a line in a table below (where it reads from, where it writes to), else
// CoversTheRegistry fails.
#include <fmt/format.h>

#include <gtest/gtest.h>

#include <filesystem>

#include "base/clock.h"
#include "base/text.h"
#include "connector/mysql/connection.h"
#include "connector/mysql/server_for_tests.h"
#include "connector/postgres/server_for_tests.h"
#include "connector/registry.h"
#include "connector/s3/server_for_tests.h"
#include "connector/source_probe.h"
#include "connector/sqlite/database.h"

namespace sluice {
namespace {

using Rows = std::vector<std::vector<std::string>>;

const std::stop_token kNever;
const Mark kMark{"p.yml", 2, 3};

Node Scalar(std::string text) {
  return {.kind = Node::Kind::kScalar, .scalar = std::move(text), .mark = kMark};
}
Node MapOf(std::vector<std::pair<std::string, std::string>> entries) {
  Node map{.kind = Node::Kind::kMap, .mark = kMark};
  for (auto& [key, value] : entries) map.map.push_back({Scalar(key), Scalar(value)});
  return map;
}

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << Format(result.error());
    std::abort();
  }
  return std::move(result).value();
}

// The connection of a case: what it says, or a database of its own on the test's server.
struct Place {
  std::optional<Node> connection;
  std::string database;  // or bucket
  bool missing = false;  // no server is installed

  Place(const std::string& type, const std::optional<Node>& written,
        const ConnectorContext& context)
      : connection(written) {
    if (type == "mysql") {
      mysql::TestServer* own = mysql::TestServer::Shared();
      missing = own == nullptr;
      if (missing) return;
      database = own->NewDatabase();
      connection = own->ConnectionTo(database);
    }
    if (type == "s3") {
      s3::TestServer* bucket = s3::TestServer::Shared();
      missing = bucket == nullptr;
      if (missing) return;
      database = bucket->NewBucket(context);
      connection = bucket->ConnectionTo(database);
    }
    if (type != "postgres") return;
    postgres::TestServer* server = postgres::TestServer::Shared();
    missing = server == nullptr;
    if (missing) return;
    database = server->NewDatabase();
    connection = server->ConnectionTo(database);
  }
  const Node* node() const { return connection ? &*connection : nullptr; }
};

// The value of the last statement's first row.
std::string RunMysql(const std::string& database, const std::string& statements) {
  auto connection = Must(
      mysql::Connect(mysql::TestServer::Shared()->SettingsOf(database), Secret("secret"), {}, {}));
  tables::Answer answer;
  for (const std::string& statement : Split(statements, ';'))
    answer = Must(connection->Run(statement));
  return answer.rows.empty() ? "" : answer.rows[0][0].value_or("");
}

// One way to read ten rows or so from a connector, and one that cannot work.
struct SourceCase {
  std::string name, type;
  std::optional<Node> connection;
  std::function<void(SourceProbe&)> prepare;
  std::function<void(ExtractConfig&)> good, bad;
  std::string statement = {};  // makes the table, or is the object, where a server has it
};

Node InlineRows() {
  Node rows{.kind = Node::Kind::kList, .mark = kMark};
  for (int i = 0; i < 10; ++i)
    rows.list.push_back(MapOf({{"id", std::to_string(i)}, {"v", std::to_string(i * i)}}));
  return rows;
}

void WriteTable(SourceProbe& probe) {
  const std::string alias =
      Must(probe.database->Attach(probe.Path("in.duckdb"), "seed", sql::Access::kReadWrite));
  auto session = Must(probe.database->Connect());
  Must(session->Execute("CREATE TABLE " + alias +
                        ".main.t AS SELECT i AS id, i * i AS v FROM range(10) r(i)"));
}

std::function<void(SourceProbe&)> WriteSqlite(const std::string& constraint) {
  return [=](SourceProbe& probe) {
    auto file = Must(sqlite::Open(probe.Path("in.db"), "in.db", {}, tables::Use::kWrite));
    Must(file->Run(fmt::format("CREATE TABLE t (id INTEGER{}, v INTEGER)", constraint)));
    Must(
        file->Run("WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < 9) "
                  "INSERT INTO t SELECT i, i * i FROM r"));
  };
}

std::vector<SourceCase> SourceCases() {
  const auto file = [](std::string name, std::string text) {
    return SourceCase{
        .name = "file " + name,
        .type = "file",
        .connection = {},
        .prepare = [=](SourceProbe& probe) { probe.Write(name, text); },
        .good = [=](ExtractConfig& config) { config.path = {Written{.text = name}}; },
        .bad = [](ExtractConfig& config) { config.path = {Written{.text = "missing*.csv"}}; }};
  };
  std::string csv = "id,v\n", ndjson;
  for (int i = 0; i < 10; ++i) {
    csv += fmt::format("{},{}\n", i, i * i);
    ndjson += fmt::format("{{\"id\":{},\"v\":{}}}\n", i, i * i);
  }
  const Node connection = MapOf({{"type", "duckdb"}, {"path", "in.duckdb"}});
  const Node sqlite = MapOf({{"type", "sqlite"}, {"path", "in.db"}});
  const auto server_table = [](std::string constraint) {
    return fmt::format(
        "CREATE TABLE t (id bigint{}, v bigint); INSERT INTO t SELECT i, i * i FROM "
        "generate_series(0, 9) i",
        constraint);
  };
  const auto mysql_table = [](std::string constraint) {
    return fmt::format(
        "CREATE TABLE t (id bigint{}, v bigint); INSERT INTO t SELECT seq, seq * seq FROM "
        "seq_0_to_9",
        constraint);
  };
  const auto object = [](std::string name, std::string text) {
    return SourceCase{
        .name = "s3 " + name,
        .type = "s3",
        .connection = {},
        .prepare = [](SourceProbe&) {},
        .good = [=](ExtractConfig& config) { config.path = {Written{.text = "data/" + name}}; },
        .bad = [](ExtractConfig& config) { config.path = {Written{.text = "missing*.csv"}}; },
        .statement = text};
  };
  const auto nothing = [](SourceProbe&) {};
  const auto table = [](ExtractConfig& config) { config.table.text = "t"; };
  const auto missing = [](ExtractConfig& config) { config.table.text = "no_such_table"; };
  return {file("in.csv", csv),
          file("in.ndjson", ndjson),
          object("in.csv", csv),
          object("in.ndjson", ndjson),
          {"duckdb table", "duckdb", connection, WriteTable, table, missing},
          {"duckdb cursor", "duckdb", connection, WriteTable,
           [=](ExtractConfig& config) {
             table(config);
             config.incremental.emplace();
             config.incremental->cursor.text = "id";
           },
           missing},
          {"postgres keys", "postgres", {}, nothing, table, missing, server_table(" PRIMARY KEY")},
          {"postgres snapshot", "postgres", {}, nothing, table, missing, server_table("")},
          {"postgres query",
           "postgres",
           {},
           nothing,
           [](ExtractConfig& config) { config.query.text = "SELECT id, v FROM t WHERE id >= 0;"; },
           [](ExtractConfig& config) { config.query.text = "SELECT nothing FROM t"; },
           server_table("")},
          {"postgres cursor",
           "postgres",
           {},
           nothing,
           [=](ExtractConfig& config) {
             table(config);
             config.incremental.emplace();
             config.incremental->cursor.text = "id";
           },
           missing,
           server_table("")},
          {"mysql keys", "mysql", {}, nothing, table, missing, mysql_table(" PRIMARY KEY")},
          {"mysql snapshot", "mysql", {}, nothing, table, missing, mysql_table("")},
          {"mysql query",
           "mysql",
           {},
           nothing,
           [](ExtractConfig& config) { config.query.text = "SELECT id, v FROM t WHERE id >= 0;"; },
           [](ExtractConfig& config) { config.query.text = "SELECT nothing FROM t"; },
           mysql_table("")},
          {"mysql cursor",
           "mysql",
           {},
           nothing,
           [=](ExtractConfig& config) {
             table(config);
             config.incremental.emplace();
             config.incremental->cursor.text = "id";
           },
           missing,
           mysql_table("")},
          {"sqlite keys", "sqlite", sqlite, WriteSqlite(" PRIMARY KEY"), table, missing},
          {"sqlite snapshot", "sqlite", sqlite, WriteSqlite(""), table, missing},
          {"sqlite query", "sqlite", sqlite, WriteSqlite(""),
           [](ExtractConfig& config) { config.query.text = "SELECT id, v FROM t WHERE id >= 0;"; },
           [](ExtractConfig& config) { config.query.text = "SELECT nothing FROM t"; }},
          {"sqlite cursor", "sqlite", sqlite, WriteSqlite(""),
           [=](ExtractConfig& config) {
             table(config);
             config.incremental.emplace();
             config.incremental->cursor.text = "id";
           },
           missing},
          {"inline",
           "inline",
           {},
           [](SourceProbe&) {},
           [](ExtractConfig& config) { config.rows = InlineRows(); },
           [](ExtractConfig& config) { config.rows = Scalar("ten"); }},
          {"generator",
           "generator",
           {},
           [](SourceProbe&) {},
           [](ExtractConfig& config) {
             config.count = 10;
             config.partitions = 2;
           },
           [](ExtractConfig& config) { config.partitions = 0; }}};
}

class SourceConformance : public testing::TestWithParam<SourceCase> {
 protected:
  void SetUp() override {
    if (place_.missing) GTEST_SKIP() << "no server";
    GetParam().prepare(probe_);
    if (GetParam().statement.empty()) return;
    if (GetParam().type == "mysql") {
      RunMysql(place_.database, GetParam().statement);
      return;
    }
    if (GetParam().type == "s3") {
      ExtractConfig config;
      GetParam().good(config);
      Must(s3::TestServer::Shared()
               ->Connect(place_.database, Context())
               ->Put(config.path[0].text, GetParam().statement, kNever));
      return;
    }
    postgres::RowsOf(*postgres::TestServer::Shared()->Connect(place_.database),
                     GetParam().statement);
  }

  ConnectorContext Context() {
    return {.files = *probe_.files,
            .database = *probe_.database,
            .clock = *clock_,
            .folder = probe_.folder,
            .secrets = &secrets_};
  }
  Result<std::unique_ptr<Source>> Make(const std::function<void(ExtractConfig&)>& configure) {
    ExtractRequest request{.step = "in"};
    request.config.mark = kMark;
    configure(request.config);
    const Connectors connectors = BuiltinConnectors();
    return Find(connectors, GetParam().type)->source(place_.node(), request, Context());
  }
  Rows ReadFrom(Position from, const Limits& limits) {
    auto source = Must(Make(GetParam().good));
    return RowsOf(Must(probe_.ReadAll(*source, limits, std::move(from))));
  }

  SourceProbe probe_;
  std::unique_ptr<Clock> clock_ = SystemClock();
  postgres::EnvironmentSecrets secrets_;
  Place place_{GetParam().type, GetParam().connection, Context()};
};

TEST_P(SourceConformance, AnyCutGivesTheSameRows) {
  const Rows whole = ReadFrom({}, {});
  EXPECT_EQ(whole.size(), 10u);
  EXPECT_EQ(ReadFrom({}, {.rows = 3}), whole);
  EXPECT_EQ(ReadFrom({}, {.rows = 1}), whole);
}

TEST_P(SourceConformance, ResumesAfterAnyRange) {
  const Rows whole = ReadFrom({}, {});
  auto source = Must(Make(GetParam().good));
  const auto epochs = Must(probe_.ReadAll(*source, {.rows = 2}));
  Position position;
  Rows before;
  for (size_t i = 0; i + 1 < epochs.size(); ++i) {
    position = source->After(position, epochs[i].range);
    before.insert(before.end(), epochs[i].rows.begin(), epochs[i].rows.end());
    Rows all = ReadFrom(position, {.rows = 4});  // a new source, as after a restart
    all.insert(all.end(), before.begin(), before.end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, whole) << "after epoch " << i;
  }
}

TEST_P(SourceConformance, ARangeIsReadAgainTheSame) {
  auto source = Must(Make(GetParam().good));
  const auto epochs = Must(probe_.ReadAll(*source, {.rows = 4}));
  for (const auto& epoch : epochs) {
    auto again = Must(Make(GetParam().good));
    EXPECT_EQ(Must(probe_.Read(*again, epoch.range)).rows, epoch.rows);
  }
}

TEST_P(SourceConformance, DescribesWhatItGives) {
  auto source = Must(Make(GetParam().good));
  const SourceShape shape = Must(source->Describe(*probe_.session, kNever));
  EXPECT_EQ(Visible(shape.schema).size(), ReadFrom({}, {}).at(0).size());
  EXPECT_FALSE(shape.endless);
  EXPECT_FALSE(shape.describe.empty());
}

TEST_P(SourceConformance, StopsPromptly) {
  std::stop_source stop;
  stop.request_stop();
  auto source = Must(Make(GetParam().good));
  const auto range = source->Freeze({}, {}, stop.get_token());
  if (!range.ok()) {
    EXPECT_EQ(range.error().kind, ErrorKind::kCancelled) << Format(range.error());
    return;
  }
  auto opened = source->Open(**range, *probe_.session, stop.get_token());
  if (!opened.ok()) {
    EXPECT_EQ(opened.error().kind, ErrorKind::kCancelled) << Format(opened.error());
  } else if (opened->scan) {
    // A feed has at most what it holds already.
    for (int blocks = 0; blocks < 100; ++blocks) {
      auto block = opened->scan->feed->Next(stop.get_token());
      if (!block.ok() || !*block) return;
    }
    ADD_FAILURE() << "the feed did not stop";
  }
}

TEST_P(SourceConformance, RefusesWhatCannotWork) {
  auto source = Make(GetParam().bad);
  Error error;
  if (!source.ok()) {
    error = source.error();
  } else {
    auto shape = (*source)->Describe(*probe_.session, kNever);
    ASSERT_FALSE(shape.ok());
    error = shape.error();
  }
  EXPECT_TRUE(error.kind == ErrorKind::kConfig || error.kind == ErrorKind::kRejected)
      << Format(error);
  EXPECT_FALSE(error.message.empty());
}

std::string NameOfCase(const std::string& name) {
  std::string plain = name;
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return c == ' ' || c == '.' || c == '/'; }, '_');
  return plain;
}

INSTANTIATE_TEST_SUITE_P(Registry, SourceConformance, testing::ValuesIn(SourceCases()),
                         [](const auto& one) { return NameOfCase(one.param.name); });

// One target of a connector and how to see what is in it.
struct SinkCase {
  std::string name, type, target,
      content;  // content: what follows FROM; {} is the folder, or the attached file
  std::optional<Node> connection;
  Mode mode = Mode::kAppend;
  std::vector<std::string> key = {};
};

std::vector<SinkCase> SinkCases() {
  const Node connection = MapOf({{"type", "duckdb"}, {"path", "out.duckdb"}});
  const Node sqlite = MapOf({{"type", "sqlite"}, {"path", "out.db"}});
  return {{"duckdb append", "duckdb", "shop.t", "shop.t", connection},
          {"duckdb upsert", "duckdb", "t", "main.t", connection, Mode::kUpsert, {"id"}},
          {"duckdb insert", "duckdb", "t", "main.t", connection, Mode::kInsert, {"id"}},
          {"duckdb replace", "duckdb", "t", "main.t", connection, Mode::kReplace, {"id"}},
          {"postgres append", "postgres", "shop.t", "shop.t", {}},
          {"postgres upsert", "postgres", "t", "t", {}, Mode::kUpsert, {"id"}},
          {"postgres insert", "postgres", "t", "t", {}, Mode::kInsert, {"id"}},
          {"postgres replace", "postgres", "t", "t", {}, Mode::kReplace, {"id"}},
          {"mysql append", "mysql", "t", "t", {}},
          {"mysql upsert", "mysql", "t", "t", {}, Mode::kUpsert, {"id"}},
          {"mysql insert", "mysql", "t", "t", {}, Mode::kInsert, {"id"}},
          {"mysql replace", "mysql", "t", "t", {}, Mode::kReplace, {"id"}},
          {"sqlite append", "sqlite", "t", "t", sqlite},
          {"sqlite upsert", "sqlite", "t", "t", sqlite, Mode::kUpsert, {"id"}},
          {"sqlite insert", "sqlite", "t", "t", sqlite, Mode::kInsert, {"id"}},
          {"sqlite replace", "sqlite", "t", "t", sqlite, Mode::kReplace, {"id"}},
          {"s3 csv folder", "s3", "out/", "out/*.csv", {}},
          {"s3 parquet folder", "s3", "a/out/", "a/out/*.parquet", {}},
          {"file csv folder", "file", "out/", "out/*.csv", {}},
          {"file parquet folder", "file", "out/", "out/*.parquet", {}}};
}

class SinkConformance : public testing::TestWithParam<SinkCase> {
 protected:
  void SetUp() override {
    if (place_.missing) GTEST_SKIP() << "no server";
    const SinkCase& kind = GetParam();
    load_ = {.step = "out",
             .target = kind.target,
             .mode = kind.mode,
             .key = kind.key,
             .schema = {{"id", "BIGINT"}, {"v", "VARCHAR"}},
             .format = kind.content.find(".csv") != std::string::npos ? "csv" : "auto",
             .compression = "auto",
             .mark = kMark};
    Restart();
  }

  // As another process would find it.
  void Restart() {
    sink_.reset();
    probe_.session.reset();
    probe_.database.reset();
    probe_.database = Must(sql::Database::Open({}));
    probe_.session = Must(probe_.database->Connect());
    sink_ = Make();
  }
  ConnectorContext Context() {
    return {.files = *probe_.files,
            .database = *probe_.database,
            .clock = *clock_,
            .folder = probe_.folder,
            .secrets = &secrets_};
  }
  std::unique_ptr<Sink> Make() {
    const Connectors connectors = BuiltinConnectors();
    return Must(Find(connectors, GetParam().type)->sink(place_.node(), {load_}, Context()));
  }
  static std::string Values(int from, int to) {
    return fmt::format("SELECT i AS id, 'v' || i AS v FROM range({}, {}) r(i)", from, to);
  }
  EpochRecord RecordOf(EpochId epoch, int64_t fence, Visibility visibility) {
    EpochRecord record{
        .lane = lane_, .epoch = epoch, .fence = {fence}, .run = {1}, .fingerprint = "f"};
    record.ranges["in"].cuts.push_back({"p", "0", "1", fmt::format("range {}", epoch.value)});
    record.published = visibility == Visibility::kTarget;
    return record;
  }
  std::unique_ptr<Landing> Land(int from, int to, Visibility visibility = Visibility::kTarget) {
    Must(sink_->Prepare({load_}, kNever));
    auto landing = Must(sink_->Begin(lane_, {load_}, visibility, std::nullopt));
    EXPECT_EQ(Must(landing->Write(0, Values(from, to), {}, kNever)).rows,
              static_cast<uint64_t>(to - from));
    return landing;
  }
  EpochId Load(int from, int to, Visibility visibility = Visibility::kTarget) {
    auto landing = Land(from, to, visibility);
    Must(landing->Commit(RecordOf(landing->epoch(), 1, visibility)));
    return landing->epoch();
  }
  // "0,1,2": the ids that a reader sees; empty where there is nothing.
  std::string Seen() {
    const SinkCase& kind = GetParam();
    std::string from = probe_.folder + "/" + kind.content;
    if (kind.type == "postgres") {
      if (!Must(sink_->Target(load_))) return "";
      return postgres::RowsOf(
          *postgres::TestServer::Shared()->Connect(place_.database),
          "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM " + kind.content)[0];
    }
    if (kind.type == "mysql") {
      if (!Must(sink_->Target(load_))) return "";
      return RunMysql(place_.database,
                      "SELECT coalesce(group_concat(id ORDER BY id), '') FROM " + kind.content);
    }
    if (kind.type == "sqlite") {
      if (!Must(sink_->Target(load_))) return "";
      auto file = Must(sqlite::Open(probe_.Path("out.db"), "out.db", {}, tables::Use::kRead));
      return *Must(file->Run("SELECT coalesce(group_concat(id), '') FROM (SELECT id FROM " +
                             kind.content + " ORDER BY id)"))
                  .rows.at(0)
                  .at(0);
    }
    if (kind.type == "s3") {
      // Its objects, as files of a folder.
      const auto bucket = s3::TestServer::Shared()->Connect(place_.database, Context());
      const std::string folder = probe_.Path("seen/") + ParentFolder(kind.content);
      Must(probe_.files->RemoveAll(folder));
      Must(probe_.files->MakeFolders(folder));
      for (const s3::Object& one : Must(bucket->List("", kNever))) {
        if (one.key.find(".sluice/") == std::string::npos)
          probe_.Write("seen/" + one.key, *Must(bucket->GetAll(one.key, 1 << 20, kNever)));
      }
      from = probe_.Path("seen/") + kind.content;
    }
    if (kind.type == "duckdb") {
      if (!probe_.files->Exists(probe_.Path("out.duckdb"))) return "";
      from = Must(probe_.database->Attach(probe_.Path("out.duckdb"), "seen",
                                          sql::Access::kReadWrite)) +
             "." + kind.content;
      if (!Must(sink_->Target(load_))) return "";
    } else {
      if (Must(probe_.files->Glob(from)).empty()) return "";
      from = "'" + from + "'";
    }
    auto session = Must(probe_.database->Connect());
    const auto rows =
        Must(session->Query("SELECT coalesce(string_agg(id, ',' ORDER BY id), '') FROM " + from));
    return rows.rows.at(0).at(0).text;
  }

  SourceProbe probe_;
  std::unique_ptr<Clock> clock_ = SystemClock();
  postgres::EnvironmentSecrets secrets_;
  Place place_{GetParam().type, GetParam().connection, Context()};
  sluice::Load load_;
  std::unique_ptr<Sink> sink_;
  Lane lane_{"shop", "daily", "out", "stream"};
};

TEST_P(SinkConformance, TheRecordTellsTheTruthAfterARestart) {
  EXPECT_FALSE(Must(sink_->Last(lane_)));
  EXPECT_TRUE(Must(sink_->Loaded(lane_)).empty());
  const EpochId first = Load(0, 2);
  Restart();
  const EpochId second = Load(2, 3);
  Restart();
  EXPECT_GT(second, first);
  EXPECT_EQ(Must(sink_->Last(lane_))->epoch, second);
  const auto loaded = Must(sink_->Loaded(lane_));
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].epoch, first);
  EXPECT_EQ(loaded[0].identity, fmt::format("range {}", first.value));
  EXPECT_EQ(Seen(), "0,1,2");
  EXPECT_FALSE(Must(sink_->Last({"shop", "daily", "out", "another"})));
}

TEST_P(SinkConformance, AnAbandonedEpochIsDoneAgain) {
  const EpochId first = Load(0, 1);
  Land(1, 4).reset();
  EXPECT_EQ(Seen(), "0");
  Restart();
  Must(sink_->Sweep(lane_, first));
  EXPECT_EQ(Must(sink_->Last(lane_))->epoch, first);
  Load(1, 4);
  EXPECT_EQ(Seen(), "0,1,2,3");
}

TEST_P(SinkConformance, NothingIsSeenBeforeTheCommit) {
  auto landing = Land(0, 2);
  EXPECT_EQ(Seen(), "");
  Must(landing->Commit(RecordOf(landing->epoch(), 1, Visibility::kTarget)));
  EXPECT_EQ(Seen(), "0,1");
}

TEST_P(SinkConformance, StagedRowsWaitForThePublication) {
  const EpochId first = Load(0, 2, Visibility::kStaging);
  const EpochId second = Load(2, 3, Visibility::kStaging);
  Load(3, 4, Visibility::kStaging);
  EXPECT_EQ(Seen(), "");
  Restart();
  Must(sink_->Sweep(lane_, second));
  EXPECT_EQ(Must(sink_->Last(lane_))->epoch, second);
  std::vector<Landed> landed;
  auto landing = Must(sink_->Publish(lane_, {load_}, std::nullopt, landed, kNever));
  EXPECT_EQ(landed.at(0).rows, 3u);
  EXPECT_GT(landing->epoch(), first);
  Must(landing->Commit(RecordOf(landing->epoch(), 1, Visibility::kTarget)));
  EXPECT_EQ(Seen(), "0,1,2");
}

TEST_P(SinkConformance, SweepingTwiceIsSweepingOnce) {
  const EpochId first = Load(0, 1);
  for (int i = 0; i < 3; ++i) {
    Must(sink_->Sweep(lane_, first));
    EXPECT_EQ(Seen(), "0");
    EXPECT_EQ(Must(sink_->Last(lane_))->epoch, first);
  }
}

TEST_P(SinkConformance, ALowerFenceMayNotCommit) {
  auto landing = Land(0, 1);
  Must(landing->Commit(RecordOf(landing->epoch(), 5, Visibility::kTarget)));
  landing = Land(1, 2);
  auto refused = landing->Commit(RecordOf(landing->epoch(), 4, Visibility::kTarget));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kRejected);
  landing.reset();
  EXPECT_EQ(Seen(), "0");
}

TEST_P(SinkConformance, TakesTheNumberThatAnotherSinkGives) {
  Must(sink_->Prepare({load_}, kNever));
  auto landing = Must(sink_->Begin(lane_, {load_}, Visibility::kTarget, EpochId{41}));
  EXPECT_EQ(landing->epoch().value, 41);
  Must(landing->Write(0, Values(0, 1), {}, kNever));
  Must(landing->Commit(RecordOf({41}, 1, Visibility::kTarget)));
  landing.reset();
  EXPECT_EQ(Must(sink_->Last(lane_))->epoch.value, 41);
  EXPECT_GT(Load(1, 2).value, 41);
  EXPECT_EQ(Seen(), "0,1");
}

TEST_P(SinkConformance, StopsPromptly) {
  Must(sink_->Prepare({load_}, kNever));
  auto landing = Must(sink_->Begin(lane_, {load_}, Visibility::kTarget, std::nullopt));
  std::stop_source stop;
  stop.request_stop();
  auto landed = landing->Write(0, Values(0, 1), {}, stop.get_token());
  ASSERT_FALSE(landed.ok());
  EXPECT_EQ(landed.error().kind, ErrorKind::kCancelled);
  landing.reset();
  EXPECT_EQ(Seen(), "");
}

TEST_P(SinkConformance, ARowThatCannotBeMadeFailsTheEpochWhole) {
  Must(sink_->Prepare({load_}, kNever));
  auto landing = Must(sink_->Begin(lane_, {load_}, Visibility::kTarget, std::nullopt));
  auto landed = landing->Write(
      0, "SELECT CAST(v AS BIGINT) AS id, v FROM (VALUES ('1'), ('x')) t(v)", {}, kNever);
  ASSERT_FALSE(landed.ok());
  EXPECT_EQ(landed.error().kind, ErrorKind::kData) << Format(landed.error());
  landing.reset();
  EXPECT_EQ(Seen(), "");
  Load(0, 1);
  EXPECT_EQ(Seen(), "0");
}

TEST_P(SinkConformance, RefusesALoadThatCannotWork) {
  load_.mode = Mode::kReplacePartition;
  load_.key.clear();
  auto refused = sink_->Prepare({load_}, kNever);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kConfig);
  EXPECT_EQ(refused.error().mark, kMark);
  EXPECT_EQ(Seen(), "");
}

INSTANTIATE_TEST_SUITE_P(Registry, SinkConformance, testing::ValuesIn(SinkCases()),
                         [](const auto& one) { return NameOfCase(one.param.name); });

TEST(Conformance, CoversTheRegistry) {
  for (const Connector& connector : BuiltinConnectors()) {
    const auto has = [&](const auto& cases) {
      return std::any_of(cases.begin(), cases.end(),
                         [&](const auto& one) { return one.type == connector.type; });
    };
    EXPECT_EQ(has(SourceCases()), connector.source != nullptr) << connector.type;
    EXPECT_EQ(has(SinkCases()), connector.sink != nullptr) << connector.type;
    EXPECT_EQ(connector.extract_keys.empty(), connector.source == nullptr) << connector.type;
    EXPECT_EQ(connector.load_keys.empty(), connector.sink == nullptr) << connector.type;
  }
}

TEST(Conformance, AConnectionsKeysAreChecked) {
  for (const Connector& connector : BuiltinConnectors()) {
    if (connector.built_in) continue;
    const Node wrong = MapOf({{"type", connector.type}, {"no_such_key", "1"}});
    auto checked = connector.check(wrong);
    ASSERT_FALSE(checked.ok()) << connector.type;
    EXPECT_EQ(checked.error().kind, ErrorKind::kConfig);
    EXPECT_EQ(checked.error().mark.file, "p.yml");
  }
}

}  // namespace
}  // namespace sluice
