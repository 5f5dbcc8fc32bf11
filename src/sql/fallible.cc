// Makes an expression total: nothing in `value` can throw, and for each part that may fail there is
// a condition that says for which rows it does. The conditions are total too, so they need no
// guards and their order does not matter.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/json_full.h"
#include "base/text.h"
#include "sql/parse.h"

namespace sluice::sql {
namespace {

constexpr size_t kShownBytes = 100;  // of a bad value in a message
constexpr size_t kShownColumns = 4;  // of an expression that failed

// What is known of a value's type: enough to tell which operators on it are total.
enum class Kind : uint8_t { kUnknown, kInteger, kDecimal, kDouble, kText, kTime, kBoolean };

bool IsNumber(Kind kind) {
  return kind == Kind::kInteger || kind == Kind::kDecimal || kind == Kind::kDouble;
}

Kind KindOf(std::string_view type) {
  static constexpr std::array<std::string_view, 10> kIntegers = {
      "TINYINT",  "SMALLINT",  "INTEGER",  "BIGINT",  "HUGEINT",
      "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"};
  if (EndsWith(type, "]")) return Kind::kUnknown;
  if (std::find(kIntegers.begin(), kIntegers.end(), type) != kIntegers.end()) return Kind::kInteger;
  if (StartsWith(type, "DECIMAL")) return Kind::kDecimal;
  if (type == "DOUBLE" || type == "FLOAT") return Kind::kDouble;
  if (type == "VARCHAR") return Kind::kText;
  if (type == "BOOLEAN") return Kind::kBoolean;
  if (type == "DATE" || StartsWith(type, "TIMESTAMP")) return Kind::kTime;
  return Kind::kUnknown;
}

// A cast to one of these gives null or a value; a cast to a list or struct may give a list with a
// null inside.
bool IsPlain(std::string_view id) {
  static constexpr std::array<std::string_view, 6> kOthers = {
      "TIME", "TIME WITH TIME ZONE", "INTERVAL", "UUID", "BLOB", "BIT"};
  return KindOf(id) != Kind::kUnknown ||
         std::find(kOthers.begin(), kOthers.end(), id) != kOthers.end();
}

// Functions that give a value or null for every argument of the types they take.
bool IsTotal(const std::string& name) {
  static const std::set<std::string> kTotal = {"lower",
                                               "upper",
                                               "lcase",
                                               "ucase",
                                               "trim",
                                               "ltrim",
                                               "rtrim",
                                               "length",
                                               "len",
                                               "strlen",
                                               "char_length",
                                               "character_length",
                                               "concat",
                                               "concat_ws",
                                               "||",
                                               "replace",
                                               "reverse",
                                               "substr",
                                               "substring",
                                               "left",
                                               "right",
                                               "starts_with",
                                               "^@",
                                               "ends_with",
                                               "contains",
                                               "prefix",
                                               "suffix",
                                               "instr",
                                               "strpos",
                                               "position",
                                               "~~",
                                               "!~~",
                                               "~~*",
                                               "!~~*",
                                               "md5",
                                               "sha256",
                                               "hash",
                                               "greatest",
                                               "least",
                                               "nullif",
                                               "ifnull",
                                               "date_trunc",
                                               "datetrunc",
                                               "date_part",
                                               "datepart",
                                               "year",
                                               "month",
                                               "day",
                                               "hour",
                                               "minute",
                                               "second",
                                               "quarter",
                                               "week",
                                               "dayofweek",
                                               "isodow",
                                               "dayofyear",
                                               "epoch",
                                               "epoch_ms",
                                               "epoch_us",
                                               "strftime",
                                               "to_json",
                                               "struct_pack",
                                               "row",
                                               "list_value",
                                               "struct_extract",
                                               "array_extract",
                                               "list_contains",
                                               "list_extract",
                                               "isnan",
                                               "isinf",
                                               "typeof",
                                               "try_strptime",
                                               "split",
                                               "string_split",
                                               "str_split",
                                               "split_part",
                                               "date_diff",
                                               "datediff",
                                               "jaccard",
                                               "levenshtein",
                                               "unicode",
                                               "ascii",
                                               "strip_accents",
                                               "lpad",
                                               "rpad",
                                               "isfinite",
                                               "json_valid",
                                               "last_day",
                                               "monthname",
                                               "dayname"};
  return kTotal.contains(name);
}

Json Constant(const std::string& text) {
  return {{"class", "CONSTANT"},
          {"type", "VALUE_CONSTANT"},
          {"alias", ""},
          {"value", {{"type", {{"id", "VARCHAR"}}}, {"is_null", false}, {"value", text}}}};
}
Json Boolean(bool value) {
  return {{"class", "CONSTANT"},
          {"type", "VALUE_CONSTANT"},
          {"alias", ""},
          {"value", {{"type", {{"id", "BOOLEAN"}}}, {"is_null", false}, {"value", value}}}};
}
Json Number(int64_t value) {
  return {{"class", "CONSTANT"},
          {"type", "VALUE_CONSTANT"},
          {"alias", ""},
          {"value", {{"type", {{"id", "INTEGER"}}}, {"is_null", false}, {"value", value}}}};
}
Json Call(const std::string& name, Json arguments) {
  return {{"class", "FUNCTION"},
          {"type", "FUNCTION"},
          {"alias", ""},
          {"function_name", name},
          {"schema", ""},
          {"children", std::move(arguments)},
          {"order_bys", {{"type", "ORDER_MODIFIER"}, {"orders", Json::array()}}},
          {"distinct", false},
          {"is_operator", false},
          {"export_state", false},
          {"catalog", ""}};
}
Json Operator(const char* type, Json arguments) {
  return {{"class", "OPERATOR"}, {"type", type}, {"alias", ""}, {"children", std::move(arguments)}};
}
Json IsNull(const Json& of) { return Operator("OPERATOR_IS_NULL", Json::array({of})); }
Json IsNotNull(const Json& of) { return Operator("OPERATOR_IS_NOT_NULL", Json::array({of})); }
Json Not(const Json& of) { return Operator("OPERATOR_NOT", Json::array({of})); }
Json OrElse(const Json& of, const Json& other) {
  return Operator("OPERATOR_COALESCE", Json::array({of, other}));
}
Json Both(const char* type, Json parts) {
  if (parts.size() == 1) return parts[0];
  return {{"class", "CONJUNCTION"}, {"type", type}, {"alias", ""}, {"children", std::move(parts)}};
}
Json And(Json parts) { return Both("CONJUNCTION_AND", std::move(parts)); }
Json AsText(const Json& of) {
  return {{"class", "CAST"}, {"type", "OPERATOR_CAST"},          {"alias", ""},
          {"child", of},     {"cast_type", {{"id", "VARCHAR"}}}, {"try_cast", false}};
}
// The value as a person reads it: 'abc', cut where it is long; NULL for null.
Json Quoted(const Json& of) {
  Json cut = Call("left", Json::array({AsText(of), Number(kShownBytes)}));
  return OrElse(
      Call("||", Json::array({Constant("'"), Call("||", Json::array({cut, Constant("'")}))})),
      Constant("NULL"));
}

struct Failure {
  Json when;     // total, never null
  Json message;  // VARCHAR
  bool cast = true;
};
struct Piece {
  Json value;
  Kind kind = Kind::kUnknown;
  bool literal = false;  // a constant takes the other side's type when the statement is bound, or
                         // the statement is refused
  bool risky = false;    // may still throw
  std::vector<Failure> failures = {};
};

class Rewriter {
 public:
  Rewriter(std::string_view expression, std::string_view name, const Schema& columns,
           std::vector<std::string> used)
      : expression_(expression), name_(name), columns_(columns), used_(std::move(used)) {}

