// A file whose bytes are made from another's, from front to back: reading on is cheap, reading back
// begins anew.
#pragma once

#include <algorithm>
#include <vector>

#include "base/files.h"

namespace sluice::format {

class ForwardFile : public File {
 public:
  Result<size_t> ReadAt(uint64_t offset, std::span<char> into) override {
    if (offset < at_) {
      TRY(Restart());
      at_ = 0;
    }
    std::vector<char> skipped;
    while (at_ < offset) {
      skipped.resize(64 << 10);
      const size_t part = std::min<uint64_t>(skipped.size(), offset - at_);
      const size_t count = TRY(Produce({skipped.data(), part}));
      at_ += count;
      if (count < part) return size_t{0};
    }
    const size_t count = TRY(Produce(into));
    at_ += count;
    return count;
  }
  Status Append(std::string_view) override { return InternalError("this file is read only"); }
  Status Sync() override { return InternalError("this file is read only"); }

 protected:
  virtual Status Restart() = 0;
  // The next bytes, fewer than asked only at the end.
  virtual Result<size_t> Produce(std::span<char> into) = 0;

 private:
  uint64_t at_ = 0;
};

}  // namespace sluice::format
