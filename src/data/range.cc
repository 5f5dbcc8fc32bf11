// Records as one line of JSON. Equal records give equal text, and every record comes back equal,
// whatever bytes its strings hold: a string that is not UTF-8 (a file's name may be any bytes)
// travels as U+0001 and its bytes in hex.
#include "data/range.h"

#include <fmt/format.h>

#include <initializer_list>
#include <utility>

#include "base/hex.h"
#include "base/json_full.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr int64_t kFormat = 1;
constexpr char kHexMark = '\x01';

constexpr std::pair<const char*, uint64_t Counts::*> kCountNames[] = {
    {"in", &Counts::in},
    {"out", &Counts::out},
    {"filtered", &Counts::filtered},
    {"deduplicated", &Counts::deduplicated},
    {"rejected", &Counts::rejected},
    {"late", &Counts::late},
    {"skipped", &Counts::skipped},
};

std::string ToJsonText(const std::string& bytes) {
  if (ValidUtf8(bytes) && (bytes.empty() || bytes[0] != kHexMark)) return bytes;
  std::string text(1, kHexMark);
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

Result<std::string> FromJsonText(const std::string& text) {
  if (text.empty() || text[0] != kHexMark) return text;
  std::string bytes;
  for (size_t i = 1; i < text.size(); i += 2) {
    const int byte = HexByte(text, i);
    if (byte < 0) return RejectedError("a text in hex that is cut or not hex");
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

Error Unexpected(std::string_view what, const Json& found) {
  std::string text = found.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 80) + "…";
  return RejectedError(fmt::format("expected {}, found {}", what, EscapeControl(text)));
}

Status ExpectKeys(const Json& object, std::string_view what,
                  std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return Unexpected(fmt::format("{} as an object", what), object);
  for (const auto& item : object.items()) {
    bool found = false;
    for (std::string_view key : known) found = found || key == item.key();
    if (!found)
      return RejectedError(fmt::format("unknown key '{}' in {}", EscapeControl(item.key()), what));
  }
  return Ok();
}

Result<const Json*> Member(const Json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end()) return RejectedError(fmt::format("'{}' is missing", key));
  return &*found;
}

Result<std::string> TextOf(const Json& value, std::string_view what) {
  if (!value.is_string()) return Unexpected(fmt::format("{} as text", what), value);
  return FromJsonText(value.get_ref<const std::string&>());
}

Result<std::string> TextAt(const Json& object, const char* key) {
  return TextOf(*TRY(Member(object, key)), key);
}

Result<int64_t> NumberOf(const Json& value, std::string_view what) {
  const bool too_big =
      value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  if (!value.is_number_integer() || too_big)
    return Unexpected(fmt::format("{} as a whole number", what), value);
  return value.get<int64_t>();
}

Result<int64_t> NumberAt(const Json& object, const char* key) {
  return NumberOf(*TRY(Member(object, key)), key);
}

Result<bool> FlagAt(const Json& object, const char* key) {
  const Json& value = *TRY(Member(object, key));
  if (!value.is_boolean()) return Unexpected(fmt::format("'{}' as true or false", key), value);
  return value.get<bool>();
}

Json RangesToJson(const std::map<std::string, Range>& ranges) {
  Json all = Json::object();
  for (const auto& [step, range] : ranges) {
    Json cuts = Json::array();
    for (const Cut& cut : range.cuts) {
      Json one = {{"partition", ToJsonText(cut.partition)},
                  {"from", ToJsonText(cut.from)},
                  {"to", ToJsonText(cut.to)}};
      if (!cut.identity.empty()) one["identity"] = ToJsonText(cut.identity);
      cuts.push_back(std::move(one));
    }
    Json one = {{"cuts", std::move(cuts)}};
    one["final"] = range.final;
    all[ToJsonText(step)] = std::move(one);
  }
  return all;
}

Result<Cut> CutFromJson(const Json& json) {
  TRY(ExpectKeys(json, "a cut", {"partition", "from", "to", "identity"}));
  Cut cut{TRY(TextAt(json, "partition")), TRY(TextAt(json, "from")), TRY(TextAt(json, "to")), {}};
  if (json.contains("identity")) cut.identity = TRY(TextAt(json, "identity"));
  return cut;
}

Result<std::map<std::string, Range>> RangesFromJson(const Json& json) {
  if (!json.is_object()) return Unexpected("ranges as an object", json);
  std::map<std::string, Range> ranges;
  for (const auto& item : json.items()) {
    TRY(ExpectKeys(item.value(), "a range", {"cuts", "final"}));
    Range range;
    range.final = TRY(FlagAt(item.value(), "final"));
    const Json& cuts = *TRY(Member(item.value(), "cuts"));
    if (!cuts.is_array()) return Unexpected("cuts as an array", cuts);
    for (const Json& cut : cuts) range.cuts.push_back(TRY(CutFromJson(cut)));
    ranges.emplace(TRY(FromJsonText(item.key())), std::move(range));
  }
  return ranges;
}

// Zeros are left out: most fates of most steps are zero, and the record is written with every
// epoch.
Json CountsToJson(const Counts& counts) {
  Json json = Json::object();
  for (const auto& [name, member] : kCountNames) {
    if (counts.*member != 0) json[name] = counts.*member;
  }
  if (counts.held != 0) json["held"] = counts.held;
  return json;
}

Result<Counts> CountsFromJson(const Json& json) {
  TRY(ExpectKeys(json, "books",
                 {"in", "out", "filtered", "deduplicated", "rejected", "late", "skipped", "held"}));
  Counts counts;
  for (const auto& [name, member] : kCountNames) {
    auto found = json.find(name);
    if (found == json.end()) continue;
    // A document built from small literals holds signed numbers, a parsed one unsigned: both are
    // counts.
    if (!found->is_number_integer() ||
        (!found->is_number_unsigned() && found->get<int64_t>() < 0)) {
      return Unexpected(fmt::format("'{}' as a count", name), *found);
    }
    counts.*member = found->get<uint64_t>();
  }
  if (json.contains("held")) counts.held = TRY(NumberAt(json, "held"));
  return counts;
}

// Four numbers, or five, for the record is small and written with every epoch.
Json TakenToJson(const std::map<std::string, Taken>& taken) {
  Json json = Json::object();
  for (const auto& [step, one] : taken) {
    Json& numbers = json[ToJsonText(step)];
    numbers = {one.inserted, one.updated, one.unchanged, one.deleted};
    if (one.touched > 0) numbers.push_back(one.touched);
  }
  return json;
}

Result<std::map<std::string, Taken>> TakenFromJson(const Json& json) {
  if (!json.is_object()) return Unexpected("'taken' as an object", json);
  std::map<std::string, Taken> taken;
  for (const auto& item : json.items()) {
    uint64_t numbers[5] = {};
    const size_t size = item.value().is_array() ? item.value().size() : 0;
    if (size != 4 && size != 5) return Unexpected("four or five counts", item.value());
    for (size_t i = 0; i < size; ++i) {
      const int64_t number = TRY(NumberOf(item.value()[i], "a count"));
      if (number < 0) return Unexpected("a count", item.value()[i]);
      numbers[i] = static_cast<uint64_t>(number);
    }
    taken.emplace(TRY(FromJsonText(item.key())),
                  Taken{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]});
  }
  return taken;
}

