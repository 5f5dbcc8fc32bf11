// See sink.h.
#include "connector/file/sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "connector/file/manifest.h"
#include "connector/file/many.h"
#include "format/avro_shape.h"
#include "format/avro_writer.h"
#include "format/parquet.h"
#include "format/unpack.h"

namespace sluice {
namespace {

constexpr std::string_view kStagedFormat = "(FORMAT parquet)";

// Where a load writes, made exact.
struct Place {
  std::string shown;  // as the user wrote it
  std::string folder;
  std::string file;  // empty: the folder gets one file per epoch; of a template, its text
  std::optional<PathTemplate> paths;
  std::string extension, copy_options;
  std::optional<format::AvroCodec> avro;  // not COPY writes it, we do
};

std::string_view CodecOf(format::Packing packing) {
  return packing == format::Packing::kGzip   ? "gzip"
         : packing == format::Packing::kZstd ? "zstd"
                                             : "none";
}

// Of text: by the path's extension where the load does not say.
std::string TextCodec(const Load& load) {
  if (!load.compression.empty() && load.compression != "auto") return load.compression;
  return std::string(CodecOf(format::PackingOf(load.target)));
}

bool IsTsv(const Load& load) { return ToLower(load.target).find(".tsv") != std::string::npos; }

std::string CopyOptions(const std::string& format, const Load& load) {
  const std::string codec_option = fmt::format(", COMPRESSION {}", TextCodec(load));
  if (format == "csv") {
    return fmt::format("(FORMAT csv, HEADER true{}{})", IsTsv(load) ? ", DELIMITER '\t'" : "",
                       codec_option);
  }
  if (format == "ndjson") return fmt::format("(FORMAT json{})", codec_option);
  const std::string& compression = load.compression;
  const std::string codec = compression == "auto" || compression.empty() ? "snappy"
                            : compression == "none"                      ? "uncompressed"
                                                                         : compression;
  return fmt::format("(FORMAT parquet, COMPRESSION {})", codec);
}

format::AvroCodec AvroCodecOf(const Load& load) {
  const std::string& word = load.compression;
  return word == "none"     ? format::AvroCodec::kNull
         : word == "snappy" ? format::AvroCodec::kSnappy
         : word == "zstd"   ? format::AvroCodec::kZstandard
                            : format::AvroCodec::kDeflate;
}

// What is written must be what its name says, for readers go by the name.
Status CheckPacking(const Load& load, const std::string& format) {
  const std::string_view named = CodecOf(format::PackingOf(load.target));
  if (format == "parquet" || format == "avro") {
    if (named == "none") return Ok();
    return ConfigError(
        load.mark, fmt::format("'{}': {} packs itself; name it .{} and say "
                               "compression: {}",
                               load.target, format == "avro" ? "Avro" : "Parquet", format, named));
  }
  const std::string codec = TextCodec(load);
  if (codec == "snappy") {
    return ConfigError(
        load.mark, fmt::format("compression 'snappy' is for parquet and avro, '{}' is {}; gzip, "
                               "zstd and none are valid",
                               load.target, format));
  }
  if (EndsWith(load.target, "/") || codec == named) return Ok();
  return ConfigError(
      load.mark, codec == "none"
                     ? fmt::format("'{}' is named as packed, and compression is none", load.target)
                     : fmt::format("'{}' would be packed and not be named so; name it {}.{}",
                                   load.target, load.target, codec == "gzip" ? "gz" : "zst"));
}

Result<Place> PlaceOf(const Load& load, const std::string& project_folder) {
  if (!ValidUtf8(load.target) || load.target.find('\0') != std::string::npos) {
    return ConfigError(load.mark,
                       fmt::format("the path '{}' is not valid UTF-8", EscapeControl(load.target)));
  }
  if (!load.paths && load.target.find_first_of("*?") != std::string::npos) {
    return ConfigError(
        load.mark,
        fmt::format("'{}': a load writes one file, or a folder that ends in '/'; wildcards are for "
                    "reading",
                    load.target));
  }
  const std::string format = TRY(FormatOfTarget(load));
  TRY(CheckPacking(load, format));
  const std::string path = JoinPath(project_folder, load.target);
  Place place{.shown = load.target,
              .folder = ParentFolder(path),
              .file = FileName(path),
              .extension = format,
              .copy_options = CopyOptions(format, load)};
  if (format == "avro") {
    place.avro = AvroCodecOf(load);
    place.copy_options = kStagedFormat;
    if (auto held = format::AvroTableOf(Visible(load.schema)); !held.ok())
      return std::move(held).error().At(load.mark);
  }
  const bool text = format == "csv" || format == "ndjson";
  if (text && TextCodec(load) == "gzip") place.extension += ".gz";
  if (text && TextCodec(load) == "zstd") place.extension += ".zst";
  if (load.paths) {
    place.paths = load.paths;
    place.folder = ParentFolder(JoinPath(project_folder, load.paths->root) + "/x");
    place.file = load.target.substr(load.paths->root.size());
    if (EndsWith(load.target, "/")) {
      place.paths->sql +=
          fmt::format(" || 'part-' || $sluice_batch || {}", QuoteLiteral("." + place.extension));
    }
  } else if (EndsWith(path, "/")) {
    place.folder = path;
    while (place.folder.size() > 1 && EndsWith(place.folder, "/")) place.folder.pop_back();
    place.file.clear();
  }
  return place;
}

std::string ColumnList(const Load& load) {
  std::vector<std::string> names;
  for (const Column& column : Visible(load.schema)) names.push_back(QuoteIdentifier(column.name));
  return Join(names, ", ");
}

class FileLanding final : public Landing {  // owns its temporary file until the decision
 public:
  FileLanding(std::unique_ptr<sql::Session> session, Files& files, sql::Vessels& vessels,
              std::shared_ptr<Depot> depot, Place place, Load load, ManifestStore store, Lane lane,
              Visibility visibility, EpochId epoch, bool allocated)
      : session_(std::move(session)),
        files_(files),
        vessels_(vessels),
        depot_(std::move(depot)),
        place_(std::move(place)),
        load_(std::move(load)),
        store_(std::move(store)),
        lane_(std::move(lane)),
        visibility_(visibility),
        epoch_(epoch),
        allocated_(allocated) {}

