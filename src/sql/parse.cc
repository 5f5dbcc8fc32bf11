// Reads the trees that json_serialize_sql gives. Offsets in them count from the "SELECT " that is
// put before an expression.
#include "sql/parse.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/json_full.h"
#include "base/text.h"
#include "sql/aggregates.h"

namespace sluice::sql {
namespace {

constexpr std::string_view kSelect = "SELECT ";

std::string Word(const Json& node, const char* key) {
  auto it = node.find(key);
  return it != node.end() && it->is_string() ? it->get<std::string>() : std::string();
}
int64_t Place(const Json& node) {
  auto it = node.find("query_location");
  return it != node.end() && it->is_number_unsigned() && it->get<uint64_t>() < (1U << 30)
             ? it->get<int64_t>()
             : -1;
}

// Column references and what else an expression says.
class ExpressionWalk {
 public:
  explicit ExpressionWalk(ExpressionFacts& facts) : facts_(facts) {}

  void Visit(const Json& node, const std::set<std::string>& lambda_names) {
    if (node.is_array()) {
      for (const Json& item : node) Visit(item, lambda_names);
      return;
    }
    if (!node.is_object()) return;
    std::string kind = Word(node, "class");
    if (kind == "COLUMN_REF") return Column(node, lambda_names);
    if (kind == "FUNCTION") return Function(node, lambda_names);
    if (kind == "STAR") facts_.stars = true;
    if (kind == "WINDOW") facts_.windows = true;
    if (kind == "SUBQUERY") facts_.subqueries = true;
    for (const auto& [key, child] : node.items()) Visit(child, lambda_names);
  }

 private:
  void Column(const Json& node, const std::set<std::string>& lambda_names) {
    std::string name;
    for (const Json& part : node.at("column_names"))
      name += (name.empty() ? "" : ".") + part.get<std::string>();
    if (lambda_names.contains(node.at("column_names")[0].get<std::string>())) return;
    if (std::find(facts_.columns.begin(), facts_.columns.end(), name) != facts_.columns.end())
      return;
    facts_.columns.push_back(name);
    int64_t place = Place(node);
    facts_.offsets.push_back(place < 0 ? -1 : place - static_cast<int64_t>(kSelect.size()));
  }
  void Function(const Json& node, const std::set<std::string>& lambda_names) {
    std::string name = ToLower(Word(node, "function_name"));
    if (std::find(facts_.functions.begin(), facts_.functions.end(), name) == facts_.functions.end())
      facts_.functions.push_back(name);
    facts_.aggregates = facts_.aggregates || IsAggregate(name);
    for (const auto& [key, value] : node.items()) {
      if (key != "children") {
        Visit(value, lambda_names);
        continue;
      }
      for (const Json& child : value) {
        std::set<std::string> names = lambda_names;
        const Json* inner = &child;
        if (Word(child, "class") ==
            "LAMBDA") {  // not the JSON arrow, which is no argument of such a function
          Names(child.at("lhs"), names);
          inner = &child.at("expr");
        }
        Visit(*inner, names);
      }
    }
  }
  static void Names(const Json& parameters, std::set<std::string>& names) {
    if (Word(parameters, "class") == "COLUMN_REF")
      names.insert(parameters.at("column_names")[0].get<std::string>());
    if (auto it = parameters.find("children"); it != parameters.end()) {
      for (const Json& child : *it) Names(child, names);
    }
  }

  ExpressionFacts& facts_;
};

// Base tables of a query, with the names of CTEs in scope.
class TableWalk {
 public:
  explicit TableWalk(SelectFacts& facts) : facts_(facts) {}

