// Tests of data/range.
#include "data/range.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice {
namespace {

EpochRecord Example() {
  EpochRecord record;
  record.lane = {"shop", "orders", "main", "stream"};
  record.epoch = EpochId{42};
  record.fence = FenceId{7};
  record.run = RunId{19};
  record.fingerprint = "00c0ffee00c0ffee";
  record.ranges["orders"] = {{{"data/orders.csv", "0", "4711", "4711:1763700000"}}, true};
  record.position
      ["orders\x1f"
       "data/orders.csv"] = "4711";
  record.watermarks
      ["orders\x1f"
       "data/orders.csv"] = Micros{1763700000000000};
  record.fired = Micros{1763690000000000};
  record.books["orders"] = {.in = 3, .out = 2, .rejected = 1};
  record.books["window"] = {.in = 2, .held = 2};
  record.final = true;
  return record;
}

// EpochRecord has no equality of its own: what matters is every field, so the test names them.
void ExpectSame(const EpochRecord& a, const EpochRecord& b) {
  EXPECT_EQ(a.lane, b.lane);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.fence, b.fence);
  EXPECT_EQ(a.run, b.run);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  EXPECT_EQ(a.ranges, b.ranges);
  EXPECT_EQ(a.position, b.position);
  EXPECT_EQ(a.watermarks, b.watermarks);
  EXPECT_EQ(a.fired, b.fired);
  EXPECT_EQ(a.books, b.books);
  EXPECT_EQ(a.final, b.final);
  EXPECT_EQ(a.published, b.published);
}

std::string WithReplaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(LaneTest, KeysOfDifferentLanesDiffer) {
  EXPECT_EQ((Lane{"shop", "orders", "main", "stream"}.Key()), "shop/orders/main/stream");
  EXPECT_EQ((Lane{"a/b", "c%d", "e\n", "2026-01-01/2026-01-02"}.Key()),
            "a%2Fb/c%25d/e%0A/2026-01-01%2F2026-01-02");
  EXPECT_NE((Lane{"a", "b/c", "", ""}.Key()), (Lane{"a/b", "c", "", ""}.Key()));
  EXPECT_NE((Lane{"a%2Fb", "", "", ""}.Key()), (Lane{"a/b", "", "", ""}.Key()));
}

TEST(CountsTest, AddsEveryFate) {
  Counts sum{1, 2, 3, 4, 5, 6, 7, -8};
  sum += Counts{10, 20, 30, 40, 50, 60, 70, 3};
  EXPECT_EQ(sum, (Counts{11, 22, 33, 44, 55, 66, 77, -5}));
}

TEST(EpochRecordTest, IsOneLineThatNamesWhatItHolds) {
  EXPECT_EQ(
      Serialise(Example()),
      R"({"format":1,"lane":["shop","orders","main","stream"],"epoch":42,"fence":7,"run":19,)"
      R"("fingerprint":"00c0ffee00c0ffee","ranges":{"orders":{"cuts":[{"partition":"data/orders.csv",)"
      R"("from":"0","to":"4711","identity":"4711:1763700000"}],"final":true}},)"
      R"("position":{"orders\u001fdata/orders.csv":"4711"},)"
      R"("watermarks":{"orders\u001fdata/orders.csv":1763700000000000},"fired":1763690000000000,)"
      R"("books":{"orders":{"in":3,"out":2,"rejected":1},"window":{"in":2,"held":2}},"final":true,"published":true})");
}

