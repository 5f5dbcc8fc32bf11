// One thread writes. It takes all jobs that wait at a moment into one transaction, so that callers
// of a moment share one fsync. A job that fails takes back its own writes only. After a failed
// fsync nobody knows what is on disk: the writer then refuses everything until the file is opened
// again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "ledger/sqlite.h"

namespace sluice {

class Writer {  // any thread
 public:
  using Job = std::function<Status(sqlite::Connection&)>;

  enum class File : uint8_t {
    kSynced,
    kUnsynced
  };  // kUnsynced: just made, to be synced before anything is kept

  Writer(sqlite::Connection connection, File file);
  ~Writer();  // writes what waits
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // On disk on return. The job runs on the writer's thread while the caller waits.
  Status Keep(const Job& job) EXCLUDES_LOCK(mutex_) { return Await(job, Durability::kKept); }
  // Every process sees it on return; on disk with whatever is kept next.
  Status Share(const Job& job) EXCLUDES_LOCK(mutex_) { return Await(job, Durability::kShared); }
  // Returns at once. An error is logged, and told by the next NoteStatus or Flush.
  void Note(Job job) EXCLUDES_LOCK(mutex_);
  // The error of an earlier note, if there is one that nobody has been told.
  Status NoteStatus() EXCLUDES_LOCK(mutex_);
  // Waits until all notes given so far can be read, not until they are on disk.
  void AwaitNotes() EXCLUDES_LOCK(mutex_);
  Status Flush() EXCLUDES_LOCK(mutex_);

  uint64_t commits() const EXCLUDES_LOCK(mutex_);
  uint64_t waiting() const EXCLUDES_LOCK(mutex_);

 private:
  enum class Durability : uint8_t { kNoted, kShared, kKept };
  enum class Sync : uint8_t { kNone, kAtCommit };
  struct Item {
    const Job* job = nullptr;
    Job note;  // where the job is ours
    Status result = Ok();
    Durability durability = Durability::kNoted;
    bool done = false;
  };
  using Batch = std::deque<std::shared_ptr<Item>>;

  Status Await(const Job& job, Durability durability) EXCLUDES_LOCK(mutex_);
  void Loop();
  void Write(Batch& batch);
  Status Transact(Batch& batch);
  Status Use(Sync sync);

  sqlite::Connection connection_;  // the thread's
  const File file_;
  std::optional<Sync> sync_;     // the thread's: what the connection does now
  std::optional<Error> broken_;  // the thread's
  bool unsynced_ = false;        // the thread's: something in the file was not synced

  mutable Mutex mutex_;
  Condition wake_, finished_;
  Batch queue_ GUARDED_BY(mutex_);
  uint64_t given_ GUARDED_BY(mutex_) = 0, written_ GUARDED_BY(mutex_) = 0;  // items so far
  uint64_t commits_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> note_error_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it starts when all else is there
};

}  // namespace sluice
