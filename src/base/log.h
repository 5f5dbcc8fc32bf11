// What an operator reads. ERROR: data is at risk or someone must act; WARN: recovered; INFO: a run
// began or ended; DEBUG: for us. Normal operation says nothing at DEBUG's neighbours per row or per
// epoch.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace sluice {

enum class LogLevel : unsigned char { kDebug, kInfo, kWarn, kError };

void SetLogLevel(LogLevel level);
// Writes one line to standard error: time, level, message; control characters are escaped. Any
// thread.
void LogLine(LogLevel level, std::string_view message);

template <class... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void LogWarn(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace sluice