  Piece Run(const Json& tree) { return Settle(Walk(tree)); }

 private:
  static std::string Word(const Json& node, const char* key) {
    auto it = node.find(key);
    return it != node.end() && it->is_string() ? it->get<std::string>() : std::string();
  }
  static bool Mentions(const Json& node, std::string_view kind) {
    if (node.is_object() && Word(node, "class") == kind) return true;
    if (!node.is_structured()) return false;
    return std::any_of(node.begin(), node.end(),
                       [&](const Json& child) { return Mentions(child, kind); });
  }

  Piece Walk(const Json& node) {
    std::string type = Word(node, "class");
    if (type == "COLUMN_REF") return Column(node);
    if (!Mentions(node, "COLUMN_REF")) return Fixed(node);
    if (type == "CAST") return Cast(node);
    if (type == "FUNCTION") return Function(node);
    if (type == "COMPARISON") return Comparison(node);
    if (type == "BETWEEN") return Between(node);
    if (type == "OPERATOR") return OperatorOf(node);
    if (type == "CONJUNCTION") return Conjunction(node);
    if (type == "CASE") return Case(node);
    return {.value = node, .risky = true};
  }

  Piece Column(const Json& node) {
    Piece piece{.value = node};
    if (node.at("column_names").size() == 1) {
      const ::sluice::Column* column =
          Find(columns_, node.at("column_names")[0].get<std::string>());
      if (column) piece.kind = KindOf(column->type);
    }
    return piece;
  }
  // The same for every row: where it fails, the whole statement is wrong.
  static Piece Fixed(const Json& node) {
    Piece piece{.value = node};
    if (Word(node, "class") == "CONSTANT")
      piece.kind = KindOf(Word(node.at("value").at("type"), "id"));
    if (Word(node, "class") == "CAST") piece.kind = KindOf(Word(node.at("cast_type"), "id"));
    piece.literal = Word(node, "class") == "CONSTANT";
    return piece;
  }

