// See watch.h.
#include "engine/watch.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace sluice {

namespace {

constexpr std::chrono::milliseconds kTick{250};
// Of what it scans by itself (files, tables) DuckDB knows the size, once it is told to count.
constexpr char kCount[] =
    "SET enable_progress_bar = true; SET enable_progress_bar_print = false; "
    "SET progress_bar_time = 0";

}  // namespace

Watch::Watch(Observer* observer, std::string flow, std::vector<sql::Session*> sessions,
             std::function<SourceProgress(double share)> read)
    : observer_(observer),
      flow_(std::move(flow)),
      sessions_(std::move(sessions)),
      read_(std::move(read)) {
  if (observer_ == nullptr || !observer_->WantsShare()) return;
  for (sql::Session* session : sessions_) (void)session->Execute(kCount);  // only what is shown
  thread_ = std::jthread([this](const std::stop_token& ended) { Tell(ended); });
}

void Watch::Tell(const std::stop_token& ended) {
  std::mutex mutex;
  std::condition_variable_any woken;
  while (true) {
    std::unique_lock<std::mutex> lock(mutex);
    woken.wait_for(lock, ended, kTick, [] { return false; });
    if (ended.stop_requested()) return;
    double share = -1;
    for (sql::Session* session : sessions_) share = std::max(share, session->Progress());
    observer_->OnMoving(flow_, share, read_(share));
  }
}

}  // namespace sluice
