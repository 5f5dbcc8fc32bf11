// Names of bound values, the texts of keyed state, and the canonical form that fingerprints stand
// on.
#include "relation/relation.h"

#include <fmt/core.h>

#include "base/text.h"

namespace sluice::relation {
namespace {

std::string Replace(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    size_t next = text.find(from, at);
    if (next == std::string_view::npos) next = text.size();
    result += text.substr(at, next - at);
    if (next < text.size()) result += to;
    at = next + from.size();
  }
  return result;
}

// One blank for any blanks and comments outside of quotes, none at the ends.
class Squeezer {
 public:
  explicit Squeezer(std::string_view text) : text_(text) {}

  std::string Run() {
    while (at_ < text_.size()) {
      if (text_.substr(at_, 2) == "--") {
        Skip(text_.find('\n', at_));
      } else if (text_.substr(at_, 2) == "/*") {
        size_t end = text_.find("*/", at_ + 2);
        Skip(end == std::string_view::npos ? end : end + 2);
      } else if (std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
        Skip(at_ + 1);
      } else {
        Take();
      }
    }
    return std::move(result_);
  }

 private:
  void Skip(size_t to) {
    at_ = std::min(to, text_.size());
    blank_ = true;
  }
  void Take() {
    if (blank_ && !result_.empty()) result_ += ' ';
    blank_ = false;
    char quote = text_[at_];
    size_t end = at_ + 1;
    if (quote == '\'' || quote == '"') end = std::min(text_.find(quote, end), text_.size() - 1) + 1;
    result_ += text_.substr(at_, end - at_);
    at_ = end;
  }

  std::string_view text_;
  size_t at_ = 0;
  bool blank_ = false;
  std::string result_;
};

std::string Squeeze(std::string_view text) { return Squeezer(text).Run(); }

// Each node becomes one line; equal lines are one node, so that what is shared is written once.
class Canonicaliser {
 public:
  std::string Run(const Ref& ref) {
    std::string last = Line(ref);
    return text_ + last;
  }

 private:
  std::string Line(const Ref& ref) {
    auto seen = nodes_.find(ref.get());
    if (seen != nodes_.end()) return seen->second;
    std::string line = std::visit([this](const auto& op) { return Say(op); }, ref->op);
    auto [it, fresh] = lines_.emplace(line, fmt::format("n{}", lines_.size()));
    if (fresh) text_ += it->second + " = " + line + "\n";
    return nodes_[ref.get()] = it->second;
  }

  static std::string Items(const std::vector<Named>& columns) {
    std::string text;
    for (const Named& column : columns)
      text += QuoteIdentifier(column.name) + ": " + Squeeze(column.expr.sql) + ", ";
    return "{" + text + "}";
  }

  std::string Say(const Input& op) { return "input " + QuoteIdentifier(op.step); }
  std::string Say(const Project& op) {
    return "project " + Line(op.from) + " " + Items(op.columns);
  }
  std::string Say(const Sift& op) {
    std::string text = "sift " + Line(op.from);
    for (const Fate& fate : op.fates) {
      text += fmt::format(" [{} {}]", static_cast<int>(fate.kind), Squeeze(fate.applies.sql));
    }
    return text;
  }
  std::string Say(const Aggregate& op) {
    return "aggregate " + Line(op.from) + " " + Items(op.keys) + " " + Items(op.values);
  }
  std::string Say(const Join& op) {
    return fmt::format("join {} {} as {} {} as {} on {} {}", static_cast<int>(op.kind),
                       Line(op.left), QuoteIdentifier(op.left_name), Line(op.right),
                       QuoteIdentifier(op.right_name), Squeeze(op.on.sql), Items(op.columns));
  }
  std::string Say(const Distinct& op) {
    std::string order;
    for (const std::string& item : op.order) order += Squeeze(item) + ", ";
    return "distinct " + Line(op.from) + " " + Items(op.keys) + " order " + order;
  }
  std::string Say(const Union& op) {
    std::string text = "union";
    for (const Ref& part : op.parts) text += " " + Line(part);
    return text;
  }
  std::string Say(const Sql& op) {
    std::string text = "sql " + Squeeze(op.text);
    for (const auto& [name, ref] : op.inputs)
      text += " with " + QuoteIdentifier(name) + " = " + Line(ref);
    return text;
  }
  std::string Say(const Call& op) {
    const Program& program = *op.program;
    std::string text = "call " + Line(op.from) + " (" + Fingerprint(program.opening) + " " +
                       Fingerprint(program.identity) + ")";
    for (const std::string& word : program.command) text += " " + QuoteLiteral(word);
    for (const Given& column : program.given)
      text += fmt::format(" {}: {},", QuoteIdentifier(column.name), Squeeze(column.sql));
    return text + " -> " + Format(program.gives);
  }
  std::string Say(const Keyed& op) {
    return "keyed " + Line(op.from) + " " + Items(op.pending) + " " + Items(op.pending_values) +
           " fire " + Squeeze(op.fire) + " keep " + Squeeze(op.keep);
  }

  std::map<const Node*, std::string> nodes_;
  std::map<std::string, std::string> lines_;
  std::string text_;
};

}  // namespace

std::vector<Ref> InputsOf(const Node& node) {
  return std::visit(
      [](const auto& op) -> std::vector<Ref> {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<Op, Input>) {
          return {};
        } else if constexpr (std::is_same_v<Op, Join>) {
          return {op.left, op.right};
        } else if constexpr (std::is_same_v<Op, Union>) {
          return op.parts;
        } else if constexpr (std::is_same_v<Op, Sql>) {
          std::vector<Ref> refs;
          for (const auto& [name, ref] : op.inputs) refs.push_back(ref);
          return refs;
        } else {
          return {op.from};
        }
      },
      node.op);
}

Bound MakeBound(std::string_view type, const std::optional<std::string>& text) {
  std::string whole = std::string(type) + (text ? "\x1f=" + *text : "\x1f!");
  return {.name = "v_" + Fingerprint(whole),
          .type = std::string(type),
          .text = text.value_or(""),
          .null = !text};
}

std::string Refer(const Bound& bound) {
  return fmt::format("CAST(${} AS {})", bound.name, bound.type);
}

Ref Pending(const Ref& keyed) {
  const Keyed& op = std::get<Keyed>(keyed->op);
  if (op.partial) {
    return Make(Aggregate{.from = op.from, .keys = op.pending, .values = op.pending_values},
                op.state, op.step, keyed->bound);
  }
  return Make(Project{.from = op.from, .columns = op.pending}, op.state, op.step, keyed->bound);
}

std::string FireText(const Keyed& keyed, std::string_view rows, std::string_view kept) {
  return Replace(Replace(keyed.fire, "{rows}", rows), "{kept}", kept);
}

std::string KeepText(const Keyed& keyed, std::string_view rows, std::string_view kept) {
  std::string text = Replace(keyed.keep, "{fire}", keyed.fire);
  return Replace(Replace(text, "{rows}", rows), "{kept}", kept);
}

std::string Canonical(const Ref& ref) { return Canonicaliser().Run(ref); }

}  // namespace sluice::relation
