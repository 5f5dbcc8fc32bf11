// Which files are attached, under which alias. A file is known by device and inode, so a second
// path of it (a link, a relative path) gives the alias it has; while it is attached nothing else
// here opens it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/files.h"
#include "sql/database.h"

namespace sluice::sql {

class Attachments {  // one thread at a time: its owner locks
 public:
  Attachments(std::unique_ptr<Session> session, std::unique_ptr<Files> files);

  Result<std::string> Attach(const std::string& path, const std::string& alias, Access access);
  Status Detach(const std::string& alias);
  bool Holds(const FileIdentity& file) const { return attached_.contains(file); }
  std::optional<FileIdentity> held_elsewhere() const { return held_elsewhere_; }

 private:
  struct Attached {
    std::string alias;
    std::string path;
    Access access;
  };

  Status Create(const std::string& path);
  Status CreateAt(const std::string& temporary);
  void SweepUnfinished(const std::string& path);
  Result<std::string> Known(const Attached& attached, const std::string& path, Access access) const;
  Status RefuseTaken(const std::string& alias, const std::string& path) const;

  std::unique_ptr<Session> session_;
  std::unique_ptr<Files> files_;
  std::map<FileIdentity, Attached> attached_;
  std::optional<FileIdentity> held_elsewhere_;  // by the last Attach
  int created_ = 0;
};

}  // namespace sluice::sql
