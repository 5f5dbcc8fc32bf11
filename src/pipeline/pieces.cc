// See pieces.h.
#include "pipeline/pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "pipeline/template_scan.h"
#include "spec/field.h"

namespace sluice {
namespace {

constexpr uint64_t kMaxPieceBytes = 1 << 20;
constexpr std::string_view kParams = "params.";
constexpr std::string_view kSteps = "steps.";

struct Use {
  std::string piece;
  Mark mark;
  Node with;
};

Result<Use> ReadUse(const StepNode& step) {
  for (const auto& [key, value] : step.step.map) {
    const bool known = key.scalar == "use" || key.scalar == "from" || key.scalar == "description" ||
                       key.scalar == "tags";
    if (!known) {
      return ConfigError(key.mark,
                         fmt::format("'{}' beside use: the piece is several steps; say it "
                                     "on one of them, in the piece",
                                     key.scalar));
    }
  }
  Use use{.piece = "", .mark = step.body.mark, .with = {}};
  if (step.body.IsScalar()) {
    use.piece = step.body.scalar;
    return use;
  }
  if (!step.body.IsMap())
    return WrongShape(step.body, "use", "a file of steps, or { piece, with }");
  for (const auto& [key, value] : step.body.map) {
    if (key.scalar == "piece") {
      use.piece = TRY(ReadWritten(value, "piece")).text;
      use.mark = value.mark;
    } else if (key.scalar == "with") {
      if (!value.IsMap()) return WrongShape(value, "with", "a map name -> value");
      use.with = value;
    } else {
      return UnknownKey(key, "use", {"piece", "with"});
    }
  }
  if (use.piece.empty()) return ConfigError(step.body.mark, "use needs 'piece': a file of steps");
  return use;
}

bool IsWordChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// A text of the piece with its params and the names of its steps put in.
class Filling {
 public:
  Filling(std::map<std::string, Node> values, std::map<std::string, std::string> names,
          std::string piece)
      : values_(std::move(values)), names_(std::move(names)), piece_(std::move(piece)) {}

  // What a param is: part of the file, or, where SQL stands, a value in it.
  enum class As : uint8_t { kNode, kValue };

  Result<Node> Fill(const Node& node, As as = As::kNode) const {
    if (node.IsScalar()) return Scalar(node, as);
    Node out = node;
    for (Node& item : out.list) item = TRY(Fill(item, as));
    for (auto& [key, value] : out.map) {
      key = TRY(Name(key));
      value = TRY(Fill(value, HoldsSql(key.scalar) ? As::kValue : as));
    }
    return out;
  }

 private:
  static bool HoldsSql(std::string_view key) {
    return key == "map" || key == "derive" || key == "filter" || key == "sql" || key == "select" ||
           key == "where" || key == "query" || key == "when";
  }

  // A name is text: `{{ params.x }}` in it is what was given.
  Result<Node> Name(Node node) const {
    for (size_t open = node.scalar.find("{{"); open != std::string::npos;
         open = node.scalar.find("{{", open)) {
      const size_t close = node.scalar.find("}}", open);
      if (close == std::string::npos) break;
      const std::string inside(Trim(node.scalar.substr(open + 2, close - open - 2)));
      if (!StartsWith(inside, kParams)) {
        open = close;
        continue;
      }
      const Node value = TRY(Value(inside.substr(kParams.size()), node.mark));
      if (!value.IsScalar())
        return ConfigError(node.mark,
                           fmt::format("'{}' is {} and no name", inside, NameOf(value.kind)));
      node.scalar.replace(open, close + 2 - open, value.scalar);
      open += value.scalar.size();
    }
    return node;
  }

  Result<Node> Value(const std::string& name, const Mark& mark) const {
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [key, value] : values_) known.push_back(key);
    const auto nearest = Nearest(name, known);
    return ConfigError(mark, fmt::format("the piece '{}' has no param '{}'{}", piece_, name,
                                         nearest ? fmt::format("; did you mean '{}'?", *nearest)
                                         : known.empty() ? std::string("; it has none")
                                                         : "; there are: " + Join(known, ", ")));
  }

  Result<Node> Scalar(const Node& node, As as) const {
    const auto pieces = ScanText(node.scalar);
    const bool whole = ScanText(Trim(node.scalar)).size() == 1;
    Node out = node;
    out.scalar.clear();
    for (const Piece& piece : pieces) {
      if (piece.kind != Piece::Kind::kValue) {
        out.scalar += piece.text;
        continue;
      }
      const std::string inside(Trim(piece.text));
      const bool bare = StartsWith(inside, kParams) &&
                        std::all_of(inside.begin(), inside.end(),
                                    [](char c) { return IsWordChar(c) || c == '.'; });
      if (bare && whole) {
        Node value = TRY(Value(inside.substr(kParams.size()), node.mark));
        value.mark = node.mark;
        if (as == As::kNode || !value.IsScalar()) return value;
      }
      out.scalar += "{{" + TRY(Expression(piece.text, node.mark)) + "}}";
    }
    return out;
  }

  // `params.x` as the value, `steps.x` by its name in the pipeline; not inside quotes.
  Result<std::string> Expression(std::string_view text, const Mark& mark) const {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      if (text[at] == '\'' || text[at] == '"') {
        const size_t end = std::min(text.find(text[at], at + 1), text.size() - 1);
        out += text.substr(at, end + 1 - at);
        at = end + 1;
        continue;
      }
      const bool begins = at == 0 || (!IsWordChar(text[at - 1]) && text[at - 1] != '.');
      const bool param = begins && StartsWith(text.substr(at), kParams);
      const bool step = begins && StartsWith(text.substr(at), kSteps);
      if (!param && !step) {
        out += text[at++];
        continue;
      }
      at += (param ? kParams : kSteps).size();
      const size_t begin = at;
      while (at < text.size() && IsWordChar(text[at])) ++at;
      const std::string name(text.substr(begin, at - begin));
      if (step) {
        const auto known = names_.find(name);
        out += std::string(kSteps) + (known == names_.end() ? name : known->second);
      } else {
        out += TRY(Sql(TRY(Value(name, mark)), name, mark));
      }
    }
    return out;
  }

