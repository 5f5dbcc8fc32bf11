// Files that were written alike are read by one scan; those that were not, each in its own, in one
// UNION ALL.
#include "connector/file/shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "connector/file/hive.h"
#include "connector/file/path_values.h"
#include "format/avro_decoder.h"
#include "format/parquet.h"
#include "format/path_list.h"
#include "format/unpack.h"

namespace sluice {
namespace {

constexpr uint64_t kHeadBytes = 4096;
constexpr uint64_t kSniffedBytes = 4'000'000;
constexpr uint64_t kMostLineBytes = 2'000'000;  // DuckDB's limit of a line

std::string Quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += fmt::format("{}'{}'", text.empty() ? "" : ", ", name);
  return text;
}

std::vector<std::string> NamesOf(const Schema& schema) { return VisibleNames(schema); }

// The difference of names, worded: empty where they are the same.
std::string Difference(const Schema& file, const Schema& wanted) {
  std::vector<std::string> missing, added;
  for (const Column& column : wanted) {
    if (!Find(file, column.name)) missing.push_back(column.name);
  }
  for (const Column& column : file) {
    if (!Find(wanted, column.name)) added.push_back(column.name);
  }
  std::string text;
  if (!missing.empty()) text += "it lacks " + Quoted(missing);
  if (!added.empty()) text += (text.empty() ? "it has " : " and has ") + Quoted(added) + " besides";
  return text;
}

Error DoesNotFit(const ListedFile& file, const std::string& difference, const Schema& wanted) {
  return RejectedError(
      fmt::format("'{}' does not have the columns {}: {}; say what is right in `columns:`",
                  file.partition, Format(wanted), difference));
}

Result<std::string> HeadOf(Files& files, const ListedFile& listed) {
  const auto file = TRY(format::OpenUnpacked(files, listed.path, listed.partition));
  std::string head(kHeadBytes, '\0');
  head.resize(TRY(file->ReadAt(0, head)));
  return head;
}

// The sniffer takes minutes over such a line, and then shows all of it.
Status RefuseLongLine(Files& files, const ListedFile& file) {
  if (file.size <= kMostLineBytes && format::PackingOf(file.path) == format::Packing::kNone)
    return Ok();
  const auto open = TRY(format::OpenUnpacked(files, file.path, file.partition));
  std::string sample(kSniffedBytes, '\0');
  sample.resize(TRY(open->ReadAt(0, sample)));
  size_t line = 1;
  for (size_t from = 0; from < sample.size(); ++line) {
    const size_t end = std::min(sample.find_first_of("\r\n", from), sample.size());
    if (end - from > kMostLineBytes) {
      return DataError(fmt::format("{}:{}: a line of more than {} bytes; is this a CSV file?",
                                   file.partition, line, kMostLineBytes));
    }
    from = end + (sample.compare(end, 2, "\r\n") == 0 ? 2 : 1);
  }
  return Ok();
}

bool IsEmpty(const ListedFile& file, std::string_view head) {
  return file.size == 0 || head.empty() || head == "\xEF\xBB\xBF";
}

// Whether a CSV has more than its header: a header alone says nothing of types.
Result<bool> HasRows(Files& files, const ListedFile& file) {
  const auto open = TRY(format::OpenUnpacked(files, file.path, file.partition));
  std::string head(64 << 10, '\0');
  head.resize(TRY(open->ReadAt(0, head)));
  const size_t first = head.find_first_of("\r\n");
  return first != std::string::npos && head.find_first_not_of("\r\n", first) != std::string::npos;
}

// Objects of many or rare fields are maps to DuckDB. A record is none, however wide or sparse.
enum class Maps : uint8_t { kInferred, kNone };

// FROM over the records, for their types: the elements of the list at `records` as columns.
std::string RecordsOf(const std::string& paths, bool lines, const std::string& records, Maps maps) {
  const std::string read = fmt::format(
      "read_json({}, format='{}', ignore_errors={}, union_by_name=true, dateformat='iso', "
      "maximum_object_size={}{})",
      paths, lines ? "newline_delimited" : "auto", lines, lines ? 16 << 20 : 256 << 20,
      maps == Maps::kNone ? ", map_inference_threshold=-1, field_appearance_threshold=0" : "");
  if (records.empty()) return "SELECT * FROM " + read;
  std::string path;
  for (const std::string& part : Split(records, '.'))
    path += (path.empty() ? "" : ".") + QuoteIdentifier(part);
  return fmt::format("SELECT unnest(_record) FROM (SELECT unnest({}) AS _record FROM {})", path,
                     read);
}

Result<Schema> InferJson(sql::Session& session, const std::vector<ListedFile>& listed,
                         FileFormat format, const std::string& records) {
  std::vector<std::string> paths;
  for (size_t i = 0; i < std::min(listed.size(), kSampledFiles); ++i) {
    if (listed[i].size > 0) paths.push_back(listed[i].path);
  }
  if (paths.empty()) return Schema{};
  // Its rows are never used, for it hides bad lines; its idea of the types is.
  const auto describe = [&](Maps maps) {
    return session.Describe(
        RecordsOf(format::PathList(paths), format == FileFormat::kNdjson, records, maps));
  };
  Result<Schema> schema = describe(Maps::kInferred);
  // The elements of a list are not taken apart where they are maps: an error.
  if (!schema.ok() || (schema->size() == 1 && StartsWith(schema->at(0).type, "MAP(")))
    schema = describe(Maps::kNone);
  if (!schema.ok() && schema.error().kind != ErrorKind::kCancelled) {
    return RejectedError(fmt::format(
        "inferring the columns of '{}': {}; declare them in `columns:`", listed[0].partition,
        schema.error().message.substr(0, schema.error().message.find("\n\n"))));
  }
  return schema;
}

// Types are in the files; what DuckDB does not take (two fields that differ in case) is JSON.
Result<Schema> InferAvro(sql::Session& session, Files& files,
                         const std::vector<ListedFile>& listed) {
  Schema schema;
  for (size_t i = 0; i < std::min(listed.size(), kSampledFiles); ++i) {
    const auto file = TRY(format::OpenAvro(files, listed[i].path, listed[i].partition));
    Schema found = format::ColumnsOf(file->schema.root());
    for (Column& column : found) {
      auto type = session.Type(column.type);
      column.type = type.ok() ? std::move(type).value() : "JSON";
    }
    const std::string difference = schema.empty() ? "" : Difference(found, schema);
    if (!difference.empty()) return DoesNotFit(listed[i], difference, schema);
    if (schema.empty()) schema = found;
    for (Column& column : schema)
      column.type = TRY(Widen(session, column.type, Find(found, column.name)->type));
  }
  return schema;
}

// Files that are read by one scan have the same columns, and paths that say the same of their rows.
struct OwnColumns {
  Schema file;                              // the columns that the file itself must have
  std::map<std::string, std::string> path;  // the others, as SQL