  void Visit(const Json& node, std::set<std::string> scope, int depth) {
    if (node.is_array()) {
      for (const Json& item : node) Visit(item, scope, depth);
      return;
    }
    if (!node.is_object()) return;
    std::string type = Word(node, "type");
    if (type == "BASE_TABLE") Table(node, scope, depth);
    if (type == "TABLE_FUNCTION")
      Add(facts_.table_functions, ToLower(Word(node.at("function"), "function_name")));
    if (Word(node, "class") == "FUNCTION")
      Add(facts_.functions, ToLower(Word(node, "function_name")));
    if (type == "RECURSIVE_CTE_NODE") {  // its tables may be read at each turn
      scope.insert(ToLower(Word(node, "cte_name")));
      ++depth;
    }
    if (auto it = node.find("modifiers"); it != node.end()) Limit(*it);
    if (auto ctes = node.find("cte_map"); ctes != node.end() && ctes->contains("map")) {
      for (const Json& entry : ctes->at("map")) {
        Visit(entry.at("value"), scope, depth);
        scope.insert(ToLower(Word(entry, "key")));
      }
    }
    for (const auto& [key, child] : node.items()) {
      if (key != "cte_map") Visit(child, scope, depth);
    }
  }

 private:
  static void Add(std::vector<std::string>& list, const std::string& item) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
  }
  void Table(const Json& node, const std::set<std::string>& scope, int depth) {
    std::string name = Word(node, "table_name");
    bool qualified = false;
    for (const char* key : {"schema_name", "catalog_name"}) {
      if (std::string part = Word(node, key); !part.empty()) {
        name = part + "." + name;
        qualified = true;
      }
    }
    if (!qualified && scope.contains(ToLower(name))) return;
    if (std::find(facts_.tables.begin(), facts_.tables.end(), name) == facts_.tables.end()) {
      facts_.tables.push_back(name);
      facts_.offsets.push_back(Place(node));
    }
    int& count = counts_[name];
    count += depth > 0 ? 2 : 1;
    if (count == 1) {
      facts_.once.insert(name);
    } else {
      facts_.once.erase(name);
    }
  }
  void Limit(const Json& modifiers) {
    bool limit = false, order = false;
    for (const Json& modifier : modifiers) {
      limit = limit || StartsWith(Word(modifier, "type"), "LIMIT");
      order = order || Word(modifier, "type") == "ORDER_MODIFIER";
    }
    facts_.unordered_limit = facts_.unordered_limit || (limit && !order);
  }

  SelectFacts& facts_;
  std::map<std::string, int> counts_;
};

void FindDotted(const Json& node, std::vector<DottedName>& names) {
  DottedName name{.parts = {}, .offset = -1, .table = Word(node, "type") == "BASE_TABLE"};
  if (name.table) {
    for (const char* key : {"catalog_name", "schema_name", "table_name"}) {
      if (std::string part = Word(node, key); !part.empty()) name.parts.push_back(part);
    }
  } else if (Word(node, "class") == "COLUMN_REF") {
    name.parts = node.at("column_names").get<std::vector<std::string>>();
  }
  if (name.parts.size() > 1) {
    name.offset = Place(node);
    names.push_back(std::move(name));
  }
  for (const Json& child : node) {
    if (child.is_structured()) FindDotted(child, names);
  }
}

Error SyntaxError(const Json& answer, int64_t before, int64_t* offset) {
  std::string position = Word(answer, "position");
  int64_t place = -1;
  std::from_chars(position.data(), position.data() + position.size(), place);
  if (offset) *offset = place < before ? -1 : place - before;
  return ConfigError({}, Word(answer, "error_message"));
}

}  // namespace

Result<Json> Parser::Tree(std::string_view text, int64_t* offset) {
  if (offset) *offset = -1;
  return ParseJson(TRY(session_.Tree(text)));
}

Result<Json> Parser::ExpressionTree(std::string_view text, int64_t* offset) {
  Json answer = TRY(Tree(std::string(kSelect) + std::string(text), offset));
  if (answer.value("error", true)) return SyntaxError(answer, kSelect.size(), offset);
  Error not_one = ConfigError({}, fmt::format("'{}' is not one SQL expression", text));
  std::string_view end = Trim(text);
  if (answer.at("statements").size() != 1 || EndsWith(end, ";")) return not_one;
  const Json& node = answer.at("statements")[0].at("node");
  if (Word(node, "type") != "SELECT_NODE" || node.at("select_list").size() != 1) return not_one;
  for (const char* clause : {"where_clause", "having", "qualify", "sample"}) {
    if (node.contains(clause)) return not_one;
  }
  bool grouped = node.contains("group_expressions") && !node.at("group_expressions").empty();
  bool modified = node.contains("modifiers") && !node.at("modifiers").empty();
  if (Word(node.at("from_table"), "type") != "EMPTY" || grouped || modified) return not_one;
  const Json& item = node.at("select_list")[0];
  if (!Word(item, "alias").empty()) {
    return ConfigError({},
                       fmt::format("'{}' gives itself a name with AS; the key is the name", text));
  }
  return item;
}