  // Wraps what may still throw.
  Piece Settle(Piece piece) {
    if (!piece.risky) return piece;
    Json boxed = piece.value;
    boxed["alias"] = "v";
    Json attempt =
        Operator("OPERATOR_TRY", Json::array({Call("struct_pack", Json::array({boxed}))}));
    piece.value = Call("struct_extract", Json::array({attempt, Constant("v")}));
    piece.failures.push_back({.when = IsNull(attempt), .message = Cannot(), .cast = false});
    piece.risky = false;
    return piece;
  }
  Json Cannot() const {
    Json parts =
        Json::array({Constant(fmt::format("{}: cannot compute {}", name_, Trim(expression_)))});
    for (size_t i = 0; i < std::min(used_.size(), kShownColumns); ++i) {
      parts.push_back(Constant(fmt::format("{} {} = ", i == 0 ? " where" : ",", used_[i])));
      Json column = {{"class", "COLUMN_REF"},
                     {"type", "COLUMN_REF"},
                     {"alias", ""},
                     {"column_names", Split(used_[i], '.')}};
      parts.push_back(Quoted(column));
    }
    return Call("concat", parts);
  }
  static void Take(Piece& into, const Piece& from) {
    into.risky = into.risky || from.risky;
    into.failures.insert(into.failures.end(), from.failures.begin(), from.failures.end());
  }

  static std::string TypeText(const Json& type) {
    std::string id = Word(type, "id");
    auto info = type.find("type_info");
    if (id != "DECIMAL" || info == type.end() || info->is_null()) return id;
    return fmt::format("DECIMAL({},{})", info->value("width", 18), info->value("scale", 3));
  }
  Piece Cast(const Json& node) {
    std::string id = Word(node.at("cast_type"), "id");
    Kind target = KindOf(id);
    Piece child = Walk(node.at("child"));
    bool widens = target == Kind::kText ||
                  (child.kind == target && (target == Kind::kBoolean || target == Kind::kText)) ||
                  (id == "DOUBLE" && IsNumber(child.kind));
    Piece piece{.value = node, .kind = target};
    if (widens || node.value("try_cast", false) || !IsPlain(id)) {
      piece.value["child"] = child.value;
      piece.risky = !widens && !node.value("try_cast", false);
      Take(piece, child);
      return piece;
    }
    child = Settle(std::move(child));
    piece.value["child"] = child.value;
    piece.value["try_cast"] = true;
    Take(piece, child);
    Json conditions = Json::array({IsNotNull(child.value), IsNull(piece.value)});
    if (child.kind == Kind::kUnknown) conditions.push_back(Not(JsonNull(child.value)));
    Json message = Call(
        "concat",
        Json::array({Constant(fmt::format("{}: ", name_)), Quoted(child.value),
                     Constant(fmt::format(" is not a valid {}", TypeText(node.at("cast_type"))))}));
    piece.failures.push_back({.when = And(conditions), .message = message});
    return piece;
  }
  // JSON's null is a value that casts to NULL.
  static Json JsonNull(const Json& value) {
    Json is_json = Compare("COMPARE_EQUAL", Call("typeof", Json::array({value})), Constant("JSON"));
    return OrElse(
        And(Json::array({is_json, Compare("COMPARE_EQUAL", AsText(value), Constant("null"))})),
        Boolean(false));
  }
  static Json Compare(const char* type, const Json& left, const Json& right) {
    return {
        {"class", "COMPARISON"}, {"type", type}, {"alias", ""}, {"left", left}, {"right", right}};
  }

