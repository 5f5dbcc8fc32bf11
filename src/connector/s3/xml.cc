// Keys are asked for URL-encoded, because XML cannot hold every key.
#include "connector/s3/xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>

#include "base/hex.h"
#include "base/text.h"

namespace sluice::s3 {
namespace {

Status Load(pugi::xml_document& document, std::string_view text) {
  const auto parsed = document.load_buffer(text.data(), text.size(), pugi::parse_default);
  if (parsed) return Ok();
  return TransientError(fmt::format(
      "the server's answer is no XML ({}); is the endpoint an S3 server?", parsed.description()));
}

Result<pugi::xml_node> Root(const pugi::xml_document& document, const char* name) {
  const pugi::xml_node root = document.child(name);
  if (root) return root;
  return TransientError(
      fmt::format("the server's answer is '{}' and not '{}'; is the endpoint an S3 server?",
                  EscapeControl(document.document_element().name()), name));
}

std::string Decoded(std::string text) {
  std::replace(text.begin(), text.end(), '+', ' ');
  return DecodePercent(text);
}

// A server may not know of encoding, and then says nothing of it.
std::string KeyOf(const pugi::xml_node& root, const char* text) {
  return std::string_view(root.child_value("EncodingType")) == "url" ? Decoded(text) : text;
}

}  // namespace

Result<ListPage> ParseList(std::string_view text) {
  pugi::xml_document document;
  TRY(Load(document, text));
  const pugi::xml_node root = TRY(Root(document, "ListBucketResult"));
  ListPage page;
  for (const pugi::xml_node& one : root.children("Contents")) {
    Object object{.key = KeyOf(root, one.child_value("Key")),
                  .size = 0,
                  .etag = one.child_value("ETag"),
                  .modified = one.child_value("LastModified")};
    const std::string_view size = one.child_value("Size");
    std::from_chars(size.data(), size.data() + size.size(), object.size);
    page.objects.push_back(std::move(object));
  }
  if (std::string_view(root.child_value("IsTruncated")) == "true") {
    page.next = root.child_value("NextContinuationToken");
    if (page.next.empty())
      return RejectedError("the server says that its list goes on, and not where");
  }
  return page;
}

Result<UploadsPage> ParseUploads(std::string_view text) {
  pugi::xml_document document;
  TRY(Load(document, text));
  const pugi::xml_node root = TRY(Root(document, "ListMultipartUploadsResult"));
  UploadsPage page;
  for (const pugi::xml_node& one : root.children("Upload"))
    page.uploads.emplace_back(KeyOf(root, one.child_value("Key")), one.child_value("UploadId"));
  if (std::string_view(root.child_value("IsTruncated")) == "true") {
    page.next_key = KeyOf(root, root.child_value("NextKeyMarker"));
    page.next_id = root.child_value("NextUploadIdMarker");
  }
  return page;
}

Result<std::string> ParseUploadId(std::string_view text) {
  pugi::xml_document document;
  TRY(Load(document, text));
  const pugi::xml_node root = TRY(Root(document, "InitiateMultipartUploadResult"));
  std::string id = root.child_value("UploadId");
  if (id.empty()) return RejectedError("the server began an upload and gave it no id");
  return id;
}

Refusal ParseRefusal(std::string_view text) {
  pugi::xml_document document;
  if (!Load(document, text).ok()) return {};
  const pugi::xml_node root = document.child("Error");
  return {.code = root.child_value("Code"),
          .message = root.child_value("Message"),
          .region = root.child_value("Region")};
}

std::string WriteParts(const std::vector<Part>& parts) {
  std::string text = "<CompleteMultipartUpload>";
  for (const Part& part : parts) {
    std::string etag;
    for (const char c : part.etag)
      etag += c == '"' ? "&quot;" : c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
    text +=
        fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", part.number, etag);
  }
  return text + "</CompleteMultipartUpload>";
}

}  // namespace sluice::s3
