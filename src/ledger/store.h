// The ledger in an SQLite file. Writes go through the one writer; reads use a connection of their
// own, and see every note that was given before them.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/mutex.h"
#include "ledger/ledger.h"
#include "ledger/process.h"
#include "ledger/sqlite.h"
#include "ledger/writer.h"

namespace sluice {

// Held while the ledger is open, in a file beside it: whoever opens the ledger knows whether it is
// alone, and whether the last one left in order since the machine started. A power cut is the one
// thing that can damage the file, so it counts.
class Presence {
 public:
  explicit Presence(const std::string& path);
  ~Presence();
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

  bool alone() const { return alone_; }      // when it was opened
  bool orderly() const { return orderly_; }  // the last one closed it, in this boot
  void Share();                              // the ledger is sound: lets others in

 private:
  int file_ = -1;
  bool alone_ = false, orderly_ = false, opened_ = false;
  const std::string clean_;  // what an orderly close leaves in the file
};

class LedgerStore final : public Ledger {
 public:
  static Result<std::unique_ptr<LedgerStore>> Open(const std::string& path,
                                                   std::span<const std::string_view> migrations);

  Result<RunId> KeepRunStart(const RunStart& start) override;
  Status KeepRunEnd(RunId run, const RunEnd& end, const std::vector<StepResult>& steps) override;
  Result<std::vector<RunRow>> Runs(const RunFilter& filter) override;
  Result<std::vector<RunRow>> RunsOf(const std::string& pipeline,
                                     const std::string& interval) override;
  Result<std::vector<StepResult>> Steps(RunId run) override;

  Result<std::vector<Lease>> KeepLeases(const std::vector<std::string>& resources,
                                        RunId run) override;
  Status KeepRelease(const std::vector<Lease>& leases) override;

  Status KeepIntent(const Lane& lane, EpochId epoch,
                    const std::map<std::string, Range>& ranges) override;
  Result<std::optional<std::pair<EpochId, std::map<std::string, Range>>>> Intent(
      const Lane& lane) override;

  Status HoldLetters(const Lane& lane, EpochId epoch, RunId run, const std::string& revision,
                     Micros at, const std::vector<Letter>& letters) override;
  Status DropHeld(const Lane& lane, EpochId after) override;
  Status NoteSettled(const EpochRecord& record, const std::string& decider) override;
  Result<std::optional<EpochRecord>> Last(const Lane& lane,
                                          std::string* decider = nullptr) override;
  Result<std::vector<EpochRecord>> Epochs(const Lane& lane, const std::set<RunId>& runs) override;
  Status KeepResync(const Lane& lane, EpochId epoch) override;

  Result<std::vector<LetterRow>> Letters(const LetterFilter& filter) override;
  Result<std::optional<LetterRow>> FindLetter(int64_t id) override;
  Result<uint64_t> CountLetters(const LetterFilter& filter) override;

  Status NoteAppenders(const std::string& project, const std::vector<Appender>& appenders) override;
  Result<std::vector<Appender>> Appenders(const std::string& project, const std::string& sink,
                                          const std::string& target) override;

  Result<std::optional<Schema>> Pinned(const std::string& project, const std::string& pipeline,
                                       const std::string& step) override;
  Status KeepPin(const std::string& project, const std::string& pipeline, const std::string& step,
                 const Schema& schema, Micros at) override;
  Status KeepRevision(const std::string& revision, const std::string& pipeline,
                      const std::string& text, Micros at) override;

  Status KeepAction(RunId run, const std::string& step, const std::string& fingerprint,
                    bool done) override;
  Result<std::optional<ActionRow>> Action(RunId run, const std::string& step) override;

  void NoteLog(LogRow row) override;
  Result<std::vector<LogRow>> Logs(RunId run) override;
  Status Flush() override;

  uint64_t commits() const { return writer_.commits(); }  // that changed something

 private:
  LedgerStore(std::unique_ptr<Presence> presence, std::string path, sqlite::Connection writing,
              Writer::File file);

  Result<Lease> TakeLease(sqlite::Connection& connection, const std::string& resource,
                          RunId run) const;  // on the writer's thread
  // Runs `read` on the reading connection: Status or Result of anything.
  template <class Read>
  std::invoke_result_t<const Read&, sqlite::Connection&> Reading(const Read& read)
      EXCLUDES_LOCK(mutex_) {
    writer_.AwaitNotes();
    MutexLock lock(mutex_);
    if (!reader_) {
      auto opened = sqlite::Connection::Open(path_, sqlite::Connection::Mode::kRead);
      if (!opened.ok()) return std::move(opened).error();
      reader_.emplace(std::move(opened).value());
    }
    return read(*reader_);
  }

  std::unique_ptr<Presence> presence_;
  const std::string path_;
  const Process process_;
  std::atomic<uint64_t> lost_lines_{0};
  Mutex mutex_;
  std::optional<sqlite::Connection> reader_ GUARDED_BY(mutex_);  // opened at the first read
  Writer writer_;  // before `reader_` is closed: it may checkpoint
};

}  // namespace sluice