  ~FileLanding() override {
    (void)session_->Rollback();
    if (!decided_) {
      (void)depot_->Discard(LandingName());
      if (visibility_ == Visibility::kStaging) (void)depot_->Remove(store_.StagedName(epoch_));
    }
    if (allocated_) store_.Release(epoch_);
    store_.RemoveIfEmpty();
  }

  EpochId epoch() const override { return epoch_; }
  sql::Session& session() override { return *session_; }

  Result<Landed> Write(size_t index, const std::string& select,
                       const std::vector<sql::Bound>& bound, std::stop_token stop) override {
    if (index != 0 || written_)
      return InternalError("a file takes one load, written once per epoch");
    if (visibility_ == Visibility::kTarget && place_.paths)
      return WriteMany(select, bound, std::move(stop));
    if (visibility_ == Visibility::kTarget) TRY(RefuseToAppend());
    const std::string path = TRY(depot_->DraftPath(LandingName(), Written()));
    auto rows = WriteOne(select, bound, path, stop);
    if (!rows.ok()) return Failed(std::move(rows).error());
    written_ = true;
    Landed landed{.rows = *rows, .bytes = TRY(files_.Facts(path)).size};
    TRY(Seal(path, *rows, std::move(stop)).While(fmt::format("writing '{}'", place_.shown)));
    if (visibility_ == Visibility::kTarget) landed.inserted = *rows;
    return landed;
  }

  Result<uint64_t> Run(const std::string&, const std::vector<sql::Bound>&,
                       std::stop_token) override {
    return ConfigError(load_.mark, "a file runs no statements; `in` needs a database");
  }

  Status Commit(const EpochRecord& record) override {
    if (record.epoch != epoch_ || record.lane != lane_)
      return InternalError("the record is of another epoch");
    TRY(RefuseStaleFence(record));
    Manifest manifest{
        .record = record, .renames = {}, .removes = removes_, .taken_back = taken_back_};
    if (visibility_ == Visibility::kTarget) {
      if (!written_) return InternalError("an epoch was committed that nothing was written for");
      manifest.renames = sealed_;
      // What is written anew is not removed.
      for (const auto& [from, to] : sealed_) std::erase(manifest.removes, to);
    }
    auto done = store_.Decide(manifest);
    decided_ = done.ok() || done.error().kind == ErrorKind::kUnsettled;
    if (!done.ok())
      return std::move(done).error().While(
          fmt::format("deciding epoch {} of '{}'", epoch_.value, place_.shown));
    auto rolled = store_.RollForward(manifest);
    if (!rolled.ok()) {
      return UnsettledError(fmt::format(
          "epoch {} of '{}' is decided, but its file could not be put in place ({}); the next run "
          "does it",
          epoch_.value, place_.shown, rolled.error().message));
    }
    return Ok();
  }

