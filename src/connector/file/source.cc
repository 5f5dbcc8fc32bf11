// See source.h.
#include "connector/file/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>

#include "base/text.h"
#include "connector/file/counted_files.h"
#include "connector/file/hive.h"
#include "connector/file/left_out.h"
#include "connector/file/listing.h"
#include "connector/file/ndjson_feed.h"
#include "connector/file/path_values.h"
#include "connector/file/shape.h"
#include "format/json_records.h"
#include "format/ndjson.h"
#include "format/parquet.h"
#include "format/unpack.h"
#include "format/unpack_pipe.h"

namespace sluice {
namespace {

constexpr std::string_view kEnd = "end";
constexpr size_t kMostPipes = 64;

// "4096@89abcdef01234567", "end@…"
std::string PositionText(std::string_view to, std::string_view identity) {
  return fmt::format("{}@{}", to, identity);
}
struct FilePosition {
  std::string to, identity;
};
FilePosition ReadPosition(const std::string& text) {
  const size_t at = text.rfind('@');
  return at == std::string::npos ? FilePosition{text, ""}
                                 : FilePosition{text.substr(0, at), text.substr(at + 1)};
}

// A part of a file is identified by the file's identity and its bytes: "89abcdef01234567#0-4096".
std::string WholeIdentity(const Cut& cut) { return cut.identity.substr(0, cut.identity.find('#')); }

Result<uint64_t> ByteOf(const std::string& text, uint64_t size) {
  if (text == kEnd) return size;
  uint64_t byte = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), byte);
  if (code != std::errc() || stop != text.data() + text.size() || byte > size) {
    return RejectedError(fmt::format("'{}' is no position in a file of {} bytes", text, size));
  }
  return byte;
}

// Whole, or its last part: parts are loaded in their order.
bool IsLoaded(const std::string& identity, const std::set<std::string>& loaded) {
  if (loaded.contains(identity)) return true;
  const std::string prefix = identity + "#";
  for (auto part = loaded.lower_bound(prefix); part != loaded.end(); ++part) {
    if (!StartsWith(*part, prefix)) return false;
    if (EndsWith(*part, fmt::format("-{}", kEnd))) return true;
  }
  return false;
}

// Read by our decoders, in order; the others by DuckDB.
bool ByOurs(FileFormat format) {
  return format == FileFormat::kNdjson || format == FileFormat::kJson ||
         format == FileFormat::kAvro;
}
// Whose types are in the files themselves.
bool KnowsTypes(FileFormat format) {
  return format == FileFormat::kParquet || format == FileFormat::kAvro;
}

class FileSource final : public Source {
 public:
  FileSource(ExtractRequest request, Files& files, std::unique_ptr<Origin> origin)
      : request_(std::move(request)), files_(files), counted_(files), origin_(std::move(origin)) {}

  Result<SourceShape> Describe(sql::Session& session, std::stop_token stop) override {
    Status listed = List(stop);
    // Of a plan: what is missing now may be there when it runs, and the run asks again.
    const bool known =
        !request_.config.columns.empty() || (request_.pinned && !request_.pinned->empty());
    if (!listed.ok() && listed.error().kind == ErrorKind::kRejected) {
      if (known) return ShapeToCome(session, stop);
      Error missing = std::move(listed).error();
      missing.message += "; declare columns: to plan without it";
      return missing;
    }
    TRY(std::move(listed));
    SourceShape shape;
    shape.schema = TRY(Columns(session, stop));
    if (inferred_ && !KnowsTypes(format_)) shape.guessed = shape.schema;
    shape.ordered = ByOurs(format_);
    shape.named = request_.names_files && !shape.ordered;
    // Files are believed before their folders (path_values.h), and only one of Parquet says what it
    // has without being read.
    if (format_ == FileFormat::kParquet && !listed_.empty()) {
      shape.pushdown = TRY(ComparedByPaths(session, listed_, shape.schema));
      if (!request_.condition.empty()) TRY(LeaveOut(session, stop));
    }
    uint64_t bytes = 0;
    for (const ListedFile& file : listed_) bytes += file.size;
    const size_t all = listed_.size() + left_out_;
    shape.describe = fmt::format("{}{} file{}, {}, {}",
                                 left_out_ == 0 ? "" : fmt::format("{} of ", listed_.size()), all,
                                 all == 1 ? "" : "s", NameOf(format_), FormatBytes(bytes));
    return shape;
  }

