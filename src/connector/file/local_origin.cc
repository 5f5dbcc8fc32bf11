// A name is sorted as bytes, so that the order is the same on every machine.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/glob.h"
#include "base/text.h"
#include "connector/file/origin.h"

namespace sluice {
namespace {

constexpr uint64_t kEdgeBytes = 64 << 10;

class LocalFolders final : public Origin {
 public:
  LocalFolders(Files& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  Result<std::vector<ListedFile>> List(const std::vector<Written>& globs, bool allow_empty,
                                       std::stop_token) override {
    std::set<std::string> seen;
    std::vector<ListedFile> listed;
    for (const Written& glob : globs) {
      const std::string pattern = JoinPath(folder_, glob.text);
      const std::vector<std::string> paths = TRY(files_.Glob(pattern));
      if (paths.empty() && !HasGlob(glob.text) && files_.Exists(pattern)) {
        return RejectedError(fmt::format("'{}' is a folder; its files are '{}'", glob.text,
                                         JoinPath(glob.text, "*")))
            .At(glob.mark);
      }
      if (paths.empty() && !allow_empty) {
        return RejectedError(
                   fmt::format("no file matches '{}' (allow_empty: on reads nothing instead)",
                               glob.text))
            .At(glob.mark);
      }
      const bool relative = pattern != glob.text && !folder_.empty();
      const std::string prefix = EndsWith(folder_, "/") ? folder_ : folder_ + "/";
      for (const std::string& path : paths) {
        if (!seen.insert(path).second) continue;
        listed.push_back(
            {.partition = relative && StartsWith(path, prefix) ? path.substr(prefix.size()) : path,
             .path = path,
             .size = TRY(files_.Facts(path)).size});
      }
    }
    std::sort(listed.begin(), listed.end(),
              [](const ListedFile& a, const ListedFile& b) { return a.partition < b.partition; });
    return listed;
  }

  Result<ListedFile> Look(const std::string& partition) override {
    ListedFile file{.partition = partition, .path = JoinPath(folder_, partition)};
    if (!files_.Exists(file.path)) return RejectedError(fmt::format("'{}' is gone", partition));
    file.size = TRY(files_.Facts(file.path)).size;
    return file;
  }

  Result<std::string> IdentityOf(const ListedFile& file) override {
    const FileFacts facts = TRY(files_.Facts(file.path));
    std::unique_ptr<File> open = TRY(files_.Open(file.path, Files::Mode::kRead));
    std::vector<char> edge(kEdgeBytes);
    uint64_t hash = Hash64(fmt::format("{}\n{}\n{}\n{}\n", file.partition, facts.size,
                                       facts.modified_ns, facts.inode));
    size_t count = TRY(open->ReadAt(0, edge));
    hash = Hash64({edge.data(), count}, hash);
    if (facts.size > kEdgeBytes) {
      count = TRY(open->ReadAt(facts.size - kEdgeBytes, edge));
      hash = Hash64({edge.data(), count}, hash);
    }
    return fmt::format("{:016x}", hash);
  }

  Status Fetch(std::vector<ListedFile>&, Extent, std::stop_token) override { return Ok(); }

 private:
  Files& files_;
  const std::string folder_;
};

}  // namespace

std::unique_ptr<Origin> LocalOrigin(Files& files, std::string folder) {
  return std::make_unique<LocalFolders>(files, std::move(folder));
}

}  // namespace sluice