  Piece Function(const Json& node) {
    std::string name = ToLower(Word(node, "function_name"));
    Piece piece{.value = node};
    std::vector<Piece> children;
    bool lambda = false;
    for (size_t i = 0; i < node.at("children").size(); ++i) {
      const Json& child = node.at("children")[i];
      if (Word(child, "class") == "LAMBDA") {
        lambda = true;
        children.push_back({.value = child});
        continue;
      }
      children.push_back(Walk(child));
    }
    bool parses = name == "strptime" && children.size() == 2;
    for (size_t i = 0; i < children.size(); ++i) {
      if (parses) children[i] = Settle(std::move(children[i]));
      std::string alias = Word(node.at("children")[i], "alias");
      piece.value["children"][i] = children[i].value;
      if (!alias.empty()) piece.value["children"][i]["alias"] = alias;
      Take(piece, children[i]);
    }
    if (parses) return Parses(std::move(piece), children);
    piece.kind = KindOfCall(name, children);
    piece.risky = piece.risky || lambda || (!IsTotal(name) && piece.kind != Kind::kDouble);
    return piece;
  }
  Piece Parses(Piece piece, const std::vector<Piece>& children) {
    piece.value["function_name"] = "try_strptime";
    piece.kind = Kind::kTime;
    Json message = Call(
        "concat", Json::array({Constant(fmt::format("{}: ", name_)), Quoted(children[0].value),
                               Constant(" does not have the form "), Quoted(children[1].value)}));
    piece.failures.push_back(
        {.when = And(Json::array(
             {IsNotNull(children[0].value), IsNotNull(children[1].value), IsNull(piece.value)})),
         .message = message});
    return piece;
  }
  // kDouble also says that it cannot overflow.
  static Kind KindOfCall(const std::string& name, const std::vector<Piece>& children) {
    static const std::set<std::string> kTexts = {
        "lower",     "upper",   "trim",    "ltrim",    "rtrim",     "concat",
        "concat_ws", "replace", "reverse", "substr",   "substring", "left",
        "right",     "md5",     "sha256",  "strftime", "split_part"};
    bool arithmetic = name == "+" || name == "-" || name == "*" || name == "/";
    bool numbers = std::all_of(children.begin(), children.end(),
                               [](const Piece& p) { return IsNumber(p.kind); });
    bool doubles = std::any_of(children.begin(), children.end(),
                               [](const Piece& p) { return p.kind == Kind::kDouble; });
    if (arithmetic && numbers && (doubles || name == "/")) return Kind::kDouble;
    if (kTexts.contains(name)) return Kind::kText;
    if (name == "length" || name == "year" || name == "month" || name == "day" || name == "hour")
      return Kind::kInteger;
    return Kind::kUnknown;
  }

  static bool Comparable(const Piece& left, const Piece& right) {
    if (left.literal || right.literal) return true;
    if (left.kind == Kind::kUnknown || right.kind == Kind::kUnknown) return false;
    return left.kind == right.kind || (IsNumber(left.kind) && IsNumber(right.kind));
  }
  Piece Comparison(const Json& node) {
    Piece left = Walk(node.at("left")), right = Walk(node.at("right"));
    Piece piece{.value = node, .kind = Kind::kBoolean, .risky = !Comparable(left, right)};
    piece.value["left"] = left.value;
    piece.value["right"] = right.value;
    Take(piece, left);
    Take(piece, right);
    return piece;
  }
  Piece Between(const Json& node) {
    Piece input = Walk(node.at("input")), lower = Walk(node.at("lower")),
          upper = Walk(node.at("upper"));
    Piece piece{.value = node,
                .kind = Kind::kBoolean,
                .risky = !Comparable(input, lower) || !Comparable(input, upper)};
    piece.value["input"] = input.value;
    piece.value["lower"] = lower.value;
    piece.value["upper"] = upper.value;
    for (const Piece* part : {&input, &lower, &upper}) Take(piece, *part);
    return piece;
  }
  Piece OperatorOf(const Json& node) {
    std::string type = Word(node, "type");
    if (type == "OPERATOR_TRY") return {.value = node};
    if (type == "OPERATOR_COALESCE") return Coalesce(node);
    Piece piece{.value = node};
    std::vector<Piece> children;
    for (const Json& child : node.at("children")) {
      children.push_back(Walk(child));
      piece.value["children"][children.size() - 1] = children.back().value;
      Take(piece, children.back());
    }
    if (type == "OPERATOR_IS_NULL" || type == "OPERATOR_IS_NOT_NULL") {
      piece.kind = Kind::kBoolean;
    } else if (type == "OPERATOR_NOT") {
      piece.kind = Kind::kBoolean;
      piece.risky = piece.risky || children[0].kind == Kind::kText;
    } else if (type == "COMPARE_IN" || type == "COMPARE_NOT_IN") {
      piece.kind = Kind::kBoolean;
      for (const Piece& child : children)
        piece.risky = piece.risky || !Comparable(children[0], child);
    } else if (type != "ARRAY_EXTRACT" && type != "STRUCT_EXTRACT" && type != "ARRAY_SLICE") {
      piece.risky = true;
    }
    return piece;
  }

