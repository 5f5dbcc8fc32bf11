// One easy handle, driven by a multi handle, because only that wakes up at once when a stop is
// requested.
#include "base/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/delayed.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr int kLongestPollMillis = 1000;
constexpr std::chrono::milliseconds kLongestRetryAfter = std::chrono::hours(1);

struct Freed {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(char* text) const { curl_free(text); }
};
// Both handles are of one type to the compiler.
struct EasyFreed {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiFreed {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
using List = std::unique_ptr<curl_slist, Freed>;

struct Address {  // of a URL
  std::string scheme, host, shown;
  int port = 0;
};

std::string PartOf(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  const std::unique_ptr<char, Freed> held(text);
  return text;
}

Result<Address> ReadAddress(const std::string& text) {
  const std::unique_ptr<CURLU, Freed> url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
    return RejectedError("the address of the request is no URL");
  Address address;
  address.scheme = PartOf(url.get(), CURLUPART_SCHEME);
  address.host = PartOf(url.get(), CURLUPART_HOST);
  const std::string port = PartOf(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), address.port);
  if ((address.scheme != "http" && address.scheme != "https") || address.host.empty())
    return RejectedError("the address of the request is neither http nor https");
  // Without user, password and query: what messages may hold.
  address.shown = fmt::format("{}://{}:{}{}", address.scheme, address.host, address.port,
                              PartOf(url.get(), CURLUPART_PATH));
  return address;
}

struct Transfer {
  const HttpRequest& request;
  HttpAnswer answer = {};
  uint64_t sent = 0;
  std::optional<Error> fault = {};  // what `body`, `into` or a limit said
  CURL* easy = nullptr;
};

size_t TakeBody(char* bytes, size_t, size_t count, void* data) {
  auto& transfer = *static_cast<Transfer*>(data);
  long status = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  if (transfer.request.into && status >= 200 && status < 300) {
    auto taken = transfer.request.into({bytes, count});
    if (taken.ok()) return count;
    transfer.fault = std::move(taken).error();
    return CURL_WRITEFUNC_ERROR;
  }
  if (transfer.answer.body.size() + count > transfer.request.answer_limit) {
    transfer.fault = RejectedError(fmt::format("the answer is larger than {} (limit answer_limit)",
                                               FormatBytes(transfer.request.answer_limit)));
    return CURL_WRITEFUNC_ERROR;
  }
  transfer.answer.body.append(bytes, count);
  return count;
}

size_t TakeHeader(char* bytes, size_t, size_t count, void* data) {
  auto& transfer = *static_cast<Transfer*>(data);
  const std::string_view line(bytes, count);
  if (StartsWith(line, "HTTP/")) transfer.answer.headers.clear();  // a 100 went before
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return count;
  transfer.answer.headers[ToLower(Trim(line.substr(0, colon)))] =
      std::string(Trim(line.substr(colon + 1)));
  return count;
}

size_t GiveBody(char* into, size_t, size_t count, void* data) {
  auto& transfer = *static_cast<Transfer*>(data);
  const uint64_t left = transfer.request.body_bytes - transfer.sent;
  if (left == 0) return 0;
  auto given = transfer.request.body({into, std::min<uint64_t>(count, left)});
  if (given.ok() && *given > 0) {
    transfer.sent += *given;
    return *given;
  }
  transfer.fault = given.ok() ? InternalError("the body of a request is shorter than was said")
                              : std::move(given).error();
  return CURL_READFUNC_ABORT;
}

// What may go away by itself, and what will not.
ErrorKind KindOf(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return ErrorKind::kRejected;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_FAILED_INIT:
      return ErrorKind::kInternal;
    default:
      return ErrorKind::kTransient;
  }
}

