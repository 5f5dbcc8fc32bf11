// Making sessions: what Database::Connect gives.
#pragma once

#include <memory>

#include "sql/answers.h"
#include "sql/database.h"
#include "sql/interrupt.h"
#include "sql/line.h"

namespace sluice::sql {

// What sessions of one instance share; outlives them.
struct Shared {
  Interrupter interrupter;
  Known known;
  std::shared_ptr<GivenValues> given = std::make_shared<GivenValues>();
  IdleLines idle;
};
std::unique_ptr<Session> MakeSession(Line line, Shared& shared);

}  // namespace sluice::sql
