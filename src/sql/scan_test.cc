// The table function over a decoder whose rows are known by their position, so that every value can
// be checked in SQL.
#include "sql/scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "sql/database.h"

namespace sluice::sql {
namespace {

// Row i: column c holds i (as text "row <i> of many" in a text column), is null where (i + c) % 5
// == 0. Every 11th record is bad where `bad` is set.
class Counting final : public Decoder {
 public:
  Counting(const Schema& schema, std::vector<uint64_t> projected, bool bad,
           std::set<std::vector<uint64_t>>* seen)
      : projected_(std::move(projected)), bad_(bad) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (seen != nullptr) seen->insert(projected_);
    for (uint64_t column : projected_) types_.push_back(PhysicalOf(schema.at(column).type));
  }

  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject& reject) override {
    uint64_t rows = 0;
    for (; rows < slots.capacity && at < static_cast<uint64_t>(block.records); ++at) {
      const int64_t i = block.first + static_cast<int64_t>(at);
      ++read;
      if (bad_ && i % 11 == 0) {
        Letter letter;
        letter.partition = block.partition;
        letter.offset = i;
        reject(std::move(letter));
        continue;
      }
      if (!offsets.empty()) offsets[rows] = i;
      for (uint64_t c = 0; c < projected_.size(); ++c) {
        if (slots.columns[c].type != types_[c]) return InternalError("slot of another type");
        if ((i + static_cast<int64_t>(projected_[c])) % 5 == 0) {
          slots.columns[c].SetNull(rows);
        } else {
          Put(slots.columns[c], rows, i);
        }
      }
      ++rows;
    }
    return rows;
  }

 private:
  template <class T>
  static void Store(ColumnSlot& slot, uint64_t row, int64_t i) {
    static_cast<T*>(slot.values)[row] = static_cast<T>(i);
  }
  static void Put(ColumnSlot& slot, uint64_t row, int64_t i) {
    switch (slot.type) {
      case Physical::kBool:
        return Store<bool>(slot, row, i % 2);
      case Physical::kInt8:
        return Store<int8_t>(slot, row, i % 100);
      case Physical::kInt16:
        return Store<int16_t>(slot, row, i % 30000);
      case Physical::kInt32:
        return Store<int32_t>(slot, row, i);
      case Physical::kInt64:
        return Store<int64_t>(slot, row, i);
      case Physical::kUint8:
        return Store<uint8_t>(slot, row, i % 200);
      case Physical::kUint16:
        return Store<uint16_t>(slot, row, i % 60000);
      case Physical::kUint32:
        return Store<uint32_t>(slot, row, i);
      case Physical::kUint64:
        return Store<uint64_t>(slot, row, i);
      case Physical::kFloat:
        return Store<float>(slot, row, i % 1000);
      case Physical::kDouble:
        return Store<double>(slot, row, i);
      case Physical::kDate:
        return Store<int32_t>(slot, row, i % 10000);
      case Physical::kTimestamp:
        return Store<int64_t>(slot, row, i * 1'000'000);
      case Physical::kText: {
        const std::string text = "row " + std::to_string(i) + " of many, ü";
        return slot.put_text(slot.text_owner, row, text.data(), text.size());
      }
      default:
        ADD_FAILURE() << "a type that only NativeOf gives";
    }
  }

  std::vector<uint64_t> projected_;
  std::vector<Physical> types_;
  bool bad_;
};

class ListFeed final : public BlockFeed {
 public:
  explicit ListFeed(std::vector<Block> blocks) : blocks_(std::move(blocks)) {}
  Result<std::optional<Block>> Next(std::stop_token stop) override {
    if (stop.stop_requested()) return CancelledError();
    const std::lock_guard lock(mutex_);
    threads.insert(std::this_thread::get_id());
    if (next_ == blocks_.size()) {
      if (end) return *end;
      return std::optional<Block>();
    }
    return std::optional<Block>(blocks_[next_++]);
  }
  size_t given() const { return next_; }

  std::optional<Error> end;
  std::set<std::thread::id> threads;

 private:
  std::mutex mutex_;
  std::vector<Block> blocks_;
  size_t next_ = 0;
};

Block Records(std::string partition, int64_t first, int64_t records) {
  Block block;
  block.partition = std::move(partition);
  block.first = first;
  block.records = records;
  return block;
}