  auto operator<=>(const OwnColumns&) const = default;
};

// What a path says counts where the file does not say it.
OwnColumns OwnOf(const ListedFile& file, const Schema& found, const Schema& schema) {
  OwnColumns own;
  for (const Column& column : schema) {
    const auto literal =
        Find(found, column.name) ? std::nullopt : HiveLiteral(file.partition, column);
    if (literal)
      own.path[column.name] = *literal;
    else
      own.file.push_back(column);
  }
  return own;
}

std::string SelectList(const Schema& schema, const OwnColumns& own, WithFile with_file) {
  std::string list;
  for (const Column& column : schema) {
    const auto literal = own.path.find(column.name);
    list += fmt::format("{}{}{}", list.empty() ? "" : ", ",
                        literal == own.path.end() ? "" : literal->second + " AS ",
                        QuoteIdentifier(column.name));
  }
  return with_file == WithFile::kYes ? fmt::format("{}, {}", list, kFileColumn) : list;
}

// The columns of a CSV file in its own order, with the names and types of `schema`.
Result<Schema> FitCsv(const format::CsvFacts& facts, const ListedFile& file, const Schema& schema) {
  if (!facts.dialect.header) {
    if (facts.columns.size() == schema.size()) return schema;
    return DoesNotFit(
        file,
        fmt::format("it has no header and {} columns, not {}", facts.columns.size(), schema.size()),
        schema);
  }
  const std::string difference = Difference(facts.columns, schema);
  if (!difference.empty()) return DoesNotFit(file, difference, schema);
  Schema ordered;
  for (const Column& column : facts.columns) ordered.push_back(*Find(schema, column.name));
  return ordered;
}

}  // namespace

