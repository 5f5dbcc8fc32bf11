// Files as a destination: one file, or a folder (a path that ends in `/`) that gets one file per
// epoch.
//
// An epoch is written by COPY under a name no reader's glob finds, synced, and decided by its
// manifest (manifest.h); then it is renamed. Readers see a file whole or not at all. Overwriting a
// folder puts the new file there before the old ones go: a reader of the glob in between sees both.
// Staged epochs lie as Parquet beside the manifests until Publish makes one file of them.
#pragma once

#include <memory>

#include "connector/registry.h"

namespace sluice {

// What `auto` means for a path: the format by its extension, Parquet for a folder. kConfig at the
// load's mark.
Result<std::string> FormatOfTarget(const Load& load);

Result<std::unique_ptr<Sink>> MakeFileSink(const std::vector<Load>& loads,
                                           const ConnectorContext& context);

}  // namespace sluice
