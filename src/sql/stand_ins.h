// Bound values are named by what they hold (relation::MakeBound), so a text that is the same in
// every run but for its values never is the same text. With their names replaced by stand-ins of
// the same length it is, and every place in it stays where it was.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::sql {

class StandIns {
 public:
  explicit StandIns(std::string_view text);
  const std::string& text() const { return text_; }
  // The names as they were, in what was made of `text`.
  std::string Back(std::string text) const;

 private:
  std::string text_;
  std::vector<std::string> names_;  // the n-th has the n-th stand-in
};

}  // namespace sluice::sql
