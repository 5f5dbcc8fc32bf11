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

std::optional<EpochId> NumberOf(const std::string& path) {
  const std::string stem = FileStem(path);
  EpochId epoch;
  const auto [end, code] = std::from_chars(stem.data(), stem.data() + stem.size(), epoch.value);
  if (code != std::errc() || end != stem.data() + stem.size()) return std::nullopt;
  return epoch;
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
  // A name that leads out of the folder would let a manifest remove any file of the user's.
  for (const auto& [from, to] : manifest.renames) {
    if (LeadsOut(to)) return Damaged("a name leads out of the folder");
  }
  for (const std::string& name : manifest.removes) {
    if (LeadsOut(name)) return Damaged("a name leads out of the folder");
  }
  return manifest;
}

ManifestStore::ManifestStore(Depot& depot, const Lane& lane, std::string_view target)
    : depot_(depot),
      lane_folder_(".sluice/" + Fingerprint(lane.Key() + "\n" + std::string(target))),
      owner_(lane_folder_) {}

Result<std::vector<EpochId>> ManifestStore::Numbers(const std::string& pattern) const {
  std::vector<EpochId> numbers;
  for (const std::string& name : TRY(depot_.Names(pattern))) {
    if (const auto number = NumberOf(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<std::vector<EpochId>> ManifestStore::Epochs() const {
  return Numbers(lane_folder_ + "/*.json");
}

Result<Manifest> ManifestStore::Read(EpochId epoch) const {
  const std::string name = ManifestName(epoch);
  return ParseManifest(TRY(depot_.Read(name, kManifestLimit)))
      .While(fmt::format("reading '{}'", name));
}

Result<std::optional<Manifest>> ManifestStore::Last() const {
  const std::vector<EpochId> epochs = TRY(Epochs());
  if (epochs.empty()) return std::optional<Manifest>();
  return std::optional<Manifest>(TRY(Read(epochs.back())));
}

Result<EpochId> ManifestStore::Allocate() {
  TRY(depot_.MakeFolder(lane_folder_));
  int64_t last = 0;
  for (const char* pattern : {".sluice/*/*.json", ".sluice/*.claim"}) {
    const std::vector<EpochId> numbers = TRY(Numbers(pattern));
    if (!numbers.empty()) last = std::max(last, numbers.back().value);
  }
  while (true) {
    const EpochId epoch{++last};
    // Whole at once: a claim without its owner would never be swept.
    if (TRY(depot_.WriteNew(ClaimName(epoch), owner_, lane_folder_ + kClaiming,
                            Depot::Lasting::kSoon)))
      return epoch;
  }
}

void ManifestStore::Release(EpochId epoch) { (void)depot_.Remove(ClaimName(epoch)); }

Status ManifestStore::Decide(const Manifest& manifest) {
  const EpochId epoch = manifest.record.epoch;
  if (TRY(depot_.WriteNew(ManifestName(epoch), Serialise(manifest), DecidingName(epoch),
                          Depot::Lasting::kAtOnce)))
    return Ok();
  return RejectedError(fmt::format("epoch {} is decided already", epoch.value));
}

Status ManifestStore::RollForward(const Manifest& manifest) {
  const std::string landing = LandingName(manifest.record.epoch);
  TRY(depot_.Place(landing, manifest.renames));
  for (const std::string& name : manifest.removes) TRY(depot_.Remove(name));
  return depot_.Discard(landing);
}

Status ManifestStore::Sweep() {
  // Whoever decided may have died, or failed, before the decision itself was on disk.
  TRY(depot_.Settle(lane_folder_));
  const std::vector<EpochId> decided = TRY(Epochs());
  const auto is_decided = [&](EpochId epoch) {
    return std::binary_search(decided.begin(), decided.end(), epoch);
  };
  for (const EpochId epoch : TRY(Numbers(lane_folder_ + "/*.landing"))) {
    if (is_decided(epoch)) {
      TRY(RollForward(TRY(Read(epoch))));
    } else {
      TRY(depot_.Discard(LandingName(epoch)));
    }
  }
  for (const EpochId epoch : TRY(Numbers(lane_folder_ + "/*.staged"))) {
    if (!is_decided(epoch)) TRY(depot_.Remove(StagedName(epoch)));
  }
  for (const EpochId epoch : TRY(Numbers(lane_folder_ + "/*.deciding"))) {
    TRY(depot_.Remove(DecidingName(epoch)));
  }
  if (!TRY(depot_.Names(lane_folder_ + kClaiming)).empty())
    TRY(depot_.Remove(lane_folder_ + kClaiming));
  for (const EpochId epoch : TRY(Numbers(".sluice/*.claim"))) {
    const auto owner = depot_.Read(ClaimName(epoch), 4096);
    if (owner.ok() && *owner == owner_) Release(epoch);
  }
  if (!decided.empty()) TRY(RollForward(TRY(Read(decided.back()))));
  return Ok();
}

Result<std::vector<std::string>> ManifestStore::OldParts() const {
  const std::string name = lane_folder_ + kOldParts;
  if (!TRY(depot_.Exists(name))) return std::vector<std::string>();
  std::vector<std::string> parts;
  for (const std::string& line : Split(TRY(depot_.Read(name, kManifestLimit)), '\n')) {
    if (line.empty()) continue;
    if (LeadsOut(line)) return Damaged("a name leads out of the folder");
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
  std::vector<std::string> lines;
  for (const std::string& part : parts) {
    if (TRY(depot_.Exists(part))) lines.push_back(part);
  }
  TRY(depot_.Write(lane_folder_ + kOldParts, Join(lines, "\n") + "\n"));
  for (const EpochId epoch : old) TRY(depot_.Remove(ManifestName(epoch)));
  return Ok();
}

Status ManifestStore::Forget(EpochId epoch) {
  TRY(depot_.Remove(ManifestName(epoch)));
  return depot_.Remove(StagedName(epoch));
}

void ManifestStore::RemoveIfEmpty() {
  depot_.RemoveIfEmpty(lane_folder_);
  depot_.RemoveIfEmpty(".sluice");
}

}  // namespace sluice