  void Remove(std::string name) { removes_.push_back(std::move(name)); }
  void TakeBack(const std::vector<EpochId>& epochs) { taken_back_ = epochs; }
  const Lane& lane() const { return lane_; }

 private:
  std::string LandingName() const { return store_.LandingName(epoch_); }
  std::string Written() const {
    return visibility_ == Visibility::kStaging ? store_.StagedName(epoch_) : LandingName();
  }

  // The visible columns; where the rows wait and their files count, those too.
  std::string StagedList() const {
    const bool files =
        visibility_ == Visibility::kStaging && place_.paths && place_.paths->of_files;
    return ColumnList(load_) + (files ? ", " + QuoteIdentifier(kPartitionColumn) : "");
  }

  Result<uint64_t> WriteOne(const std::string& select, const std::vector<sql::Bound>& bound,
                            const std::string& path, std::stop_token stop) {
    const bool staging = visibility_ == Visibility::kStaging;
    if (place_.avro && !staging) {
      return format::WriteAvro(*session_, {files_, vessels_, path, *place_.avro},
                               Visible(load_.schema), select, bound, std::move(stop));
    }
    return session_->Execute(
        fmt::format("COPY (SELECT {} FROM ({}) AS _rows) TO {} {}", StagedList(), select,
                    QuoteLiteral(path), staging ? std::string(kStagedFormat) : place_.copy_options),
        bound, std::move(stop));
  }

  // What COPY wrote as Parquet becomes what was asked for.
  Status ToAvro(const std::string& path, std::stop_token stop) {
    const std::string copied = path + ".parquet";
    TRY(files_.Rename(path, copied));
    TRY(format::WriteAvro(
        *session_, {files_, vessels_, path, *place_.avro}, Visible(load_.schema),
        fmt::format("SELECT {} FROM {}", ColumnList(load_), format::ReadParquet({copied})), {},
        std::move(stop)));
    return files_.Remove(copied);
  }

  // One file for each path that the rows say.
  Result<Landed> WriteMany(const std::string& select, std::vector<sql::Bound> bound,
                           std::stop_token stop) {
    const std::string folder = TRY(depot_->DraftFolder(LandingName()));
    bound.push_back({"sluice_batch", "BIGINT", std::to_string(epoch_.value)});
    TRY(session_->Execute(fmt::format("SET partitioned_write_max_open_files = {}", kMostFiles)));
    auto rows = session_->Execute(
        CopyMany(*place_.paths, Visible(load_.schema), select, folder, place_.copy_options), bound,
        stop);
    if (!rows.ok()) return Failed(std::move(rows).error());
    written_ = true;
    const std::vector<Draft> drafts =
        TRY(DraftsIn(files_, folder).While(fmt::format("writing '{}'", place_.shown)));
    if (load_.mode == Mode::kAppend) TRY(RefuseToReplace(drafts));
    for (const Draft& draft : drafts) {
      if (place_.avro) TRY(ToAvro(draft.path, stop));
    }
    Landed landed{.rows = *rows, .inserted = *rows};
    for (const Draft& draft : drafts) landed.bytes += TRY(files_.Facts(draft.path)).size;
    if (drafts.empty()) return landed;
    sealed_ = TRY(depot_->Seal(LandingName(), drafts, std::move(stop))
                      .While(fmt::format("writing '{}'", place_.shown)));
    return landed;
  }

  Status RefuseToReplace(const std::vector<Draft>& drafts) {
    if (place_.paths->of_epochs) return Ok();
    for (const Draft& draft : drafts) {
      const bool goes = std::find(removes_.begin(), removes_.end(), draft.name) != removes_.end();
      if (goes || !TRY(depot_->Exists(draft.name))) continue;
      return RejectedError(
                 fmt::format("append to '{}' would replace '{}', which is there already: put "
                             "{{{{ batch.id }}}} into the path, or say mode: overwrite",
                             place_.shown, draft.name))
          .At(load_.mark);
    }
    return Ok();
  }

