// Drafts lie under hidden names in the folder itself, so that placing one is a rename.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/glob.h"
#include "base/text.h"
#include "connector/file/depot.h"

namespace sluice {
namespace {

constexpr const char* kFolder = ".d";

class LocalFolder final : public Depot {
 public:
  LocalFolder(Files& files, std::string root) : files_(files), root_(std::move(root)) {}

  std::string Shown(const std::string& target) const override { return target; }

  Result<std::vector<std::string>> Names(const std::string& pattern) override {
    std::vector<std::string> names;
    for (const std::string& path : TRY(files_.Glob(EscapeGlob(root_) + "/" + pattern)))
      names.push_back(path.substr(root_.size() + 1));
    return names;
  }
  Result<bool> Exists(const std::string& name) override { return files_.Exists(Full(name)); }
  Result<std::string> Read(const std::string& name, uint64_t limit) override {
    return files_.ReadAll(Full(name), limit);
  }
  Status Write(const std::string& name, std::string_view bytes) override {
    return WriteAtomically(files_, Full(name), bytes);
  }

  Result<bool> WriteNew(const std::string& name, std::string_view bytes, const std::string& scratch,
                        Lasting lasting) override {
    const std::string writing = Full(scratch), path = Full(name);
    {
      const auto file = TRY(files_.Open(writing, Files::Mode::kTruncate));
      TRY(file->Append(bytes));
      if (lasting == Lasting::kAtOnce) TRY(file->Sync());
    }
    if (lasting == Lasting::kAtOnce) TRY(files_.SyncFolder(ParentFolder(writing)));
    auto named = files_.RenameNoReplace(writing, path);
    if (!named.ok()) {
      if (files_.Exists(path)) return false;
      return std::move(named).error();
    }
    if (lasting == Lasting::kSoon) return true;
    // From here on it is there, on disk or not yet: only a look can say.
    auto synced = files_.SyncFolder(ParentFolder(path));
    if (!synced.ok()) return UnsettledError(synced.error().message);
    return true;
  }

  Status Remove(const std::string& name) override { return files_.Remove(Full(name)); }
  Status MakeFolder(const std::string& name) override { return files_.MakeFolders(Full(name)); }
  Status Settle(const std::string& folder) override {
    if (!files_.Exists(Full(folder))) return Ok();
    return files_.SyncFolder(Full(folder));
  }
  void RemoveIfEmpty(const std::string& folder) override { (void)files_.Remove(Full(folder)); }

  Result<std::string> DraftPath(const std::string&, const std::string& name) override {
    return Full(name);
  }

  Result<std::string> DraftFolder(const std::string& landing) override {
    // A file of the landing's name is what Sweep finds.
    (void)TRY(files_.Open(Full(landing), Files::Mode::kTruncate));
    return Full(landing) + kFolder;
  }

  Result<Sealed> Seal(const std::string&, const std::vector<Draft>& drafts,
                      std::stop_token) override {
    Sealed sealed;
    for (const Draft& draft : drafts) {
      // COPY does not sync what it writes.
      TRY(files_.Sync(draft.path));
      sealed.emplace_back(draft.path.substr(root_.size() + 1), draft.name);
    }
    return sealed;
  }

  Status Place(const std::string&, const Sealed& sealed) override {
    std::set<std::string> folders{root_};
    for (const auto& [from, to] : sealed) {
      // A name that leads out of the folder would let a manifest move any file of the user's.
      if (LeadsOut(from)) return RejectedError(fmt::format("'{}' leads out of the folder", from));
      if (!files_.Exists(Full(from))) continue;
      const std::string folder = ParentFolder(Full(to));
      if (folders.insert(folder).second) TRY(files_.MakeFolders(folder));
      TRY(files_.Rename(Full(from), Full(to)));
    }
    for (const std::string& folder : folders) TRY(files_.SyncFolder(folder));
    return Ok();
  }

  Status Discard(const std::string& landing) override {
    if (files_.Exists(Full(landing) + kFolder)) TRY(files_.RemoveAll(Full(landing) + kFolder));
    return files_.Remove(Full(landing));
  }

  Result<std::string> Fetch(const std::string& name, std::stop_token) override {
    return Full(name);
  }

 private:
  std::string Full(const std::string& name) const { return root_ + "/" + name; }

  Files& files_;
  const std::string root_;
};

}  // namespace

std::unique_ptr<Depot> LocalDepot(Files& files, std::string root) {
  return std::make_unique<LocalFolder>(files, std::move(root));
}

bool LeadsOut(const std::string& name) {
  const std::vector<std::string> parts = Split(name, '/');
  return StartsWith(name, "/") || std::find(parts.begin(), parts.end(), "..") != parts.end();
}

}  // namespace sluice
