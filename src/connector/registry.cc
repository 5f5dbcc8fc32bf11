// Looking up a connector by its type.
#include "connector/registry.h"

#include <algorithm>
#include <utility>

#include "connector/sampled.h"

namespace sluice {

const Connector* Find(const Connectors& connectors, std::string_view type) {
  const auto found =
      std::find_if(connectors.begin(), connectors.end(),
                   [&](const Connector& connector) { return connector.type == type; });
  return found == connectors.end() ? nullptr : &*found;
}

Result<std::unique_ptr<Source>> MakeSource(const Connector& connector, const Node* connection,
                                           ExtractRequest request,
                                           const ConnectorContext& context) {
  const std::optional<int64_t> rows = request.config.sample_rows;
  auto source = TRY(connector.source(connection, std::move(request), context));
  if (rows) source = MakeSampled(std::move(source), static_cast<uint64_t>(*rows));
  return source;
}

Result<Secret> OpenSecret(const ConnectorContext& context, const Written& written) {
  if (context.secrets != nullptr) return context.secrets->Open(written.text, written.mark);
  if (!ReadReference(written.text)) return Secret(written.text);
  return ConfigError(written.mark,
                     "'" + written.text + "' cannot be opened here: there is no store of secrets");
}

}  // namespace sluice
