// See bucket.h.
#include "connector/s3/bucket.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/delayed.h"
#include "base/text.h"

namespace sluice::s3 {
namespace {

constexpr std::chrono::milliseconds kLongestWait = std::chrono::seconds(30);
constexpr uint64_t kRefusalBytes = 64 << 10;  // a refusal may be longer than what was asked for
constexpr const char* kMark = "x-amz-meta-sluice";

// What S3 answers with another status than what it means.
ErrorKind KindOf(int status, const std::string& code) {
  for (const std::string_view passing :
       {"RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "OperationAborted",
        "ConditionalRequestConflict", "XMinioServerNotInitialized"}) {
    if (code == passing) return ErrorKind::kTransient;
  }
  return KindOfStatus(status);
}

// The next step, where there is one that is not obvious.
std::string Remedy(const Refusal& refusal, const Settings& settings) {
  if (refusal.code == "SignatureDoesNotMatch") return "; is secret_key the right one?";
  if (refusal.code == "InvalidAccessKeyId") return "; is access_key the right one?";
  if (refusal.code == "ExpiredToken" || refusal.code == "InvalidToken")
    return "; the session_token is over: get new temporary credentials";
  if (refusal.code == "RequestTimeTooSkewed") return "; set this machine's clock";
  if (refusal.code == "NoSuchBucket") return "; create the bucket, or name another";
  if (!refusal.region.empty() && refusal.region != settings.region)
    return fmt::format("; the bucket is in region: {}", refusal.region);
  return "";
}

}  // namespace

Result<std::unique_ptr<Bucket>> Bucket::Open(const Settings& settings,
                                             const ConnectorContext& context) {
  TRY(NeedLibrary("libcrypto"));
  std::unique_ptr<Bucket> bucket(new Bucket(settings, context));
  bucket->signer_.key_id = settings.access_key.text;
  bucket->signer_.region = settings.region;
  if (!settings.secret_key.empty())
    bucket->signer_.key = TRY(OpenSecret(context, settings.secret_key));
  if (!settings.session_token.empty())
    bucket->token_ = TRY(OpenSecret(context, settings.session_token));
  return bucket;
}

std::string Bucket::Doing(const Ask& ask) const {
  return fmt::format("{} '{}' of {}",
                     ask.method == "GET" || ask.method == "HEAD" ? "reading"
                     : ask.method == "DELETE"                    ? "removing"
                                                                 : "writing",
                     EscapeControl(ask.key), settings_.Shown());
}

double Bucket::Random() {
  MutexLock lock(mutex_);
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

Result<std::unique_ptr<HttpClient>> Bucket::Borrow() {
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      auto client = std::move(idle_.back());
      idle_.pop_back();
      return client;
    }
  }
  return HttpClient::Open({.egress = egress_,
                           .connect_timeout = settings_.connect_timeout,
                           .silence = settings_.timeout,
                           .authorities = settings_.tls_root});
}

void Bucket::Return(std::unique_ptr<HttpClient> client) {
  MutexLock lock(mutex_);
  idle_.push_back(std::move(client));
}

HttpRequest Bucket::Build(const Ask& ask) const {
  // The time is part of the protocol: the server compares it with its own.
  const auto now = std::chrono::system_clock::now();
  const std::string path = EncodePath(settings_.base + ask.key), query = EncodeQuery(ask.query);
  HttpRequest request{.method = ask.method,
                      .url = fmt::format("{}://{}{}{}{}", settings_.scheme, settings_.host, path,
                                         query.empty() ? "" : "?", query)};
  const std::string hash = Sha256Hex(ask.body);
  request.headers = {
      {"Host", settings_.host}, {"X-Amz-Date", AmzDate(now)}, {"X-Amz-Content-Sha256", hash}};
  if (!token_.empty()) request.headers.emplace_back("X-Amz-Security-Token", token_.Open());
  request.headers.insert(request.headers.end(), ask.headers.begin(), ask.headers.end());
  if (!signer_.key.empty()) {
    request.headers.emplace_back(
        "Authorization",
        Sign(signer_, ask.method, path, query, request.headers, hash, now).authorization);
  }
  request.answer_limit = ask.answer_limit;
  request.into = ask.into;
  request.body_bytes = ask.body.size();
  request.body = [left = ask.body](std::span<char> into) mutable -> Result<size_t> {
    const size_t count = left.copy(into.data(), into.size());
    left.remove_prefix(count);
    return count;
  };
  if (ask.body.empty()) request.body = {};
  return request;
}