Result<Schema> DeclaredColumns(sql::Session& session, const std::vector<NamedWritten>& columns) {
  Schema schema;
  for (const NamedWritten& column : columns) {
    const Mark& mark = column.value.mark;
    if (Find(schema, column.name))
      return ConfigError(column.mark, fmt::format("column '{}' is declared twice", column.name));
    auto type = session.Type(column.value.text);
    if (!type.ok()) {
      return ConfigError(mark, fmt::format("column '{}': '{}' is no type that DuckDB knows",
                                           column.name, column.value.text));
    }
    schema.push_back({.name = column.name, .type = *std::move(type)});
  }
  return schema;
}

Result<std::string> Widen(sql::Session& session, const std::string& a, const std::string& b) {
  if (a == b) return a;
  const Schema both = TRY(session.Describe(
      fmt::format("SELECT CAST(NULL AS {}) AS c UNION ALL SELECT CAST(NULL AS {})", a, b)));
  return both.at(0).type;
}

Result<format::CsvFacts> FactsOfCsv(sql::Session& session, Files& files, const ListedFile& file,
                                    const std::vector<std::string>& wanted,
                                    const format::CsvTold& told, std::stop_token stop) {
  const std::string head = TRY(HeadOf(files, file));
  if (IsEmpty(file, head)) return format::CsvFacts{};
  TRY(RefuseLongLine(files, file));
  format::CsvTold here = told;
  const std::string name = ToLower(file.path);
  if (here.delimiter.empty() && name.find(".tsv", name.rfind('/') + 1) != std::string::npos)
    here.delimiter = "\t";
  return format::SniffCsv(session, file.path, head, wanted, here, stop);
}

Result<Schema> InferColumns(sql::Session& session, Files& files, FileFormat format,
                            const std::vector<ListedFile>& listed, const FileTold& told,
                            std::stop_token stop) {
  if (format == FileFormat::kNdjson || format == FileFormat::kJson)
    return InferJson(session, listed, format, told.records);
  Schema schema;
  if (format == FileFormat::kAvro) return InferAvro(session, files, listed);
  bool only_header = false;  // what `schema` was made of
  for (size_t i = 0; i < std::min(listed.size(), kSampledFiles); ++i) {
    const bool header = format == FileFormat::kCsv && !TRY(HasRows(files, listed[i]));
    const Schema found =
        format == FileFormat::kParquet
            ? TRY(format::ParquetSchema(session, listed[i].path))
            : TRY(FactsOfCsv(session, files, listed[i], NamesOf(schema), told.csv, stop)).columns;
    if (found.empty()) continue;
    const std::string difference = schema.empty() ? "" : Difference(found, schema);
    if (!difference.empty()) return DoesNotFit(listed[i], difference, schema);
    if (schema.empty() || (only_header && !header)) {
      schema = found;
      only_header = header;
      continue;
    }
    if (header) continue;
    for (Column& column : schema)
      column.type = TRY(Widen(session, column.type, Find(found, column.name)->type));
  }
  return schema;
}

Result<std::string> FromCsv(sql::Session& session, Files& files,
                            const std::vector<ListedFile>& listed,
                            const std::vector<ListedFile>& read, const Schema& schema,
                            const format::CsvTold& told, const std::string& rejects,
                            WithFile with_file, std::stop_token stop) {
  const std::string file_column(with_file == WithFile::kYes ? kFileColumn : "");
  std::map<std::tuple<format::CsvDialect, Schema, OwnColumns>, std::vector<std::string>> alike;
  for (size_t i = 0; i < listed.size(); ++i) {
    const ListedFile& file = listed[i];
    const format::CsvFacts facts =
        TRY(FactsOfCsv(session, files, file, NamesOf(schema), told, stop));
    if (facts.columns.empty()) continue;
    OwnColumns own = OwnOf(file, facts.columns, schema);
    const Schema fitted = TRY(FitCsv(facts, file, own.file));
    alike[{facts.dialect, fitted, std::move(own)}].push_back(read[i].path);
  }
  std::string from;
  for (const auto& [written, paths] : alike) {
    const auto& [dialect, columns, own] = written;
    from += fmt::format("{}SELECT {} FROM {}", from.empty() ? "" : " UNION ALL ",
                        SelectList(schema, own, with_file),
                        format::ReadCsv(paths, dialect, columns, rejects, file_column));
  }
  if (!from.empty()) return "(" + from + ")";
  for (const Column& column : schema) {
    from += fmt::format("{}CAST(NULL AS {}) AS {}", from.empty() ? "" : ", ", column.type,
                        QuoteIdentifier(column.name));
  }
  if (with_file == WithFile::kYes) from += fmt::format(", NULL::VARCHAR AS {}", kFileColumn);
  return fmt::format("(SELECT {} WHERE false)", from);
}