  // A failing part matters only where the others do not decide.
  Piece Conjunction(const Json& node) {
    Piece piece{.value = node, .kind = Kind::kBoolean};
    std::vector<Failure> failures;
    for (size_t i = 0; i < node.at("children").size(); ++i) {
      Piece child = Settle(Walk(node.at("children")[i]));
      piece.value["children"][i] = child.value;
      failures.insert(failures.end(), child.failures.begin(), child.failures.end());
    }
    for (Failure& failure : failures) {
      failure.when = And(Json::array({failure.when, IsNull(piece.value)}));
      piece.failures.push_back(std::move(failure));
    }
    return piece;
  }
  static void TakeWhere(Piece& into, const Piece& from, const Json& path) {
    for (Failure failure : from.failures) {
      Json parts = path;
      parts.push_back(failure.when);
      failure.when = And(parts);
      into.failures.push_back(std::move(failure));
    }
  }
  Piece Coalesce(const Json& node) {
    Piece piece{.value = node};
    Json path = Json::array();  // all before were null
    for (size_t i = 0; i < node.at("children").size(); ++i) {
      Piece child = Settle(Walk(node.at("children")[i]));
      piece.value["children"][i] = child.value;
      if (i == 0) piece.kind = child.kind;
      if (child.kind != piece.kind && !(IsNumber(child.kind) && piece.kind == Kind::kDouble))
        piece.kind = Kind::kUnknown;
      TakeWhere(piece, child, path);
      path.push_back(IsNull(child.value));
    }
    return piece;
  }
  Piece Case(const Json& node) {
    Piece piece{.value = node};
    Json path = Json::array();  // no condition before was true
    Kind kind = Kind::kUnknown;
    bool alike = true;
    auto give = [&](const Piece& result) {
      alike = alike && (kind == Kind::kUnknown || kind == result.kind);
      kind = result.kind;
    };
    for (size_t i = 0; i < node.at("case_checks").size(); ++i) {
      const Json& check = node.at("case_checks")[i];
      Piece when = Settle(Walk(check.at("when_expr")));
      Piece then = Settle(Walk(check.at("then_expr")));
      piece.value["case_checks"][i] = {{"when_expr", when.value}, {"then_expr", then.value}};
      TakeWhere(piece, when, path);
      Json taken = path;
      taken.push_back(OrElse(when.value, Boolean(false)));
      TakeWhere(piece, then, taken);
      path.push_back(Not(OrElse(when.value, Boolean(false))));
      give(then);
    }
    Piece last = Settle(Walk(node.at("else_expr")));
    piece.value["else_expr"] = last.value;
    TakeWhere(piece, last, path);
    if (last.kind != Kind::kUnknown) give(last);
    piece.kind = alike ? kind : Kind::kUnknown;
    return piece;
  }

  std::string_view expression_, name_;
  const Schema& columns_;
  std::vector<std::string> used_;
};

}  // namespace

Result<Fallible> Parser::MakeFallible(std::string_view expression, std::string_view name,
                                      const Schema& columns) {
  ExpressionFacts facts = TRY(Expression(expression));
  Json tree = TRY(ExpressionTree(expression, nullptr));
  Piece piece = Rewriter(expression, name, columns, facts.columns).Run(tree);
  if (piece.failures.empty())
    return Fallible{.value = std::string(expression),
                    .bad = "false",
                    .message = "NULL",
                    .code = "",
                    .can_fail = false};
  Json any = Json::array(), checks = Json::array();
  bool casts = true;
  for (const Failure& failure : piece.failures) {
    any.push_back(failure.when);
    checks.push_back({{"when_expr", failure.when}, {"then_expr", failure.message}});
    casts = casts && failure.cast;
  }
  Json message = {{"class", "CASE"},
                  {"type", "CASE_EXPR"},
                  {"alias", ""},
                  {"case_checks", checks},
                  {"else_expr", Constant("")}};
  std::vector<std::string> texts = TRY(Texts({piece.value, Both("CONJUNCTION_OR", any), message}));
  return Fallible{.value = texts[0],
                  .bad = texts[1],
                  .message = texts[2],
                  .code = casts ? "cast" : "expression",
                  .can_fail = true};
}

}  // namespace sluice::sql
