// `for_each` on a pipeline: one pipeline per entry, made at plan time. A scalar that is only
// `{{ each.x }}` becomes what the entry holds there, a mapping too; in the names of the pipeline
// and of steps it is text; anywhere else `each` is a value like every other name in `{{ }}`.
#include "pipeline/for_each.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace sluice {
namespace {

constexpr uint64_t kMaxListBytes = 1 << 20;
constexpr size_t kMostEntries = 10'000;

bool IsPathText(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.'; });
}

// The path of `{{ each.a.b }}` at `open`: "a.b"; nullopt: it is something else. `end`: behind it.
std::optional<std::string> EachAt(std::string_view text, size_t open, size_t& end) {
  const size_t close = text.find("}}", open);
  if (close == std::string_view::npos) return std::nullopt;
  end = close + 2;
  const std::string_view inside = Trim(text.substr(open + 2, close - open - 2));
  if (inside == "each") return std::string();
  if (!StartsWith(inside, "each.") || !IsPathText(inside)) return std::nullopt;
  return std::string(inside.substr(5));
}

class Expansion {  // of one entry
 public:
  Expansion(const Node& entry, size_t number) : entry_(entry), number_(number) {}

  Result<Node> Expand(const Node& node) const {
    if (node.IsScalar()) return Whole(node);
    Node out = node;
    for (Node& item : out.list) item = TRY(Expand(item));
    for (auto& [key, value] : out.map) {
      key = TRY(Spliced(key));
      value = TRY(Expand(value));
      if (IsName(key.scalar)) value = TRY(NamesIn(value));
    }
    return out;
  }

 private:
  static bool IsName(std::string_view key) {
    return key == "pipeline" || key == "from" || key == "after" || key == "with";
  }

  Result<Node> NamesIn(const Node& node) const {
    if (node.IsScalar()) return Spliced(node);
    Node out = node;
    for (Node& item : out.list) item = TRY(NamesIn(item));
    return out;
  }

  Result<Node> Whole(const Node& node) const {
    const std::string_view text = Trim(node.scalar);
    size_t end = 0;
    if (!StartsWith(text, "{{")) return node;
    const auto path = EachAt(text, 0, end);
    if (!path || end != text.size()) return node;
    Node found = TRY(At(*path, node.mark));
    found.mark = node.mark;
    return found;
  }

  // The node with each `{{ each… }}` in its text replaced by text.
  Result<Node> Spliced(Node node) const {
    for (size_t open = node.scalar.find("{{"); open != std::string::npos;
         open = node.scalar.find("{{", open)) {
      size_t end = open + 2;
      const auto path = EachAt(node.scalar, open, end);
      if (!path) {
        open = end;
        continue;
      }
      const Node found = TRY(At(*path, node.mark));
      if (!found.IsScalar()) {
        return ConfigError(node.mark, fmt::format("'{{{{ each.{} }}}}' is {} and cannot be part of "
                                                  "a name",
                                                  *path, NameOf(found.kind)));
      }
      node.scalar.replace(open, end - open, found.scalar);
      open += found.scalar.size();
    }
    return node;
  }

  Result<Node> At(const std::string& path, const Mark& mark) const {
    const Node* at = &entry_;
    if (path.empty()) return *at;
    for (const std::string& part : Split(path, '.')) {
      std::vector<std::string> known;
      for (const auto& [key, value] : at->map) known.push_back(key.scalar);
      at = at->Find(part);
      if (at != nullptr) continue;
      const auto nearest = Nearest(part, known);
      return ConfigError(
          mark, fmt::format("entry {} of for_each has no '{}'{}", number_, part,
                            nearest         ? fmt::format("; did you mean '{}'?", *nearest)
                            : known.empty() ? std::string("; it is a value alone: {{ each }}")
                                            : "; there are: " + Join(known, ", ")));
    }
    return *at;
  }

  const Node& entry_;
  const size_t number_;
};

Result<Node> ListOf(const Node& node, Files& files, const std::string& folder) {
  if (node.IsList()) return node;
  if (!node.IsScalar() || !(EndsWith(node.scalar, ".yml") || EndsWith(node.scalar, ".yaml"))) {
    return ConfigError(node.mark, "for_each takes a list, or a .yml file that is one");
  }
  const std::string path = JoinPath(folder, node.scalar);
  if (!files.Exists(path)) {
    return ConfigError(node.mark,
                       fmt::format("for_each: there is no file '{}' in the project", node.scalar));
  }
  Node list = TRY(ParseYaml(TRY(files.ReadAll(path, kMaxListBytes)), path));
  if (!list.IsList()) return ConfigError(list.mark, "a for_each file is one list of entries");
  return list;
}

}  // namespace

Result<std::vector<Each>> ExpandForEach(const Node& document, Files& files,
                                        const std::string& folder) {
  const Node* for_each = document.Find("for_each");
  if (for_each == nullptr) return std::vector<Each>{{document, {}}};
  const Node list = TRY(ListOf(*for_each, files, folder));
  if (list.list.empty())
    return ConfigError(for_each->mark, "for_each is empty; it needs an entry per pipeline");
  if (list.list.size() > kMostEntries) {
    return ConfigError(for_each->mark, fmt::format("for_each has {} entries; at most {}",
                                                   list.list.size(), kMostEntries));
  }
  std::vector<Each> all;
  for (size_t i = 0; i < list.list.size(); ++i) {
    Node copy = document;
    std::erase_if(copy.map, [](const Node::Entry& e) { return e.key.scalar == "for_each"; });
    all.push_back({TRY(Expansion(list.list[i], i + 1).Expand(copy)), list.list[i]});
  }
  return all;
}

std::string TextOf(const Node& node) {
  std::string text = node.scalar;
  for (const Node& item : node.list) text += "\x1e" + TextOf(item);
  for (const auto& [key, value] : node.map) text += "\x1e" + key.scalar + "=" + TextOf(value);
  return text;
}

}  // namespace sluice