Error Bucket::Refused(const Ask& ask, const HttpAnswer& answer) const {
  Refusal refusal = ParseRefusal(answer.body);
  if (refusal.code.empty()) {
    refusal.code = fmt::format("status {}", answer.status);
    if (answer.status == 403) refusal.message = "no permission";
    if (answer.status == 404) refusal.message = "there is none";
    if (answer.status >= 300 && answer.status < 400)
      refusal.message = "the server points elsewhere; is the region right?";
  }
  if (refusal.region.empty()) refusal.region = answer.Header("x-amz-bucket-region");
  Error error = RejectedError(
      fmt::format("{}: {}{}{}{}", Doing(ask), refusal.code, refusal.message.empty() ? "" : ": ",
                  EscapeControl(refusal.message.substr(0, 500)), Remedy(refusal, settings_)));
  error.kind = KindOf(answer.status, refusal.code);
  error.retry_after = answer.retry_after;
  return error;
}

// An answer is 2xx, or one that its caller knows: 404 and 412.
Result<HttpAnswer> Bucket::SendOnce(HttpClient& client, const Ask& ask, std::stop_token stop) {
  if (ask.before_try) ask.before_try();
  auto answer = client.Send(Build(ask), std::move(stop));
  if (!answer.ok()) {
    Error error = std::move(answer).error();
    if (ask.once && error.kind == ErrorKind::kTransient) error.kind = ErrorKind::kUnsettled;
    return std::move(error).While(Doing(ask));
  }
  const bool known = answer->status == 404 || answer->status == 412;
  if ((answer->status >= 200 && answer->status < 300) || known) return answer;
  Error error = Refused(ask, *answer);
  // A server that says it is too busy has done nothing; one that broke may have.
  if (ask.once && error.kind == ErrorKind::kTransient && answer->status != 503 &&
      answer->status != 429 && answer->status != 409)
    error.kind = ErrorKind::kUnsettled;
  return error;
}

Result<HttpAnswer> Bucket::Send(const Ask& ask, std::stop_token stop) {
  const RetryPolicy policy{.attempts = static_cast<int>(settings_.attempts),
                           .delay = std::chrono::milliseconds(200),
                           .max_delay = kLongestWait,
                           .jitter = 0.5};
  std::unique_ptr<HttpClient> client = TRY(Borrow());
  for (int failed = 1;; ++failed) {
    auto answer = SendOnce(*client, ask, stop);
    const bool again = !answer.ok() && answer.error().kind == ErrorKind::kTransient &&
                       failed < policy.attempts && answer.error().retry_after <= kLongestWait;
    if (!again) {
      Return(std::move(client));
      return answer;
    }
    clock_.Wait(DelayAfter(policy, failed, Random(), answer.error()), stop);
    if (stop.stop_requested()) return CancelledError();
  }
}

Result<std::vector<Object>> Bucket::List(const std::string& prefix, std::stop_token stop) {
  std::vector<Object> all;
  std::string next;
  do {
    Ask ask{.key = "", .query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix}}};
    if (!next.empty()) ask.query.emplace_back("continuation-token", next);
    const HttpAnswer answer = TRY(Send(ask, stop));
    if (answer.status != 200) return Refused(ask, answer);
    ListPage page = TRY(ParseList(answer.body).While("listing " + settings_.Shown()));
    std::move(page.objects.begin(), page.objects.end(), std::back_inserter(all));
    next = std::move(page.next);
  } while (!next.empty());
  std::sort(all.begin(), all.end(), [](const Object& a, const Object& b) { return a.key < b.key; });
  return all;
}

Result<ListPage> Bucket::Peek(std::stop_token stop) {
  const Ask ask{.key = "", .query = {{"list-type", "2"}, {"encoding-type", "url"}}};
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status != 200) return Refused(ask, answer);
  return ParseList(answer.body).While("listing " + settings_.Shown());
}

Result<std::optional<Object>> Bucket::Look(const std::string& key, std::stop_token stop,
                                           std::string* mark) {
  const Ask ask{.method = "HEAD", .key = key};
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status == 404) return std::optional<Object>();
  if (answer.status != 200) return Refused(ask, answer);
  if (mark != nullptr) *mark = answer.Header(kMark);
  Object object{.key = key,
                .size = 0,
                .etag = answer.Header("etag"),
                .modified = answer.Header("last-modified")};
  object.size = std::strtoull(answer.Header("content-length").c_str(), nullptr, 10);
  return std::optional<Object>(std::move(object));
}

