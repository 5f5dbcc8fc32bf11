// See row_text.h. Texts of DuckDB are UTF-8 always, so only quotes, backslashes and control
// characters are escaped; eight bytes are looked at together.
#include "transform/row_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>

namespace sluice {
namespace {

// Whether none of eight bytes needs an escape.
bool Plain(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  const auto zero = [](uint64_t word) { return (word - kOnes) & ~word & kHigh; };
  const uint64_t control = (bytes - kOnes * 0x20) & ~bytes & kHigh;
  return (control | zero(bytes ^ (kOnes * '"')) | zero(bytes ^ (kOnes * '\\'))) == 0;
}

void AppendEscaped(char c, std::string& text) {
  switch (c) {
    case '"':
      text += "\\\"";
      break;
    case '\\':
      text += "\\\\";
      break;
    case '\n':
      text += "\\n";
      break;
    case '\t':
      text += "\\t";
      break;
    case '\r':
      text += "\\r";
      break;
    default:
      fmt::format_to(std::back_inserter(text), "\\u{:04x}", static_cast<unsigned>(c));
  }
}

void AppendQuoted(std::string_view value, std::string& text) {
  text += '"';
  size_t begin = 0, at = 0;
  while (at < value.size()) {
    uint64_t word = 0;
    if (at + 8 <= value.size()) {
      std::memcpy(&word, value.data() + at, 8);
      if (Plain(word)) {
        at += 8;
        continue;
      }
    }
    const auto c = static_cast<unsigned char>(value[at]);
    if (c < 0x20 || c == '"' || c == '\\') {
      text.append(value.data() + begin, at - begin);
      AppendEscaped(value[at], text);
      begin = at + 1;
    }
    ++at;
  }
  text.append(value.data() + begin, at - begin);
  text += '"';
}

template <class T>
void AppendNumber(T value, std::string& text) {
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  text.append(digits, static_cast<size_t>(end - digits));
}

}  // namespace

RowText::RowText(const std::vector<relation::Given>& columns) {
  for (const relation::Given& column : columns) {
    Field field{.wire = column.wire, .name = column.name, .key = fields_.empty() ? "{" : ","};
    AppendQuoted(column.name, field.key);
    field.key += ':';
    fields_.push_back(std::move(field));
  }
}

Status RowText::Append(std::span<const sql::VectorView> columns, uint64_t row,
                       std::string& text) const {
  const size_t before = text.size();
  for (size_t i = 0; i < fields_.size(); ++i) {
    const Field& field = fields_[i];
    const sql::VectorView& column = columns[i];
    text += field.key;
    if (column.Null(row)) {
      text += "null";
      continue;
    }
    switch (field.wire) {
      case relation::Wire::kSigned:
        AppendNumber(column.At<int64_t>(row), text);
        break;
      case relation::Wire::kUnsigned:
        AppendNumber(column.At<uint64_t>(row), text);
        break;
      case relation::Wire::kFloat:
      case relation::Wire::kDouble: {
        const bool wide = field.wire == relation::Wire::kDouble;
        const double value = wide ? column.At<double>(row) : column.At<float>(row);
        if (!std::isfinite(value)) {
          text.resize(before);
          return DataError(
              fmt::format("column '{}' is {}, which JSON cannot say; make it null in a step before",
                          field.name, std::isnan(value) ? "NaN" : "infinite"));
        }
        wide ? AppendNumber(value, text) : AppendNumber(column.At<float>(row), text);
        break;
      }
      case relation::Wire::kBool:
        text += column.At<bool>(row) ? "true" : "false";
        break;
      case relation::Wire::kText:
        AppendQuoted(column.Text(row), text);
        break;
      case relation::Wire::kJson:
        text += column.Text(row);
        break;
    }
  }
  text += fields_.empty() ? "{}" : "}";
  return Ok();
}

}  // namespace sluice