Result<std::string> FromParquet(sql::Session& session, const std::vector<ListedFile>& listed,
                                const Schema& schema, WithFile with_file) {
  const std::string file_column(with_file == WithFile::kYes ? kFileColumn : "");
  std::map<std::pair<Schema, OwnColumns>, std::vector<std::string>> alike;
  for (const ListedFile& file : listed) {
    const Schema found = TRY(format::ParquetSchema(session, file.path));
    OwnColumns own = OwnOf(file, found, schema);
    const std::string difference = Difference(found, own.file);
    if (!difference.empty()) return DoesNotFit(file, difference, own.file);
    alike[{found, std::move(own)}].push_back(file.path);
  }
  std::string from;
  for (const auto& [written, paths] : alike) {
    const auto& [found, own] = written;
    std::string list;
    for (const Column& column : schema) {
      if (const auto literal = own.path.find(column.name); literal != own.path.end()) {
        list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", literal->second,
                            QuoteIdentifier(column.name));
        continue;
      }
      const Column& has = *Find(found, column.name);
      const bool same = has.type == column.type;
      if (!same && TRY(Widen(session, has.type, column.type)) != column.type) {
        return RejectedError(fmt::format(
            "'{}': column '{}' is {}, which {} does not hold; say what is right in `columns:`",
            paths[0], column.name, has.type, column.type));
      }
      const std::string name = QuoteIdentifier(column.name);
      list +=
          fmt::format("{}{}", list.empty() ? "" : ", ",
                      same ? name : fmt::format("CAST({} AS {}) AS {}", name, column.type, name));
    }
    if (with_file == WithFile::kYes) list += fmt::format(", {}", kFileColumn);
    from += fmt::format("{}SELECT {} FROM {}", from.empty() ? "" : " UNION ALL ", list,
                        format::ReadParquet(paths, file_column));
  }
  return "(" + from + ")";
}

Result<std::shared_ptr<sql::Scan>> FromAvro(sql::Session& session, Files& files,
                                            const std::vector<ListedFile>& listed,
                                            const Schema& schema) {
  auto by_name = std::make_shared<std::map<std::string, std::shared_ptr<const format::AvroFile>>>();
  format::AvroFiles parts;
  Schema has;  // what any of them has itself: there its path counts no more
  for (const ListedFile& file : listed) {
    parts.push_back(TRY(format::OpenAvro(files, file.path, file.partition)));
    by_name->emplace(file.partition, parts.back());
    const Schema columns = format::ColumnsOf(parts.back()->schema.root());
    has.insert(has.end(), columns.begin(), columns.end());
  }
  const auto said = TRY(ReadPathValues(session, listed, schema, has, NativeOf));
  const Schema own = WithoutPathValues(schema, *said);
  for (size_t i = 0; i < listed.size(); ++i) {
    const std::string difference = Difference(format::ColumnsOf(parts[i]->schema.root()), own);
    if (!difference.empty()) return DoesNotFit(listed[i], difference, own);
    TRY(format::FitAvro(*parts[i], own));
  }
  auto scan = std::make_shared<sql::Scan>();
  scan->schema = schema;
  scan->physical = NativeOf;
  scan->decoder = [by_name, own, said](const std::vector<uint64_t>& projected) {
    const auto make = [&](const std::vector<uint64_t>& columns) {
      return format::MakeAvroDecoder(by_name, own, columns);
    };
    return MakePathDecoder(said, projected, make, OwnDecoder::kLacksThem);
  };
  scan->feed = format::MakeAvroFeed(files, std::move(parts));
  return scan;
}

}  // namespace sluice
