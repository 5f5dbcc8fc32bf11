// See pipe.h.
#include "connector/mysql/pipe.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace sluice::mysql {

bool Pipe::Push(std::vector<char> bytes, std::stop_token stop) {
  MutexLock lock(mutex_);
  while (bytes_ >= capacity_ && !left_ && !broken_) {
    if (stop.stop_requested()) return false;
    changed_.wait_for(mutex_, std::chrono::milliseconds(50));
  }
  if (left_ || broken_) return false;
  bytes_ += bytes.size();
  blocks_.push_back(std::move(bytes));
  changed_.notify_all();
  return true;
}

void Pipe::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void Pipe::Break() {
  MutexLock lock(mutex_);
  broken_ = true;
  changed_.notify_all();
}

void Pipe::Leave() {
  MutexLock lock(mutex_);
  left_ = true;
  changed_.notify_all();
}

int Pipe::Read(std::span<char> into) {
  MutexLock lock(mutex_);
  while (blocks_.empty() && !closed_ && !broken_)
    changed_.wait_for(mutex_, std::chrono::milliseconds(50));
  if (broken_) return -1;
  if (blocks_.empty()) return 0;
  const std::vector<char>& block = blocks_.front();
  const size_t size = std::min(into.size(), block.size() - at_);
  std::memcpy(into.data(), block.data() + at_, size);
  at_ += size;
  if (at_ == block.size()) {
    bytes_ -= block.size();
    blocks_.pop_front();
    at_ = 0;
    changed_.notify_all();
  }
  return static_cast<int>(size);
}

}  // namespace sluice::mysql
