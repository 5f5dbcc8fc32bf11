// Attaching and creating files. A new file gets its name only when it is whole and on disk, because
// DuckDB cannot open what a kill leaves of one that it was creating; if another process gave the
// name away first, its file is taken.
#include "sql/attach.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/text.h"
#include "sql/classify.h"

namespace sluice::sql {
namespace {

constexpr std::string_view kUnfinished = ".creating-";  // wh.duckdb.creating-<pid>-<n>

// Absolute, so that DuckDB takes no part of it for a scheme or for an extension's name.
std::string Absolute(const std::string& path) {
  std::error_code code;
  const auto absolute = std::filesystem::absolute(path, code);
  return code ? path : absolute.lexically_normal().string();
}

std::string AttachText(const std::string& path, const std::string& alias, Access access) {
  return fmt::format("ATTACH {} AS {} (TYPE DUCKDB{})", QuoteLiteral(Absolute(path)),
                     QuoteIdentifier(alias), access == Access::kReadOnly ? ", READ_ONLY" : "");
}

bool Has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

std::string_view RemedyFor(std::string_view text) {
  if (Has(text, "not a valid DuckDB database file")) {
    return "give the path of a DuckDB file, or of no file: then one is created";
  }
  if (Has(text, "version number") || Has(text, "newer version") || Has(text, "storage version")) {
    return "it was written by another version of DuckDB: use a newer sluice, or EXPORT DATABASE it "
           "with the version that wrote it";
  }
  if (Has(text, "Permission denied") || Has(text, "Read-only file system")) {
    return "give this user the right to write the file and its folder, or open it read-only";
  }
  if (Has(text, "No such file")) return "check the path; its folder must exist";
  return "the file is damaged: restore it from a backup, or move it and its .wal away and load "
         "again";
}

Error OfAttach(Error error, const std::string& path) {
  const std::string doing = fmt::format("opening '{}'", path);
  if (const std::string holder = LockHolder(error.message); !holder.empty()) {
    return TransientError(fmt::format(
        "{}: another process has it open: {}; wait until it ends, or stop it", doing, holder));
  }
  if (error.kind == ErrorKind::kCancelled || error.kind == ErrorKind::kTransient) {
    return std::move(error).While(doing);
  }
  return RejectedError(fmt::format("{}: {}; {}", doing, error.message, RemedyFor(error.message)));
}

// The process that was creating the file, from the temporary name; 0 where the name is not one of
// ours.
pid_t CreatorOf(const std::string& temporary) {
  const size_t at = temporary.rfind(kUnfinished);
  if (at == std::string::npos) return 0;
  pid_t pid = 0;
  const char* begin = temporary.data() + at + kUnfinished.size();
  std::from_chars(begin, temporary.data() + temporary.size(), pid);
  return pid;
}

}  // namespace

Attachments::Attachments(std::unique_ptr<Session> session, std::unique_ptr<Files> files)
    : session_(std::move(session)), files_(std::move(files)) {}

Result<std::string> Attachments::Attach(const std::string& path, const std::string& alias,
                                        Access access) {
  held_elsewhere_.reset();
  if (!files_->Exists(path)) {
    if (access == Access::kReadOnly) {
      return RejectedError(fmt::format(
          "opening '{}': there is no such file; a run that loads into it creates it", path));
    }
    TRY(Create(path));
  }
  const FileFacts facts = TRY(files_->Facts(path).While(fmt::format("opening '{}'", path)));
  if (facts.folder)
    return RejectedError(fmt::format("opening '{}': it is a folder; give a file's path", path));
  const FileIdentity identity{facts.device, facts.inode};
  if (auto known = attached_.find(identity); known != attached_.end()) {
    return Known(known->second, path, access);
  }
  TRY(RefuseTaken(alias, path));
  auto done = session_->Execute(AttachText(path, alias, access));
  if (!done.ok()) {
    if (!LockHolder(done.error().message).empty()) held_elsewhere_ = identity;
    return OfAttach(std::move(done).error(), path);
  }
  attached_.emplace(identity, Attached{alias, path, access});
  return alias;
}

Result<std::string> Attachments::Known(const Attached& attached, const std::string& path,
                                       Access access) const {
  if (attached.access == Access::kReadOnly && access == Access::kReadWrite) {
    return RejectedError(
        fmt::format("opening '{}' to write: it is open read-only as '{}' ('{}'); detach it first",
                    path, attached.alias, attached.path));
  }
  return attached.alias;
}

Status Attachments::RefuseTaken(const std::string& alias, const std::string& path) const {
  for (const auto& [identity, attached] : attached_) {
    if (ToLower(attached.alias) != ToLower(alias)) continue;
    return RejectedError(
        fmt::format("opening '{}' as '{}': that name is taken by '{}'; choose another", path, alias,
                    attached.path));
  }
  return Ok();
}

Status Attachments::Detach(const std::string& alias) {
  auto attached = std::find_if(attached_.begin(), attached_.end(), [&](const auto& entry) {
    return ToLower(entry.second.alias) == ToLower(alias);
  });
  if (attached == attached_.end()) return Ok();
  TRY(session_->Execute("DETACH " + QuoteIdentifier(alias))
          .While("closing '" + attached->second.path + "'"));
  attached_.erase(attached);
  return Ok();
}

Status Attachments::Create(const std::string& path) {
  const std::string doing = fmt::format("creating '{}'", path);
  const std::string folder = ParentFolder(path);
  if (!files_->Exists(folder)) {
    return RejectedError(
        fmt::format("{}: the folder '{}' does not exist; create it", doing, folder));
  }
  // DuckDB would replay it into the new file.
  if (files_->Exists(path + ".wal")) {
    return RejectedError(fmt::format(
        "{}: there is a '{}.wal' without its file; restore the file, or move the .wal away", doing,
        path));
  }
  SweepUnfinished(path);
  const std::string temporary = fmt::format("{}{}{}-{}", path, kUnfinished, getpid(), ++created_);
  if (auto done = CreateAt(temporary); !done.ok()) {
    (void)files_->Remove(temporary);
    return OfAttach(std::move(done).error(), path);
  }
  if (auto synced = files_->Sync(temporary); !synced.ok()) {
    (void)files_->Remove(temporary);
    return std::move(synced).error().While(doing);
  }
  auto renamed = files_->RenameNoReplace(temporary, path);
  if (!renamed.ok()) {
    TRY(files_->Remove(temporary).While(doing));
    if (!files_->Exists(path)) return std::move(renamed).error().While(doing);
  }
  return files_->SyncFolder(folder).While(doing);
}

Status Attachments::CreateAt(const std::string& temporary) {
  const std::string alias = "sluice_creating";
  TRY(session_->Execute(AttachText(temporary, alias, Access::kReadWrite)));
  TRY(session_->Execute(fmt::format("CHECKPOINT {0}; DETACH {0}", QuoteIdentifier(alias))));
  return Ok();
}

void Attachments::SweepUnfinished(const std::string& path) {
  auto names = files_->Glob(path + std::string(kUnfinished) + "*");
  if (!names.ok()) return;
  for (const std::string& name : names.value()) {
    const pid_t creator = CreatorOf(name);
    if (creator > 0 && kill(creator, 0) != 0 && errno == ESRCH) (void)files_->Remove(name);
  }
}

}  // namespace sluice::sql
