// The answers of S3 that are XML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice::s3 {

struct Object {
  std::string key;
  uint64_t size = 0;
  std::string etag;      // in quotes, as it was given
  std::string modified;  // as it was given
};

struct ListPage {
  std::vector<Object> objects;
  std::string next;  // the token of the next page; empty: this is the last
};
Result<ListPage> ParseList(std::string_view text);

struct UploadsPage {
  std::vector<std::pair<std::string, std::string>> uploads;  // key, id
  std::string next_key, next_id;                             // empty: the last
};
Result<UploadsPage> ParseUploads(std::string_view text);

Result<std::string> ParseUploadId(std::string_view text);

struct Refusal {
  std::string code, message, region;
};
// Of a body that is no refusal: empty.
Refusal ParseRefusal(std::string_view text);

struct Part {
  int number = 0;
  std::string etag;

  bool operator==(const Part&) const = default;
};
std::string WriteParts(const std::vector<Part>& parts);

}  // namespace sluice::s3
