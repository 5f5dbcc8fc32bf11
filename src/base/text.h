// Text that several modules need: quoting, the nearest word, sizes and durations as people write
// them, hashes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice {

std::string QuoteIdentifier(std::string_view name);  // SQL: "a""b"
std::string QuoteLiteral(std::string_view text);     // SQL: 'it''s'
std::string QuoteTable(
    std::string_view dotted);  // a.b -> "a"."b"; a part already in quotes stays as it is

std::string Join(std::span<const std::string> parts, std::string_view between);
std::vector<std::string> Split(std::string_view text, char at);
std::string_view Trim(std::string_view text);
std::string ToLower(std::string_view text);  // ASCII
bool StartsWith(std::string_view text, std::string_view prefix);
bool EndsWith(std::string_view text, std::string_view suffix);

// The candidate nearest to `word` (edit distance at most a third of its length, at least 1), for
// "did you mean".
std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> candidates);

// "5m", "1h30m", "250ms", "2d", "1w". A bare number is refused: a unit is required.
Result<std::chrono::microseconds> ParseDuration(std::string_view text);
std::string FormatDuration(std::chrono::microseconds duration);  // "1h30m", "2.5s", "340ms"
Result<uint64_t> ParseBytes(
    std::string_view text);               // "1GB", "512MB", "64 KiB"; KB = 1000, KiB = 1024
std::string FormatBytes(uint64_t bytes);  // "1.1 GB"
std::string FormatCount(uint64_t count);  // "3,000,000"

// 64-bit FNV-1a hash in 16 hex digits: for identities and fingerprints inside one store, not for
// security.
std::string Fingerprint(std::string_view bytes);
uint64_t Hash64(std::string_view bytes, uint64_t seed = 14695981039346656037ULL);

bool ValidUtf8(std::string_view bytes);
std::string EscapeControl(
    std::string_view text);  // control characters as \xNN, for a terminal or a log

}  // namespace sluice
