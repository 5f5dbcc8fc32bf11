// See depot.h.
#include "connector/s3/depot.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <map>

#include "base/glob.h"
#include "base/json_full.h"
#include "base/text.h"
#include "connector/file/spool.h"
#include "connector/s3/at_once.h"
#include "connector/s3/bucket.h"
#include "connector/s3/download.h"
#include "connector/s3/upload.h"

namespace sluice::s3 {
namespace {

constexpr uint64_t kIntentLimit = 64 << 20;

struct Upload {
  std::string id, mark;
  std::vector<Part> parts;
};

std::string Serialise(const Upload& upload) {
  Json json{{"upload", upload.id}, {"mark", upload.mark}, {"parts", Json::array()}};
  for (const Part& part : upload.parts) json["parts"].push_back(part.etag);
  return json.dump();
}

Result<Upload> ParseUpload(const std::string& text) {
  const Json json = TRY(ParseJson(text));
  Upload upload;
  try {
    json.at("upload").get_to(upload.id);
    json.at("mark").get_to(upload.mark);
    for (const Json& etag : json.at("parts"))
      upload.parts.push_back({static_cast<int>(upload.parts.size()) + 1, etag.get<std::string>()});
  } catch (const Json::exception& problem) {
    return RejectedError(fmt::format("the manifest is damaged: {}", problem.what()));
  }
  return upload;
}

std::string NewMark() {
  uint64_t number[2] = {0, 0};
  if (::getrandom(number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) return "";
  return fmt::format("{:016x}{:016x}", number[0], number[1]);
}

class Objects final : public Depot {
 public:
  Objects(const Settings& settings, const ConnectorContext& context, std::string root)
      : settings_(settings), context_(context), prefix_(root == "." ? "" : root + "/") {}

  std::string Shown(const std::string& target) const override {
    return fmt::format("s3://{}/{}", settings_.bucket.text, target);
  }

  Result<std::vector<std::string>> Names(const std::string& pattern) override {
    Bucket* bucket = TRY(Reach());
    std::vector<std::string> names;
    for (const Object& object : TRY(bucket->List(prefix_ + GlobPrefix(pattern), {}))) {
      std::string name = object.key.substr(prefix_.size());
      if (MatchesPath(pattern, name)) names.push_back(std::move(name));
    }
    return names;
  }
  Result<bool> Exists(const std::string& name) override {
    Bucket* bucket = TRY(Reach());
    return TRY(bucket->Look(prefix_ + name, {})).has_value();
  }
  Result<std::string> Read(const std::string& name, uint64_t limit) override {
    Bucket* bucket = TRY(Reach());
    auto bytes = TRY(bucket->GetAll(prefix_ + name, limit, {}));
    if (!bytes) return RejectedError(fmt::format("'{}' is gone", Shown(prefix_ + name)));
    return std::move(*bytes);
  }
  Status Write(const std::string& name, std::string_view bytes) override {
    Bucket* bucket = TRY(Reach());
    return bucket->Put(prefix_ + name, bytes, {});
  }
  Result<bool> WriteNew(const std::string& name, std::string_view bytes, const std::string&,
                        Lasting lasting) override {
    Bucket* bucket = TRY(Reach());
    for (int64_t tries = 1;; ++tries) {
      auto written = bucket->PutNew(prefix_ + name, bytes, {});
      const bool lost = !written.ok() && written.error().kind == ErrorKind::kUnsettled;
      if (!lost || lasting == Lasting::kAtOnce) return written;
      // No decision hangs on it: what is there says whose it is.
      const auto there = TRY(bucket->GetAll(prefix_ + name, bytes.size(), {}));
      if (there) return *there == bytes;
      if (tries == settings_.attempts) return TransientError(written.error().message);
    }
  }
  Status Remove(const std::string& name) override {
    Bucket* bucket = TRY(Reach());
    return bucket->Remove(prefix_ + name, {});
  }
  // There are no folders, and what was answered is durable.
  Status MakeFolder(const std::string&) override { return Ok(); }
  Status Settle(const std::string&) override {
    if (spool_ == nullptr) Spool::Sweep(context_.files, SpoolRoot(context_));
    return Ok();
  }
  void RemoveIfEmpty(const std::string&) override {}

  Result<std::string> DraftPath(const std::string& landing, const std::string& name) override {
    const std::string path = TRY(LocalPath(name));
    drafts_[landing].push_back(path);
    return path;
  }

  Result<std::string> DraftFolder(const std::string& landing) override {
    return DraftPath(landing, landing);
  }

  Result<Sealed> Seal(const std::string& landing, const std::vector<Draft>& drafts,
                      std::stop_token stop) override {
    Bucket* bucket = TRY(Reach());
    Json keys = Json::array();
    for (const Draft& draft : drafts) keys.push_back(draft.name);
    TRY(bucket->Put(prefix_ + landing, keys.dump(), stop));
    // One file in many parts, or many files.
    const auto readers = static_cast<size_t>(settings_.readers);
    const size_t files = drafts.size() < readers ? 1 : readers, parts = readers / files;
    Sealed sealed(drafts.size());
    TRY(AtOnce(
        drafts.size(), files, std::move(stop), [&](size_t i, std::stop_token ended) -> Status {
          const Draft& draft = drafts[i];
          const std::string key = prefix_ + draft.name;
          Upload upload{.id = {}, .mark = NewMark(), .parts = {}};
          upload.id = TRY(bucket->StartUpload(key, upload.mark, ended));
          upload.parts =
              TRY(UploadFile(*bucket, context_.files, draft.path, key, upload.id, parts, ended));
          (void)context_.files.Remove(draft.path);
          sealed[i] = {Serialise(upload), draft.name};
          return Ok();
        }));
    return sealed;
  }

  Status Place(const std::string& landing, const Sealed& sealed) override {
    Bucket* bucket = TRY(Reach());
    if (sealed.empty() || !TRY(Exists(landing))) return Ok();
    return AtOnce(sealed.size(), static_cast<size_t>(settings_.readers), {},
                  [&](size_t i, std::stop_token) { return PlaceOne(*bucket, sealed[i]); });
  }

  Status Discard(const std::string& landing) override {
    Bucket* bucket = TRY(Reach());
    for (const std::string& path : drafts_[landing]) (void)context_.files.RemoveAll(path);
    drafts_.erase(landing);
    const auto intent = TRY(bucket->GetAll(prefix_ + landing, kIntentLimit, {}));
    if (!intent) return Ok();
    // Of a decided epoch none is left.
    const Json keys = TRY(ParseJson(*intent));
    for (const Json& key : keys) {
      if (!key.is_string()) continue;
      const std::string full = prefix_ + key.get<std::string>();
      for (const std::string& upload : TRY(bucket->Uploads(full, {})))
        TRY(bucket->EndUpload(full, upload, {}));
    }
    return bucket->Remove(prefix_ + landing, {});
  }

  Result<std::string> Fetch(const std::string& name, std::stop_token stop) override {
    Bucket* bucket = TRY(Reach());
    auto object = TRY(bucket->Look(prefix_ + name, stop));
    if (!object) return RejectedError(fmt::format("'{}' is gone", Shown(prefix_ + name)));
    const std::string path = TRY(LocalPath(name));
    TRY(Download(*bucket, {{.object = std::move(*object), .path = path}}, std::move(stop)));
    return path;
  }

 private:
  Result<Bucket*> Reach() {
    if (bucket_ == nullptr) bucket_ = TRY(Bucket::Open(settings_, context_));
    return bucket_.get();
  }

  Result<std::string> LocalPath(const std::string& name) {
    if (spool_ == nullptr) spool_ = TRY(Spool::Open(context_.files, SpoolRoot(context_)));
    return spool_->Path(name);
  }

  Status PlaceOne(Bucket& bucket, const std::pair<std::string, std::string>& one) const {
    const std::string key = prefix_ + one.second;
    const Upload upload = TRY(ParseUpload(one.first));
    if (TRY(bucket.FinishUpload(key, upload.id, upload.parts, {}))) return Ok();
    std::string mark;
    if (TRY(bucket.Look(key, {}, &mark)) && mark == upload.mark) return Ok();  // finished before
    return RejectedError(fmt::format(
        "'{}' was decided, but its upload is gone and no object of it is there: did a lifecycle "
        "rule of the bucket end it? load it anew with --again",
        Shown(key)));
  }

  const Settings settings_;
  const ConnectorContext context_;
  const std::string prefix_;
  std::unique_ptr<Bucket> bucket_;
  std::unique_ptr<Spool> spool_;
  std::map<std::string, std::vector<std::string>> drafts_;  // landing -> local paths
};

}  // namespace

std::unique_ptr<Depot> BucketDepot(const Settings& settings, const ConnectorContext& context,
                                   const std::string& root) {
  return std::make_unique<Objects>(settings, context, root);
}

}  // namespace sluice::s3
