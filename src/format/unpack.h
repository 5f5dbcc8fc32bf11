// Gzip and Zstandard, by their own libraries. What is cut off or damaged is an error that names the
// file: never a shorter input.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/files.h"

namespace sluice::format {

enum class Packing : unsigned char { kNone, kGzip, kZstd };
Packing PackingOf(std::string_view path);  // by its last extension: .gz, .zst
std::string_view ExtensionOf(Packing packing);

// Past the first bytes that anything may have, a file must not become larger than so many times
// itself: it is made to fill a disk, or not what it says.
inline constexpr uint64_t kMaxUnpackRatio = 500;
inline constexpr uint64_t kUnpackFreeBytes = 64 << 20;

// The bytes inside. `name` is what messages call it. A file that is not packed is opened as it is.
Result<std::unique_ptr<File>> OpenUnpacked(Files& files, const std::string& path,
                                           const std::string& name);
// Reads all of it and throws it away: for readers that do not look at checksums.
Status CheckPacked(Files& files, const std::string& path, const std::string& name,
                   std::stop_token stop);

}  // namespace sluice::format
