// The one file that knows the YAML library. Its events become nodes with places; what YAML offers
// beyond maps, lists and scalars (anchors, aliases, tags, several documents) is refused, so that a
// file means what it looks like.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "base/text.h"
#include "pipeline/project.h"

namespace sluice {
namespace {

constexpr size_t kMaxYamlBytes = 1 << 20;
constexpr size_t kMaxYamlDepth = 32;

struct Refusal {  // thrown through the library, caught below
  YAML::Mark mark;
  std::string message;
  bool template_key = false;
};

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const std::string& file) : file_(file) {}

  Node Take() { return std::move(root_); }
  bool done() const { return done_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (done_) throw Refusal{mark, "a second YAML document; a file holds one"};
  }
  void OnDocumentEnd() override { done_ = true; }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseAnchor(mark, anchor);
    Add(Make(mark, Node::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refusal{mark, "YAML aliases (*name) are not allowed; write the value again"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    Node node = Make(mark, Node::Kind::kScalar);
    node.scalar = value;
    node.quoted = tag == "!";
    Add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Push(mark, tag, anchor, Node::Kind::kList);
  }
  void OnSequenceEnd() override { Pop(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Push(mark, tag, anchor, Node::Kind::kMap);
  }
  void OnMapEnd() override { Pop(); }

 private:
  struct Frame {
    Node node;
    std::optional<Node> key;  // of a map: read, its value not yet
  };

  Node Make(const YAML::Mark& mark, Node::Kind kind) const {
    Node node;
    node.kind = kind;
    node.mark = {file_, mark.line + 1, mark.column + 1};
    return node;
  }
  static void RefuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor)
      throw Refusal{mark, "YAML anchors (&name) are not allowed; write the value again"};
  }
  static void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw Refusal{mark, fmt::format("YAML tags ({}) are not allowed", EscapeControl(tag))};
  }
  void Push(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    if (stack_.size() >= kMaxYamlDepth)
      throw Refusal{mark, fmt::format("more than {} levels of nesting", kMaxYamlDepth)};
    if (!stack_.empty() && stack_.back().node.IsMap() && !stack_.back().key) {
      throw Refusal{mark, "a key must be a plain name", kind == Node::Kind::kMap};
    }
    stack_.push_back({Make(mark, kind), std::nullopt});
  }
  void Pop() {
    Node node = std::move(stack_.back().node);
    stack_.pop_back();
    Add(std::move(node));
  }
  void Add(Node node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& top = stack_.back();
    if (top.node.IsList()) {
      top.node.list.push_back(std::move(node));
    } else if (!top.key) {
      if (!node.IsScalar()) throw Refusal{MarkOf(node), "a key must be a plain name"};
      if (top.node.Find(node.scalar) != nullptr) {
        throw Refusal{MarkOf(node),
                      fmt::format("the key '{}' is given twice", EscapeControl(node.scalar))};
      }
      top.key = std::move(node);
    } else {
      if (node.IsNull()) node.mark = top.key->mark;
      top.node.map.push_back({std::move(*top.key), std::move(node)});
      top.key.reset();
    }
  }
  static YAML::Mark MarkOf(const Node& node) {
    YAML::Mark mark;
    mark.line = node.mark.line - 1;
    mark.column = node.mark.column - 1;
    return mark;
  }

  const std::string& file_;
  std::vector<Frame> stack_;
  Node root_;
  bool done_ = false;
};

std::string LineAt(std::string_view text, int line) {
  for (; line > 0; --line) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return "";
    text.remove_prefix(end + 1);
  }
  return std::string(text.substr(0, text.find('\n')));
}

struct UnquotedValue {
  size_t begin, end;  // of the whole value in its line
  size_t braces;      // where its {{ begins
};

// How a value goes on: to the end of the line or a comment, in `{ }` and `[ ]` to the comma or
// bracket that ends it there. What stands in parentheses belongs to it.
size_t EndOfValue(std::string_view line, size_t at, int parentheses, int flow) {
  int brackets = 0;
  for (; at < line.size(); ++at) {
    const char c = line[at];
    if (line.substr(at, 2) == "{{") {
      at = std::min(line.find("}}", at), line.size() - 2) + 1;
    } else if (c == '(' || c == '[') {
      ++(c == '(' ? parentheses : brackets);
    } else if (c == ')') {
      --parentheses;
    } else if (c == '}' || (c == ']' && --brackets < 0) || (c == '#' && line[at - 1] == ' ') ||
               (c == ',' && flow > 0 && parentheses <= 0)) {
      break;
    }
  }
  while (line[at - 1] == ' ') --at;
  return at;
}

