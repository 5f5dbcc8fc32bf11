// Looking up a connector by its type.
#include "connector/registry.h"

#include <algorithm>

namespace sluice {

const Connector* Find(const Connectors& connectors, std::string_view type) {
  const auto found =
      std::find_if(connectors.begin(), connectors.end(),
                   [&](const Connector& connector) { return connector.type == type; });
  return found == connectors.end() ? nullptr : &*found;
}

}  // namespace sluice
