// A mutex whose guarded fields the compiler checks (clang -Wthread-safety).
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define SLUICE_TSA(x) __attribute__((x))
#else
#define SLUICE_TSA(x)
#endif
#define CAPABILITY(x) SLUICE_TSA(capability(x))
#define SCOPED_CAPABILITY SLUICE_TSA(scoped_lockable)
#define GUARDED_BY(x) SLUICE_TSA(guarded_by(x))
#define REQUIRES_LOCK(...) SLUICE_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES_LOCK(...) SLUICE_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRES(...) SLUICE_TSA(acquire_capability(__VA_ARGS__))
#define RELEASES(...) SLUICE_TSA(release_capability(__VA_ARGS__))

namespace sluice {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRES() { mutex_.lock(); }
  void unlock() RELEASES() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRES(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASES() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

using Condition = std::condition_variable_any;  // waits on a Mutex, optionally with a stop token

}  // namespace sluice
