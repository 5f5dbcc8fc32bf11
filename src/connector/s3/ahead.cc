// See ahead.h.
#include "connector/s3/ahead.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sluice::s3 {

void Ahead::Begin(std::vector<Copy> copies) {
  if (copies.empty()) return;
  {
    MutexLock lock(mutex_);
    for (Copy& copy : copies) {
      const std::string key = copy.object.key;
      entries_.emplace(key, Entry{.copy = std::move(copy), .number = ++begun_});
    }
    if (std::exchange(running_, true)) return;
  }
  worker_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

bool Ahead::Has(const std::string& key) {
  MutexLock lock(mutex_);
  return entries_.contains(key);
}

std::optional<Copy> Ahead::Take(const std::string& key, const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) break;
    if (found->second.state == State::kWhole) {
      Copy copy = std::move(found->second.copy);
      entries_.erase(found);
      return copy;
    }
    changed_.wait_for(mutex_, std::chrono::milliseconds(50));
  }
  return std::nullopt;
}

void Ahead::Stop() {
  worker_.request_stop();
  if (worker_.joinable()) worker_.join();
  MutexLock lock(mutex_);
  std::erase_if(entries_, [](const auto& one) { return one.second.state != State::kWhole; });
}

void Ahead::Clear() {
  Stop();
  MutexLock lock(mutex_);
  for (const auto& [key, entry] : entries_) (void)files_.Remove(entry.copy.path);
  entries_.clear();
}

uint64_t Ahead::bytes() {
  MutexLock lock(mutex_);
  uint64_t sum = 0;
  for (const auto& [key, entry] : entries_) sum += BytesOf(entry.copy);
  return sum;
}

void Ahead::Run(const std::stop_token& stop) {
  while (true) {
    const std::vector<Copy> batch = NextBatch();
    if (batch.empty()) return;
    // What went wrong is not kept: who needs the object asks for it again.
    (void)Download(bucket_, batch, stop, [&](size_t i) {
      MutexLock lock(mutex_);
      entries_.at(batch[i].object.key).state = State::kWhole;
      changed_.notify_all();
    });
    Settle(batch);
    if (stop.stop_requested()) {
      MutexLock lock(mutex_);
      running_ = false;
      return;
    }
  }
}

// Empty: nothing waits, and the thread is over.
std::vector<Copy> Ahead::NextBatch() {
  MutexLock lock(mutex_);
  std::vector<Entry*> waiting;
  for (auto& [key, entry] : entries_) {
    if (entry.state == State::kWaiting) waiting.push_back(&entry);
  }
  std::sort(waiting.begin(), waiting.end(),
            [](const Entry* a, const Entry* b) { return a->number < b->number; });
  std::vector<Copy> batch;
  for (Entry* entry : waiting) {
    entry->state = State::kUnderWay;
    batch.push_back(entry->copy);
  }
  running_ = !batch.empty();
  return batch;
}

void Ahead::Settle(const std::vector<Copy>& batch) {
  MutexLock lock(mutex_);
  for (const Copy& copy : batch) {
    const auto found = entries_.find(copy.object.key);
    if (found == entries_.end() || found->second.state != State::kUnderWay) continue;
    (void)files_.Remove(copy.path);
    entries_.erase(found);
  }
  changed_.notify_all();
}

}  // namespace sluice::s3