  Result<std::optional<Range>> Freeze(const Position& from, const Limits& limits,
                                      std::stop_token stop) override {
    TRY(List(stop));
    Range range;
    const Limits bounded = WithinRoom(limits);
    Limits left = bounded;
    next_.clear();
    if (known_ == 0) known_ = done_ + LeftAfter(from);
    for (size_t i = 0; i < listed_.size(); ++i) {
      if (stop.stop_requested()) return CancelledError();
      const uint64_t begin = TRY(Begin(listed_[i], from));
      if (begin == UINT64_MAX) continue;
      const bool spent = !range.cuts.empty() && Spent(listed_[i], bounded, left);
      if (!spent) range.cuts.push_back(TRY(CutOf(listed_[i], begin, bounded, left, stop)));
      if (!spent && range.cuts.back().to == kEnd) continue;
      next_ = From(spent ? i : i + 1, from, bounded.bytes);
      return std::optional<Range>(std::move(range));
    }
    range.final = true;
    if (range.cuts.empty()) return std::optional<Range>();
    return std::optional<Range>(std::move(range));
  }

  Position After(const Position& from, const Range& range) const override {
    Position after = from;
    for (const Cut& cut : range.cuts)
      after[cut.partition] = PositionText(cut.to, WholeIdentity(cut));
    return after;
  }

  Position Kept(const Position& position) const override {
    Position kept;
    for (const auto& [partition, at] : position) {
      if (ReadPosition(at).to != kEnd) kept[partition] = at;
    }
    return kept;
  }

  Result<Position> Resume(Position kept, const std::set<std::string>& loaded) override {
    if (!List({}).ok()) return kept;  // Freeze says what is wrong
    for (ListedFile& file : listed_) {
      if (kept.contains(file.partition)) continue;
      if (file.identity.empty()) file.identity = TRY(origin_->IdentityOf(file));
      if (IsLoaded(file.identity, loaded)) kept[file.partition] = PositionText(kEnd, file.identity);
    }
    return kept;
  }

  std::vector<std::string> Unfinished(const Position& position) const override {
    std::vector<std::string> names;
    for (const ListedFile& file : listed_) {
      const auto found = position.find(file.partition);
      if (found == position.end() || ReadPosition(found->second).to != kEnd)
        names.push_back(file.partition);
    }
    return names;
  }

  Result<Opened> Open(const Range& range, sql::Session& session, std::stop_token stop) override {
    TRY(List(stop));
    const Schema schema = TRY(Columns(session, stop));
    TRY(Compare(range, "changed since it was chosen"));
    std::vector<ListedFile> files;
    for (const Cut& cut : range.cuts) files.push_back(TRY(FileOf(cut.partition)));
    TRY(origin_->Fetch(files, Origin::Extent::kWhole, stop));
    origin_->Expect(next_);
    TRY(BeginCount(range, files));
    Opened opened;
    if (format_ == FileFormat::kAvro) {
      opened.scan = TRY(FromAvro(session, counted_, files, schema));
    } else if (ByOurs(format_)) {
      opened.scan = TRY(ScanOf(range, files, schema, session));
    } else if (format_ == FileFormat::kParquet) {
      opened.from = TRY(Named(files, FromParquet(session, files, schema, Naming())));
      std::vector<std::string> paths;
      for (const ListedFile& file : files) paths.push_back(file.path);
      opened.rows_known = TRY(Named(files, format::ParquetRows(session, paths, stop)));
    } else {
      TRY(Named(files, OpenCsv(files, schema, session, stop, opened)));
    }
    if (format_ == FileFormat::kParquet && request_.names_files)
      opened.from = WithPartitions(opened.from, schema, files);
    return opened;
  }

