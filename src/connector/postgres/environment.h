// What libpq would take from the environment although the project does not say it. Options that a
// connection names overrule their variables (PGHOST, PGPASSWORD …), which may then be what a
// connection refers to; the others are taken out of the environment.
#pragma once

namespace sluice::postgres {

// For the start of the program, before there are other threads.
void ForgetVariables();

}  // namespace sluice::postgres