// The first value of the line that has an unquoted `{{`.
std::optional<UnquotedValue> UnquotedTemplate(std::string_view line) {
  char quote = 0;
  int flow = 0, parentheses = 0;
  size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const auto begins_after = [&](size_t i) {
    begin = std::min(line.find_first_not_of(' ', i + 1), line.size());
    parentheses = 0;
  };
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool apart = i + 1 == line.size() || line[i + 1] == ' ';
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (line.substr(i, 2) == "{{") {
      if (line.find("}}", i) == std::string_view::npos) return std::nullopt;
      return UnquotedValue{begin, EndOfValue(line, i, parentheses, flow), i};
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      return std::nullopt;
    } else if (c == '(' || c == ')') {
      parentheses += c == '(' ? 1 : -1;
    } else if (c == '{' || (c == '[' && begin == i)) {
      ++flow;
      begins_after(i);
    } else if (c == '}') {
      --flow;
    } else if ((apart && (c == ':' || (c == '-' && begin == i))) ||
               (c == ',' && flow > 0 && parentheses <= 0)) {
      begins_after(i);
    }
  }
  return std::nullopt;
}

std::optional<Error> TemplateError(std::string_view text, const std::string& file, int line) {
  for (int at = line; at >= 0 && at >= line - 1; --at) {
    const std::string written = LineAt(text, at);
    const auto place = UnquotedTemplate(written);
    if (!place) continue;
    const std::string value = written.substr(place->begin, place->end - place->begin);
    const char quote = value.find('"') == std::string::npos ? '"' : '\'';
    const std::string fixed =
        written.substr(0, place->begin) + quote + value + quote + written.substr(place->end);
    return ConfigError({file, at + 1, static_cast<int>(place->braces) + 1},
                       fmt::format("an unquoted {{{{ }}}} begins a YAML map; quote it: {}",
                                   EscapeControl(Trim(fixed))));
  }
  return std::nullopt;
}

Error SyntaxError(std::string_view text, const std::string& file, const YAML::Exception& error) {
  if (auto known = TemplateError(text, file, error.mark.line)) return *known;
  const Mark mark{file, error.mark.line + 1, error.mark.column + 1};
  const std::string line = LineAt(text, error.mark.line);
  const char at = error.mark.column >= 0 && static_cast<size_t>(error.mark.column) < line.size()
                      ? line[static_cast<size_t>(error.mark.column)]
                      : ' ';
  if (at == '@' || at == '`') {
    return ConfigError(mark,
                       fmt::format("a plain value cannot begin with '{}'; put it in quotes", at));
  }
  if (at == '\t' || StartsWith(line, "\t"))
    return ConfigError(mark, "a tab in the indentation; YAML takes spaces only");
  return ConfigError(mark, "not YAML: " + EscapeControl(error.msg));
}

}  // namespace

Result<Node> ParseYaml(std::string_view text, const std::string& file) {
  if (text.size() > kMaxYamlBytes) {
    return ConfigError({file, 0, 0}, fmt::format("{} of YAML; at most {}", FormatBytes(text.size()),
                                                 FormatBytes(kMaxYamlBytes)));
  }
  if (!ValidUtf8(text)) return ConfigError({file, 0, 0}, "not UTF-8; save the file as UTF-8");
  if (text.find('\0') != std::string_view::npos)
    return ConfigError({file, 0, 0}, "a NUL byte; this is not a text file");
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(file);
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.Take();
  } catch (const Refusal& refusal) {
    if (refusal.template_key) {
      if (auto known = TemplateError(text, file, refusal.mark.line)) return *known;
    }
    return ConfigError({file, refusal.mark.line + 1, refusal.mark.column + 1}, refusal.message);
  } catch (const YAML::Exception& error) {
    return SyntaxError(text, file, error);
  } catch (const std::exception& error) {
    return ConfigError({file, 0, 0}, std::string("not YAML: ") + error.what());
  }
}

}  // namespace sluice
