// The one place where the JSON library's exceptions are caught.
#include <fmt/format.h>

#include "base/json_full.h"

namespace sluice {

Result<Json> ParseJson(std::string_view text) {
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {
    // The library's text repeats the place and its own number; what follows the last ": " of its
    // head is the cause.
    std::string cause = error.what();
    if (const size_t from = cause.find("syntax error"); from != std::string::npos) {
      cause.erase(0, from);
    }
    return DataError(fmt::format("not valid JSON at byte {}: {}", error.byte, cause));
  } catch (const std::exception& error) {
    return DataError(fmt::format("not valid JSON: {}", error.what()));
  }
}

std::string QuoteJson(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sluice
