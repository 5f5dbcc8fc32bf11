// Cron against brute force: every minute is looked at, with the C library's own reading of the tz
// database, and a job's fires are told from the wall clock alone. All zones, 2024 to 2026; by
// default the two days around each change of offset and some random spots, with
// SLUICE_FULL_ORACLE=1 every minute of the three years.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <random>
#include <set>
#include <unordered_set>

#include "calendar/cron.h"
#include "calendar/instant.h"

namespace sluice {
namespace {

constexpr int64_t kMinute = 60;
constexpr int64_t kFrom = 1704067200;  // 2024-01-01T00:00Z
constexpr int64_t kTo = 1798761600;    // 2027-01-01T00:00Z

// An expression, and again by hand what it means.
struct Job {
  const char* expression;
  bool (*matches)(const tm& wall);
  bool fixed;
};

constexpr Job kJobs[] = {
    {"*/7 * * * *", [](const tm& w) { return w.tm_min % 7 == 0; }, false},
    {"0 * * * *", [](const tm& w) { return w.tm_min == 0; }, false},
    {"15 */2 * * *", [](const tm& w) { return w.tm_min == 15 && w.tm_hour % 2 == 0; }, false},
    {"*/20 0-3 * * *", [](const tm& w) { return w.tm_min % 20 == 0 && w.tm_hour <= 3; }, false},
    {"30 2 * * *", [](const tm& w) { return w.tm_min == 30 && w.tm_hour == 2; }, true},
    {"0 0 * * *", [](const tm& w) { return w.tm_min == 0 && w.tm_hour == 0; }, true},
    {"0 1 * * *", [](const tm& w) { return w.tm_min == 0 && w.tm_hour == 1; }, true},
    {"10,40 0-4 * * *",
     [](const tm& w) { return (w.tm_min == 10 || w.tm_min == 40) && w.tm_hour <= 4; }, true},
    {"59 23 L * *",
     [](const tm& w) {
       return w.tm_min == 59 && w.tm_hour == 23 &&
              w.tm_mday == DaysInMonth(w.tm_year + 1900, w.tm_mon + 1);
     },
     true},
    {"45 1 * 3,10,11 sun",
     [](const tm& w) {
       bool month = w.tm_mon == 2 || w.tm_mon == 9 || w.tm_mon == 10;
       return w.tm_min == 45 && w.tm_hour == 1 && month && w.tm_wday == 0;
     },
     true},
    {"30 3 */2 * mon",
     [](const tm& w) {
       return w.tm_min == 30 && w.tm_hour == 3 && w.tm_mday % 2 == 1 && w.tm_wday == 1;
     },
     true},
    {"5 2 1-7 * 7",
     [](const tm& w) {
       return w.tm_min == 5 && w.tm_hour == 2 && (w.tm_mday <= 7 || w.tm_wday == 0);
     },
     true},
};
constexpr size_t kJobCount = std::size(kJobs);
using Matches = std::bitset<kJobCount>;

// The C library in a time zone, for as long as it lives.
class CLibraryZone {
 public:
  explicit CLibraryZone(const std::string& name) {
    setenv("TZ", (":" + name).c_str(), 1);
    tzset();
  }
  ~CLibraryZone() {
    unsetenv("TZ");
    tzset();
  }
  tm Wall(int64_t second) const {
    time_t time = second;
    tm wall;
    localtime_r(&time, &wall);
    return wall;
  }
};

// The wall's reading as if it were UTC.
int64_t Reading(const tm& wall, int64_t second) { return second + wall.tm_gmtoff; }

Matches MatchesAt(int64_t reading) {
  time_t time = reading;
  tm wall;
  gmtime_r(&time, &wall);
  Matches matches;
  for (size_t i = 0; i < kJobCount; ++i) matches[i] = kJobs[i].matches(wall);
  return matches;
}

// The fires of every job in [from, to), minute by minute. The day before is walked too: what the
// wall has shown counts.
std::array<std::vector<int64_t>, kJobCount> Walk(const CLibraryZone& zone, int64_t from,
                                                 int64_t to) {
  std::array<std::vector<int64_t>, kJobCount> fires;
  std::unordered_set<int64_t> shown;
  int64_t before = 0;
  for (int64_t now = from - 26 * 60 * kMinute; now < to; now += kMinute) {
    int64_t reading = Reading(zone.Wall(now), now);
    bool again = !shown.insert(reading).second;
    Matches matches = MatchesAt(reading);
    Matches skipped;
    for (int64_t missed = before + kMinute; before != 0 && missed < reading; missed += kMinute) {
      if (!shown.contains(missed)) skipped |= MatchesAt(missed);
    }
    before = reading;
    if (now < from) continue;
    for (size_t i = 0; i < kJobCount; ++i) {
      bool fire = kJobs[i].fixed ? (matches[i] && !again) || skipped[i] : matches[i];
      if (fire) fires[i].push_back(now);
    }
  }
  return fires;
}

std::vector<int64_t> Ahead(const Cron& cron, const Zone& zone, int64_t from, int64_t to) {
  std::vector<int64_t> fires;
  auto next = cron.Next(std::chrono::seconds(from) - Micros(1), zone);
  for (; next && *next < std::chrono::seconds(to); next = cron.Next(*next, zone)) {
    fires.push_back(next->count() / 1'000'000);
  }
  return fires;
}

std::vector<int64_t> Backwards(const Cron& cron, const Zone& zone, int64_t from, int64_t to) {
  std::vector<int64_t> fires;
  auto previous = cron.Previous(std::chrono::seconds(to), zone);
  for (; previous && *previous >= std::chrono::seconds(from);
       previous = cron.Previous(*previous, zone)) {
    fires.push_back(previous->count() / 1'000'000);
  }
  return {fires.rbegin(), fires.rend()};
}

// Asks from the midst of the window, so also from within a repeated hour. The first instant that is
// answered wrongly.
std::optional<int64_t> FirstWrongProbe(const Cron& cron, const Zone& zone,
                                       const std::vector<int64_t>& fires) {
  for (size_t i = 1; i < fires.size(); ++i) {
    int64_t step = std::max<int64_t>((fires[i] - fires[i - 1]) / 64, 10 * kMinute);
    for (int64_t now = fires[i - 1] + step; now < fires[i]; now += step) {
      if (cron.Next(std::chrono::seconds(now), zone) != std::chrono::seconds(fires[i])) return now;
      if (cron.Previous(std::chrono::seconds(now), zone) != std::chrono::seconds(fires[i - 1]))
        return now;
    }
  }
  return std::nullopt;
}

struct Window {
  int64_t from;
  int64_t to;
};

// Two days on each side of each change, joined where they overlap, and a few days anywhere.
std::vector<Window> Windows(const CLibraryZone& zone, std::mt19937& random) {
  if (std::getenv("SLUICE_FULL_ORACLE") != nullptr) return {{kFrom, kTo}};
  std::vector<Window> windows;
  int64_t around = 2 * kSecondsPerDay;
  long offset = zone.Wall(kFrom).tm_gmtoff;
  for (int64_t now = kFrom; now < kTo; now += kSecondsPerDay / 4) {
    long here = zone.Wall(now).tm_gmtoff;
    if (here == offset) continue;
    offset = here;
    if (!windows.empty() && windows.back().to > now - around) {
      windows.back().to = now + around;
    } else {
      windows.push_back({now - around, now + around});
    }
  }
  int64_t spot = kFrom + static_cast<int64_t>(random() % ((kTo - kFrom) / kMinute)) * kMinute;
  windows.push_back({spot, spot + kSecondsPerDay});
  return windows;
}

// The bytes of the zone's file: a zone that has several names is walked once.
std::string Rules(const std::string& name) {
  std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  return bytes.empty() ? name : bytes;
}

TEST(CronOracle, AllZonesMinuteByMinute) {
  std::vector<Cron> crons;
  for (const Job& job : kJobs) crons.push_back(*Cron::Parse(job.expression));
  std::mt19937 random(20261121);
  size_t zones = 0;
  size_t fires = 0;
  std::set<std::string> seen;
  for (const std::string& name : Zone::Names()) {
    Zone zone = *Zone::Find(name);
    CLibraryZone clock(name);
    for (int64_t now = kFrom; now < kTo; now += 6 * 3600) {
      long expected = clock.Wall(now).tm_gmtoff;
      ASSERT_EQ(zone.PeriodAt(std::chrono::seconds(now)).offset, std::chrono::seconds(expected))
          << name << " " << now;
    }
    ++zones;
    if (!seen.insert(Rules(name)).second) continue;
    for (const Window& window : Windows(clock, random)) {
      auto expected = Walk(clock, window.from, window.to);
      for (size_t i = 0; i < kJobCount; ++i) {
        ASSERT_EQ(Ahead(crons[i], zone, window.from, window.to), expected[i])
            << name << " '" << kJobs[i].expression << "' from " << window.from;
        ASSERT_EQ(Backwards(crons[i], zone, window.from, window.to), expected[i])
            << name << " '" << kJobs[i].expression << "' from " << window.from;
        ASSERT_EQ(FirstWrongProbe(crons[i], zone, expected[i]), std::nullopt)
            << name << " '" << kJobs[i].expression << "'";
        fires += expected[i].size();
      }
    }
  }
  if (zones == 0) GTEST_SKIP() << "skipped: no tz database on this machine";
  std::cout << zones << " zones, " << seen.size() << " of them different, " << fires << " fires\n";
  EXPECT_GT(zones, 500u);
  EXPECT_GT(seen.size(), 300u);
}

}  // namespace
}  // namespace sluice
