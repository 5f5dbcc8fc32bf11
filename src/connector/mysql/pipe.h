// Bytes from many threads that make them to one that sends them, at most so many at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <stop_token>
#include <vector>

#include "base/mutex.h"

namespace sluice::mysql {

class Pipe {  // any thread
 public:
  explicit Pipe(size_t capacity) : capacity_(capacity) {}

  // Waits for room; false: nobody reads any more, or a stop.
  bool Push(std::vector<char> bytes, std::stop_token stop);
  void Close();  // no more comes
  void Break();  // what comes is not all: the reader is to fail
  void Leave();  // nobody reads any more

  // The reader's: how many bytes were put into `into`; 0: the end, -1: it was broken.
  int Read(std::span<char> into);

 private:
  const size_t capacity_;
  Mutex mutex_;
  Condition changed_;
  std::deque<std::vector<char>> blocks_ GUARDED_BY(mutex_);
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  size_t at_ GUARDED_BY(mutex_) = 0;  // in the first block
  bool closed_ GUARDED_BY(mutex_) = false, broken_ GUARDED_BY(mutex_) = false,
               left_ GUARDED_BY(mutex_) = false;
};

}  // namespace sluice::mysql
