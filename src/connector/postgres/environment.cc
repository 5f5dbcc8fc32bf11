// See environment.h.
#include "connector/postgres/environment.h"

#include <cstdlib>

namespace sluice::postgres {
namespace {

constexpr const char* kVariables[] = {"PGSERVICE",
                                      "PGSERVICEFILE",
                                      "PGSYSCONFDIR",
                                      "PGOPTIONS",
                                      "PGHOSTADDR",
                                      "PGCHANNELBINDING",
                                      "PGREQUIREAUTH",
                                      "PGREQUIREPEER",
                                      "PGREQUIRESSL",
                                      "PGSSLCRL",
                                      "PGSSLCRLDIR",
                                      "PGSSLCERTMODE",
                                      "PGSSLSNI",
                                      "PGSSLCOMPRESSION",
                                      "PGSSLMINPROTOCOLVERSION",
                                      "PGSSLMAXPROTOCOLVERSION",
                                      "PGSSLNEGOTIATION",
                                      "PGKRBSRVNAME",
                                      "PGGSSLIB",
                                      "PGGSSDELEGATION",
                                      "PGLOADBALANCEHOSTS",
                                      "PGDATESTYLE",
                                      "PGTZ",
                                      "PGGEQO",
                                      "PGMINPROTOCOLVERSION",
                                      "PGMAXPROTOCOLVERSION"};

}  // namespace

void ForgetVariables() {
  for (const char* name : kVariables) ::unsetenv(name);
}

}  // namespace sluice::postgres