  Status Seal(const std::string& path, uint64_t rows, std::stop_token stop) {
    const bool staged = visibility_ == Visibility::kStaging;
    // A folder gets no file without rows.
    if (!staged && place_.file.empty() && rows == 0) return Ok();
    const std::string name = staged ? store_.StagedName(epoch_) : FinalName();
    sealed_ = TRY(depot_->Seal(LandingName(), {{path, name}}, std::move(stop)));
    if (!staged || sealed_[0].first == name) return Ok();
    // What is staged has its name at once: nobody sees it there.
    TRY(depot_->Place(LandingName(), sealed_));
    return depot_->Discard(LandingName());
  }

  std::string FinalName() const {
    if (!place_.file.empty()) return place_.file;
    // A number that another sink gave out may be taken here by another lane.
    const std::string lane = allocated_ ? "" : Fingerprint(lane_.Key()).substr(0, 8) + "-";
    return fmt::format("part-{}{}.{}", lane, epoch_.value, place_.extension);
  }

  Status RefuseToAppend() {
    if (load_.mode != Mode::kAppend || place_.file.empty() || !taken_back_.empty()) return Ok();
    if (!TRY(depot_->Exists(place_.file))) return Ok();
    return RejectedError(fmt::format("append to one existing file '{}' would write all of it "
                                     "again: use a folder path "
                                     "('{}/') that gets one file per epoch, or mode: overwrite",
                                     place_.shown, FileStem(place_.shown)))
        .At(load_.mark);
  }

  Status RefuseStaleFence(const EpochRecord& record) {
    const auto last = TRY(store_.Last());
    if (!last || last->record.fence <= record.fence) return Ok();
    return RejectedError(fmt::format(
        "committing epoch {}: a later run has taken over this lane in '{}' (its fence is {}, ours "
        "{}); nothing was written, let that run finish",
        epoch_.value, place_.shown, last->record.fence.value, record.fence.value));
  }

  Error Failed(Error error) const {
    // A full disk does not empty itself: no retry.
    for (const char* hopeless :
         {"No space left", "Permission denied", "Read-only file system", "Disk quota"}) {
      if (error.message.find(hopeless) != std::string::npos) error.kind = ErrorKind::kRejected;
    }
    return std::move(error).While(fmt::format("writing '{}'", place_.shown));
  }

  std::unique_ptr<sql::Session> session_;
  Files& files_;
  sql::Vessels& vessels_;
  const std::shared_ptr<Depot> depot_;
  const Place place_;
  const Load load_;
  ManifestStore store_;
  const Lane lane_;
  const Visibility visibility_;
  const EpochId epoch_;
  const bool allocated_;
  bool written_ = false, decided_ = false;
  Sealed sealed_;
  std::vector<std::string> removes_;
  std::vector<EpochId> taken_back_;
};

class FileSink final : public Sink {
 public:
  FileSink(Place place, Files& files, sql::Database& database, std::shared_ptr<Depot> depot)
      : place_(std::move(place)), files_(files), database_(database), depot_(std::move(depot)) {}

  Result<Capabilities> Describe() override {
    return Capabilities{
        .atomicity = Atomicity::kRecorded,
        .modes = {Mode::kAppend, Mode::kOverwrite},
        .describe = fmt::format("{} {} ({})", place_.file.empty() ? "folder" : "file", place_.shown,
                                place_.extension),
        .one_publication = !place_.file.empty() && !(place_.paths && place_.paths->of_epochs)};
  }

  Result<std::optional<Schema>> Target(const Load&) override {
    if (place_.file.empty() || place_.paths || place_.extension != "parquet")
      return std::optional<Schema>();
    if (!TRY(depot_->Exists(place_.file))) return std::optional<Schema>();
    const std::string path = TRY(depot_->Fetch(place_.file, {}));
    const auto session = TRY(database_.Connect());
    return std::optional<Schema>(TRY(session->Describe(fmt::format(
        "SELECT * FROM read_parquet({}, hive_partitioning = false)", QuoteLiteral(path)))));
  }

  Status Prepare(const std::vector<Load>& loads, std::stop_token) override {
    for (const Load& load : loads) TRY(CheckMode(load));
    TRY(RefuseMany(loads));
    return depot_->MakeFolder("").While(fmt::format("preparing '{}'", place_.shown));
  }

