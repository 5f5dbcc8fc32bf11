// Copies of objects that are not needed yet, made by a thread of their own while others are read.
//
// Invariant: what comes ahead is a shortcut and decides nothing. A copy is handed over only with
// all its bytes; of one that failed or was called off nothing is left, and its object is asked for
// again when it is its turn: its error is told then, and only then.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/files.h"
#include "base/mutex.h"
#include "connector/s3/download.h"

namespace sluice::s3 {

class Ahead {  // its owner's thread
 public:
  Ahead(Bucket& bucket, Files& files) : bucket_(bucket), files_(files) {}
  ~Ahead() { Clear(); }
  Ahead(const Ahead&) = delete;
  Ahead& operator=(const Ahead&) = delete;

  // In this order, after what is under way; objects that it does not have.
  void Begin(std::vector<Copy> copies);
  bool Has(const std::string& key);
  // The caller's from now on; waits for one that is under way. nullopt: there is none, or `stop`.
  std::optional<Copy> Take(const std::string& key, const std::stop_token& stop);
  // Ends all requests at once; what is whole stays.
  void Stop();
  void Clear();      // removes that too
  uint64_t bytes();  // of what was begun and not taken

 private:
  enum class State : uint8_t { kWaiting, kUnderWay, kWhole };
  struct Entry {
    Copy copy;
    uint64_t number = 0;
    State state = State::kWaiting;
  };

  void Run(const std::stop_token& stop);
  std::vector<Copy> NextBatch();
  void Settle(const std::vector<Copy>& batch);

  Bucket& bucket_;
  Files& files_;
  std::jthread worker_;
  Mutex mutex_;
  Condition changed_;
  std::map<std::string, Entry> entries_ GUARDED_BY(mutex_);  // by key
  uint64_t begun_ GUARDED_BY(mutex_) = 0;
  bool running_ GUARDED_BY(mutex_) = false;
};

}  // namespace sluice::s3
