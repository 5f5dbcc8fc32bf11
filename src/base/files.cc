// Files of the local system. Every call names the path it failed on; EINTR is tried again here and
// nowhere else.
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/glob.h"

namespace sluice {
namespace {

template <class Call>
auto Again(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Error Failed(std::string_view doing, const std::string& path, int code) {
  return SystemError(fmt::format("{} '{}'", doing, path), code);
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

Result<Descriptor> OpenDescriptor(const std::string& path, int flags) {
  const int number = Again([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
  if (number < 0) return Failed("opening", path, errno);
  return Descriptor(number);
}

Status SyncPath(const std::string& path, int flags) {
  const Descriptor opened = TRY(OpenDescriptor(path, flags));
  if (::fsync(opened.number()) != 0) return Failed("syncing", path, errno);
  return Ok();
}

class LocalFile final : public File {
 public:
  LocalFile(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<char> into) override {
    size_t done = 0;
    while (done < into.size()) {
      const ssize_t count = Again([&] {
        return ::pread(descriptor_.number(), into.data() + done, into.size() - done,
                       static_cast<off_t>(offset + done));
      });
      if (count < 0) return Failed("reading", path_, errno);
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    return done;
  }

  Status Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t count =
          Again([&] { return ::write(descriptor_.number(), bytes.data(), bytes.size()); });
      if (count < 0) return Failed("writing", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return Ok();
  }

  Status Sync() override {
    // Not tried again: after a failure the kernel may have dropped the pages, and a second fsync
    // would lie.
    if (::fsync(descriptor_.number()) != 0) return Failed("syncing", path_, errno);
    return Ok();
  }

 private:
  const std::string path_;
  const Descriptor descriptor_;
};

FileFacts FactsOf(const struct stat& stat) {
  FileFacts facts;
  facts.size = static_cast<uint64_t>(stat.st_size);
  facts.modified_ns = int64_t{stat.st_mtim.tv_sec} * 1'000'000'000 + stat.st_mtim.tv_nsec;
  facts.device = stat.st_dev;
  facts.inode = stat.st_ino;
  facts.folder = S_ISDIR(stat.st_mode);
  return facts;
}

int OpenFlags(Files::Mode mode) {
  switch (mode) {
    case Files::Mode::kRead:
      return O_RDONLY;
    case Files::Mode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL | O_APPEND;
    case Files::Mode::kTruncate:
      return O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
  }
  return O_RDONLY;
}

class Local final : public Files {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    return std::make_unique<LocalFile>(path, TRY(OpenDescriptor(path, OpenFlags(mode))));
  }

  Result<std::string> ReadAll(const std::string& path, uint64_t limit_bytes) override {
    const auto file = TRY(Open(path, Mode::kRead));
    std::string bytes;
    constexpr size_t kStep = 64 * 1024;
    while (bytes.size() <= limit_bytes) {
      const size_t before = bytes.size();
      bytes.resize(before + kStep);
      const size_t count = TRY(file->ReadAt(before, std::span(bytes).subspan(before)));
      bytes.resize(before + count);
      if (count < kStep) break;
    }
    if (bytes.size() > limit_bytes) {
      return RejectedError(
          fmt::format("reading '{}': larger than the limit of {} bytes", path, limit_bytes));
    }
    return bytes;
  }

  Result<FileFacts> Facts(const std::string& path) override {
    struct stat stat {};
    if (::stat(path.c_str(), &stat) != 0) return Failed("looking at", path, errno);
    return FactsOf(stat);
  }

  bool Exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return Renaming(from, to, errno);
    return Ok();
  }

  Status RenameNoReplace(const std::string& from, const std::string& to) override {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0)
      return Ok();
    if (errno != EINVAL && errno != ENOSYS) return Renaming(from, to, errno);
    // A file system without the flag (NFS, some overlays): a link fails as atomically where the
    // name is taken.
    if (::link(from.c_str(), to.c_str()) != 0) return Renaming(from, to, errno);
    if (::unlink(from.c_str()) != 0) return Failed("removing", from, errno);
    return Ok();
  }

  Status Remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0 && errno != ENOENT) return Failed("removing", path, errno);
    return Ok();
  }

  Status RemoveAll(const std::string& path) override {
    std::error_code code;
    std::filesystem::remove_all(path, code);
    if (code) return Failed("removing", path, code.value());
    return Ok();
  }

  Status MakeFolders(const std::string& path) override {
    if (::mkdir(path.c_str(), 0777) == 0) return SyncFolder(ParentFolder(path));
    const int code = errno;
    if (code == EEXIST) {
      if (TRY(Facts(path)).folder) return Ok();
      return Failed("making folder", path, ENOTDIR);
    }
    const std::string parent = ParentFolder(path);
    if (code != ENOENT || parent == path || parent == ".")
      return Failed("making folder", path, code);
    TRY(MakeFolders(parent));
    return MakeFolders(path);
  }

  Status Sync(const std::string& path) override { return SyncPath(path, O_RDONLY); }

  Status SyncFolder(const std::string& path) override {
    return SyncPath(path, O_RDONLY | O_DIRECTORY);
  }

  Result<std::vector<std::string>> Glob(const std::string& pattern) override {
    return ExpandGlob(pattern);
  }

 private:
  static Error Renaming(const std::string& from, const std::string& to, int code) {
    return SystemError(fmt::format("renaming '{}' to '{}'", from, to), code);
  }
};

std::string WithoutSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Another process may write the same file at the same time: names must not collide.
std::string TemporaryName(const std::string& path) {
  uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) {
    number = static_cast<uint64_t>(::getpid());
  }
  return JoinPath(ParentFolder(path), fmt::format(".{}.{:016x}.tmp", FileName(path), number));
}

Status WriteWhole(Files& files, const std::string& path, std::string_view bytes) {
  const auto file = TRY(files.Open(path, Files::Mode::kCreateNew));
  TRY(file->Append(bytes));
  return file->Sync();
}

}  // namespace

std::unique_ptr<Files> LocalFiles() { return std::make_unique<Local>(); }

Status WriteAtomically(Files& files, const std::string& path, std::string_view bytes) {
  const std::string temporary = TemporaryName(path);
  Status written = WriteWhole(files, temporary, bytes);
  if (written.ok()) written = files.Rename(temporary, path);
  if (!written.ok()) {
    // The first error is the one to tell; what cannot be removed is hidden and harmless.
    (void)files.Remove(temporary);
    return written;
  }
  return files.SyncFolder(ParentFolder(path));
}

std::string ParentFolder(const std::string& path) {
  const std::string plain = WithoutSlashes(path);
  const size_t slash = plain.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : WithoutSlashes(plain.substr(0, slash));
}

std::string FileName(const std::string& path) {
  std::string plain = WithoutSlashes(path);
  const size_t slash = plain.rfind('/');
  return slash == std::string::npos || plain == "/" ? plain : plain.substr(slash + 1);
}

std::string FileStem(const std::string& path) {
  const std::string name = FileName(path);
  const size_t first = name.find_first_not_of('.');
  if (first == std::string::npos) return name;
  return name.substr(0, name.find('.', first));
}

std::string JoinPath(const std::string& folder, const std::string& path) {
  if (folder.empty() || folder == "." || (!path.empty() && path[0] == '/')) return path;
  return folder.back() == '/' ? folder + path : folder + "/" + path;
}

}  // namespace sluice
