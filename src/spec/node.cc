// See node.h.
#include "spec/node.h"

namespace sluice {

const Node* Node::Find(std::string_view key) const {
  for (const Entry& entry : map) {
    if (entry.key.scalar == key) return &entry.value;
  }
  return nullptr;
}

std::string_view NameOf(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "a value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
  }
  return "nothing";
}

}  // namespace sluice
