// See expect.h.
#include "harness/expect.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice::harness {

namespace {

bool Equal(const Json& want, const Json& got, Match match) {
  if (want.is_number() && got.is_number()) {
    double a = want.get<double>(), b = got.get<double>();
    return a == b || std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b));
  }
  if (want.is_object() && got.is_object()) {
    if (match == Match::kExact && want.size() != got.size()) return false;
    for (const auto& [key, value] : want.items()) {
      if (!got.contains(key) || !Equal(value, got[key], match)) return false;
    }
    return true;
  }
  if (want.is_array() && got.is_array()) {
    return want.size() == got.size() &&
           std::equal(want.begin(), want.end(), got.begin(),
                      [&](const Json& a, const Json& b) { return Equal(a, b, match); });
  }
  return want == got;
}

std::vector<std::string> Filled(const std::vector<std::string>& lines) {
  std::vector<std::string> filled;
  for (const std::string& line : lines) {
    if (!Trim(line).empty()) filled.push_back(line);
  }
  return filled;
}

std::string Diff(const std::vector<std::string>& missing, const std::vector<std::string>& surplus) {
  std::string text;
  auto show = [&](const std::vector<std::string>& rows, const char* sign) {
    for (size_t i = 0; i < rows.size() && i < 20; ++i)
      text += fmt::format("    {} {}\n", sign, rows[i]);
    if (rows.size() > 20) text += fmt::format("    {} … {} more\n", sign, rows.size() - 20);
  };
  show(missing, "-");
  show(surplus, "+");
  return text;
}

std::vector<std::string> JsonOf(const std::string& report, const std::string& key) {
  std::vector<std::string> rows;
  Json json = Json::parse(report, nullptr, false);
  if (json.is_object() && json.contains(key)) {
    for (const Json& row : json[key]) rows.push_back(row.dump());
  }
  return rows;
}