const Schema kAll{{"b", "BOOLEAN"},
                  {"i8", "TINYINT"},
                  {"i16", "SMALLINT"},
                  {"i32", "INTEGER"},
                  {"i64", "BIGINT"},
                  {"u8", "UTINYINT"},
                  {"u16", "USMALLINT"},
                  {"u32", "UINTEGER"},
                  {"u64", "UBIGINT"},
                  {"f", "FLOAT"},
                  {"d", "DOUBLE"},
                  {"day", "DATE"},
                  {"ts", "TIMESTAMP"},
                  {"t", "VARCHAR"},
                  {"j", "DECIMAL(18,3)"},
                  {"_sluice_partition", "VARCHAR", true},
                  {"_sluice_offset", "BIGINT", true}};

class ScanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Database::Open({.memory_bytes = 0, .threads = 2, .temp_folder = ""});
    ASSERT_TRUE(opened.ok()) << Format(opened.error());
    database_ = std::move(opened).value();
    session_ = std::move(database_->Connect()).value();
  }
  int64_t Add(Schema schema, std::vector<Block> blocks, bool bad = false) {
    scan_ = std::make_shared<Scan>();
    scan_->schema = schema;
    scan_->decoder = [this, schema, bad](std::vector<uint64_t> projected) {
      return std::make_unique<Counting>(schema, std::move(projected), bad, &projections_);
    };
    auto feed = std::make_unique<ListFeed>(std::move(blocks));
    feed_ = feed.get();
    scan_->feed = std::move(feed);
    scan_->reject = [this](Letter letter) {
      const std::lock_guard lock(mutex_);
      letters_.insert(letter.offset);
    };
    return database_->scans().Add(scan_);
  }
  std::string From(int64_t number) { return "sluice_scan(" + std::to_string(number) + ")"; }
  std::vector<std::vector<Cell>> Query(const std::string& text) {
    auto rows = session_->Query(text);
    EXPECT_TRUE(rows.ok()) << Format(rows.error()) << text;
    return rows.ok() ? std::move(rows).value().rows : std::vector<std::vector<Cell>>{};
  }
  std::string One(const std::string& text) {
    auto rows = Query(text);
    return rows.size() == 1 ? rows[0][0].text : "(no value)";
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
  std::shared_ptr<Scan> scan_;
  ListFeed* feed_ = nullptr;
  std::set<std::vector<uint64_t>> projections_;
  std::mutex mutex_;
  std::set<int64_t> letters_;
};

TEST_F(ScanTest, FillsEveryTypeWithNulls) {
  const int64_t number =
      Add(kAll, {Records("a", 0, 3000), Records("b", 3000, 7), Records("c", 3007, 5000)});
  auto described = session_->Describe("SELECT * FROM " + From(number));
  ASSERT_TRUE(described.ok()) << Format(described.error());
  EXPECT_EQ(described->at(14).type, "VARCHAR")
      << "a type that no decoder can fill is delivered as text";
  ASSERT_TRUE(
      session_->Execute("CREATE TABLE got AS SELECT *, _sluice_offset AS n FROM " + From(number))
          .ok());
  EXPECT_EQ(One("SELECT count(*) FROM got"), "8007");
  const std::vector<std::string> expected{"n % 2 = 1",
                                          "n % 100",
                                          "n % 30000",
                                          "n",
                                          "n",
                                          "n % 200",
                                          "n % 60000",
                                          "n",
                                          "n",
                                          "n % 1000",
                                          "n",
                                          "DATE '1970-01-01' + (n % 10000)::INTEGER",
                                          "epoch_ms(n * 1000)",
                                          "'row ' || n || ' of many, ü'",
                                          "'row ' || n || ' of many, ü'"};
  for (size_t c = 0; c < expected.size(); ++c) {
    const std::string& name = kAll[c].name;
    EXPECT_EQ(One("SELECT count(*) FROM got WHERE " + name + " IS DISTINCT FROM CASE WHEN (n + " +
                  std::to_string(c) + ") % 5 = 0 THEN NULL ELSE " + expected[c] + " END"),
              "0")
        << name;
  }
  EXPECT_EQ(One("SELECT count(DISTINCT n) || ' ' || min(n) || ' ' || max(n) FROM got"),
            "8007 0 8006");
  EXPECT_EQ(One("SELECT count(*) FROM got WHERE _sluice_partition <> CASE WHEN n < 3000 THEN 'a' "
                "WHEN n < 3007 THEN 'b' ELSE 'c' END"),
            "0");
  EXPECT_EQ(scan_->read, 8007U);
}