std::string_view Worded(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      return "nobody answers there";
    case CURLE_OPERATION_TIMEDOUT:
      return "no answer in time";
    case CURLE_PARTIAL_FILE:
      return "the answer was cut off";
    case CURLE_GOT_NOTHING:
      return "the connection was closed before an answer";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return "the connection was lost";
    default:
      return curl_easy_strerror(code);
  }
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(HttpOptions options) : options_(std::move(options)) {}

  Status Start() {
    easy_.reset(curl_easy_init());
    multi_.reset(curl_multi_init());
    if (easy_ == nullptr || multi_ == nullptr) return InternalError("libcurl does not start");
    return Ok();
  }

  ~CurlClient() override { easy_.reset(); }  // before the multi handle, which keeps connections

  Result<HttpAnswer> Send(const HttpRequest& request, std::stop_token stop) override {
    if (stop.stop_requested()) return CancelledError();
    const Address address = TRY(ReadAddress(request.url));
    const std::string doing = request.method + " " + address.shown;
    const std::string pinned = TRY(Pin(address).While(doing));
    Transfer transfer{.request = request};
    transfer.easy = easy_.get();
    const List headers = HeadersOf(request);
    const List resolve(curl_slist_append(nullptr, pinned.c_str()));
    Set(transfer, headers.get(), resolve.get());
    const CURLcode code = TRY(Perform(stop));
    if (transfer.fault) return std::move(*transfer.fault).While(doing);
    if (code != CURLE_OK) {
      routes_.clear();  // the name may lead elsewhere by now
      Error error = TransientError(fmt::format("{}: {}", doing, Worded(code)));
      if (code == CURLE_PEER_FAILED_VERIFICATION && error_[0] != '\0')
        error.message += fmt::format(" ({})", EscapeControl(error_.data()));
      error.kind = KindOf(code);
      return error;
    }
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    transfer.answer.status = static_cast<int>(status);
    transfer.answer.retry_after =
        ReadRetryAfter(transfer.answer.Header("retry-after"), std::chrono::system_clock::now());
    return std::move(transfer.answer);
  }

 private:
  // Resolved and judged once; the connection goes where that said.
  Result<std::string> Pin(const Address& address) {
    const std::string key = fmt::format("{}:{}", address.host, address.port);
    if (const auto known = routes_.find(key); known != routes_.end()) return known->second;
    const Route route = TRY(FindRoute(address.host, address.port, options_.egress));
    std::vector<std::string> addresses;
    for (const std::string& one : route.addresses)
      addresses.push_back(one.find(':') == std::string::npos ? one : "[" + one + "]");
    return routes_[key] = fmt::format("{}:{}", key, Join(addresses, ","));
  }

  static List HeadersOf(const HttpRequest& request) {
    List list;
    const auto add = [&](const std::string& line) {
      list.reset(curl_slist_append(list.release(), line.c_str()));
    };
    // What libcurl would add by itself.
    add("Expect:");
    add("Content-Type:");
    for (const auto& [name, value] : request.headers)
      add(value.empty() ? name + ";" : name + ": " + value);
    return list;
  }

  void Set(Transfer& transfer, curl_slist* headers, curl_slist* resolve) {
    CURL* easy = easy_.get();
    const HttpRequest& request = transfer.request;
    curl_easy_reset(easy);
    error_[0] = '\0';
    const auto millis = [](std::chrono::microseconds time) {
      return static_cast<long>(std::max<int64_t>(time.count() / 1000, 1));
    };
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, millis(options_.connect_timeout));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, std::max(millis(options_.silence) / 1000, 1L));
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_.data());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, TakeBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, TakeHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    if (!options_.authorities.empty())
      curl_easy_setopt(easy, CURLOPT_CAINFO, options_.authorities.c_str());
    SetMethod(transfer);
  }

  void SetMethod(Transfer& transfer) {
    CURL* easy = easy_.get();
    const HttpRequest& request = transfer.request;
    if (request.method == "HEAD") {
      curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET") {
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    if (!request.body && request.method != "PUT" && request.method != "POST") return;
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_bytes));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, GiveBody);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
  }

  Result<CURLcode> Perform(const std::stop_token& stop) {
    curl_multi_add_handle(multi_.get(), easy_.get());
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_.get()); });
    int running = 1;
    CURLMcode going = CURLM_OK;
    while (going == CURLM_OK && running > 0 && !stop.stop_requested()) {
      going = curl_multi_perform(multi_.get(), &running);
      if (going == CURLM_OK && running > 0)
        going = curl_multi_poll(multi_.get(), nullptr, 0, kLongestPollMillis, nullptr);
    }
    CURLcode code = CURLE_FAILED_INIT;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    }
    curl_multi_remove_handle(multi_.get(), easy_.get());
    if (running > 0 && stop.stop_requested()) return CancelledError();
    return code;
  }

  const HttpOptions options_;
  std::unique_ptr<CURLM, MultiFreed> multi_;
  std::unique_ptr<CURL, EasyFreed> easy_;
  std::map<std::string, std::string> routes_;  // "host:port" -> what CURLOPT_RESOLVE takes
  std::array<char, CURL_ERROR_SIZE> error_{};
};

}  // namespace

ErrorKind KindOfStatus(int status) {
  for (const int passing : {408, 425, 429, 500, 502, 503, 504}) {
    if (status == passing) return ErrorKind::kTransient;
  }
  return ErrorKind::kRejected;
}

std::chrono::milliseconds ReadRetryAfter(const std::string& text,
                                         std::chrono::system_clock::time_point now) {
  int64_t seconds = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty()) return std::chrono::milliseconds(0);
  if (code != std::errc() || end != text.data() + text.size()) {
    const time_t date = curl_getdate(text.c_str(), nullptr);
    if (date < 0) return std::chrono::milliseconds(0);
    seconds = date - std::chrono::system_clock::to_time_t(now);
  }
  const auto longest = std::chrono::duration_cast<std::chrono::seconds>(kLongestRetryAfter);
  return std::chrono::seconds(std::clamp<int64_t>(seconds, 0, longest.count()));
}

Result<std::unique_ptr<HttpClient>> HttpClient::Open(HttpOptions options) {
  TRY(NeedLibrary("libcurl"));
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) return InternalError("libcurl does not start");
  auto client = std::make_unique<CurlClient>(std::move(options));
  TRY(client->Start());
  return std::unique_ptr<HttpClient>(std::move(client));
}

}  // namespace sluice
