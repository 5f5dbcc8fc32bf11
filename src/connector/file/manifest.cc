// See manifest.h.
#include "connector/file/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr const char* kClaiming = "/claiming";  // in the lane's folder

constexpr const char* kOldParts = "/parts";  // likewise
constexpr int kFormat = 1;
constexpr uint64_t kManifestLimit = 64 << 20;

// A path as a glob that matches nothing else.
std::string EscapeGlob(std::string_view path) {
  std::string pattern;
  for (const char c : path)
    pattern += c == '*' || c == '?' || c == '[' ? fmt::format("[{}]", c) : std::string(1, c);
  return pattern;
}

std::optional<EpochId> NumberOf(const std::string& path) {
  const std::string stem = FileStem(path);
  EpochId epoch;
  const auto [end, code] = std::from_chars(stem.data(), stem.data() + stem.size(), epoch.value);
  if (code != std::errc() || end != stem.data() + stem.size()) return std::nullopt;
  return epoch;
}

bool Outside(const std::string& name) {
  return StartsWith(name, "/") || name.find("..") != std::string::npos;
}

Error Damaged(std::string_view what) {
  return RejectedError(
      fmt::format("the manifest is damaged: {}; it was written by something else", what));
}

}  // namespace

std::string Serialise(const Manifest& manifest) {
  Json json{{"format", kFormat},
            {"record", Serialise(manifest.record)},
            {"renames", manifest.renames},
            {"removes", manifest.removes},
            {"taken_back", Json::array()}};
  for (const EpochId epoch : manifest.taken_back) json["taken_back"].push_back(epoch.value);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Manifest> ParseManifest(std::string_view text) {
  const Json json = TRY(ParseJson(text));
  if (!json.is_object() || json.value("format", Json()) != kFormat)
    return Damaged("it is of an unknown format");
  Manifest manifest;
  try {
    manifest.record = TRY(ParseEpochRecord(json.at("record").get<std::string>()));
    json.at("renames").get_to(manifest.renames);
    json.at("removes").get_to(manifest.removes);
    for (const Json& epoch : json.at("taken_back"))
      manifest.taken_back.push_back({epoch.get<int64_t>()});
  } catch (const Json::exception& problem) {
    return Damaged(problem.what());
  }
  // A name that leads out of the folder would let a manifest move any file of the user's.
  for (const auto& [from, to] : manifest.renames) {
    if (Outside(from) || Outside(to)) return Damaged("a name leads out of the folder");
  }
  for (const std::string& name : manifest.removes) {
    if (Outside(name)) return Damaged("a name leads out of the folder");
  }
  return manifest;
}

ManifestStore::ManifestStore(Files& files, std::string folder, const Lane& lane,
                             std::string_view target)
    : files_(files),
      folder_(std::move(folder)),
      lane_folder_(".sluice/" + Fingerprint(lane.Key() + "\n" + std::string(target))),
      owner_(lane_folder_) {}

Result<std::vector<EpochId>> ManifestStore::Numbers(const std::string& pattern) const {
  std::vector<EpochId> numbers;
  for (const std::string& path : TRY(files_.Glob(EscapeGlob(folder_) + "/" + pattern))) {
    if (const auto number = NumberOf(path)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<std::vector<EpochId>> ManifestStore::Epochs() const {
  return Numbers(lane_folder_ + "/*.json");
}

Result<Manifest> ManifestStore::Read(EpochId epoch) const {
  const std::string path = Full(ManifestName(epoch));
  return ParseManifest(TRY(files_.ReadAll(path, kManifestLimit)))
      .While(fmt::format("reading '{}'", path));
}

Result<std::optional<Manifest>> ManifestStore::Last() const {
  const std::vector<EpochId> epochs = TRY(Epochs());
  if (epochs.empty()) return std::optional<Manifest>();
  return std::optional<Manifest>(TRY(Read(epochs.back())));
}

Result<EpochId> ManifestStore::Allocate() {
  TRY(files_.MakeFolders(Full(lane_folder_)));
  int64_t last = 0;
  for (const char* pattern : {".sluice/*/*.json", ".sluice/*.claim"}) {
    const std::vector<EpochId> numbers = TRY(Numbers(pattern));
    if (!numbers.empty()) last = std::max(last, numbers.back().value);
  }
  // Written before it has its name: a claim without its owner would never be swept.
  const std::string writing = Full(lane_folder_) + kClaiming;
  {
    const auto file = TRY(files_.Open(writing, Files::Mode::kTruncate));
    TRY(file->Append(owner_));
  }
  while (true) {
    const EpochId epoch{++last};
    const std::string claim = Full(ClaimName(epoch));
    auto claimed = files_.RenameNoReplace(writing, claim);
    if (claimed.ok()) return epoch;
    if (!files_.Exists(claim)) return std::move(claimed).error();
  }
}

void ManifestStore::Release(EpochId epoch) { (void)files_.Remove(Full(ClaimName(epoch))); }

Status ManifestStore::Decide(const Manifest& manifest) {
  const std::string final_path = Full(ManifestName(manifest.record.epoch));
  const std::string writing =
      Full(lane_folder_) + "/" + std::to_string(manifest.record.epoch.value) + ".deciding";
  {
    const auto file = TRY(files_.Open(writing, Files::Mode::kTruncate));
    TRY(file->Append(Serialise(manifest)));
    TRY(file->Sync());
  }
  TRY(files_.SyncFolder(Full(lane_folder_)));
  TRY(files_.RenameNoReplace(writing, final_path));
  // From here on it is decided, on disk or not yet: only the record can say.
  auto synced = files_.SyncFolder(Full(lane_folder_));
  if (!synced.ok()) return UnsettledError(synced.error().message);
  return Ok();
}

Status ManifestStore::RollForward(const Manifest& manifest) {
  for (const auto& [from, to] : manifest.renames) {
    if (files_.Exists(Full(from))) TRY(files_.Rename(Full(from), Full(to)));
  }
  TRY(files_.SyncFolder(folder_));
  for (const std::string& name : manifest.removes) TRY(files_.Remove(Full(name)));
  return Ok();
}

Status ManifestStore::Sweep() {
  if (!files_.Exists(Full(lane_folder_))) return Ok();
  // Whoever decided may have died, or failed, before the decision itself was on disk.
  TRY(files_.SyncFolder(Full(lane_folder_)));
  const std::vector<EpochId> decided = TRY(Epochs());
  const auto is_decided = [&](EpochId epoch) {
    return std::binary_search(decided.begin(), decided.end(), epoch);
  };
  for (const EpochId epoch : TRY(Numbers(lane_folder_ + "/*.landing"))) {
    if (is_decided(epoch)) {
      TRY(RollForward(TRY(Read(epoch))));
    } else {
      TRY(files_.Remove(Full(LandingName(epoch))));
    }
  }
  for (const EpochId epoch : TRY(Numbers(lane_folder_ + "/*.staged"))) {
    if (!is_decided(epoch)) TRY(files_.Remove(Full(StagedName(epoch))));
  }
  for (const EpochId epoch : TRY(Numbers(lane_folder_ + "/*.deciding"))) {
    TRY(files_.Remove(Full(lane_folder_) + "/" + std::to_string(epoch.value) + ".deciding"));
  }
  if (const std::string claiming = Full(lane_folder_) + kClaiming; files_.Exists(claiming)) {
    TRY(files_.Remove(claiming));
  }
  for (const EpochId epoch : TRY(Numbers(".sluice/*.claim"))) {
    const auto owner = files_.ReadAll(Full(ClaimName(epoch)), 4096);
    if (owner.ok() && *owner == owner_) Release(epoch);
  }
  if (!decided.empty()) TRY(RollForward(TRY(Read(decided.back()))));
  return Ok();
}

Result<std::vector<std::string>> ManifestStore::OldParts() const {
  const std::string path = Full(lane_folder_) + kOldParts;
  if (!files_.Exists(path)) return std::vector<std::string>();
  std::vector<std::string> parts;
  for (const std::string& line : Split(TRY(files_.ReadAll(path, kManifestLimit)), '\n')) {
    if (line.empty()) continue;
    if (Outside(line)) return Damaged("a name leads out of the folder");
    parts.push_back(line);
  }
  return parts;
}

Status ManifestStore::Prune(uint64_t keep, Needed needed) {
  const std::vector<EpochId> epochs = TRY(Epochs());
  keep = std::max<uint64_t>(keep, 1);
  if (epochs.size() <= keep) return Ok();
  std::vector<EpochId> old;
  std::set<std::string> parts;
  for (const std::string& part : TRY(OldParts())) parts.insert(part);
  for (size_t i = 0; i + keep < epochs.size(); ++i) {
    const Manifest manifest = TRY(Read(epochs[i]));
    const bool named = std::any_of(
        manifest.record.ranges.begin(), manifest.record.ranges.end(), [](const auto& range) {
          return std::any_of(range.second.cuts.begin(), range.second.cuts.end(),
                             [](const Cut& cut) { return !cut.identity.empty(); });
        });
    if (!manifest.record.published || !manifest.taken_back.empty() ||
        (named && needed == Needed::kIdentities))
      continue;
    old.push_back(epochs[i]);
    for (const auto& [from, to] : manifest.renames) parts.insert(to);
  }
  if (old.empty()) return Ok();
  std::erase_if(parts, [&](const std::string& part) { return !files_.Exists(Full(part)); });
  const std::vector<std::string> lines(parts.begin(), parts.end());
  TRY(WriteAtomically(files_, Full(lane_folder_) + kOldParts, Join(lines, "\n") + "\n"));
  for (const EpochId epoch : old) TRY(files_.Remove(Full(ManifestName(epoch))));
  return Ok();
}

Status ManifestStore::Forget(EpochId epoch) {
  TRY(files_.Remove(Full(ManifestName(epoch))));
  return files_.Remove(Full(StagedName(epoch)));
}

void ManifestStore::RemoveIfEmpty() {
  (void)files_.Remove(Full(lane_folder_));
  (void)files_.Remove(Full(".sluice"));
}

}  // namespace sluice
