// See connector.h.
#include "connector/s3/connector.h"

#include <fmt/format.h>

#include "base/text.h"
#include "connector/file/listing.h"
#include "connector/file/sink.h"
#include "connector/file/source.h"
#include "connector/s3/bucket.h"
#include "connector/s3/depot.h"
#include "connector/s3/origin.h"

namespace sluice {
namespace {

Result<std::string> Probe(const Node& node, const ConnectorContext& context) {
  const s3::Settings settings = TRY(s3::ReadSettings(&node));
  const auto bucket = TRY(s3::Bucket::Open(settings, context));
  const s3::ListPage page = TRY(bucket->Peek({}));
  uint64_t bytes = 0;
  for (const s3::Object& object : page.objects) bytes += object.size;
  return fmt::format("{}, {}{} object{}, {}", settings.Shown(),
                     page.next.empty() ? "" : "more than ", page.objects.size(),
                     page.objects.size() == 1 ? "" : "s", FormatBytes(bytes));
}

// The objects of the first page whose format their ending tells.
Result<std::vector<FoundTable>> Discover(const Node& node, const std::string& schema,
                                         const ConnectorContext& context) {
  if (!schema.empty()) return ConfigError({}, "a bucket has no schemas; leave --schema out");
  const s3::Settings settings = TRY(s3::ReadSettings(&node));
  const auto bucket = TRY(s3::Bucket::Open(settings, context));
  std::vector<FoundTable> files;
  for (const s3::Object& object : TRY(bucket->Peek({})).objects) {
    const bool hidden =
        StartsWith(object.key, ".") || object.key.find("/.") != std::string::npos;  // ours, too
    if (hidden) continue;
    const auto format = FormatOf("auto", {{.partition = object.key}}, {});
    if (!format.ok()) continue;
    FoundTable file{.schema = {}, .name = object.key, .kind = std::string(NameOf(*format))};
    file.written = object.key;
    file.bytes = object.size;
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::unique_ptr<Sink>> MakeSink(const Node* connection, const std::vector<Load>& loads,
                                       const ConnectorContext& context) {
  const s3::Settings settings = TRY(s3::ReadSettings(connection));
  for (const Load& load : loads) {
    if (!StartsWith(load.target, "/") && !StartsWith(load.target, "s3://") &&
        load.target.find("..") == std::string::npos)
      continue;
    return ConfigError(load.mark, fmt::format("'{}': a path in a bucket is what follows the "
                                              "bucket's name, like orders/daily.parquet",
                                              EscapeControl(load.target)));
  }
  return MakeFileSink(loads, context, "", [&](const std::string& root) {
    return s3::BucketDepot(settings, context, root);
  });
}

}  // namespace

Connector S3Connector() {
  Connector connector;
  connector.type = "s3";
  connector.summary = "Objects of a bucket, at AWS or at a server that speaks like it.";
  connector.connection = s3::SettingsSpec().facts();
  connector.extract_keys = {"path",         "format",     "allow_empty", "records",  "delimiter",
                            "quote",        "header",     "skip",        "encoding", "event_time",
                            "out_of_order", "idle_after", "on_null_time"};
  connector.load_keys = {"path", "format", "compression"};
  connector.check = [](const Node& connection) -> Status {
    TRY(s3::ReadSettings(&connection));
    return Ok();
  };
  connector.source = [](const Node* connection, ExtractRequest request,
                        const ConnectorContext& context) -> Result<std::unique_ptr<Source>> {
    return MakeFileSource(std::move(request), context.files,
                          s3::BucketOrigin(TRY(s3::ReadSettings(connection)), context));
  };
  connector.sink = MakeSink;
  connector.sink_key = [](const Node* connection, const LoadConfig& load, const std::string&) {
    const auto settings = s3::ReadSettings(connection);
    return settings.ok() ? fmt::format("s3:{}/{}", settings->Shown(), load.path.text)
                         : std::string("s3:");
  };
  connector.probe = Probe;
  connector.discover = Discover;
  return connector;
}

}  // namespace sluice
