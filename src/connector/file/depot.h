// Where a file sink keeps its files and its decisions: a folder of this machine, or keys of a
// bucket. Names are from the depot's root on, with slashes.
//
// What COPY writes is a draft: a local file that nobody sees. Seal makes drafts durable where they
// belong, still unseen; Place gives them their names. What Seal returns is all that Place needs, so
// that another process can place what was decided. A sealed draft that nobody decided is taken away
// by Discard.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace sluice {

struct Draft {
  std::string path;  // local
  std::string name;  // that it shall get
};
using Sealed = std::vector<std::pair<std::string, std::string>>;  // what Place needs, and the name

class Depot {  // the driver's thread
 public:
  enum class Lasting : uint8_t { kAtOnce, kSoon };  // durable at return, or with what follows

  virtual ~Depot() = default;
  virtual std::string Shown(const std::string& target) const = 0;  // a load's target, in messages

  // Small files.
  virtual Result<std::vector<std::string>> Names(const std::string& pattern) = 0;  // a glob
  virtual Result<bool> Exists(const std::string& name) = 0;
  virtual Result<std::string> Read(const std::string& name, uint64_t limit) = 0;
  virtual Status Write(const std::string& name, std::string_view bytes) = 0;  // whole or not
  // False: the name is taken. kUnsettled: whether it has been written is not known. `scratch`: a
  // name beside it that a kill may leave.
  virtual Result<bool> WriteNew(const std::string& name, std::string_view bytes,
                                const std::string& scratch, Lasting lasting) = 0;
  virtual Status Remove(const std::string& name) = 0;  // fine where there is none
  virtual Status MakeFolder(const std::string& name) = 0;
  // What another process has written there is durable.
  virtual Status Settle(const std::string& folder) = 0;
  virtual void RemoveIfEmpty(const std::string& folder) = 0;

  // `landing` names the drafts of an epoch together; `name` is where one lies until it is placed.
  virtual Result<std::string> DraftPath(const std::string& landing, const std::string& name) = 0;
  // The same for a folder of drafts, which is not there yet.
  virtual Result<std::string> DraftFolder(const std::string& landing) = 0;
  virtual Result<Sealed> Seal(const std::string& landing, const std::vector<Draft>& drafts,
                              std::stop_token stop) = 0;
  virtual Status Place(const std::string& landing, const Sealed& sealed) = 0;  // repeatable
  virtual Status Discard(const std::string& landing) = 0;
  // A local path of a file with that name.
  virtual Result<std::string> Fetch(const std::string& name, std::stop_token stop) = 0;
};

std::unique_ptr<Depot> LocalDepot(Files& files, std::string root);

// Whether a name leads out of the root.
bool LeadsOut(const std::string& name);

}  // namespace sluice
