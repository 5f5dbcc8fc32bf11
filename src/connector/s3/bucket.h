// One bucket: the requests that we make of S3, signed, tried again while the server is unwell, and
// what its refusals mean.
//
// What can be repeated is repeated: reads, and writes that say the same thing twice. Only PutNew
// cannot: where its answer is lost it is kUnsettled, for the caller to ask.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http.h"
#include "base/mutex.h"
#include "base/retry.h"
#include "base/secret.h"
#include "connector/s3/settings.h"
#include "connector/s3/sign.h"
#include "connector/s3/xml.h"

namespace sluice::s3 {

struct Slice {
  uint64_t from = 0, size = 0;
};

class Bucket {  // any thread
 public:
  // Opens the credentials; no request yet.
  static Result<std::unique_ptr<Bucket>> Open(const Settings& settings,
                                              const ConnectorContext& context);

  const Settings& settings() const { return settings_; }

  // All objects whose keys begin so, sorted by key.
  Result<std::vector<Object>> List(const std::string& prefix, std::stop_token stop);
  // At most one page: whether the bucket can be reached, and what is in it.
  Result<ListPage> Peek(std::stop_token stop);
  // nullopt: there is none. `mark`: receives what StartUpload was given.
  Result<std::optional<Object>> Look(const std::string& key, std::stop_token stop,
                                     std::string* mark = nullptr);
  // Exactly the slice of the object as it was listed; kRejected where it is another one by now.
  // `into` may be told the slice again from its beginning: `from` says where a piece belongs.
  using Into = std::function<Status(uint64_t from, std::span<const char>)>;
  Status Get(const Object& object, Slice slice, const Into& into, std::stop_token stop);
  // nullopt: there is none.
  Result<std::optional<std::string>> GetAll(const std::string& key, uint64_t limit,
                                            std::stop_token stop);
  Status Put(const std::string& key, std::string_view bytes, std::stop_token stop);
  // False: the key is taken. kUnsettled: the answer was lost.
  Result<bool> PutNew(const std::string& key, std::string_view bytes, std::stop_token stop);
  Status Remove(const std::string& key, std::stop_token stop);  // fine where there is none

  // An upload is seen by nobody until it is finished. `mark` is kept with the object.
  Result<std::string> StartUpload(const std::string& key, const std::string& mark,
                                  std::stop_token stop);
  Result<Part> UploadPart(const std::string& key, const std::string& upload, int number,
                          std::string_view bytes, std::stop_token stop);
  // False: there is no such upload: it was finished or ended before.
  Result<bool> FinishUpload(const std::string& key, const std::string& upload,
                            const std::vector<Part>& parts, std::stop_token stop);
  Status EndUpload(const std::string& key, const std::string& upload, std::stop_token stop);
  // Of this very key.
  Result<std::vector<std::string>> Uploads(const std::string& key, std::stop_token stop);

 private:
  struct Ask {  // a request before it is signed
    std::string method = "GET", key;
    Pairs query = {}, headers = {};
    std::string_view body = {};
    std::function<Status(std::span<const char>)> into = {};
    std::function<void()> before_try = {};  // resets what `into` fills
    uint64_t answer_limit = 64 << 20;
    bool once = false;  // only tried again where the server surely did nothing
  };

  Bucket(const Settings& settings, const ConnectorContext& context)
      : settings_(settings), clock_(context.clock), egress_(context.egress) {}

  Result<HttpAnswer> Send(const Ask& ask, std::stop_token stop);
  Result<HttpAnswer> SendOnce(HttpClient& client, const Ask& ask, std::stop_token stop);
  HttpRequest Build(const Ask& ask) const;
  Error Refused(const Ask& ask, const HttpAnswer& answer) const;
  std::string Doing(const Ask& ask) const;
  double Random();
  Result<std::unique_ptr<HttpClient>> Borrow();
  void Return(std::unique_ptr<HttpClient> client);

  const Settings settings_;
  Clock& clock_;
  const EgressPolicy egress_;
  Signer signer_;
  Secret token_;
  Mutex mutex_;
  std::vector<std::unique_ptr<HttpClient>> idle_ GUARDED_BY(mutex_);
  std::minstd_rand random_ GUARDED_BY(mutex_){std::random_device{}()};
};

}  // namespace sluice::s3
