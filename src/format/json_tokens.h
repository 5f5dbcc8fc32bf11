// Where the tokens of JSON text begin: braces, brackets, colons, commas, the opening quotes of
// strings and the first bytes of numbers and words. One vectorised pass over many lines at once.
//
// What makes it safe over many lines: a line feed inside a string is a fault of the whole text. So
// where no fault is found no string crosses a line, and the tokens of each line are those the line
// would have by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::format {

enum class TokenFault : uint8_t {
  kNone,
  kEncoding,  // not UTF-8
  kControl,   // a control character inside a string
  kUnclosed,  // a string without its closing quote
};

class JsonTokens {  // one thread
 public:
  JsonTokens();
  ~JsonTokens();
  JsonTokens(const JsonTokens&) = delete;
  JsonTokens& operator=(const JsonTokens&) = delete;

  // REQUIRES: size < 2^32. The tokens stay until the next call.
  TokenFault Find(const char* text, size_t size);
  const uint32_t* begin() const { return begin_; }
  const uint32_t* end() const { return begin_ + count_; }

 private:
  class Scanner;
  std::unique_ptr<Scanner> scanner_;
  const uint32_t* begin_ = nullptr;
  size_t count_ = 0;
};

}  // namespace sluice::format
