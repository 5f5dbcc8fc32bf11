// A value becomes a part of a name, never more: what is not plain is written %XX, as Hive does, and
// a missing one has Hive's name for it.
#include "pipeline/paths.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/template_scan.h"
#include "relation/render.h"

namespace sluice {
namespace {

constexpr std::string_view kRow = "\"row\"";

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// `row.day` and its like, anywhere in an expression but in quotes.
struct Name {
  size_t from = 0, size = 0;
  std::string head, field;
};

std::vector<Name> NamesIn(std::string_view text) {
  std::vector<Name> names;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\'' || text[i] == '"') {
      const size_t end = text.find(text[i], i + 1);
      i = end == std::string_view::npos ? text.size() : end + 1;
      continue;
    }
    size_t end = i;
    while (end < text.size() && IsWord(text[end])) ++end;
    const std::string head = ToLower(text.substr(i, end - i));
    const bool ours = (head == "row" || head == "file" || head == "batch") && end < text.size() &&
                      text[end] == '.' && (i == 0 || text[i - 1] != '.');
    if (!ours) {
      i = std::max(end, i + 1);
      continue;
    }
    size_t last = end + 1;
    std::string field;
    if (last < text.size() && text[last] == '"') {
      const size_t close = std::min(text.find('"', last + 1), text.size());
      field = text.substr(last + 1, close - last - 1);
      last = std::min(close + 1, text.size());
    } else {
      while (last < text.size() && IsWord(text[last])) ++last;
      field = text.substr(end + 1, last - end - 1);
    }
    names.push_back({i, last - i, head, field});
    i = last;
  }
  return names;
}

Error Unknown(const Mark& mark, const Name& name, std::string_view what) {
  return ConfigError(mark, fmt::format("unknown name '{}.{}' in {{{{ }}}}; {}", name.head,
                                       EscapeControl(name.field), what));
}

Result<std::string> SqlOf(const Name& name, const Schema& schema, const Mark& mark) {
  if (name.head == "batch") {
    if (name.field == "id") return std::string("CAST($sluice_batch AS BIGINT)");
    return Unknown(mark, name, "there is batch.id");
  }
  if (name.head == "row") {
    const Column* column = Find(schema, name.field);
    if (column != nullptr && !column->hidden)
      return fmt::format("{}.{}", kRow, QuoteIdentifier(column->name));
    const auto columns = VisibleNames(schema);
    const auto nearest = Nearest(name.field, columns);
    return Unknown(mark, name,
                   nearest ? fmt::format("did you mean 'row.{}'?", *nearest)
                           : fmt::format("the rows have: {}", Join(columns, ", ")));
  }
  if (Find(schema, kPartitionColumn) == nullptr) {
    return ConfigError(mark, fmt::format("'file.{}': these rows do not each come from one file; it "
                                         "is for rows of files, ahead of aggregate, join and sql",
                                         name.field));
  }
  const std::string path = fmt::format("{}.{}", kRow, QuoteIdentifier(kPartitionColumn));
  if (name.field == "name") return fmt::format("parse_filename({}, false, 'forward_slash')", path);
  if (name.field == "stem")
    return fmt::format("split_part(parse_filename({}, false, 'forward_slash'), '.', 1)", path);
  if (name.field == "folder") return fmt::format("regexp_replace({}, '/?[^/]*$', '')", path);
  return Unknown(mark, name, "there are file.stem, file.name, file.folder");
}

struct Part {
  std::string sql;
  bool of_rows = false, of_files = false, of_epochs = false;
};

Result<Part> ReadPart(Planning& planning, const std::string& expression,
                      const std::vector<Name>& names, const Schema& schema, const Mark& mark) {
  Part part;
  size_t at = 0;
  for (const Name& name : names) {
    part.sql += expression.substr(at, name.from - at) + TRY(SqlOf(name, schema, mark));
    at = name.from + name.size;
    part.of_rows = part.of_rows || name.head == "row";
    part.of_files = part.of_files || name.head == "file";
    part.of_epochs = part.of_epochs || name.head == "batch";
  }
  part.sql += expression.substr(at);
  const auto described = planning.session.Describe(
      fmt::format("SELECT ({}) AS v FROM {} AS {}", part.sql, relation::EmptyInput(schema), kRow),
      {{"sluice_batch", "BIGINT", "1"}});
  if (!described.ok()) {
    return ConfigError(
        mark, fmt::format(
                  "'{{{{ {} }}}}' cannot be computed of a row: {}", EscapeControl(Trim(expression)),
                  described.error().message.substr(0, described.error().message.find('\n'))));
  }
  part.sql = fmt::format("CAST(({}) AS VARCHAR)", part.sql);
  if (part.of_rows) {
    part.sql = fmt::format(
        "coalesce(nullif(regexp_replace(url_encode({}), '^\\.', '%2E'), ''), "
        "'__HIVE_DEFAULT_PARTITION__')",
        part.sql);
  }
  return part;
}

}  // namespace

Result<std::optional<PathTemplate>> ReadPaths(Planning& planning, Written& path,
                                              const relation::Node& rows, bool endless) {
  PathTemplate paths;
  bool depends = false, of_epochs = false;
  std::string text, literal;  // all of it; what is not in `paths.sql` yet
  const auto flush = [&] {
    if (literal.empty()) return;
    paths.sql += (paths.sql.empty() ? "" : " || ") + QuoteLiteral(literal);
    literal.clear();
  };
  for (const Piece& piece : ScanText(path.text)) {
    const auto names =
        piece.kind == Piece::Kind::kValue ? NamesIn(piece.text) : std::vector<Name>();
    if (names.empty()) {
      const std::string written =
          piece.kind == Piece::Kind::kValue ? "{{" + piece.text + "}}" : piece.text;
      const std::string value = TRY(planning.values.Text({written, path.mark, path.quoted}));
      text += value;
      literal += value;
      continue;
    }
    const Part part = TRY(ReadPart(planning, piece.text, names, rows.schema, path.mark));
    if (!depends) {
      paths.root = literal.substr(0, literal.rfind('/') + 1);
      literal = literal.substr(paths.root.size());
    }
    depends = true;
    flush();
    paths.sql += (paths.sql.empty() ? "" : " || ") + part.sql;
    paths.of_files = paths.of_files || part.of_files;
    of_epochs = of_epochs || part.of_epochs;
    text += "{{" + piece.text + "}}";
  }
  path.text = text;
  if (!depends) return std::optional<PathTemplate>();
  flush();
  // A folder gets a file per epoch, as where nothing depends on the rows.
  paths.of_epochs = of_epochs || EndsWith(text, "/");
  if (endless && !paths.of_epochs) {
    return ConfigError(path.mark,
                       "a source without an end writes new files with every epoch: put "
                       "{{ batch.id }} into the path, or end it in '/'");
  }
  return std::optional<PathTemplate>(std::move(paths));
}

bool LoadsNameFiles(const Planning& planning) {
  return std::any_of(planning.file.steps.begin(), planning.file.steps.end(), [](const auto& step) {
    const Node* path = step.verb == "load" && step.body.IsMap() ? step.body.Find("path") : nullptr;
    if (path == nullptr) return false;
    for (const Piece& piece : ScanText(path->scalar)) {
      if (piece.kind != Piece::Kind::kValue) continue;
      for (const Name& name : NamesIn(piece.text)) {
        if (name.head == "file") return true;
      }
    }
    return false;
  });
}

}  // namespace sluice
