// Errors: their kinds by name, their context, and which system errors are worth another try.
#include "base/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace sluice {
namespace {

Error MakeError(ErrorKind kind, std::string message) {
  Error error;
  error.kind = kind;
  error.message = std::move(message);
  return error;
}

bool MayPass(int code) {
  switch (code) {
    case EAGAIN:
    case EINTR:
    case EBUSY:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ESTALE:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string_view NameOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kConfig:
      return "config";
    case ErrorKind::kData:
      return "data";
    case ErrorKind::kTransient:
      return "transient";
    case ErrorKind::kRejected:
      return "rejected";
    case ErrorKind::kUnsettled:
      return "unsettled";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

Error Error::While(std::string_view context) && {
  message = fmt::format("{}: {}", context, message);
  return std::move(*this);
}

Error Error::At(Mark place) && {
  if (mark.file.empty() && mark.line == 0) mark = std::move(place);
  return std::move(*this);
}

Error ConfigError(Mark mark, std::string message) {
  return MakeError(ErrorKind::kConfig, std::move(message)).At(std::move(mark));
}

Error DataError(std::string message) { return MakeError(ErrorKind::kData, std::move(message)); }

Error TransientError(std::string message) {
  return MakeError(ErrorKind::kTransient, std::move(message));
}

Error RejectedError(std::string message) {
  return MakeError(ErrorKind::kRejected, std::move(message));
}

Error UnsettledError(std::string message) {
  return MakeError(ErrorKind::kUnsettled, std::move(message));
}

Error CancelledError() { return MakeError(ErrorKind::kCancelled, "cancelled"); }

Error InternalError(std::string message) {
  return MakeError(ErrorKind::kInternal, std::move(message));
}

Error SystemError(std::string_view doing, int code) {
  const std::string message = fmt::format("{}: {}", doing, std::generic_category().message(code));
  return MayPass(code) ? TransientError(message) : RejectedError(message);
}

std::string Format(const Error& error) {
  const Mark& mark = error.mark;
  if (mark.file.empty()) return error.message;
  if (mark.line == 0) return fmt::format("{}: {}", mark.file, error.message);
  if (mark.column == 0) return fmt::format("{}:{}: {}", mark.file, mark.line, error.message);
  return fmt::format("{}:{}:{}: {}", mark.file, mark.line, mark.column, error.message);
}

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace sluice
