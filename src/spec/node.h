// A parsed value with its place: what YAML (or an API) said, before anyone knows what it means.
// Scalars are kept raw, because YAML 1.1 would read `on` as true and `012` as ten; whoever binds a
// field knows its type.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sluice {

struct Node {
  enum class Kind : unsigned char { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  std::string scalar;
  bool quoted = false;  // the scalar was in quotes or a block: "5" is text, 5 is a number
  std::vector<Node> list;
  std::vector<Entry> map;  // in the order written
  Mark mark;

  bool IsNull() const { return kind == Kind::kNull; }
  bool IsScalar() const { return kind == Kind::kScalar; }
  bool IsList() const { return kind == Kind::kList; }
  bool IsMap() const { return kind == Kind::kMap; }
  const Node* Find(std::string_view key) const;  // null where absent or not a map
};

struct Node::Entry {
  Node key;  // a scalar with its place
  Node value;
};

std::string_view NameOf(Node::Kind kind);  // "nothing", "a value", "a list", "a map"

}  // namespace sluice
