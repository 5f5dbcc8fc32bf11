// The only file that sees simdjson. Its first stage alone is used: the grammar and the values are
// read by json_cursor, which keeps the place of each byte and stops at the end of a line.
#include "format/json_tokens.h"

#include <simdjson.h>

#include <algorithm>

#include "base/result.h"

namespace sluice::format {

class JsonTokens::Scanner {
 public:
  TokenFault Find(const char* text, size_t size, const uint32_t** begin, size_t* count) {
    Reserve(size);
    const auto* bytes = reinterpret_cast<const uint8_t*>(text);
    const simdjson::error_code code = stages_->stage1(bytes, size, simdjson::stage1_mode::regular);
    *begin = stages_->structural_indexes.get();
    *count = code == simdjson::SUCCESS ? stages_->n_structural_indexes : 0;
    switch (code) {
      case simdjson::SUCCESS:
      case simdjson::EMPTY:
        return TokenFault::kNone;
      case simdjson::UNESCAPED_CHARS:
        return TokenFault::kControl;
      case simdjson::UNCLOSED_STRING:
        return TokenFault::kUnclosed;
      default:
        return TokenFault::kEncoding;
    }
  }

 private:
  void Reserve(size_t size) {
    if (stages_ && size <= stages_->capacity()) return;
    const size_t capacity = std::max<size_t>(size, 64 << 10);
    SLUICE_CHECK(simdjson::get_active_implementation()->create_dom_parser_implementation(
                     capacity, 1, stages_) == simdjson::SUCCESS);
  }

  std::unique_ptr<simdjson::internal::dom_parser_implementation> stages_;
};

JsonTokens::JsonTokens() : scanner_(std::make_unique<Scanner>()) {}
JsonTokens::~JsonTokens() = default;

TokenFault JsonTokens::Find(const char* text, size_t size) {
  count_ = 0;
  if (size == 0) return TokenFault::kNone;
  return scanner_->Find(text, size, &begin_, &count_);
}

}  // namespace sluice::format
