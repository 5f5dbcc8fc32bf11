// See table.h.
#include "main/table.h"

#include <algorithm>

#include "base/text.h"

namespace sluice {

namespace {

constexpr size_t kWidest = 60;

size_t Width(std::string_view text) {  // code points, good enough for a terminal
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string Shorten(const std::string& cell) {
  std::string text = EscapeControl(cell);
  if (Width(text) <= kWidest) return text;
  size_t at = 0, seen = 0;
  while (at < text.size() && seen < kWidest - 1) {
    ++at;
    while (at < text.size() && (text[at] & 0xC0) == 0x80) ++at;
    ++seen;
  }
  return text.substr(0, at) + "…";
}

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.,-") == std::string_view::npos &&
         text.find_first_of("0123456789") != std::string_view::npos;
}

}  // namespace

std::string FormatTable(const std::vector<std::string>& header,
                        const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> cells{header};
  for (const auto& row : rows) {
    std::vector<std::string> shown;
    for (const std::string& cell : row) shown.push_back(Shorten(cell));
    cells.push_back(std::move(shown));
  }
  std::vector<size_t> widths(header.size(), 0);
  std::vector<bool> right(header.size(), !rows.empty());
  for (size_t r = 0; r < cells.size(); ++r) {
    for (size_t c = 0; c < header.size(); ++c) {
      widths[c] = std::max(widths[c], Width(cells[r][c]));
      if (r > 0 && !cells[r][c].empty() && !IsNumber(cells[r][c])) right[c] = false;
    }
  }
  std::string text;
  for (const auto& row : cells) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      std::string pad(widths[c] - Width(row[c]), ' ');
      line += (c == 0 ? "" : "  ") + (right[c] ? pad + row[c] : row[c] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string FormatTable(const sql::Rows& rows) {
  std::vector<std::string> header;
  for (const Column& column : rows.schema) header.push_back(column.name);
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : rows.rows) {
    std::vector<std::string> line;
    for (const sql::Cell& cell : row) line.push_back(cell.null ? "NULL" : cell.text);
    cells.push_back(std::move(line));
  }
  return FormatTable(header, cells);
}

}  // namespace sluice