  Status Verify(const Range& range) override { return Compare(range, "changed while it was read"); }

  Status Locate(std::vector<Letter>& letters) override {
    std::map<std::string, std::vector<Letter*>> by_file;
    for (Letter& letter : letters) {
      if (letter.offset >= 0 && !letter.partition.empty())
        by_file[letter.partition].push_back(&letter);
    }
    for (auto& [partition, found] : by_file) {
      if (format_ == FileFormat::kAvro) {  // an offset is the record's number
        for (Letter* letter : found) letter->line = letter->offset + 1;
        continue;
      }
      const Result<ListedFile> known = FileOf(partition);
      if (!known.ok()) continue;  // not one of ours
      std::vector<ListedFile> fetched{*known};
      TRY(origin_->Fetch(fetched, Origin::Extent::kWhole, {}));
      const ListedFile& file = fetched[0];
      std::sort(found.begin(), found.end(),
                [](const Letter* a, const Letter* b) { return a->offset < b->offset; });
      std::vector<int64_t> offsets;
      for (const Letter* letter : found) offsets.push_back(letter->offset);
      const auto open = TRY(format::OpenUnpacked(files_, file.path, partition));
      const std::vector<int64_t> lines = TRY(LinesOf(*open, offsets));
      for (size_t i = 0; i < found.size(); ++i) {
        if (found[i]->line < 0) found[i]->line = lines[i];
        if (found[i]->original.empty()) found[i]->original = TRY(LineAt(file, found[i]->offset));
      }
    }
    return Ok();
  }

  SourceProgress ReadSoFar(double share) const override {
    const double scanned = std::clamp(share, 0.0, 1.0) * static_cast<double>(by_duckdb_);
    const uint64_t now =
        std::min<uint64_t>(range_, counted_.bytes() + static_cast<uint64_t>(scanned));
    return {.read = done_ + now, .known = std::max<uint64_t>(known_, done_ + now)};
  }

  Status Release(const Range& range) override {
    done_ += range_.exchange(0);
    for (const Cut& cut : range.cuts) {
      if (cut.to == kEnd) origin_->Drop(cut.partition);
    }
    return Ok();
  }

 private:
  Result<SourceShape> ShapeToCome(sql::Session& session, std::stop_token stop) {
    const ExtractConfig& config = request_.config;
    const FileFormat format = TRY(FormatOf(config.format, {}, config.path.front()));
    SourceShape shape;
    shape.schema = TRY(Columns(session, stop));
    if (inferred_ && !KnowsTypes(format)) shape.guessed = shape.schema;
    shape.ordered = ByOurs(format);
    shape.named = request_.names_files && !shape.ordered;
    shape.describe = fmt::format("no file yet, {}", NameOf(format));
    return shape;
  }

  Status List(std::stop_token stop) {
    if (is_listed_) return Ok();
    const ExtractConfig& config = request_.config;
    listed_ = TRY(origin_->List(config.path, config.allow_empty, std::move(stop)));
    format_ = TRY(FormatOf(config.format, listed_, config.path.front()));
    is_listed_ = true;
    return CheckTold();
  }

  // Files whose paths say that none of their rows passes the condition, and which say nothing else
  // themselves, are as if they were not there.
  Status LeaveOut(sql::Session& session, std::stop_token stop) {
    const auto found = TRY(LeftOut(session, listed_, columns_, request_.condition));
    std::vector<ListedFile> files;
    for (const size_t i : found) files.push_back(listed_[i]);
    if (files.empty()) return Ok();
    TRY(origin_->Fetch(files, Origin::Extent::kFooter, stop));
    const auto others = SayOtherwise(session, files);
    for (const ListedFile& file : files) origin_->Drop(file.partition);
    if (!others.ok()) return Ok();  // one is damaged: reading it says so
    for (size_t i = files.size(); i-- > 0;) {
      if (others->contains(files[i].path)) continue;
      listed_.erase(listed_.begin() + static_cast<std::ptrdiff_t>(found[i]));
      ++left_out_;
    }
    return Ok();
  }