  Result<std::optional<EpochRecord>> Last(const Lane& lane) override {
    const auto last = TRY(StoreOf(lane).Last());
    if (!last) return std::optional<EpochRecord>();
    return std::optional<EpochRecord>(last->record);
  }

  Result<std::vector<LoadedRange>> Loaded(const Lane& lane) override {
    const ManifestStore store = StoreOf(lane);
    std::vector<LoadedRange> loaded;
    std::set<EpochId> taken_back;
    for (const EpochId epoch : TRY(store.Epochs())) {
      const Manifest manifest = TRY(store.Read(epoch));
      taken_back.insert(manifest.taken_back.begin(), manifest.taken_back.end());
      for (const auto& [step, range] : manifest.record.ranges) {
        for (const Cut& cut : range.cuts) {
          if (!cut.identity.empty())
            loaded.push_back({cut.identity, manifest.record.fingerprint, epoch});
        }
      }
    }
    std::erase_if(loaded,
                  [&](const LoadedRange& range) { return taken_back.contains(range.epoch); });
    return loaded;
  }

  Result<std::unique_ptr<Landing>> Begin(const Lane& lane, const std::vector<Load>& loads,
                                         Visibility visibility,
                                         std::optional<EpochId> number) override {
    auto landing = TRY(Start(lane, loads, visibility, number));
    if (visibility == Visibility::kTarget && loads[0].mode == Mode::kOverwrite)
      TRY(RemoveParts(*landing));
    return std::unique_ptr<Landing>(std::move(landing));
  }

  Result<std::unique_ptr<Landing>> Publish(const Lane& lane, const std::vector<Load>& loads,
                                           std::optional<EpochId> number,
                                           std::vector<Landed>& landed,
                                           std::stop_token stop) override {
    auto landing = TRY(Start(lane, loads, Visibility::kTarget, number));
    if (loads[0].mode == Mode::kOverwrite) TRY(RemoveParts(*landing));
    const ManifestStore store = StoreOf(lane);
    std::vector<std::string> paths;
    for (const EpochId epoch : TRY(store.Epochs())) {
      const std::string name = store.StagedName(epoch);
      if (!TRY(depot_->Exists(name))) continue;
      paths.push_back(QuoteLiteral(TRY(depot_->Fetch(name, stop))));
      landing->Remove(name);
    }
    landed = {TRY(landing->Write(0, StagedRows(loads[0], paths), {}, std::move(stop)))};
    return std::unique_ptr<Landing>(std::move(landing));
  }

  Status Prune(const Lane& lane, uint64_t keep, Needed needed) override {
    return StoreOf(lane).Prune(keep, needed).While(fmt::format("pruning '{}'", place_.shown));
  }

  Status Sweep(const Lane& lane, EpochId decided) override {
    ManifestStore store = StoreOf(lane);
    // Epochs that were only staged and that the decider does not know never were.
    for (const EpochId epoch : TRY(store.Epochs())) {
      if (epoch > decided && !TRY(store.Read(epoch)).record.published) TRY(store.Forget(epoch));
    }
    return store.Sweep().While(fmt::format("clearing up '{}'", place_.shown));
  }

  Status TakeBack(Landing& landing, const std::vector<Load>& loads,
                  const std::vector<EpochId>& epochs) override {
    if (epochs.empty()) return Ok();
    auto& ours = static_cast<FileLanding&>(landing);  // of this sink's Begin
    ours.TakeBack(epochs);
    const bool one = !place_.file.empty() && !place_.paths;
    if (one || loads[0].mode != Mode::kAppend) return Ok();
    const ManifestStore store = StoreOf(ours.lane());
    const std::vector<EpochId> decided = TRY(store.Epochs());
    for (const EpochId epoch : epochs) {
      if (!std::binary_search(decided.begin(), decided.end(), epoch)) continue;
      for (const auto& [from, to] : TRY(store.Read(epoch)).renames) ours.Remove(to);
    }
    return Ok();
  }

 private:
  ManifestStore StoreOf(const Lane& lane) const {
    return ManifestStore(*depot_, lane, place_.file);
  }

  Status RefuseMany(const std::vector<Load>& loads) const {
    if (loads.size() == 1) return Ok();
    return ConfigError(
        loads.empty() ? Mark{} : loads[1].mark,
        fmt::format("{} loads write '{}'; give each its own path", loads.size(), place_.shown));
  }