TEST_F(ScanTest, DecodesOnlyWhatIsUsed) {
  EXPECT_EQ(One("SELECT sum(u8) + sum(i64) FROM " + From(Add(kAll, {Records("a", 0, 10)}))), "78");
  EXPECT_EQ(projections_, (std::set<std::vector<uint64_t>>{{4, 5}}));
  projections_.clear();
  EXPECT_EQ(One("SELECT count(*) FROM " + From(Add(kAll, {Records("a", 0, 10)}))), "10");
  EXPECT_LE(projections_.begin()->size(), 1U);
  EXPECT_EQ(One("SELECT max(_sluice_offset) FROM " + From(Add(kAll, {Records("a", 5, 10)}))), "14");
  EXPECT_EQ(One("SELECT max(_sluice_partition) FROM " +
                From(Add(kAll, {Records("a partition of a long name", 5, 10)}))),
            "a partition of a long name");
}

TEST_F(ScanTest, BothWorkersReadAndNothingIsReadTwice) {
  std::vector<Block> blocks;
  for (int64_t i = 0; i < 400; ++i)
    blocks.push_back(Records("p" + std::to_string(i % 7), i * 5000, 5000));
  const int64_t number =
      Add({{"n", "BIGINT"}, {"_sluice_offset", "BIGINT", true}}, std::move(blocks), true);
  EXPECT_EQ(One("SELECT count(*) || ' ' || sum(_sluice_offset)::BIGINT || ' ' || count(n) FROM " +
                From(number)),
            "1818181 1818180181819 1454545");
  EXPECT_EQ(scan_->read, 2'000'000U);
  EXPECT_EQ(letters_.size(), 181819U);
  EXPECT_EQ(feed_->threads.size(), 2U);
}

TEST_F(ScanTest, BlocksWithoutGoodRowsAreNoEnd) {
  const int64_t number = Add(
      {{"n", "BIGINT"}},
      {Records("a", 0, 0), Records("a", 11, 1), Records("a", 22, 1), Records("a", 23, 2)}, true);
  EXPECT_EQ(One("SELECT count(*) FROM " + From(number)), "2");
  EXPECT_EQ(letters_, (std::set<int64_t>{11, 22}));
}

TEST_F(ScanTest, ALimitStopsEarly) {
  std::vector<Block> blocks;
  for (int64_t i = 0; i < 2000; ++i) blocks.push_back(Records("p", i * 3000, 3000));
  const int64_t number = Add({{"n", "BIGINT"}}, std::move(blocks));
  EXPECT_EQ(Query("SELECT n FROM " + From(number) + " LIMIT 10").size(), 10U);
  EXPECT_LT(feed_->given(), 2000U);
}

TEST_F(ScanTest, TheFeedsErrorComesOutAsItWas) {
  for (const ErrorKind kind :
       {ErrorKind::kTransient, ErrorKind::kRejected, ErrorKind::kData, ErrorKind::kCancelled}) {
    const int64_t number = Add({{"n", "BIGINT"}}, {Records("a", 0, 3000)});
    Error error = TransientError("reading 'a.csv': it's \"gone\"");
    error.kind = kind;
    error.retry_after = std::chrono::milliseconds(1500);
    feed_->end = error;
    auto done = session_->Query("SELECT sum(n) FROM " + From(number));
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().kind, kind);
    EXPECT_EQ(done.error().message, error.message);
    EXPECT_EQ(done.error().retry_after.count(), 1500);
  }
}

TEST_F(ScanTest, AStopEndsTheQueryAsCancelled) {
  std::stop_source source;
  const int64_t number = Add({{"n", "BIGINT"}}, {Records("a", 0, 3000)});
  scan_->stop = source.get_token();
  source.request_stop();
  auto done = session_->Query("SELECT sum(n) FROM " + From(number));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::kCancelled);
}