  Result<Schema> Columns(sql::Session& session, std::stop_token stop) {
    if (!columns_.empty()) return columns_;
    if (!request_.config.columns.empty()) {
      columns_ = TRY(DeclaredColumns(session, request_.config.columns));
    } else if (request_.pinned && !request_.pinned->empty()) {
      columns_ = *request_.pinned;
      inferred_ = true;
    } else {
      const Schema said = TRY(HiveColumns(session, listed_));
      std::vector<ListedFile> sample = listed_;
      sample.resize(std::min(sample.size(), kSampledFiles));
      TRY(origin_->Fetch(sample, SampleOf(sample), stop));
      columns_ = TRY(Named(sample, InferColumns(session, files_, format_, sample, Told(), stop)));
      for (const Column& column : said) {
        if (!columns_.empty() && !Find(columns_, column.name)) columns_.push_back(column);
      }
      inferred_ = true;
    }
    if (!columns_.empty()) return columns_;
    const Written& path = request_.config.path.front();
    return RejectedError(
               fmt::format("the columns of '{}' are not known, for {}; declare them in `columns:`",
                           path.text,
                           listed_.empty() ? "no file is there" : "nothing is in the files"))
        .At(path.mark);
  }

  // Local copies are ours: an error calls a file as the user does.
  template <class T>
  static Result<T> Named(const std::vector<ListedFile>& files, Result<T> result) {
    if (result.ok()) return result;
    Error error = std::move(result).error();
    for (const ListedFile& file : files) {
      if (file.path.find("/.sluice/") == std::string::npos) continue;
      for (size_t at = 0; (at = error.message.find(file.path, at)) != std::string::npos;)
        error.message.replace(at, file.path.size(), file.partition);
    }
    return error;
  }

  // What tells the columns of the files.
  Origin::Extent SampleOf(const std::vector<ListedFile>& files) const {
    if (format_ == FileFormat::kParquet) return Origin::Extent::kFooter;
    const bool whole = format_ == FileFormat::kJson || format_ == FileFormat::kAvro ||
                       std::any_of(files.begin(), files.end(), [](const ListedFile& file) {
                         return format::PackingOf(file.path) != format::Packing::kNone;
                       });
    return whole ? Origin::Extent::kWhole : Origin::Extent::kHead;
  }

  // Where to go on in the file; UINT64_MAX: it is done.
  Result<uint64_t> Begin(ListedFile& file, const Position& from) {
    const auto found = from.find(file.partition);
    if (file.identity.empty()) file.identity = TRY(origin_->IdentityOf(file));
    if (found == from.end()) return uint64_t{0};
    const FilePosition position = ReadPosition(found->second);
    const bool same = position.identity == file.identity;
    if (position.to == kEnd) return same ? UINT64_MAX : uint64_t{0};
    if (same) return ByteOf(position.to, file.size);
    return RejectedError(fmt::format(
        "'{}' changed after its first {} bytes were loaded; put the old file back, or load it anew "
        "with --again",
        file.partition, position.to));
  }

  // By name alone: who they are is asked when it is their turn.
  uint64_t LeftAfter(const Position& from) const {
    uint64_t bytes = 0;
    for (const ListedFile& file : listed_) {
      const auto found = from.find(file.partition);
      const Result<uint64_t> at = found == from.end()
                                      ? Result<uint64_t>(uint64_t{0})
                                      : ByteOf(ReadPosition(found->second).to, file.size);
      bytes += file.size - (at.ok() ? *at : 0);
    }
    return bytes;
  }

