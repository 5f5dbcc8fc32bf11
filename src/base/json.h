// JSON values, the door to the library that reads and writes them. Objects keep the order of their
// keys.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice {

using Json = nlohmann::ordered_json;  // include "base/json_full.h" where a value is taken apart

// Refuses what is not exactly one JSON value; the error names the byte.
Result<Json> ParseJson(std::string_view text);

// `text` in double quotes, escaped; bytes that are no UTF-8 become U+FFFD.
std::string QuoteJson(std::string_view text);

}  // namespace sluice
