// A secret value. It has no stream or format operator, is wiped when destroyed, and only connectors
// open it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sluice {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(
      Secret other) noexcept {  // the old value leaves in `other` and is wiped with it
    value_.swap(other.value_);
    return *this;
  }
  ~Secret();

  bool empty() const { return value_.empty(); }
  std::string_view Open() const { return value_; }

 private:
  std::string value_;
};

}  // namespace sluice
