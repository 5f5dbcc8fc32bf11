// See gate.h.
#include "server/gate.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace sluice::server {
namespace {

constexpr const char* kTurn = "/turn.lock";  // who waits for the room
constexpr const char* kRoom = "/room.lock";  // who is in: readers together, or one writer

Result<Descriptor> Lock(const std::string& path, int how, const std::stop_token& stop) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file) return SystemError("opening '" + path + "'", errno);
  while (::flock(file.get(), how | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return SystemError("locking '" + path + "'", errno);
    if (stop.stop_requested()) return CancelledError();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return file;
}

}  // namespace

Result<Passage> EnterToRead(const std::string& folder, std::stop_token stop) {
  const Descriptor turn = TRY(Lock(folder + kTurn, LOCK_SH, stop));
  return Passage(Descriptor(), TRY(Lock(folder + kRoom, LOCK_SH, stop)));
}

Result<Passage> EnterToWrite(const std::string& folder, std::stop_token stop) {
  Descriptor turn = TRY(Lock(folder + kTurn, LOCK_EX, stop));
  Descriptor room = TRY(Lock(folder + kRoom, LOCK_EX, stop));
  return Passage(std::move(turn), std::move(room));
}

}  // namespace sluice::server
