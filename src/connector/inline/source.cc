// See source.h.
#include "connector/inline/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "base/mutex.h"
#include "base/text.h"
#include "connector/file/shape.h"
#include "format/json_cursor.h"
#include "format/json_value.h"
#include "format/ndjson.h"

namespace sluice {
namespace {

std::string JsonOf(const Node& node);

std::string ScalarJson(const Node& node) {
  const std::string& text = node.scalar;
  if (node.quoted) return QuoteJson(text);
  if (text.empty() || text == "~" || text == "null") return "null";
  if (text == "true" || text == "false" || format::IsJsonNumber(text)) return text;
  return QuoteJson(text);
}

std::string JsonOf(const Node& node) {
  if (node.IsNull()) return "null";
  if (node.IsScalar()) return ScalarJson(node);
  std::string json;
  for (const Node& item : node.list) json += (json.empty() ? "" : ",") + JsonOf(item);
  if (node.IsList()) return "[" + json + "]";
  for (const auto& [key, value] : node.map) {
    json += fmt::format("{}{}:{}", json.empty() ? "" : ",", QuoteJson(key.scalar), JsonOf(value));
  }
  return "{" + json + "}";
}

// What a value could be by itself; the column's type is the one that holds all of its values.
std::string TypeOf(const Node& node) {
  if (!node.IsScalar()) return node.IsNull() ? "" : "JSON";
  const std::string json = ScalarJson(node);
  if (json == "null") return "";
  if (json == "true" || json == "false") return "BOOLEAN";
  int64_t whole;
  if (json[0] != '"') {
    const bool integer = json.find_first_of(".eE") == std::string::npos;
    return integer && format::IntegerOf(json, &whole) == format::ValueFault::kNone ? "BIGINT"
                                                                                   : "DOUBLE";
  }
  int32_t days;
  if (format::DateOf(node.scalar, &days) == format::ValueFault::kNone) return "DATE";
  if (format::TimestampOf(node.scalar, &whole) == format::ValueFault::kNone) return "TIMESTAMP";
  return "VARCHAR";
}

std::string Both(const std::string& a, const std::string& b) {
  if (a.empty() || a == b) return b;
  if (b.empty()) return a;
  const auto pair = [&](const char* x, const char* y) {
    return (a == x && b == y) || (a == y && b == x);
  };
  if (pair("BIGINT", "DOUBLE")) return "DOUBLE";
  if (pair("DATE", "TIMESTAMP")) return "TIMESTAMP";
  return a == "JSON" || b == "JSON" ? "JSON" : "VARCHAR";
}

struct Row {
  std::string json;
  Mark mark;
};
struct Partition {
  std::string name, identity;
  std::vector<Row> rows;
};
struct Part {
  const Partition* partition = nullptr;
  size_t from = 0, to = 0;
};

class RowFeed final : public sql::BlockFeed {
 public:
  explicit RowFeed(std::vector<Part> parts) : parts_(std::move(parts)) {}

  Result<std::optional<Block>> Next(std::stop_token stop) override {
    MutexLock lock(mutex_);
    if (stop.stop_requested()) return CancelledError();
    while (at_ < parts_.size() && parts_[at_].from == parts_[at_].to) ++at_;
    if (at_ == parts_.size()) return std::optional<Block>();
    Part& part = parts_[at_];
    const std::string& json = part.partition->rows[part.from].json;
    Block block;
    block.bytes.assign(json.begin(), json.end());
    block.bytes.resize(json.size() + 64);
    block.size = json.size();
    block.partition = part.partition->name;
    block.first = static_cast<int64_t>(part.from++);
    block.last_of_partition = part.from == part.to;
    return std::optional<Block>(std::move(block));
  }

 private:
  Mutex mutex_;
  std::vector<Part> parts_ GUARDED_BY(mutex_);
  size_t at_ GUARDED_BY(mutex_) = 0;
};

class InlineSource final : public Source {
 public:
  InlineSource(ExtractRequest request, std::vector<Partition> partitions, Schema inferred)
      : request_(std::move(request)),
        partitions_(std::move(partitions)),
        columns_(std::move(inferred)) {}

  Result<SourceShape> Describe(sql::Session& session, std::stop_token) override {
    TRY(Declare(session));
    size_t rows = 0;
    for (const Partition& partition : partitions_) rows += partition.rows.size();
    SourceShape shape;
    shape.schema = columns_;
    shape.ordered = true;
    shape.describe = fmt::format("{} row{} in the pipeline file", rows, rows == 1 ? "" : "s");
    return shape;
  }

  Result<std::optional<Range>> Freeze(const Position& from, const Limits& limits,
                                      std::stop_token) override {
    std::vector<Part> parts;
    uint64_t bytes = 0, rows = 0;
    for (const Partition& partition : partitions_) {
      const size_t begin = Begin(partition, from);
      parts.push_back({&partition, begin, begin});
    }
    // One row of each partition in turn, those that are behind first.
    for (size_t turn = 0;; ++turn) {
      bool left = false;
      for (Part& part : parts) {
        left = left || part.to < part.partition->rows.size();
        if (part.to != turn || turn >= part.partition->rows.size()) continue;
        if (rows > 0 &&
            ((limits.rows && rows >= limits.rows) || (limits.bytes && bytes >= limits.bytes))) {
          return std::optional<Range>(RangeOf(parts));
        }
        bytes += part.partition->rows[part.to++].json.size();
        ++rows;
      }
      if (!left) break;
    }
    Range range = RangeOf(parts);
    range.final = true;
    if (range.cuts.empty()) return std::optional<Range>();
    return std::optional<Range>(std::move(range));
  }

