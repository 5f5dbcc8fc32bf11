// `env:` and `file:` in what a connection says openly (a host, a path). What is secret stays a
// reference; only its connector opens it.
#pragma once

#include "base/secrets.h"
#include "connector/registry.h"
#include "pipeline/project.h"

namespace sluice {

// Replaces such references in the project's connections by their values. kConfig at the value: one
// that does not open, or `secret:` where the value would be shown.
Status OpenPlainReferences(Project& project, const Connectors& connectors, Secrets& secrets);

// Every reference that the project's connections hold, secret or not, where they are.
std::vector<Written> ReferencesOf(const Project& project);

}  // namespace sluice
