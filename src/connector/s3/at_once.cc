// See at_once.h.
#include "connector/s3/at_once.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace sluice::s3 {

Status AtOnce(size_t count, size_t most, std::stop_token stop,
              const std::function<Status(size_t, std::stop_token)>& work) {
  std::atomic<size_t> next{0};
  Mutex mutex;
  std::optional<Error> fault;
  std::stop_source ended;
  const std::stop_callback pass_on(stop, [&] { ended.request_stop(); });
  const auto take = [&] {
    for (size_t i = next++; i < count && !ended.stop_requested(); i = next++) {
      auto done = work(i, ended.get_token());
      if (done.ok()) continue;
      MutexLock lock(mutex);
      if (!fault) fault = std::move(done).error();
      ended.request_stop();
    }
  };
  {
    std::vector<std::jthread> others;
    for (size_t i = 1; i < std::min(most, count); ++i) others.emplace_back(take);
    take();
  }
  if (stop.stop_requested()) return CancelledError();
  MutexLock lock(mutex);
  return fault ? Status(*fault) : Ok();
}

}  // namespace sluice::s3
