// Making sessions: what Database::Connect gives.
#pragma once

#include <memory>

#include "sql/database.h"
#include "sql/handle.h"
#include "sql/interrupt.h"

namespace sluice::sql {

// `interrupter` outlives the session.
std::unique_ptr<Session> MakeSession(ConnectionHandle connection, Interrupter& interrupter);

}  // namespace sluice::sql