  // Our decoders say what they have read; of what DuckDB reads it knows a share.
  Status BeginCount(const Range& range, const std::vector<ListedFile>& files) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < files.size(); ++i) {
      bytes += TRY(ByteOf(range.cuts[i].to, files[i].size)) -
               TRY(ByteOf(range.cuts[i].from, files[i].size));
    }
    counted_.Reset();
    by_duckdb_ = ByOurs(format_) ? 0 : bytes;
    range_ = bytes;
    return Ok();
  }

  // The files from the i-th on that are not done, as many as one range more may hold.
  std::vector<ListedFile> From(size_t i, const Position& from, uint64_t bytes) {
    std::vector<ListedFile> files;
    if (origin_->room() == 0) return files;
    for (; i < listed_.size() && listed_[i].size <= bytes; ++i) {
      const Result<uint64_t> begin = Begin(listed_[i], from);
      if (!begin.ok()) break;
      if (*begin == UINT64_MAX) continue;
      bytes -= listed_[i].size;
      files.push_back(listed_[i]);
    }
    return files;
  }

  // Half of it: what is read next comes meanwhile.
  Limits WithinRoom(Limits limits) const {
    if (const uint64_t room = origin_->room() / 2; room > 0)
      limits.bytes = limits.bytes == 0 ? room : std::min(limits.bytes, room);
    return limits;
  }

  // Whether the range has no room for one more file.
  bool Spent(const ListedFile& file, const Limits& limits, const Limits& left) const {
    if (limits.rows > 0 && (left.rows == 0 || !Cuttable(file))) return true;
    if (limits.bytes == 0) return false;
    return left.bytes == 0 || (!Cuttable(file) && file.size > left.bytes);
  }

  // Whether a range may end inside the file.
  bool Cuttable(const ListedFile& file) const {
    return format_ == FileFormat::kNdjson && format::PackingOf(file.path) == format::Packing::kNone;
  }

  Result<Cut> CutOf(const ListedFile& file, uint64_t begin, const Limits& limits, Limits& left,
                    std::stop_token stop) {
    LineCut end{.to = file.size, .rows = 0};
    const bool fits = limits.rows == 0 && file.size - begin <= left.bytes;
    if (Cuttable(file) && (limits.rows > 0 || limits.bytes > 0) && begin < file.size && !fits) {
      std::vector<ListedFile> fetched{file};
      TRY(origin_->Fetch(fetched, Origin::Extent::kWhole, std::move(stop)));
      end = TRY(CutLines(files_, fetched[0].path, begin, file.size, left.rows, left.bytes));
    }
    left.rows -= std::min(left.rows, end.rows);
    left.bytes -= std::min(left.bytes, end.to - begin);
    const bool whole = end.to >= file.size;
    Cut cut{.partition = file.partition,
            .from = std::to_string(begin),
            .to = {},
            .identity = file.identity};
    cut.to = whole ? std::string(kEnd) : std::to_string(end.to);
    if (begin > 0 || !whole) cut.identity += fmt::format("#{}-{}", begin, cut.to);
    return cut;
  }

  Result<ListedFile> FileOf(const std::string& partition) {
    for (const ListedFile& file : listed_) {
      if (file.partition == partition) return file;
    }
    return origin_->Look(partition);
  }

  Status Compare(const Range& range, std::string_view fault) {
    for (const Cut& cut : range.cuts) {
      if (cut.identity.empty()) continue;
      const ListedFile file = TRY(FileOf(cut.partition));
      const Result<std::string> now = origin_->IdentityOf(file);
      if (!now.ok() && now.error().kind != ErrorKind::kRejected) return now.error();
      if (!now.ok() || *now != WholeIdentity(cut)) {
        return RejectedError(fmt::format(
            "'{}' {}; run again when it is complete (write it under another name, then rename it)",
            cut.partition, fault));
      }
    }
    return Ok();
  }

  Result<std::shared_ptr<sql::Scan>> ScanOf(const Range& range,
                                            const std::vector<ListedFile>& files,
                                            const Schema& schema, sql::Session& session) {
    const auto said = TRY(ReadPathValues(session, files, schema, {}, PhysicalOf));
    std::vector<FilePart> parts;
    for (size_t i = 0; i < files.size(); ++i) {
      const uint64_t size = TRY(files_.Facts(files[i].path)).size;
      parts.push_back({.path = files[i].path,
                       .partition = files[i].partition,
                       .from = TRY(ByteOf(range.cuts[i].from, size)),
                       .to = TRY(ByteOf(range.cuts[i].to, size)),
                       .to_its_end = !Cuttable(files[i])});
    }
    auto scan = std::make_shared<sql::Scan>();
    scan->schema = schema;
    scan->decoder = [schema, said](const std::vector<uint64_t>& projected) {
      const auto make = [&](const std::vector<uint64_t>& own) {
        return format::MakeNdjsonDecoder(schema, own);
      };
      return MakePathDecoder(said, projected, make, OwnDecoder::kKnowsThem);
    };
    scan->feed = MakeNdjsonFeed(
        [this](const FilePart& part) -> Result<std::unique_ptr<File>> {
          auto file = TRY(format::OpenUnpacked(counted_, part.path, part.partition));
          if (format_ == FileFormat::kNdjson) return file;
          return format::MakeJsonRecords(std::move(file), request_.config.records.text,
                                         part.partition);
        },
        std::move(parts));
    return scan;
  }

  Status OpenCsv(const std::vector<ListedFile>& files, const Schema& schema, sql::Session& session,
                 std::stop_token stop, Opened& opened) {
    const std::string rejects = fmt::format("sluice_rejects_{}_{}", request_.step, ++opened_count_);
    // A try that failed may have left them.
    TRY(session.Execute(fmt::format("DROP TABLE IF EXISTS temp.{}; DROP TABLE IF EXISTS temp.{}",
                                    QuoteIdentifier(rejects + "_errors"),
                                    QuoteIdentifier(rejects + "_scans"))));
    std::vector<ListedFile> read = files;
    const auto pipes = std::make_shared<Pipes>(TRY(Unpacked(read, stop)));
    opened.from =
        TRY(FromCsv(session, files_, files, read, schema, Told().csv, rejects, Naming(), stop));
    std::map<std::string, std::string> partitions;
    for (const ListedFile& file : read) partitions[file.path] = file.partition;
    opened.rejects = [rejects, partitions,
                      pipes](sql::Session& same) -> Result<std::vector<Letter>> {
      for (const auto& pipe : *pipes) TRY(pipe->Finish());
      std::vector<Letter> letters = TRY(format::TakeCsvRejects(same, rejects));
      for (Letter& letter : letters) {
        const auto found = partitions.find(letter.partition);
        if (found != partitions.end()) letter.source = letter.partition = found->second;
      }
      return letters;
    };
    if (request_.names_files) opened.from = WithPartitions(opened.from, schema, read);
    return Ok();
  }

  using Pipes = std::vector<std::unique_ptr<format::UnpackPipe>>;

  // What is packed gets the path of a pipe; where that would be too many threads, it is unpacked
  // twice: to be sure, and by DuckDB, which takes the end of a file that was cut off for its end.
  Result<Pipes> Unpacked(std::vector<ListedFile>& files, std::stop_token stop) {
    Pipes pipes;
    for (ListedFile& file : files) {
      if (format::PackingOf(file.path) == format::Packing::kNone) continue;
      if (pipes.size() == kMostPipes) {
        TRY(format::CheckPacked(files_, file.path, file.partition, stop));
        continue;
      }
      pipes.push_back(TRY(format::UnpackPipe::Start(counted_, file.path, file.partition)));
      by_duckdb_ -= file.size;
      file.path = pipes.back()->path();
    }
    return pipes;
  }

  WithFile Naming() const { return request_.names_files ? WithFile::kYes : WithFile::kNo; }

  // Each row with its file as the user calls it.
  static std::string WithPartitions(const std::string& from, const Schema& schema,
                                    const std::vector<ListedFile>& files) {
    std::string names, pairs;
    for (const Column& column : schema) names += "r." + QuoteIdentifier(column.name) + ", ";
    for (const ListedFile& file : files) {
      pairs += fmt::format("{}({}, {})", pairs.empty() ? "" : ", ", QuoteLiteral(file.path),
                           QuoteLiteral(file.partition));
    }
    return fmt::format(
        "(SELECT {}f.name AS {} FROM {} AS r JOIN (VALUES {}) AS f(path, name) ON r.{} = f.path)",
        names, kPartitionColumn, from, pairs, kFileColumn);
  }

  // A key about another format would have no effect.
  Status CheckTold() const {
    const ExtractConfig& config = request_.config;
    const bool csv = !config.delimiter.empty() || !config.quote.empty() || !config.header.empty() ||
                     !config.encoding.empty() || config.skip > 0;
    if (csv && format_ != FileFormat::kCsv) {
      return ConfigError(config.mark,
                         fmt::format("delimiter, quote, header, skip and encoding are for CSV; "
                                     "these files are {}",
                                     NameOf(format_)));
    }
    if (!config.records.empty() && format_ != FileFormat::kJson) {
      return ConfigError(config.records.mark,
                         fmt::format("'records' is the path to the list of records in a JSON "
                                     "document; these files are {}",
                                     NameOf(format_)));
    }
    return Ok();
  }

  FileTold Told() const {
    const ExtractConfig& config = request_.config;
    return {.csv = {.delimiter = config.delimiter == "tab" ? "\t" : config.delimiter,
                    .quote = config.quote == "double"   ? "\""
                             : config.quote == "single" ? "'"
                                                        : config.quote,
                    .encoding = config.encoding,
                    .header = config.header,
                    .skip = config.skip},
            .records = config.records.text};
  }

  Result<std::string> LineAt(const ListedFile& file, int64_t offset) {
    const auto open = TRY(format::OpenUnpacked(files_, file.path, file.partition));
    std::string line(format::kMaxOriginalBytes, '\0');
    line.resize(TRY(open->ReadAt(static_cast<uint64_t>(offset), line)));
    line.resize(std::min(line.find('\n'), line.size()));
    if (EndsWith(line, "\r")) line.pop_back();
    return line;
  }

  const ExtractRequest request_;
  Files& files_;
  CountedFiles counted_;  // what the decoders read
  const std::unique_ptr<Origin> origin_;
  bool is_listed_ = false;
  std::vector<ListedFile> listed_;
  size_t left_out_ = 0;           // files that are not listed, because their folders say enough
  std::vector<ListedFile> next_;  // after the range that was frozen last
  FileFormat format_ = FileFormat::kCsv;
  Schema columns_;
  bool inferred_ = false;
  int opened_count_ = 0;
  // In bytes: of all that is read, of ranges that are done, of the one that is open and what of it
  // DuckDB reads by itself.
  std::atomic<uint64_t> known_{0}, done_{0}, range_{0}, by_duckdb_{0};
};

}  // namespace

Result<std::unique_ptr<Source>> MakeFileSource(ExtractRequest request, Files& files,
                                               std::unique_ptr<Origin> origin) {
  const ExtractConfig& config = request.config;
  if (config.path.empty())
    return ConfigError(config.mark,
                       fmt::format("extract from {} needs `path`, a glob of the files to read",
                                   config.from.empty() ? "file" : config.from));
  if (!config.interval.empty()) {
    return ConfigError(config.interval.mark,
                       "files have no `interval`; write the date into the path, as in "
                       "path: \"orders/{{ ds }}.csv\"");
  }
  return std::unique_ptr<Source>(
      std::make_unique<FileSource>(std::move(request), files, std::move(origin)));
}

}  // namespace sluice