std::string CheckLetters(const Section& section, Scene& scene) {
  Result<std::vector<LetterRow>> letters = scene.Letters();
  if (!letters.ok()) return Format(letters.error());
  std::vector<std::string> rows;
  for (const LetterRow& row : *letters) {
    const Letter& letter = row.letter;
    Json json{{"step", letter.step},        {"code", letter.code},
              {"message", letter.message},  {"line", letter.line},
              {"offset", letter.offset},    {"file", FileName(letter.partition)},
              {"original", letter.original}};
    Json row_json = Json::parse(letter.original, nullptr, false);
    if (row_json.is_object()) json["row"] = row_json;
    rows.push_back(json.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return CompareRows(Filled(section.lines), rows, Order::kAny, Match::kSubset);
}

std::string CheckFile(const Section& section, Scene& scene) {
  const std::string& path = section.rest.at(1);
  if (EndsWith(path, ".parquet") || EndsWith(path, "/")) {
    Result<std::vector<std::string>> rows = RowsAsJson(
        scene, fmt::format("read_parquet({}, hive_partitioning = false)",
                           QuoteLiteral(EndsWith(path, "/") ? path + "*.parquet" : path)));
    return rows.ok() ? CompareRows(Filled(section.lines), *rows, Order::kAny, Match::kExact)
                     : Format(rows.error());
  }
  std::ifstream in(JoinPath(scene.folder(), path));
  if (!in) return "there is no file " + path;
  std::stringstream text;
  text << in.rdbuf();
  std::vector<std::string> actual = Filled(Split(text.str(), '\n')),
                           expected = Filled(section.lines);
  bool ordered = section.rest.size() > 2 && section.rest[2] == "ordered";
  size_t head = !expected.empty() && !ordered ? 1 : 0;  // the first line of a csv stays the first
  if (!ordered && !EndsWith(path, ".csv")) head = 0;
  if (actual.size() > head)
    std::sort(actual.begin() +
                  static_cast<std::ptrdiff_t>(ordered ? static_cast<size_t>(actual.size()) : head),
              actual.end());
  if (expected.size() > head)
    std::sort(expected.begin() + static_cast<std::ptrdiff_t>(
                                     ordered ? static_cast<size_t>(expected.size()) : head),
              expected.end());
  return expected == actual ? "" : Diff(expected, actual);
}

std::string CheckTable(const Section& section, Scene& scene) {
  bool ordered = section.rest.size() > 1 && section.rest[1] == "ordered";
  Result<std::vector<std::string>> rows = RowsAsJson(scene, QuoteTable(section.rest.at(0)));
  if (!rows.ok()) return Format(rows.error());
  return CompareRows(Filled(section.lines), *rows, ordered ? Order::kAsWritten : Order::kAny,
                     Match::kExact);
}

// `oracle TABLE`: SQL over the input files, whose rows must be those of the table.
std::string CheckOracle(const Section& section, Scene& scene) {
  std::string query = Join(section.lines, "\n");
  Result<std::vector<std::string>> want = RowsAsJson(scene, "(" + query + ")");
  if (!want.ok()) return "the oracle's SQL: " + Format(want.error());
  Result<std::vector<std::string>> got = RowsAsJson(scene, QuoteTable(section.rest.at(0)));
  if (!got.ok()) return Format(got.error());
  return CompareRows(*want, *got, Order::kAny, Match::kExact);
}

std::string Contains(const std::vector<std::string>& lines, const std::string& text) {
  std::string missing;
  for (const std::string& line : Filled(lines)) {
    if (text.find(Trim(line)) == std::string::npos) missing += fmt::format("    - {}\n", line);
  }
  return missing.empty() ? "" : missing + "    in: " + text + "\n";
}

}  // namespace

std::string CompareRows(const std::vector<std::string>& expected,
                        const std::vector<std::string>& actual, Order order, Match match) {
  std::vector<Json> want, got;
  for (const std::string& line : expected) {
    want.push_back(Json::parse(line, nullptr, false));
    if (want.back().is_discarded()) return "    this expectation is no JSON: " + line + "\n";
  }
  for (const std::string& line : actual) got.push_back(Json::parse(line, nullptr, false));
  if (order == Order::kAsWritten) {
    bool same = want.size() == got.size() &&
                std::equal(want.begin(), want.end(), got.begin(),
                           [&](const Json& a, const Json& b) { return Equal(a, b, match); });
    return same ? "" : Diff(expected, actual);
  }
  std::vector<std::string> missing, surplus;
  std::vector<bool> used(got.size(), false);
  for (size_t i = 0; i < want.size(); ++i) {
    size_t k = 0;
    while (k < got.size() && (used[k] || !Equal(want[i], got[k], match))) ++k;
    if (k == got.size())
      missing.push_back(expected[i]);
    else
      used[k] = true;
  }
  for (size_t k = 0; k < got.size(); ++k) {
    bool told = match != Match::kSome || !missing.empty();
    if (!used[k] && told) surplus.push_back(actual[k]);
  }
  return missing.empty() && surplus.empty() ? "" : Diff(missing, surplus);
}

Result<std::vector<std::string>> RowsAsJson(Scene& scene, const std::string& from) {
  sql::Rows rows = TRY(scene.Query(fmt::format(
      "SELECT to_json(_sluice_row) FROM (SELECT COLUMNS(c -> NOT starts_with(c, '_sluice_')) "
      "FROM {}) AS _sluice_row",
      from)));
  std::vector<std::string> texts;
  for (const auto& row : rows.rows) texts.push_back(row[0].text);
  return texts;
}

std::string CheckSection(const Section& section, Scene& scene, const RunReport& report) {
  if (section.word == "oracle") return CheckOracle(section, scene);
  const std::string what = section.rest.empty() ? "" : section.rest[0];
  if (what == "error") return Contains(section.lines, report.error);
  if (what == "plan") return Contains(section.lines, report.plan);
  if (what == "exit") {
    return section.rest.size() == 2 && std::to_string(report.exit) == section.rest[1]
               ? ""
               : fmt::format("    exit code {} {}\n", report.exit, report.error);
  }
  if (what == "steps" || what == "loads")
    return CompareRows(Filled(section.lines), JsonOf(report.json, what), Order::kAny, Match::kSome);
  if (what == "dead-letters") return CheckLetters(section, scene);
  if (what == "file" && section.rest.size() > 1) return CheckFile(section, scene);
  if (!what.empty()) return CheckTable(section, scene);
  return "    write: expect TABLE | file PATH | dead-letters | error | plan | exit N | steps | "
         "loads\n";
}

}  // namespace sluice::harness
