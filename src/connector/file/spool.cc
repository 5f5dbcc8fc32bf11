// The lock file is there before its folder and goes after it. Who finds the lock free takes it,
// and only then removes: so nobody removes what another is just making.
#include "connector/file/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/glob.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr std::string_view kLock = ".lock";
constexpr size_t kNameBytes = 80;  // of the user's name that a path keeps: its end

// The descriptor; -1: another holds it, or it is not the file of that name any more.
int TakeLock(const std::string& path, int flags) {
  const int lock = ::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (lock < 0) return -1;
  struct stat ours {
  }, named{};
  const bool held = ::flock(lock, LOCK_EX | LOCK_NB) == 0 && ::fstat(lock, &ours) == 0 &&
                    ::stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino;
  if (held) return lock;
  ::close(lock);
  return -1;
}

}  // namespace

void Spool::Sweep(Files& files, const std::string& root) {
  const auto locks = files.Glob(EscapeGlob(root) + "/*" + std::string(kLock));
  if (!locks.ok()) return;
  for (const std::string& path : *locks) {
    const int lock = TakeLock(path, 0);
    if (lock < 0) continue;
    if (files.RemoveAll(path.substr(0, path.size() - kLock.size())).ok()) (void)files.Remove(path);
    ::close(lock);
  }
  (void)files.Remove(root);  // where it is empty
}

Result<std::unique_ptr<Spool>> Spool::Open(Files& files, const std::string& root) {
  Sweep(files, root);
  TRY(files.MakeFolders(root).While("making room for local copies"));
  for (int tries = 0; tries < 100; ++tries) {
    uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
      return SystemError("asking for a random number", errno);
    const std::string folder = fmt::format("{}/{:016x}", root, number);
    TRY(files.MakeFolders(root));  // who sweeps may have found it empty
    const int lock = TakeLock(folder + std::string(kLock), O_CREAT);
    if (lock < 0) continue;
    std::unique_ptr<Spool> spool(new Spool(files, folder, lock));
    TRY(files.MakeFolders(folder));
    return spool;
  }
  return InternalError(fmt::format("no folder can be made in '{}'", root));
}

Spool::~Spool() {
  if (files_.RemoveAll(folder_).ok()) (void)files_.Remove(folder_ + std::string(kLock));
  ::close(lock_);
  (void)files_.Remove(ParentFolder(folder_));  // where it is empty
}

std::string Spool::Path(const std::string& name) {
  std::string end;
  for (const char c : FileName(name))
    end += c == '/' || c == '*' || c == '?' || c == '[' || c == ']' || c == '\\' ? '_' : c;
  if (end.size() > kNameBytes) end = end.substr(end.size() - kNameBytes);
  return fmt::format("{}/{:06}-{}", folder_, ++paths_, end);
}

}  // namespace sluice
