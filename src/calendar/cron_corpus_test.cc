// The 763 cases of corpora/cron: what three other crons answer. Where ours differs the choice is
// listed here, with its reason; a choice that no case needs any more fails the test too.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/text.h"
#include "calendar/cron.h"
#include "calendar/instant.h"

namespace sluice {
namespace {

struct Case {
  std::string source, name, fields, expression, zone, from, expected, kind;
};

std::vector<Case> LoadCases() {
  const char* corpora = std::getenv("SLUICE_CORPORA");
  std::filesystem::path root = corpora != nullptr ? corpora : "../shared/corpora";
  std::ifstream file(root / "cron" / "cases.tsv");
  std::vector<Case> cases;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    auto cells = Split(line, '\t');
    cells.resize(9);
    cases.push_back(
        {cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7]});
  }
  return cases;
}

// croniter writes the second last: the same expression in our order.
std::string InOurOrder(const Case& c) {
  if (c.source != "croniter" || c.fields != "6") return c.expression;
  size_t last = c.expression.rfind(' ');
  return c.expression.substr(last + 1) + " " + c.expression.substr(0, last);
}

// Ours in the corpus's words: "refused", "never", or an instant.
std::string Ours(const Case& c, const Zone& zone) {
  auto cron = Cron::Parse(InOurOrder(c));
  if (!cron.ok()) return "refused";
  if (c.kind == "invalid") return "accepted";
  Micros from = *ParseInstant(c.from, zone);
  auto next =
      cron->Next(c.kind == "fires_at" || c.kind == "not_at" ? from - Micros(1) : from, zone);
  return next ? FormatLocal(*next, zone) : "never";
}

std::string Theirs(const Case& c, const Zone& zone) {
  if (c.kind == "invalid") return "refused";
  if (c.kind == "never") return "never";
  return FormatLocal(*ParseInstant(c.kind == "next" ? c.expected : c.from, zone), zone);
}

struct Choice {
  const char* source;
  const char* expression;
  const char* ours;
  const char* reason;
};

constexpr const char* kBoth =
    "day-of-month and day-of-week: both, because one begins with * (Debian's cron, cronsim)";
constexpr const char* kGap =
    "a fixed time in the gap fires once, just after it (cronsim; croniter for whole minutes)";
constexpr const char* kOnce =
    "a fixed time in the repeated hour fires once, the first time (cronsim)";
constexpr const char* kNever = "what never happens is refused, not accepted in silence";
constexpr const char* kWrap =
    "a range that wraps is refused, and shown as two; robfig and cronsim refuse it too";
constexpr const char* kSunday = "a range from Sunday to Sunday is Sunday (cronsim)";
constexpr const char* kNearest = "no W, the working day nearest to a day";
constexpr const char* kRangeL = "L and # do not combine with ranges";
constexpr const char* kYears = "no seventh field of years";

