// See rows_text.h.
#include "connector/mysql/rows_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <utility>

#include "base/text.h"

namespace sluice::mysql {
namespace {

using tables::SentColumn;
using tables::Shape;

void Put(std::vector<char>& into, std::string_view text) {
  into.insert(into.end(), text.begin(), text.end());
}

void PutEscaped(std::vector<char>& into, std::string_view text) {
  size_t from = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '\t' && c != '\n' && c != '\\' && c != '\r' && c != '\0') continue;
    Put(into, text.substr(from, i - from));
    into.push_back('\\');
    into.push_back(c == '\0' ? '0' : c);
    from = i + 1;
  }
  Put(into, text.substr(from));
}

void PutHex(std::vector<char>& into, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    into.push_back(kDigits[byte >> 4]);
    into.push_back(kDigits[byte & 15]);
  }
}

template <class T>
void PutNumber(std::vector<char>& into, T value) {
  char buffer[64];
  const auto done = std::to_chars(buffer, buffer + sizeof(buffer), value);
  Put(into, {buffer, done.ptr});
}

Status PutReal(const SentColumn& column, std::vector<char>& into, double value) {
  if (!std::isfinite(value)) {
    return DataError(
        fmt::format("column '{}': MySQL has no {}; make it NULL, or filter it out "
                    "(isfinite(…))",
                    column.name, std::isnan(value) ? "NaN" : "infinity"));
  }
  PutNumber(into, value);
  return Ok();
}

// The server would round what the column does not keep.
Status CheckFraction(const SentColumn& column, const Type& to, std::string_view text) {
  const size_t point = text.find('.');
  const bool temporal = to.name == "datetime" || to.name == "timestamp" || to.name == "time";
  if (!temporal || point == std::string_view::npos) return Ok();
  const auto digits = static_cast<int>(text.size() - point - 1);
  if (digits <= to.first) return Ok();
  return DataError(fmt::format(
      "column '{}': {} has {} digits of a second, {} keeps {}; round it in the pipeline: "
      "date_trunc('second', {})",
      column.name, text, digits, column.to.shown, to.first, QuoteIdentifier(column.source)));
}

}  // namespace

RowsText::RowsText(std::vector<SentColumn> columns) {
  for (SentColumn& column : columns) {
    Placed placed{.column = std::move(column), .shape = {}, .to = {}};
    placed.shape = tables::ShapeOf(placed.column.cast);
    placed.to = ReadType(placed.column.to.shown);
    placed.zoned = placed.column.cast == "TIMESTAMP WITH TIME ZONE" &&
                   placed.to.name != "timestamp" && placed.to.name != "datetime";
    columns_.push_back(std::move(placed));
  }
}

Status RowsText::Append(std::span<const sql::VectorView> columns, uint64_t rows,
                        std::vector<char>& into) const {
  if (columns.size() != columns_.size()) return InternalError("rows of another shape are sent");
  for (uint64_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) into.push_back('\t');
      if (columns[i].Null(row)) {
        TRY(Null(columns_[i], into));
      } else {
        TRY(Value(columns_[i], columns[i], row, into));
      }
    }
    into.push_back('\n');
  }
  return Ok();
}

Status RowsText::Null(const Placed& placed, std::vector<char>& into) {
  const tables::TableColumn& to = placed.column.to;
  if (to.numbered) {
    return DataError(fmt::format(
        "column '{}' is AUTO_INCREMENT: the server would make up a number for NULL; give every row "
        "one, or leave the column out",
        placed.column.name));
  }
  if (to.not_null) {
    return DataError(
        fmt::format("column '{}' is NOT NULL, and a row has NULL; filter such rows out "
                    "({} IS NOT NULL) or give them a value",
                    placed.column.name, QuoteIdentifier(placed.column.source)));
  }
  Put(into, "\\N");
  return Ok();
}

Status RowsText::Value(const Placed& placed, const sql::VectorView& view, uint64_t row,
                       std::vector<char>& into) {
  switch (placed.shape) {
    case Shape::kBool:
      into.push_back(view.At<bool>(row) ? '1' : '0');
      return Ok();
    case Shape::kWhole:
      PutNumber(into, view.At<int64_t>(row));
      return Ok();
    case Shape::kUnsigned:
      PutNumber(into, view.At<uint64_t>(row));
      return Ok();
    case Shape::kFloat:
      // As a double: rounded to fewer digits the greatest of all is one too many for the server.
      return PutReal(placed.column, into, static_cast<double>(view.At<float>(row)));
    case Shape::kDouble:
      return PutReal(placed.column, into, view.At<double>(row));
    case Shape::kMoment:
      TRY(tables::CheckMoment(placed.column, view.Text(row)));
      TRY(CheckFraction(placed.column, placed.to, view.Text(row)));
      Put(into, view.Text(row));
      if (placed.zoned) Put(into, "+00:00");
      return Ok();
    case Shape::kText:
      PutEscaped(into, view.Text(row));
      return Ok();
    case Shape::kBlob:
      PutHex(into, view.Text(row));
      return Ok();
  }
  return Ok();
}

std::string RowsText::Target(const std::vector<std::string>& quoted,
                             const std::string& epoch) const {
  std::vector<std::string> fields, sets;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const bool bits = columns_[i].to.name == "bit";
    if (columns_[i].shape != Shape::kBlob && !bits) {
      fields.push_back(quoted[i]);
      continue;
    }
    fields.push_back(fmt::format("@sluice_{}", i));
    sets.push_back(bits ? fmt::format("{} = CAST(@sluice_{} AS UNSIGNED)", quoted[i], i)
                        : fmt::format("{} = UNHEX(@sluice_{})", quoted[i], i));
  }
  if (!epoch.empty()) sets.push_back(epoch);
  return fmt::format("({}){}{}", Join(fields, ", "), sets.empty() ? "" : " SET ", Join(sets, ", "));
}

}  // namespace sluice::mysql