Status Bucket::Get(const Object& object, Slice slice, const Into& into, std::stop_token stop) {
  if (slice.size == 0) return Ok();
  uint64_t got = 0;
  Ask ask{.key = object.key};
  ask.headers = {{"Range", fmt::format("bytes={}-{}", slice.from, slice.from + slice.size - 1)},
                 {"If-Match", object.etag}};
  ask.before_try = [&] { got = 0; };
  ask.into = [&](std::span<const char> bytes) -> Status {
    if (got + bytes.size() > slice.size)
      return RejectedError("the server gives more than it was asked for; does it know ranges?");
    TRY(into(slice.from + got, bytes));
    got += bytes.size();
    return Ok();
  };
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status == 404) return RejectedError(fmt::format("'{}' is gone", object.key));
  if (answer.status == 412)
    return RejectedError(fmt::format("'{}' changed while it was read", object.key));
  if (answer.status == 206 || (answer.status == 200 && slice.from == 0 && got == object.size)) {
    if (got == slice.size) return Ok();
    return TransientError(
        fmt::format("'{}': the server gave {} bytes of {}", object.key, got, slice.size));
  }
  return Refused(ask, answer);
}

Result<std::optional<std::string>> Bucket::GetAll(const std::string& key, uint64_t limit,
                                                  std::stop_token stop) {
  Ask ask{.key = key};
  ask.answer_limit = std::max(limit, kRefusalBytes);
  HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status == 404 && ParseRefusal(answer.body).code != "NoSuchBucket")
    return std::optional<std::string>();
  if (answer.status != 200) return Refused(ask, answer);
  return std::optional<std::string>(std::move(answer.body));
}

Status Bucket::Put(const std::string& key, std::string_view bytes, std::stop_token stop) {
  const Ask ask{.method = "PUT", .key = key, .body = bytes};
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status != 200) return Refused(ask, answer);
  return Ok();
}

Result<bool> Bucket::PutNew(const std::string& key, std::string_view bytes, std::stop_token stop) {
  Ask ask{.method = "PUT", .key = key, .body = bytes};
  ask.headers = {{"If-None-Match", "*"}};
  ask.once = true;
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status == 412) return false;
  if (answer.status != 200) return Refused(ask, answer);
  return true;
}

Status Bucket::Remove(const std::string& key, std::stop_token stop) {
  const Ask ask{.method = "DELETE", .key = key};
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status >= 300 && answer.status != 404) return Refused(ask, answer);
  return Ok();
}

Result<std::string> Bucket::StartUpload(const std::string& key, const std::string& mark,
                                        std::stop_token stop) {
  Ask ask{.method = "POST", .key = key, .query = {{"uploads", ""}}};
  if (!mark.empty()) ask.headers = {{kMark, mark}};
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status != 200) return Refused(ask, answer);
  return ParseUploadId(answer.body).While(Doing(ask));
}

Result<Part> Bucket::UploadPart(const std::string& key, const std::string& upload, int number,
                                std::string_view bytes, std::stop_token stop) {
  Ask ask{.method = "PUT", .key = key};
  ask.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}};
  ask.body = bytes;
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status != 200) return Refused(ask, answer);
  return Part{number, answer.Header("etag")};
}

Result<bool> Bucket::FinishUpload(const std::string& key, const std::string& upload,
                                  const std::vector<Part>& parts, std::stop_token stop) {
  const std::string body = WriteParts(parts);
  const Ask ask{.method = "POST", .key = key, .query = {{"uploadId", upload}}, .body = body};
  HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  // The server may begin with 200 and learn only then that it cannot.
  const Refusal refusal = ParseRefusal(answer.body);
  if (refusal.code == "NoSuchUpload") return false;
  if (answer.status == 200 && refusal.code.empty()) return true;
  Error error = Refused(ask, answer);
  if (answer.status == 200 && error.kind != ErrorKind::kTransient)
    error.kind = ErrorKind::kRejected;
  return error;
}

Status Bucket::EndUpload(const std::string& key, const std::string& upload, std::stop_token stop) {
  const Ask ask{.method = "DELETE", .key = key, .query = {{"uploadId", upload}}};
  const HttpAnswer answer = TRY(Send(ask, std::move(stop)));
  if (answer.status >= 300 && answer.status != 404) return Refused(ask, answer);
  return Ok();
}

Result<std::vector<std::string>> Bucket::Uploads(const std::string& key, std::stop_token stop) {
  std::vector<std::string> ids;
  UploadsPage page;
  do {
    Ask ask{.key = "", .query = {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", key}}};
    if (!page.next_key.empty()) {
      ask.query.emplace_back("key-marker", page.next_key);
      ask.query.emplace_back("upload-id-marker", page.next_id);
    }
    const HttpAnswer answer = TRY(Send(ask, stop));
    if (answer.status != 200) return Refused(ask, answer);
    page = TRY(ParseUploads(answer.body).While("listing uploads of " + settings_.Shown()));
    for (const auto& [of, id] : page.uploads) {
      if (of == key) ids.push_back(id);
    }
  } while (!page.next_key.empty());
  return ids;
}

}  // namespace sluice::s3
