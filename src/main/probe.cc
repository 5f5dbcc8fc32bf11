// See probe.h.
#include "main/probe.h"

#include "base/text.h"
#include "pipeline/connections.h"

namespace sluice {

namespace {

Result<std::string> Probe(ProjectSession& session, const Connection& connection) {
  const Connector* connector = TRY(ConnectorOf(connection, session.connectors()));
  if (!connector->probe) return std::string("its keys are right; it cannot be tried");
  return connector->probe(connection.node, TRY(session.context()));
}

}  // namespace

Probed ProbeConnection(ProjectSession& session, const Connection& connection) {
  const auto began = session.clock().Steady();
  const auto probed = Probe(session, connection);
  return {.ok = probed.ok(),
          .message = EscapeControl(probed.ok() ? *probed : Format(probed.error())),
          .took = std::chrono::duration_cast<std::chrono::microseconds>(session.clock().Steady() -
                                                                        began)};
}

}  // namespace sluice