  Result<std::unique_ptr<FileLanding>> Start(const Lane& lane, const std::vector<Load>& loads,
                                             Visibility visibility, std::optional<EpochId> number) {
    TRY(RefuseMany(loads));
    auto session = TRY(database_.Connect());
    ManifestStore store = StoreOf(lane);
    auto allocated = number ? Result<EpochId>(*number) : store.Allocate();
    if (number) TRY(depot_->MakeFolder(ParentFolder(store.LandingName(*number))));
    if (!allocated.ok()) {
      store.RemoveIfEmpty();
      return std::move(allocated).error().While(fmt::format("writing '{}'", place_.shown));
    }
    TRY(session->Begin());
    return std::make_unique<FileLanding>(std::move(session), files_, database_.vessels(), depot_,
                                         place_, loads[0], std::move(store), lane, visibility,
                                         *allocated, !number);
  }

  // Overwriting a folder: what was loaded there before goes once the new file is there.
  Status RemoveParts(FileLanding& landing) {
    if (!place_.file.empty() && !place_.paths) return Ok();
    const ManifestStore store = StoreOf(landing.lane());
    std::vector<std::string> parts = TRY(store.OldParts());
    for (const EpochId epoch : TRY(store.Epochs())) {
      for (const auto& [from, to] : TRY(store.Read(epoch)).renames) parts.push_back(to);
    }
    for (std::string& part : parts) {
      if (TRY(depot_->Exists(part))) landing.Remove(std::move(part));
    }
    return Ok();
  }

  static std::string StagedRows(const Load& load, const std::vector<std::string>& paths) {
    if (!paths.empty()) {
      return fmt::format(
          "SELECT * FROM read_parquet([{}], union_by_name = true, hive_partitioning = false)",
          Join(paths, ", "));
    }
    std::vector<std::string> columns;
    for (const Column& column : Visible(load.schema)) {
      columns.push_back(
          fmt::format("CAST(NULL AS {}) AS {}", column.type, QuoteIdentifier(column.name)));
    }
    if (load.paths) columns.push_back(fmt::format("NULL::VARCHAR AS {}", kPartitionColumn));
    return fmt::format("SELECT {} WHERE false", Join(columns, ", "));
  }

  const Place place_;
  Files& files_;
  sql::Database& database_;
  const std::shared_ptr<Depot> depot_;
};

}  // namespace

Result<std::string> FormatOfTarget(const Load& load) {
  if (!load.format.empty() && load.format != "auto") return load.format;
  if (EndsWith(load.target, "/")) return std::string("parquet");
  std::string name = ToLower(load.target);
  name.resize(name.size() - format::ExtensionOf(format::PackingOf(name)).size());
  if (EndsWith(name, ".csv") || EndsWith(name, ".tsv")) return std::string("csv");
  if (EndsWith(name, ".parquet")) return std::string("parquet");
  if (EndsWith(name, ".avro")) return std::string("avro");
  if (EndsWith(name, ".ndjson") || EndsWith(name, ".jsonl")) return std::string("ndjson");
  return ConfigError(
      load.mark,
      fmt::format(
          "'{}': the extension says no format; name it .csv, .tsv, .ndjson, .jsonl, .avro or "
          ".parquet, or set format: csv, ndjson, avro or parquet",
          load.target));
}

Result<std::unique_ptr<Sink>> MakeFileSink(const std::vector<Load>& loads,
                                           const ConnectorContext& context) {
  return MakeFileSink(loads, context, context.folder,
                      [&](const std::string& root) { return LocalDepot(context.files, root); });
}

Result<std::unique_ptr<Sink>> MakeFileSink(const std::vector<Load>& loads,
                                           const ConnectorContext& context,
                                           const std::string& folder, const MakeDepot& make_depot) {
  if (loads.empty()) return ConfigError({}, "a file runs no statements; `in` needs a database");
  Place place = TRY(PlaceOf(loads[0], folder));
  std::shared_ptr<Depot> depot = make_depot(place.folder);
  place.shown = depot->Shown(place.shown);
  return std::unique_ptr<Sink>(std::make_unique<FileSink>(std::move(place), context.files,
                                                          context.database, std::move(depot)));
}

}  // namespace sluice