Result<ExpressionFacts> Parser::Expression(std::string_view text, int64_t* offset) {
  Json tree = TRY(ExpressionTree(text, offset));
  ExpressionFacts facts;
  ExpressionWalk(facts).Visit(tree, {});
  if (Word(tree, "class") == "COLUMN_REF" && tree.at("column_names").size() == 1) {
    facts.column = tree.at("column_names")[0].get<std::string>();
  }
  return facts;
}

Result<std::optional<PlainAggregate>> Parser::Aggregate(std::string_view text) {
  Json tree = TRY(ExpressionTree(text, nullptr));
  std::string function = ToLower(Word(tree, "function_name"));
  if (Word(tree, "class") != "FUNCTION" || !IsAggregate(function))
    return std::optional<PlainAggregate>();
  const Json& arguments = tree.at("children");
  bool ordered =
      tree.contains("order_bys") && !tree.at("order_bys").value("orders", Json::array()).empty();
  if (tree.value("distinct", false) || tree.contains("filter") || ordered || arguments.size() > 1)
    return std::optional<PlainAggregate>();
  PlainAggregate plain{.function = function, .argument = ""};
  if (!arguments.empty()) plain.argument = TRY(Texts({arguments[0]})).at(0);
  return std::optional(plain);
}

Result<SelectFacts> Parser::Select(std::string_view text, int64_t* offset) {
  Json answer = TRY(Tree(text, offset));
  SelectFacts facts;
  if (answer.value("error", true)) {
    if (Word(answer, "error_type") == "parser") return SyntaxError(answer, 0, offset);
    return facts;  // a statement that is no SELECT
  }
  if (answer.at("statements").size() != 1) return facts;
  facts.select = true;
  TableWalk(facts).Visit(answer.at("statements")[0].at("node"), {}, 0);
  return facts;
}

Result<std::vector<DottedName>> Parser::DottedNames(std::string_view text) {
  const Json answer = TRY(Tree(text, nullptr));
  std::vector<DottedName> names;
  if (answer.value("error", true)) return names;
  FindDotted(answer.at("statements"), names);
  std::sort(names.begin(), names.end(),
            [](const DottedName& a, const DottedName& b) { return a.offset < b.offset; });
  return names;
}

Result<std::vector<std::string>> Parser::Texts(const std::vector<Json>& trees) {
  std::string query;
  std::vector<Bound> bound;
  for (size_t i = 0; i < trees.size(); ++i) {
    Json statement = {
        {"error", false},
        {"statements",
         {{{"node",
            {{"type", "SELECT_NODE"},
             {"modifiers", Json::array()},
             {"cte_map", {{"map", Json::array()}}},
             {"select_list", Json::array({trees[i]})},
             {"from_table",
              {{"type", "EMPTY"}, {"alias", ""}, {"sample", nullptr}, {"query_location", 0}}},
             {"where_clause", nullptr},
             {"group_expressions", Json::array()},
             {"group_sets", Json::array()},
             {"aggregate_handling", "STANDARD_HANDLING"},
             {"having", nullptr},
             {"sample", nullptr},
             {"qualify", nullptr}}},
           {"named_param_map", Json::array()}}}}};
    bound.push_back({.name = fmt::format("t{}", i), .type = "JSON", .text = statement.dump()});
    query += fmt::format("{} json_deserialize_sql(CAST($t{} AS JSON))", i == 0 ? "SELECT" : ",", i);
  }
  Rows rows = TRY(session_.Query(query, bound));
  std::vector<std::string> texts;
  for (const Cell& cell : rows.rows.at(0)) texts.push_back(cell.text.substr(kSelect.size()));
  return texts;
}

}  // namespace sluice::sql
