// See frame.h. A frame is its body's length (four bytes, the lowest first), its kind, its body.
#include "server/frame.h"

#include <fmt/format.h>

#include "base/json_full.h"

namespace sluice::server {
namespace {

constexpr size_t kHead = 5;

bool Known(char kind) { return std::string_view("HQCOEXR").find(kind) != std::string_view::npos; }

std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What `read` takes out of the object; a key that is missing or of another type is the sender's
// fault.
template <class T, class Read>
Result<T> Take(std::string_view text, std::string_view what, Read&& read) {
  const Json json = TRY(ParseJson(text).While(fmt::format("reading a {}", what)));
  try {
    return read(json);
  } catch (const Json::exception& error) {
    return RejectedError(fmt::format("reading a {}: {}", what, error.what()));
  }
}

}  // namespace

std::string Encode(FrameKind kind, std::string_view body) {
  std::string text;
  text.reserve(kHead + body.size());
  for (int shift = 0; shift < 32; shift += 8)
    text += static_cast<char>((body.size() >> shift) & 0xFF);
  text += static_cast<char>(kind);
  text += body;
  return text;
}

Result<std::optional<Frame>> FrameReader::Next() {
  const auto refuse = [this](std::string why) -> Error {
    broken_ = true;
    return RejectedError("the other side sends what is no message of ours: " + std::move(why));
  };
  if (broken_) return refuse("it broke before");
  if (pending_.size() < kHead) return std::optional<Frame>();
  size_t size = 0;
  for (size_t i = 0; i < 4; ++i)
    size |= static_cast<size_t>(static_cast<unsigned char>(pending_[i])) << (8 * i);
  if (size > kMostBytes)
    return refuse(fmt::format("{} bytes, at most {} are valid", size, kMostBytes));
  if (!Known(pending_[4]))
    return refuse(fmt::format("kind 0x{:02x}", static_cast<unsigned char>(pending_[4])));
  if (pending_.size() < kHead + size) return std::optional<Frame>();
  Frame frame{static_cast<FrameKind>(pending_[4]), pending_.substr(kHead, size)};
  pending_.erase(0, kHead + size);
  return std::optional(std::move(frame));
}

std::string ToText(const Hello& hello) {
  return Text({{"protocol", hello.protocol}, {"pid", hello.pid}, {"version", hello.version}});
}

std::string ToText(const Request& request) {
  return Text({{"command", request.command},
               {"values", request.values},
               {"folder", request.folder},
               {"device", request.file.device},
               {"inode", request.file.inode},
               {"terminal", request.terminal},
               {"environment", request.environment},
               {"macros", request.macros}});
}

std::string ToText(const Refusal& refusal) {
  return Text({{"holds", refusal.holds}, {"why", refusal.why}});
}

// Only its protocol is asked for: another release may say the rest otherwise.
Result<Hello> ReadHello(std::string_view text) {
  return Take<Hello>(text, "hello", [](const Json& json) {
    return Hello{.protocol = json.at("protocol").get<int>(),
                 .pid = json.value("pid", int64_t{0}),
                 .version = json.value("version", "")};
  });
}

Result<Request> ReadRequest(std::string_view text) {
  return Take<Request>(text, "request", [](const Json& json) {
    return Request{
        .command = json.at("command").get<std::string>(),
        .values = json.at("values").get<std::map<std::string, std::vector<std::string>>>(),
        .folder = json.at("folder").get<std::string>(),
        .file = {json.at("device").get<uint64_t>(), json.at("inode").get<uint64_t>()},
        .terminal = json.at("terminal").get<bool>(),
        .environment = json.at("environment").get<std::map<std::string, std::string>>(),
        .macros = json.at("macros").get<std::string>()};
  });
}

Result<Refusal> ReadRefusal(std::string_view text) {
  return Take<Refusal>(text, "refusal", [](const Json& json) {
    return Refusal{.holds = json.at("holds").get<bool>(), .why = json.at("why").get<std::string>()};
  });
}

}  // namespace sluice::server
