// Making sessions: what Database::Connect gives.
#pragma once

#include <memory>

#include "sql/database.h"
#include "sql/handle.h"
#include "sql/interrupt.h"
#include "sql/trees.h"

namespace sluice::sql {

// `interrupter` and `trees` outlive the session.
std::unique_ptr<Session> MakeSession(ConnectionHandle connection, Interrupter& interrupter,
                                     Trees& trees);

}  // namespace sluice::sql