  Position After(const Position& from, const Range& range) const override {
    Position after = from;
    for (const Cut& cut : range.cuts) {
      after[cut.partition] = cut.to + "@" + cut.identity.substr(0, cut.identity.find('#'));
    }
    return after;
  }

  std::vector<std::string> Unfinished(const Position& position) const override {
    std::vector<std::string> names;
    for (const Partition& partition : partitions_) {
      if (Begin(partition, position) < partition.rows.size()) names.push_back(partition.name);
    }
    return names;
  }

  Result<Opened> Open(const Range& range, sql::Session& session, std::stop_token) override {
    TRY(Declare(session));
    std::vector<Part> parts;
    for (const Cut& cut : range.cuts) {
      const auto found =
          std::find_if(partitions_.begin(), partitions_.end(),
                       [&](const Partition& partition) { return partition.name == cut.partition; });
      if (found == partitions_.end() || !StartsWith(cut.identity, found->identity)) {
        return RejectedError(
            fmt::format("the rows of step '{}' changed since they were chosen", request_.step));
      }
      parts.push_back({&*found, IndexOf(cut.from), std::min(IndexOf(cut.to), found->rows.size())});
    }
    Opened opened;
    opened.scan = std::make_shared<sql::Scan>();
    opened.scan->schema = columns_;
    opened.scan->decoder = [schema = columns_](std::vector<uint64_t> projected) {
      return format::MakeNdjsonDecoder(schema, projected);
    };
    opened.scan->feed = std::make_unique<RowFeed>(std::move(parts));
    return opened;
  }

  // The line is that of the pipeline file.
  Status Locate(std::vector<Letter>& letters) override {
    for (Letter& letter : letters) {
      for (const Partition& partition : partitions_) {
        const auto index = static_cast<size_t>(letter.offset);
        if (letter.partition != partition.name || letter.offset < 0 ||
            index >= partition.rows.size())
          continue;
        if (letter.line < 0) letter.line = partition.rows[index].mark.line;
        if (letter.original.empty()) letter.original = partition.rows[index].json;
      }
    }
    return Ok();
  }

 private:
  static size_t IndexOf(const std::string& text) {
    size_t index = 0;
    std::from_chars(text.data(), text.data() + text.size(), index);
    return index;
  }
  static size_t Begin(const Partition& partition, const Position& from) {
    const auto found = from.find(partition.name);
    if (found == from.end()) return 0;
    const size_t at = found->second.find('@');
    return found->second.substr(at + 1) == partition.identity ? IndexOf(found->second) : 0;
  }
  static Range RangeOf(const std::vector<Part>& parts) {
    Range range;
    bool rest = false;
    for (const Part& part : parts) {
      const size_t size = part.partition->rows.size();
      rest = rest || part.to < size;
      if (part.from == part.to) continue;
      Cut cut{part.partition->name, std::to_string(part.from), std::to_string(part.to),
              part.partition->identity};
      if (part.from > 0 || part.to < size)
        cut.identity += fmt::format("#{}-{}", part.from, part.to);
      range.cuts.push_back(std::move(cut));
    }
    range.final = !rest;
    return range;
  }
  Status Declare(sql::Session& session) {
    if (declared_ || request_.config.columns.empty()) return Ok();
    columns_ = TRY(DeclaredColumns(session, request_.config.columns));
    declared_ = true;
    return Ok();
  }

  const ExtractRequest request_;
  const std::vector<Partition> partitions_;
  Schema columns_;
  bool declared_ = false;
};

Status AddRow(const Node& row, Partition& partition, Schema& columns) {
  if (!row.IsMap()) {
    return ConfigError(row.mark,
                       fmt::format("a row is {}, not a map of column to value", NameOf(row.kind)));
  }
  for (const auto& [key, value] : row.map) {
    auto found =
        std::find_if(columns.begin(), columns.end(),
                     [&name = key.scalar](const Column& column) { return column.name == name; });
    if (found == columns.end()) found = columns.insert(found, {.name = key.scalar});
    found->type = Both(found->type, TypeOf(value));
  }
  partition.rows.push_back({JsonOf(row), row.mark});
  return Ok();
}

}  // namespace

Result<std::unique_ptr<Source>> MakeInlineSource(ExtractRequest request) {
  const Node& rows = request.config.rows;
  std::vector<Partition> partitions;
  Schema columns;
  const auto add = [&](const std::string& name, const Node& list) -> Status {
    if (!list.IsList())
      return ConfigError(list.mark,
                         fmt::format("`rows` is {}, not a list of maps", NameOf(list.kind)));
    Partition partition{.name = name, .identity = {}, .rows = {}};
    for (const Node& row : list.list) TRY(AddRow(row, partition, columns));
    std::string content = name + "\n";
    for (const Row& row : partition.rows) content += row.json + "\n";
    partition.identity = Fingerprint(content);
    partitions.push_back(std::move(partition));
    return Ok();
  };
  if (rows.IsMap()) {
    for (const auto& [name, list] : rows.map) TRY(add(name.scalar, list));
  } else if (rows.IsNull()) {
    return ConfigError(request.config.mark, "extract from inline needs `rows`, a list of maps");
  } else {
    TRY(add("inline", rows));
  }
  for (Column& column : columns) {
    if (column.type.empty()) column.type = "VARCHAR";
  }
  if (columns.empty() && request.config.columns.empty()) {
    return ConfigError(request.config.mark,
                       "extract from inline has no rows; say its columns in `columns:`");
  }
  return std::unique_ptr<Source>(std::make_unique<InlineSource>(
      std::move(request), std::move(partitions), std::move(columns)));
}

}  // namespace sluice