Result<Lane> LaneFromJson(const Json& json) {
  if (!json.is_array() || json.size() != 4) return Unexpected("a lane of four texts", json);
  return Lane{TRY(TextOf(json[0], "project")), TRY(TextOf(json[1], "pipeline")),
              TRY(TextOf(json[2], "flow")), TRY(TextOf(json[3], "interval"))};
}

Status CheckFormat(const Json& json) {
  if (!json.is_object()) return Unexpected("an object", json);
  const int64_t format = TRY(NumberAt(json, "format"));
  if (format == kFormat) return Ok();
  return RejectedError(fmt::format(
      "format {} is not known (this sluice reads format {}): use the newer sluice that wrote it",
      format, kFormat));
}

Result<EpochRecord> RecordFromJson(const Json& json) {
  TRY(CheckFormat(json));
  TRY(ExpectKeys(json, "the record",
                 {"format", "lane", "epoch", "fence", "run", "fingerprint", "ranges", "position",
                  "watermarks", "fired", "books", "taken", "final", "published"}));
  EpochRecord record;
  record.lane = TRY(LaneFromJson(*TRY(Member(json, "lane"))));
  record.epoch = EpochId{TRY(NumberAt(json, "epoch"))};
  record.fence = FenceId{TRY(NumberAt(json, "fence"))};
  record.run = RunId{TRY(NumberAt(json, "run"))};
  record.fingerprint = TRY(TextAt(json, "fingerprint"));
  record.ranges = TRY(RangesFromJson(*TRY(Member(json, "ranges"))));
  const Json& position = *TRY(Member(json, "position"));
  if (!position.is_object()) return Unexpected("'position' as an object", position);
  for (const auto& item : position.items()) {
    record.position.emplace(TRY(FromJsonText(item.key())), TRY(TextOf(item.value(), "a position")));
  }
  const Json& watermarks = *TRY(Member(json, "watermarks"));
  if (!watermarks.is_object()) return Unexpected("'watermarks' as an object", watermarks);
  for (const auto& item : watermarks.items()) {
    record.watermarks.emplace(TRY(FromJsonText(item.key())),
                              Micros{TRY(NumberOf(item.value(), "a watermark"))});
  }
  if (json.contains("fired")) record.fired = Micros{TRY(NumberAt(json, "fired"))};
  const Json& books = *TRY(Member(json, "books"));
  if (!books.is_object()) return Unexpected("'books' as an object", books);
  for (const auto& item : books.items()) {
    record.books.emplace(TRY(FromJsonText(item.key())), TRY(CountsFromJson(item.value())));
  }
  if (json.contains("taken")) record.taken = TRY(TakenFromJson(json["taken"]));
  record.final = TRY(FlagAt(json, "final"));
  record.published = TRY(FlagAt(json, "published"));
  return record;
}

