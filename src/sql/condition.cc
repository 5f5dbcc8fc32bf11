// Parser::Conjuncts: a walk over the tree that gives up on a part as soon as it holds anything but
// columns, values and comparisons.
#include "sql/condition.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/json_full.h"
#include "base/text.h"
#include "sql/parse.h"

namespace sluice::sql {
namespace {

using Maybe = std::optional<Condition>;

std::string Word(const Json& node, const char* key) {
  const auto it = node.find(key);
  return it != node.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::optional<std::string> ColumnOf(const Json& node) {
  if (Word(node, "class") != "COLUMN_REF" || node.at("column_names").size() != 1)
    return std::nullopt;
  return node.at("column_names")[0].get<std::string>();
}

// 525 with two digits behind the point: "5.25".
std::string WithPoint(int64_t value, int64_t scale) {
  std::string digits = std::to_string(value < 0 ? -value : value);
  if (scale > 0) {
    const auto places = static_cast<size_t>(scale);
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    digits.insert(digits.size() - places, ".");
  }
  return (value < 0 ? "-" : "") + digits;
}

std::optional<Operand> Literal(const Json& value) {
  if (value.value("is_null", true)) return std::nullopt;
  const Json& type = value.at("type");
  const std::string id = Word(type, "id");
  const Json& held = value.at("value");
  if (id == "VARCHAR" && held.is_string())
    return Operand{Operand::Kind::kText, held.get<std::string>()};
  if (!held.is_number_integer()) return std::nullopt;
  if (id == "INTEGER" || id == "BIGINT")
    return Operand{Operand::Kind::kNumber, std::to_string(held.get<int64_t>())};
  if (id != "DECIMAL" || !type.contains("type_info") || !type.at("type_info").is_object())
    return std::nullopt;
  const int64_t scale = type.at("type_info").value("scale", int64_t{0});
  return Operand{Operand::Kind::kNumber, WithPoint(held.get<int64_t>(), scale)};
}

std::optional<Operand> OperandOf(const Json& node) {
  const std::string kind = Word(node, "class");
  if (kind == "CONSTANT") return Literal(node.at("value"));
  if (kind != "CAST" || node.value("try_cast", false)) return std::nullopt;
  const Json& child = node.at("child");
  if (Word(child, "class") == "PARAMETER")
    return Operand{Operand::Kind::kBound, Word(child, "identifier")};
  if (Word(child, "class") != "CONSTANT") return std::nullopt;
  auto constant = Literal(child.at("value"));
  if (!constant || constant->kind != Operand::Kind::kText) return std::nullopt;
  const std::string type = Word(node.at("cast_type"), "id");
  if (type == "BOOLEAN" && (constant->text == "t" || constant->text == "f"))
    return Operand{Operand::Kind::kBoolean, constant->text == "t" ? "true" : "false"};
  if (type == "DATE" || type == "TIMESTAMP") return constant;
  return std::nullopt;
}

Maybe Compared(const Json& column, const std::string& comparison, const Json& value) {
  const auto name = ColumnOf(column);
  auto constant = OperandOf(value);
  if (!name || !constant) return std::nullopt;
  return Condition{.kind = Condition::Kind::kCompare,
                   .parts = {},
                   .column = *name,
                   .comparison = comparison,
                   .constants = {std::move(*constant)}};
}

Maybe Comparison(const Json& node) {
  struct Sign {
    std::string_view type, sign, turned;  // turned: with the sides exchanged
  };
  constexpr std::array<Sign, 6> kSigns{{{"COMPARE_EQUAL", "=", "="},
                                        {"COMPARE_NOTEQUAL", "<>", "<>"},
                                        {"COMPARE_LESSTHAN", "<", ">"},
                                        {"COMPARE_LESSTHANOREQUALTO", "<=", ">="},
                                        {"COMPARE_GREATERTHAN", ">", "<"},
                                        {"COMPARE_GREATERTHANOREQUALTO", ">=", "<="}}};
  const std::string type = Word(node, "type");
  for (const Sign& sign : kSigns) {
    if (sign.type != type) continue;
    auto compared = Compared(node.at("left"), std::string(sign.sign), node.at("right"));
    if (compared) return compared;
    return Compared(node.at("right"), std::string(sign.turned), node.at("left"));
  }
  return std::nullopt;
}

Maybe Truth(const std::string& column, bool value) {
  return Condition{.kind = Condition::Kind::kCompare,
                   .parts = {},
                   .column = column,
                   .comparison = "=",
                   .constants = {{Operand::Kind::kBoolean, value ? "true" : "false"}}};
}

Maybe Operator(const Json& node) {
  const std::string type = Word(node, "type");
  const Json& children = node.at("children");
  if (children.empty()) return std::nullopt;
  const auto column = ColumnOf(children[0]);
  if (!column) return std::nullopt;
  Condition condition{.kind = Condition::Kind::kIn,
                      .parts = {},
                      .column = *column,
                      .comparison = {},
                      .constants = {}};
  if (type == "OPERATOR_NOT") return Truth(*column, false);
  if (type == "OPERATOR_IS_NULL" || type == "OPERATOR_IS_NOT_NULL") {
    condition.kind =
        type == "OPERATOR_IS_NULL" ? Condition::Kind::kNull : Condition::Kind::kNotNull;
    return condition;
  }
  if (type != "COMPARE_IN" || children.size() < 2) return std::nullopt;
  for (size_t i = 1; i < children.size(); ++i) {
    auto constant = OperandOf(children[i]);
    if (!constant) return std::nullopt;
    condition.constants.push_back(std::move(*constant));
  }
  return condition;
}

Maybe ConditionOf(const Json& node);

// All of them, or nothing.
Maybe Together(const std::vector<Maybe>& parts, Condition::Kind kind) {
  Condition condition{.kind = kind, .parts = {}, .column = {}, .comparison = {}, .constants = {}};
  for (const Maybe& part : parts) {
    if (!part) return std::nullopt;
    condition.parts.push_back(*part);
  }
  return condition;
}

Maybe ConditionOf(const Json& node) {
  const std::string kind = Word(node, "class");
  if (const auto column = ColumnOf(node)) return Truth(*column, true);
  if (kind == "COMPARISON") return Comparison(node);
  if (kind == "OPERATOR") return Operator(node);
  if (kind == "BETWEEN" && Word(node, "type") == "COMPARE_BETWEEN") {
    return Together({Compared(node.at("input"), ">=", node.at("lower")),
                     Compared(node.at("input"), "<=", node.at("upper"))},
                    Condition::Kind::kAll);
  }
  if (kind != "CONJUNCTION") return std::nullopt;
  std::vector<Maybe> parts;
  for (const Json& child : node.at("children")) parts.push_back(ConditionOf(child));
  return Together(parts, Word(node, "type") == "CONJUNCTION_OR" ? Condition::Kind::kAny
                                                                : Condition::Kind::kAll);
}

void AddConjuncts(const Json& node, std::vector<Condition>& conjuncts) {
  if (Word(node, "class") == "CONJUNCTION" && Word(node, "type") == "CONJUNCTION_AND") {
    for (const Json& child : node.at("children")) AddConjuncts(child, conjuncts);
  } else if (auto condition = ConditionOf(node)) {
    conjuncts.push_back(std::move(*condition));
  }
}

}  // namespace

Result<std::vector<Condition>> Parser::Conjuncts(std::string_view text) {
  std::vector<Condition> conjuncts;
  AddConjuncts(TRY(ExpressionTree(text, nullptr)), conjuncts);
  return conjuncts;
}

}  // namespace sluice::sql
