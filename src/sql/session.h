// Making sessions: what Database::Connect gives.
#pragma once

#include <memory>

#include "sql/answers.h"
#include "sql/database.h"
#include "sql/handle.h"
#include "sql/interrupt.h"

namespace sluice::sql {

// `interrupter` and `known` outlive the session.
std::unique_ptr<Session> MakeSession(ConnectionHandle connection, Interrupter& interrupter,
                                     Known& known);

}  // namespace sluice::sql
