// See json_records.h. One pass, a stack of brackets, no tree.
#include "format/json_records.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "base/text.h"
#include "format/forward_file.h"

namespace sluice::format {
namespace {

constexpr size_t kMaxDepth = 1000;

class JsonRecords final : public ForwardFile {
 public:
  JsonRecords(std::unique_ptr<File> document, const std::string& path, std::string name)
      : document_(std::move(document)), shown_path_(path), name_(std::move(name)) {
    if (!path.empty()) path_ = Split(path, '.');
  }

 protected:
  Status Restart() override {
    stack_.clear();
    in_string_ = escaped_ = is_key_ = found_ = too_deep_ = false;
    list_depth_.reset();
    read_ = 0;
    return Ok();
  }

  Result<size_t> Produce(std::span<char> into) override {
    const size_t count = TRY(document_->ReadAt(read_, into));
    for (size_t i = 0; i < count; ++i) into[i] = Translate(into[i]);
    read_ += count;
    if (too_deep_)
      return RejectedError(
          fmt::format("'{}' is nested more than {} deep (limit max_json_depth)", name_, kMaxDepth));
    if (count == into.size()) return count;
    if (!stack_.empty() || in_string_)
      return RejectedError(fmt::format("'{}' ends inside its document: it was cut off", name_));
    if (!found_ && (read_ > 0 || !path_.empty())) {
      return RejectedError(
          path_.empty()
              ? fmt::format("'{}' is neither a list nor an object; is it JSON?", name_)
              : fmt::format("'{}' has no list at '{}'; records: names the path to the list of "
                            "records",
                            name_, shown_path_));
    }
    return count;
  }

 private:
  struct Level {
    bool object = false, on_path = false, expects_key = false;
    size_t matched = 0;  // keys of the path above this level's values
    bool key_matches = false;
  };

  bool InRecords() const {
    if (list_depth_) return stack_.size() >= *list_depth_;
    return path_.empty() && !stack_.empty();
  }

  // Directly inside the list, between its elements.
  bool Between() const { return list_depth_ && stack_.size() == *list_depth_; }

  char Translate(char c) {
    const bool inside = InRecords();
    if (in_string_) {
      String(c);
      if (!inside) return '\n';
      return c == '\n' || c == '\r' ? ' ' : c;
    }
    switch (c) {
      case '"':
        in_string_ = true;
        is_key_ = !stack_.empty() && stack_.back().object && stack_.back().expects_key;
        key_.clear();
        return inside ? c : '\n';
      case '{':
      case '[':
        Open(c == '{');
        return InRecords() && !Between() ? c : '\n';  // a list's own bracket is no record's
      case '}':
      case ']':
        return Close(c, inside);
      case ',':
        if (!stack_.empty() && stack_.back().object) stack_.back().expects_key = true;
        return inside && !Between() ? c : '\n';
      case ':':
        if (!stack_.empty() && stack_.back().object) stack_.back().expects_key = false;
        return inside ? c : '\n';
      case ' ':
      case '\t':
      case '\n':
      case '\r':
        return inside && !Between() ? ' ' : '\n';
      default:
        return inside ? c : '\n';
    }
  }

  void String(char c) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
      if (is_key_) {
        Level& level = stack_.back();
        level.key_matches =
            level.on_path && level.matched < path_.size() && key_ == path_[level.matched];
      }
      return;
    }
    if (is_key_ && stack_.back().on_path) key_ += c;
  }

  void Open(bool object) {
    Level level{.object = object, .on_path = false, .expects_key = object, .matched = 0};
    if (stack_.empty()) {
      level.on_path = true;
      if (path_.empty()) found_ = true;
    } else if (stack_.back().object && stack_.back().on_path && stack_.back().key_matches) {
      level.on_path = true;
      level.matched = stack_.back().matched + 1;
    }
    if (stack_.size() >= kMaxDepth) too_deep_ = true;
    stack_.push_back(level);
    if (!object && level.on_path && level.matched == path_.size() && !list_depth_) {
      list_depth_ = stack_.size();
      found_ = true;
    }
  }

  char Close(char c, bool inside) {
    const bool ends_list = list_depth_ && stack_.size() == *list_depth_;
    if (!stack_.empty()) stack_.pop_back();
    if (ends_list) {
      list_depth_.reset();
      return '\n';
    }
    return inside ? c : '\n';
  }

  std::unique_ptr<File> document_;
  const std::string shown_path_, name_;
  std::vector<std::string> path_;
  std::vector<Level> stack_;
  std::string key_;
  std::optional<size_t> list_depth_;  // of the stack, directly inside the list
  bool in_string_ = false, escaped_ = false, is_key_ = false, found_ = false, too_deep_ = false;
  uint64_t read_ = 0;
};

}  // namespace

std::unique_ptr<File> MakeJsonRecords(std::unique_ptr<File> document, const std::string& path,
                                      std::string name) {
  return std::make_unique<JsonRecords>(std::move(document), path, std::move(name));
}

}  // namespace sluice::format