TEST(EpochRecordTest, ComesBack) {
  auto back = ParseEpochRecord(Serialise(Example()));
  ASSERT_TRUE(back.ok()) << back.error().message;
  ExpectSame(*back, Example());
  auto empty = ParseEpochRecord(Serialise(EpochRecord{}));
  ASSERT_TRUE(empty.ok()) << empty.error().message;
  ExpectSame(*empty, EpochRecord{});
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  int64_t Number() {
    switch (Below(5)) {
      case 0:
        return INT64_MIN;
      case 1:
        return INT64_MAX;
      case 2:
        return 0;
      default:
        return static_cast<int64_t>(engine_());
    }
  }
  uint64_t Count() { return Below(4) == 0 ? UINT64_MAX : Below(1000); }
  std::string Text() {
    static constexpr std::string_view kPieces[] = {
        "a", "\"", "\\", "/", "\n", "ü", "🌊", "\xff", "\xc3", "\x01", "\x1f", "%", "01", "zz", "'"};
    std::string text;
    for (uint64_t n = Below(6); n > 0; --n) text += kPieces[Below(std::size(kPieces))];
    if (Below(10) == 0) text += '\0';
    return text;
  }
  EpochRecord Record() {
    EpochRecord record;
    record.lane = {Text(), Text(), Text(), Text()};
    record.epoch = EpochId{Number()};
    record.fence = FenceId{Number()};
    record.run = RunId{Number()};
    record.fingerprint = Text();
    for (uint64_t n = Below(4); n > 0; --n) {
      Range& range = record.ranges[Text()];
      for (uint64_t c = Below(3); c > 0; --c)
        range.cuts.push_back({Text(), Text(), Text(), Text()});
      range.final = Below(2) == 0;
      record.position[Text()] = Text();
      record.watermarks[Text()] = Micros{Number()};
      record.books[Text()] = {Count(), Count(), Count(), Count(),
                              Count(), Count(), Count(), Number()};
    }
    record.fired = Micros{Number()};
    record.final = Below(2) == 0;
    record.published = Below(2) == 0;
    return record;
  }

 private:
  std::mt19937_64 engine_;
};

TEST(EpochRecordTest, AnyRecordComesBackEqual) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const EpochRecord record = Dice(seed).Record();
    const std::string text = Serialise(record);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    auto back = ParseEpochRecord(text);
    ASSERT_TRUE(back.ok()) << "seed " << seed << ": " << back.error().message << "\n" << text;
    ExpectSame(*back, record);
    auto ranges = ParseRanges(Serialise(record.ranges));
    ASSERT_TRUE(ranges.ok()) << "seed " << seed << ": " << ranges.error().message;
    EXPECT_EQ(*ranges, record.ranges);
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

TEST(EpochRecordTest, EveryCutTextIsRefused) {
  const std::string text = Serialise(Example());
  for (size_t size = 0; size < text.size(); ++size) {
    auto cut = ParseEpochRecord(std::string_view(text).substr(0, size));
    ASSERT_FALSE(cut.ok()) << size;
    EXPECT_EQ(cut.error().kind, ErrorKind::kRejected);
  }
}

TEST(EpochRecordTest, RefusesWhatItDoesNotKnow) {
  const std::string text = Serialise(Example());
  const struct {
    std::string_view from, to, says;
  } kCases[] = {
      {R"("format":1)", R"("format":2)", "format 2 is not known"},
      {R"("epoch":42)", R"("epoch":"42")", "epoch as a whole number"},
      {R"("epoch":42)", R"("epoch":4.5)", "epoch as a whole number"},
      {R"("epoch":42)", R"("epoch":9223372036854775808)", "epoch as a whole number"},
      {R"("epoch":42,)", "", "'epoch' is missing"},
      {R"("final":true,"published")", R"("final":1,"published")", "'final' as true or false"},
      {R"("fence":7)", R"("fence":7,"shape":1)", "unknown key 'shape' in the record"},
      {R"("in":3)", R"("lost":3)", "unknown key 'lost' in books"},
      {R"("in":3)", R"("in":-3)", "'in' as a count"},
      {R"("from":"0")", R"("begin":"0")", "unknown key 'begin' in a cut"},
      {R"("to":"4711")", R"("to":4711)", "to as text"},
      {R"(,"main","stream"])", R"(,"main"])", "a lane of four texts"},
      {R"("00c0ffee00c0ffee")", R"("\u00010")", "hex"},
      {R"("00c0ffee00c0ffee")", R"("\u0001zz")", "hex"},
  };
  for (const auto& one : kCases) {
    auto refused = ParseEpochRecord(WithReplaced(text, one.from, one.to));
    ASSERT_FALSE(refused.ok()) << one.to;
    EXPECT_EQ(refused.error().kind, ErrorKind::kRejected);
    EXPECT_NE(refused.error().message.find(one.says), std::string::npos) << refused.error().message;
  }
  EXPECT_FALSE(ParseEpochRecord("[]").ok());
  EXPECT_FALSE(ParseEpochRecord("null").ok());
  EXPECT_FALSE(ParseEpochRecord(text + "}").ok());
}

}  // namespace
}  // namespace sluice
