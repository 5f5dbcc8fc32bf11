// The loop of the writing thread, and how callers wait for it.
#include "ledger/writer.h"

#include <algorithm>

#include "base/log.h"

namespace sluice {
namespace {

constexpr uint64_t kLongLog = 1 << 20;

}  // namespace

Writer::Writer(sqlite::Connection connection, File file)
    : connection_(std::move(connection)), file_(file), thread_([this] { Loop(); }) {}

Writer::~Writer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

Status Writer::Await(const Job& job, Durability durability) {
  auto item = std::make_shared<Item>();
  item->job = &job;
  item->durability = durability;
  MutexLock lock(mutex_);
  queue_.push_back(item);
  ++given_;
  wake_.notify_one();
  while (!item->done) finished_.wait(mutex_);
  return item->result;
}

void Writer::Note(Job job) {
  auto item = std::make_shared<Item>();
  item->note = std::move(job);
  item->job = &item->note;
  MutexLock lock(mutex_);
  queue_.push_back(std::move(item));
  ++given_;
  wake_.notify_one();
}

Status Writer::NoteStatus() {
  MutexLock lock(mutex_);
  if (!note_error_) return Ok();
  Error error = std::move(*note_error_);
  note_error_.reset();
  return error;
}

void Writer::AwaitNotes() {
  MutexLock lock(mutex_);
  const uint64_t until = given_;
  while (written_ < until) finished_.wait(mutex_);
}

Status Writer::Flush() {
  TRY(Keep([this](sqlite::Connection& connection) -> Status {
    // A commit without a write is not synced, so there must be one.
    if (!unsynced_) return Ok();
    return connection.Execute("UPDATE meta SET value = value + 1 WHERE key = 'flushes'");
  }));
  return NoteStatus();
}

uint64_t Writer::commits() const {
  MutexLock lock(mutex_);
  return commits_;
}

uint64_t Writer::waiting() const {
  MutexLock lock(mutex_);
  return given_ - written_;
}

void Writer::Loop() {
  if (file_ == File::kUnsynced) {
    if (auto synced = connection_.SyncFile(); !synced.ok()) broken_ = std::move(synced).error();
  }
  while (true) {
    Batch batch;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) wake_.wait(mutex_);
      batch.swap(queue_);
    }
    if (batch.empty()) {
      // The next process to open the file reads the whole log.
      if (connection_.LogBytes() > kLongLog)
        (void)connection_.Script("PRAGMA wal_checkpoint(TRUNCATE)");
      return;
    }
    Write(batch);
    MutexLock lock(mutex_);
    written_ += batch.size();
    for (const auto& item : batch) {
      item->done = true;
      if (item->durability != Durability::kNoted || item->result.ok() || note_error_) continue;
      note_error_ = item->result.error();
    }
    finished_.notify_all();
  }
}

void Writer::Write(Batch& batch) {
  Status committed = broken_ ? Status(*broken_) : Transact(batch);
  if (!committed.ok()) {
    if (connection_.InTransaction()) (void)connection_.Script("ROLLBACK");
    for (const auto& item : batch) {
      if (item->result.ok()) item->result = committed;
    }
  }
  for (const auto& item : batch) {
    if (item->durability != Durability::kNoted || item->result.ok()) continue;
    LogWarn("a note was not written: {}", item->result.error().message);
  }
}

Status Writer::Transact(Batch& batch) {
  const bool keep = std::any_of(batch.begin(), batch.end(), [](const auto& item) {
    return item->durability == Durability::kKept;
  });
  TRY(Use(keep ? Sync::kAtCommit : Sync::kNone));
  TRY(connection_.Execute("BEGIN IMMEDIATE"));
  const int64_t before = connection_.TotalChanges();
  for (const auto& item : batch) {
    if (item->durability != Durability::kKept) unsynced_ = true;
    TRY(connection_.Execute("SAVEPOINT job"));
    item->result = (*item->job)(connection_);
    // A full disk ends the whole transaction behind our back.
    if (!connection_.InTransaction())
      return item->result.ok() ? Status(connection_.LastError()) : item->result;
    if (!item->result.ok()) TRY(connection_.Execute("ROLLBACK TO job"));
    TRY(connection_.Execute("RELEASE job"));
  }
  Status committed = connection_.Execute("COMMIT");
  if (!committed.ok() && connection_.SyncFailed()) {
    broken_ = std::move(committed).error().While("an earlier write was not confirmed by the disk");
    return *broken_;
  }
  if (committed.ok() && connection_.TotalChanges() != before) {
    if (keep) unsynced_ = false;
    MutexLock lock(mutex_);
    ++commits_;
  }
  return committed;
}

Status Writer::Use(Sync sync) {
  if (sync_ == sync) return Ok();
  sync_.reset();
  // NORMAL in WAL mode: the commit is atomic and readable, and synced with the next one that is.
  TRY(connection_.Execute(sync == Sync::kAtCommit ? "PRAGMA synchronous = FULL"
                                                  : "PRAGMA synchronous = NORMAL"));
  sync_ = sync;
  return Ok();
}

}  // namespace sluice