Error Damaged(std::string_view what, Error error) {
  error.kind = ErrorKind::kRejected;
  return std::move(error).While(what);
}

}  // namespace

std::string Lane::Key() const {
  std::string key;
  for (const std::string* part : {&project, &pipeline, &flow, &interval}) {
    if (part != &project) key += '/';
    for (const char c : *part) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '/' || c == '%' || byte < 0x20 || byte == 0x7f) {
        key += fmt::format("%{:02X}", byte);
      } else {
        key += c;
      }
    }
  }
  return key;
}

Counts& Counts::operator+=(const Counts& other) {
  for (const auto& [name, member] : kCountNames) this->*member += other.*member;
  held += other.held;
  return *this;
}

Taken& Taken::operator+=(const Taken& other) {
  inserted += other.inserted;
  updated += other.updated;
  unchanged += other.unchanged;
  deleted += other.deleted;
  touched += other.touched;
  return *this;
}

std::string Serialise(const std::map<std::string, Range>& ranges) {
  return RangesToJson(ranges).dump();
}

std::string Serialise(const EpochRecord& record) {
  Json json = {{"format", kFormat}};
  json["lane"] = {ToJsonText(record.lane.project), ToJsonText(record.lane.pipeline),
                  ToJsonText(record.lane.flow), ToJsonText(record.lane.interval)};
  json["epoch"] = record.epoch.value;
  json["fence"] = record.fence.value;
  json["run"] = record.run.value;
  json["fingerprint"] = ToJsonText(record.fingerprint);
  json["ranges"] = RangesToJson(record.ranges);
  json["position"] = Json::object();
  for (const auto& [key, at] : record.position) json["position"][ToJsonText(key)] = ToJsonText(at);
  json["watermarks"] = Json::object();
  for (const auto& [key, at] : record.watermarks) json["watermarks"][ToJsonText(key)] = at.count();
  if (record.fired.count() != INT64_MIN) json["fired"] = record.fired.count();
  json["books"] = Json::object();
  for (const auto& [step, counts] : record.books)
    json["books"][ToJsonText(step)] = CountsToJson(counts);
  if (!record.taken.empty()) json["taken"] = TakenToJson(record.taken);
  json["final"] = record.final;
  json["published"] = record.published;
  return json.dump();
}

Result<EpochRecord> ParseEpochRecord(std::string_view text) {
  auto json = ParseJson(text);
  if (!json.ok()) return Damaged("reading an epoch record", std::move(json).error());
  auto record = RecordFromJson(*json);
  if (!record.ok()) return Damaged("reading an epoch record", std::move(record).error());
  return record;
}

Result<std::map<std::string, Range>> ParseRanges(std::string_view text) {
  auto json = ParseJson(text);
  if (!json.ok()) return Damaged("reading ranges", std::move(json).error());
  auto ranges = RangesFromJson(*json);
  if (!ranges.ok()) return Damaged("reading ranges", std::move(ranges).error());
  return ranges;
}

}  // namespace sluice