constexpr Choice kChoices[] = {
    {"robfig", "* * */10 * Sun", "2012-10-21T00:00:00Z", kBoth},
    {"robfig", "0 0 0 */5 Apr,Aug,Oct Mon", "2012-08-06T00:00:00Z", kBoth},
    {"croniter", "0 16 */2 * sat", "2023-05-13T16:00:00Z", kBoth},
    {"robfig", "0 30 2 11 Mar ?", "2012-03-11T03:00:00-04:00", kGap},
    {"robfig", "0 0 2 * * ?", "2012-03-11T03:00:00-04:00", kGap},
    {"cronsim", "11,22 30 1,2,3,4 * * *", "2021-03-28T04:00:00+03:00", kGap},
    {"cronsim", "33 30 1-10 * * *", "2021-03-28T04:00:00+03:00", kGap},
    {"cronsim", "0 30 1-10 * * *", "2021-03-28T04:00:00+03:00", kGap},
    {"robfig", "0 30 1 04 Nov ?", "2013-11-04T01:30:00-05:00", kOnce},
    {"robfig", "0 0 1 * * ?", "2012-11-05T01:00:00-05:00", kOnce},
    {"robfig", "0 0 0 30 Feb ?", "refused", kNever},
    {"robfig", "0 0 0 31 Apr ?", "refused", kNever},
    {"cronsim", "1 1 */100 * MON#4", "refused", kNever},
    {"croniter", "0 0 1 Nov-Mar *", "refused", kWrap},
    {"croniter", "0 0 1 Apr-Feb *", "refused", kWrap},
    {"croniter", "0 0 1 Apr-Mar/3 *", "refused", kWrap},
    {"croniter", "0 0 1 Apr-Mar/2 *", "refused", kWrap},
    {"croniter", "0 0 * * Thu-Tue/2", "refused", kWrap},
    {"croniter", "0 0 * * thu-tue/2", "refused", kWrap},
    {"croniter", "0 0 * * Thu-Tue/3", "refused", kWrap},
    {"croniter", "0 0 * * thu-tue/3", "refused", kWrap},
    {"croniter", "0 0 * * Sun-Sun", "2024-01-07T00:00:00Z", kSunday},
    {"croniter", "0 0 * * 7-7", "2024-01-07T00:00:00Z", kSunday},
    {"croniter", "0 0 * * 0-0", "2024-01-07T00:00:00Z", kSunday},
    {"croniter", "0 9 15W * *", "refused", kNearest},
    {"croniter", "0 9 30W * *", "refused", kNearest},
    {"croniter", "0 9 31W * *", "refused", kNearest},
    {"croniter", "0 9 1W * *", "refused", kNearest},
    {"croniter", "0 0 1W * *", "refused", kNearest},
    {"croniter", "0 9 W15 * *", "refused", kNearest},
    {"croniter", "35 * 1-l/8 * *", "refused", kRangeL},
    {"croniter", "30 23 1-7 JAN MON-FRI#1", "refused", kRangeL},
    {"croniter", "0 0 29-L * *", "refused", kRangeL},
    {"croniter", "0 0 11 * * 0 2060", "refused", kYears},
    {"croniter", "0 0 11 * * 0 2050-2060", "refused", kYears},
    {"croniter", "0 0 29 2 * 0 2025,2021-2023,2028", "refused", kYears},
    {"croniter", "0 0 29 2 * 0 2025,*", "refused", kYears},
    {"croniter", "0 0 29 2 * 0 2022/3", "refused", kYears},
    {"croniter", "0 0 29 2 * 0 2023-2035/3", "refused", kYears},
    {"croniter", "0 0 31 11-12 * 0 2023", "refused", kYears},
    {"croniter", "0 0 31 1-2 * 0 2023-2025", "refused", kYears},
};
constexpr size_t kCasesChosenOtherwise = 79;

const Choice* ChoiceFor(const Case& c) {
  for (const Choice& choice : kChoices) {
    if (c.source == choice.source && c.expression == choice.expression) return &choice;
  }
  return nullptr;
}

TEST(CronCorpus, AgreesExceptForListedChoices) {
  auto cases = LoadCases();
  if (cases.empty())
    GTEST_SKIP() << "skipped: 763 cases of corpora/cron, not here (SLUICE_CORPORA)";
  EXPECT_EQ(cases.size(), 763u);
  std::set<const Choice*> used;
  size_t otherwise = 0;
  for (const Case& c : cases) {
    Zone zone = *Zone::Find(c.zone.empty() ? "UTC" : c.zone);
    std::string ours = Ours(c, zone);
    std::string theirs = Theirs(c, zone);
    if (c.kind == "not_at" ? ours != theirs : ours == theirs) continue;
    const Choice* choice = ChoiceFor(c);
    EXPECT_TRUE(choice != nullptr && ours == choice->ours)
        << c.source << " " << c.name << " '" << c.expression << "' " << c.kind << " from " << c.from
        << ": theirs " << theirs << ", ours " << ours;
    used.insert(choice);
    ++otherwise;
  }
  EXPECT_EQ(otherwise, kCasesChosenOtherwise);
  EXPECT_EQ(used.size(), std::size(kChoices)) << "a choice that no case needs";
}

}  // namespace
}  // namespace sluice
