// Errors as values. A Result holds a T or an Error; TRY unwraps one or returns the other.
//
// The kind of an Error says what its receiver must do, and each kind has exactly one handler: the
// loader of files (kConfig), the row path (kData), the retry loop (kTransient), the recovery
// (kUnsettled), the run (the rest). No exception crosses a module: a library's are caught in the
// file that wraps the library.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace sluice {

enum class ErrorKind : uint8_t {
  kConfig,     // The user must edit a file. Carries file:line:column. Never retried.
  kData,       // This record is bad. It becomes a dead letter; the run goes on.
  kTransient,  // The outside world is unwell. Retry with backoff, then fail the run.
  kRejected,   // The outside world said no. Fail the run; a retry would say no again.
  kUnsettled,  // A commit was sent and its answer lost. Reconnect and ask the record; never guess.
  kCancelled,  // Someone asked us to stop. Unwind quietly.
  kInternal,   // We are wrong. Fail the run and keep the evidence.
};

// The lower-case name of a kind, as it is printed and stored: "config", "data", …
std::string_view NameOf(ErrorKind kind);

// A place in a file that the user wrote. Line and column count from 1; 0 means unknown.
struct Mark {
  std::string file;
  int line = 0;
  int column = 0;

  auto operator<=>(const Mark&) const = default;
};

struct [[nodiscard]] Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;  // context in the gerund first, remedy last; no trailing newline
  Mark mark;            // where the user has to look; file may be empty
  std::chrono::milliseconds retry_after{0};  // what the outside world asked us to wait
  bool contended = false;  // kTransient: another run of ours wrote the same at the same time

  // Puts context before the message: Error("refused").While("opening 'a.csv'") is "opening 'a.csv':
  // refused".
  Error While(std::string_view context) &&;
  Error At(Mark place) &&;  // keeps a mark that is already there
};

Error ConfigError(Mark mark, std::string message);
Error DataError(std::string message);
Error TransientError(std::string message);
Error RejectedError(std::string message);
Error UnsettledError(std::string message);
Error CancelledError();
Error InternalError(std::string message);
// The error of a failed system call: kind from `code` (ENOSPC, EACCES, ENOENT … are kRejected;
// EAGAIN, EINTR transient).
Error SystemError(std::string_view doing, int code);

// "file:3:9: message", or the message alone where no file is known.
std::string Format(const Error& error);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : value_(std::in_place_index<1>, std::move(error)) {}
  template <class U>
  requires(std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error> &&
           !std::is_same_v<std::remove_cvref_t<U>, Result>) Result(U&& value)
      : value_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool ok() const { return value_.index() == 0; }
  // REQUIRES: ok().
  T& value() & { return std::get<0>(value_); }
  const T& value() const& { return std::get<0>(value_); }
  // By value, so that the loop `for (auto& x : F().value())` does not outlive what it walks.
  T value() && { return std::get<0>(std::move(value_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // REQUIRES: !ok().
  const Error& error() const& { return std::get<1>(value_); }
  Error&& error() && { return std::get<1>(std::move(value_)); }

  Result While(std::string_view context) && {
    if (!ok()) return std::get<1>(std::move(value_)).While(context);
    return std::move(*this);
  }

 private:
  std::variant<T, Error> value_;
};

struct Done {};
using Status = Result<Done>;
inline Status Ok() { return Done{}; }

// Ends the process with file, line and condition. For errors of the programmer; never reachable by
// input.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace sluice

#define SLUICE_CONCAT_(a, b) a##b
#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_(a, b)

// auto rows = TRY(Count(table));   returns the error from this function, or gives the value. May be
// nested.
#define TRY(expression) SLUICE_TRY_(SLUICE_CONCAT(sluice_result_, __COUNTER__), expression)
#define SLUICE_TRY_(result, expression)                 \
  __extension__({                                       \
    auto&& result = (expression);                       \
    if (!result.ok()) return std::move(result).error(); \
    std::move(result).value();                          \
  })

#define SLUICE_CHECK(condition) \
  ((condition) ? (void)0 : ::sluice::CheckFailed(__FILE__, __LINE__, #condition))