TEST_F(ScanTest, IsReadOnceAndOnlyWhileItIsThere) {
  const int64_t number = Add({{"n", "BIGINT"}}, {Records("a", 0, 3000)});
  EXPECT_EQ(One("SELECT count(*) FROM " + From(number)), "3000");
  auto again = session_->Query("SELECT count(*) FROM " + From(number));
  ASSERT_FALSE(again.ok());
  EXPECT_THAT(again.error().message, ::testing::HasSubstr("read twice"));
  database_->scans().Remove(number);
  auto gone = session_->Query("SELECT count(*) FROM " + From(number));
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().kind, ErrorKind::kInternal);
}

// Times of record i of a partition: shuffled, with nulls and infinities.
int64_t TimeOf(int64_t i) {
  std::mt19937_64 random(static_cast<uint64_t>(i) * 7919);
  if (i % 97 == 0) return std::numeric_limits<int64_t>::max();
  if (i % 89 == 0) return -std::numeric_limits<int64_t>::max();
  return i * 1000 + static_cast<int64_t>(random() % 500'000);
}

class Timed final : public Decoder {
 public:
  explicit Timed(std::vector<uint64_t> projected) : projected_(std::move(projected)) {}
  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject&) override {
    uint64_t rows = 0;
    for (; rows < slots.capacity && at < static_cast<uint64_t>(block.records);
         ++at, ++rows, ++read) {
      const int64_t i = block.first + static_cast<int64_t>(at);
      if (!offsets.empty()) offsets[rows] = i;
      for (uint64_t c = 0; c < projected_.size(); ++c) {
        static_cast<int64_t*>(slots.columns[c].values)[rows] = projected_[c] == 0 ? TimeOf(i) : i;
        if (projected_[c] == 0 && i % 13 == 0) slots.columns[c].SetNull(rows);
      }
    }
    return rows;
  }

 private:
  std::vector<uint64_t> projected_;
};

TEST_F(ScanTest, WatermarksAreThoseOfEachPartitionAlone) {
  constexpr int64_t kBound = 100'000;
  for (const char* select :
       {"_sluice_partition AS p, _sluice_offset AS o, _sluice_watermark AS w",
        "_sluice_partition AS p, _sluice_offset AS o, _sluice_watermark AS w, \"at\""}) {
    std::vector<Block> blocks;
    for (int64_t i = 0; i < 30; ++i) {
      for (const char* partition : {"even", "odd"})
        blocks.push_back(Records(partition, i * 1500 + (*partition == 'o' ? 1 : 0), 1500));
    }
    const int64_t number = Add({{"at", "TIMESTAMP"},
                                {"n", "BIGINT"},
                                {"_sluice_partition", "VARCHAR", true},
                                {"_sluice_offset", "BIGINT", true},
                                {"_sluice_watermark", "TIMESTAMP", true}},
                               std::move(blocks));
    scan_->decoder = [](std::vector<uint64_t> projected) {
      return std::make_unique<Timed>(std::move(projected));
    };
    scan_->event_time = EventTime{"at", Micros(kBound), {{"odd", Micros(20'000'000)}}};
    const auto rows = Query("SELECT p, o, epoch_us(w) FROM (SELECT " + std::string(select) +
                            " FROM " + From(number) + ") ORDER BY p, o");
    ASSERT_EQ(rows.size(), 90000U);
    std::map<std::string, int64_t> naive{{"odd", 20'000'000}};
    for (const auto& row : rows) {
      const int64_t i = std::stoll(row[1].text);
      const int64_t time = TimeOf(i);
      if (i % 13 != 0 && i % 97 != 0 && i % 89 != 0) {
        auto [known, fresh] = naive.try_emplace(row[0].text, time - kBound);
        known->second = std::max(known->second, time - kBound);
      }
      const auto known = naive.find(row[0].text);
      ASSERT_EQ(row[2].null, known == naive.end()) << i;
      if (known != naive.end()) {
        ASSERT_EQ(row[2].text, std::to_string(known->second)) << row[0].text << i;
      }
    }
    EXPECT_EQ(feed_->threads.size(), 1U);
    EXPECT_EQ(scan_->event_time->watermarks["even"].count(), naive["even"]);
    EXPECT_EQ(scan_->event_time->watermarks["odd"].count(), naive["odd"]);
  }
}

}  // namespace
}  // namespace sluice::sql
