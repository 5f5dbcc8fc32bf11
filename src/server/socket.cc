// See socket.h.
#include "server/socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace sluice::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kEnding = ".sock";
constexpr int kBacklog = 256;
constexpr milliseconds kTick{50};  // how late a stop is seen

Result<Descriptor> OpenFolder(const std::string& folder) {
  Descriptor opened(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return SystemError("opening '" + folder + "'", errno);
  return opened;
}

sockaddr_un AddressOf(const Descriptor& folder, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder.get(), name);
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

Result<Descriptor> NewSocket() {
  Descriptor made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) return SystemError("making a socket", errno);
  return made;
}

const sockaddr* Plain(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

bool OfThisUser(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == ::geteuid() || peer.uid == 0);
}

Error Gone() { return TransientError("the other process has closed the connection"); }

void WaitFor(int descriptor, short events, milliseconds most) {
  pollfd waits{descriptor, events, 0};
  (void)::poll(&waits, 1, static_cast<int>(most.count()));
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Status Channel::Send(FrameKind kind, std::string_view body, std::stop_token stop, milliseconds most,
                     const std::function<void()>& waiting) {
  const std::string bytes = Encode(kind, body);
  bool waited = false;
  auto last = steady_clock::now();
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count =
        ::send(descriptor(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += static_cast<size_t>(count);
      last = steady_clock::now();
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Gone();
    if (stop.stop_requested()) return CancelledError();
    if (steady_clock::now() - last > most) {
      return TransientError("the other process has taken nothing for " + FormatDuration(most));
    }
    if (!std::exchange(waited, true) && waiting) waiting();
    WaitFor(descriptor(), POLLOUT, kTick);
  }
  return Ok();
}

Result<std::optional<Frame>> Channel::Receive() {
  while (true) {
    if (auto frame = TRY(reader_.Next())) return std::optional(std::move(*frame));
    char buffer[1 << 16];
    const ssize_t count = ::recv(descriptor(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (count > 0) {
      reader_.Feed({buffer, static_cast<size_t>(count)});
    } else if (count < 0 && errno == EAGAIN) {
      return std::optional<Frame>();
    } else if (count == 0 || errno != EINTR) {
      return Gone();
    }
  }
}

Result<std::optional<Frame>> Channel::Await(milliseconds most) {
  const auto until = steady_clock::now() + most;
  while (true) {
    if (auto frame = TRY(Receive())) return std::optional(std::move(*frame));
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    if (left <= milliseconds(0)) return std::optional<Frame>();
    WaitFor(descriptor(), POLLIN, left);
  }
}

std::vector<std::string> SocketsIn(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(folder.c_str()), ::closedir);
  if (!opened) return names;
  while (const dirent* entry = ::readdir(opened.get())) {
    if (EndsWith(entry->d_name, kEnding)) names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<Descriptor> Listen(const std::string& folder, const std::string& name) {
  const Descriptor opened = TRY(OpenFolder(folder));
  Descriptor listener = TRY(NewSocket());
  const std::string doing = fmt::format("listening at '{}/{}'", folder, name);
  const std::string unnamed = name + ".new";
  // The mode that the socket has is the mode that its name gets.
  (void)::fchmod(listener.get(), S_IRUSR | S_IWUSR);
  const sockaddr_un address = AddressOf(opened, unnamed);
  (void)::unlinkat(opened.get(), unnamed.c_str(), 0);
  if (::bind(listener.get(), Plain(address), sizeof address) != 0 ||
      ::listen(listener.get(), kBacklog) != 0 ||
      ::renameat(opened.get(), unnamed.c_str(), opened.get(), name.c_str()) != 0) {
    const int code = errno;
    (void)::unlinkat(opened.get(), unnamed.c_str(), 0);
    return SystemError(doing, code);
  }
  return listener;
}

Result<std::optional<Channel>> Connect(const std::string& folder, const std::string& name) {
  const Descriptor opened = TRY(OpenFolder(folder));
  Descriptor socket = TRY(NewSocket());
  const sockaddr_un address = AddressOf(opened, name);
  while (::connect(socket.get(), Plain(address), sizeof address) != 0) {
    if (errno == EAGAIN || errno == EINTR) {  // too many wait there to be let in
      WaitFor(-1, 0, kTick);
      continue;
    }
    if (errno == ECONNREFUSED) (void)::unlinkat(opened.get(), name.c_str(), 0);
    return std::optional<Channel>();
  }
  if (!OfThisUser(socket.get())) return std::optional<Channel>();
  return std::optional<Channel>(std::in_place, std::move(socket));
}

Result<std::optional<Channel>> Accept(const Descriptor& listener) {
  Descriptor socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    const bool none = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    if (none) return std::optional<Channel>();
    return SystemError("taking a connection", errno);
  }
  if (!OfThisUser(socket.get())) return std::optional<Channel>();
  return std::optional<Channel>(std::in_place, std::move(socket));
}

}  // namespace sluice::server