  static Result<std::string> Sql(const Node& value, const std::string& name, const Mark& mark) {
    if (!value.IsScalar())
      return ConfigError(mark,
                         fmt::format("'params.{}' is {} and no value", name, NameOf(value.kind)));
    const auto pieces = ScanText(Trim(value.scalar));
    if (pieces.size() == 1 && pieces[0].kind == Piece::Kind::kValue)
      return "(" + pieces[0].text + ")";
    if (value.scalar.find("{{") != std::string::npos) {
      return ConfigError(value.mark,
                         fmt::format("'{}': the value of a param is one {{{{ }}}} or none",
                                     EscapeControl(value.scalar)));
    }
    char* end = nullptr;
    (void)std::strtod(value.scalar.c_str(), &end);
    const bool number = !value.quoted && !value.scalar.empty() && *end == '\0' &&
                        (std::isdigit(static_cast<unsigned char>(value.scalar.front())) ||
                         value.scalar.front() == '-');
    const bool flag = !value.quoted && (value.scalar == "true" || value.scalar == "false");
    return number || flag ? value.scalar : QuoteLiteral(value.scalar);
  }

  const std::map<std::string, Node> values_;
  const std::map<std::string, std::string> names_;
  const std::string piece_;
};

Result<std::map<std::string, Node>> ValuesOf(const Use& use, const Node& document) {
  std::map<std::string, Node> values;
  std::vector<std::string> known;
  if (const Node* params = document.Find("params")) {
    if (!params->IsMap()) return WrongShape(*params, "params", "a map name -> default");
    for (const auto& [key, value] : params->map) {
      known.push_back(key.scalar);
      if (!value.IsNull()) values[key.scalar] = value;
    }
  }
  for (const auto& [key, value] : use.with.map) {
    if (std::find(known.begin(), known.end(), key.scalar) == known.end())
      return UnknownKey(key, fmt::format("'{}'", use.piece), known);
    values[key.scalar] = value;
  }
  for (const std::string& name : known) {
    if (values.contains(name)) continue;
    return ConfigError(use.mark, fmt::format("the piece '{}' needs '{}': with: {{ {}: … }}",
                                             use.piece, name, name));
  }
  return values;
}

Result<std::vector<StepNode>> StepsOf(const StepNode& user, const Use& use, const Node& document) {
  const Node* steps = document.Find("steps");
  if (steps == nullptr || !steps->IsMap() || steps->map.empty()) {
    return ConfigError(document.mark.file.empty() ? use.mark : document.mark,
                       "a piece is a map of `steps:`, and of `params:` with their defaults");
  }
  for (const auto& [key, value] : document.map) {
    if (key.scalar != "steps" && key.scalar != "params" && key.scalar != "description")
      return UnknownKey(key, "a piece", {"steps", "params", "description"});
  }
  std::map<std::string, std::string> names;
  for (const auto& [key, value] : steps->map) {
    const bool last = &key == &steps->map.back().key;
    names[key.scalar] = last ? user.name : user.name + "_" + key.scalar;
  }
  const Filling filling(TRY(ValuesOf(use, document)), names, use.piece);
  std::vector<StepNode> made;
  for (const auto& [key, value] : TRY(filling.Fill(*steps)).map) {
    StepNode step = TRY(ReadStep(key, value, made));
    if (step.verb == "use")
      return ConfigError(step.mark, "a piece uses no other piece; name both in the pipeline");
    if (made.empty() && step.verb != "extract" && value.Find("from") == nullptr)
      step.from = user.from;
    step.local = names;
    const auto real = [&](std::string& name) {
      if (const auto known = names.find(name); known != names.end()) name = known->second;
    };
    if (step.step.Find("from") != nullptr)
      for (std::string& name : step.from) real(name);
    else if (!made.empty() && !step.from.empty())
      step.from = {made.back().name};
    for (auto& entry : step.step.map) {
      if (entry.key.scalar != "after" && entry.key.scalar != "for_each") continue;
      real(entry.value.scalar);
      for (Node& item : entry.value.list) real(item.scalar);
    }
    step.name = names.at(step.name);
    made.push_back(std::move(step));
  }
  return made;
}

}  // namespace

Status InlinePieces(PipelineFile& file, Files& files, const std::string& folder) {
  std::vector<StepNode> steps;
  for (StepNode& step : file.steps) {
    if (step.verb != "use") {
      steps.push_back(std::move(step));
      continue;
    }
    const Use use = TRY(ReadUse(step));
    const std::string path = JoinPath(folder, use.piece);
    if (!files.Exists(path))
      return ConfigError(use.mark, fmt::format("'{}' is no file in the project", use.piece));
    const std::string text = TRY(files.ReadAll(path, kMaxPieceBytes));
    file.pieces[path] = text;
    for (StepNode& one : TRY(StepsOf(step, use, TRY(ParseYaml(text, path))))) {
      for (const StepNode& other : file.steps) {
        if (ToLower(other.name) != ToLower(one.name) || other.name == step.name) continue;
        return ConfigError(
            other.mark, fmt::format("step '{}' is called as a step of the piece '{}' is; give it "
                                    "another name",
                                    other.name, use.piece));
      }
      steps.push_back(std::move(one));
    }
  }
  file.steps = std::move(steps);
  return Ok();
}

}  // namespace sluice
