// Files as a destination: one file, or a folder (a path that ends in `/`) that gets one file per
// epoch.
//
// An epoch is written by COPY as a draft that no reader's glob finds, sealed, and decided by its
// manifest (manifest.h); then it is placed (depot.h). Readers see a file whole or not at all.
// Overwriting a folder puts the new file there before the old ones go: a reader of the glob in
// between sees both. Staged epochs lie as Parquet beside the manifests until Publish makes one file
// of them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "connector/file/depot.h"
#include "connector/registry.h"

namespace sluice {

// What `auto` means for a path: the format by its extension, Parquet for a folder. kConfig at the
// load's mark.
Result<std::string> FormatOfTarget(const Load& load);

// Into folders of this machine.
Result<std::unique_ptr<Sink>> MakeFileSink(const std::vector<Load>& loads,
                                           const ConnectorContext& context);

// The depot of the folder that a load writes into.
using MakeDepot = std::function<std::unique_ptr<Depot>(const std::string& root)>;

// `folder`: where a relative path starts.
Result<std::unique_ptr<Sink>> MakeFileSink(const std::vector<Load>& loads,
                                           const ConnectorContext& context,
                                           const std::string& folder, const MakeDepot& make_depot);

}  // namespace sluice
