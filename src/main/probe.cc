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

// Where it is written, and what to look at first.
std::string Told(Error error, const Connection& connection) {
  if (error.kind == ErrorKind::kTransient)
    error.message += "; is it running, and is its address right?";
  return Format(std::move(error).At(connection.node.mark));
}

}  // namespace

Probed ProbeConnection(ProjectSession& session, const Connection& connection) {
  const auto began = session.clock().Steady();
  const auto probed = Probe(session, connection);
  return {.ok = probed.ok(),
          .message = EscapeControl(probed.ok() ? *probed : Told(probed.error(), connection)),
          .took = std::chrono::duration_cast<std::chrono::microseconds>(session.clock().Steady() -
                                                                        began)};
}

}  // namespace sluice
