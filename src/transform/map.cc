// map: exactly the named columns.
#include "transform/map.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "relation/render.h"
#include "transform/builtin.h"

namespace sluice {
namespace {

// { expr | value, type, description }
struct Assigned {
  Written expr, value, type;
  std::string description;
};
Spec<Assigned> AssignedSpec() {
  return Spec<Assigned>("a column", "What a named column is.")
      .Main("expr")
      .Expression(&Assigned::expr, "expr", "SQL over the columns of the input.")
      .TextSlot(&Assigned::value, "value", "Literal text.")
      .TextSlot(&Assigned::type, "type", "The type it is cast to.")
      .Text(&Assigned::description, "description", "For people.");
}

// Literal text, in which {{ }} are values: as SQL.
Written TextAsSql(const Written& value) {
  std::string_view text = value.text;
  std::vector<std::string> parts;
  while (!text.empty()) {
    size_t open = text.find("{{");
    size_t close = open == std::string_view::npos ? open : text.find("}}", open);
    if (close == std::string_view::npos) open = text.size();
    if (open > 0) parts.push_back(QuoteLiteral(text.substr(0, open)));
    if (close == std::string_view::npos) break;
    parts.emplace_back(text.substr(open, close + 2 - open));
    text.remove_prefix(close + 2);
  }
  if (parts.empty()) parts.emplace_back("''");
  if (parts.size() == 1) return {.text = parts[0], .mark = value.mark, .quoted = value.quoted};
  return {.text = "concat(" + Join(parts, ", ") + ")", .mark = value.mark, .quoted = value.quoted};
}

Result<std::vector<std::string>> ReadPath(const Node& key) {
  std::vector<std::string> path = Split(key.scalar, '.');
  bool whole = std::all_of(path.begin(), path.end(),
                           [](const std::string& part) { return !Trim(part).empty(); });
  if (!whole)
    return ConfigError(
        key.mark, fmt::format("'{}' is not a name; a nested one is like address.city", key.scalar));
  if (StartsWith(ToLower(path[0]), "_sluice_")) {
    return ConfigError(key.mark,
                       fmt::format("'{}': names that begin with _sluice_ are taken", key.scalar));
  }
  return path;
}

// YAML takes the quotes of 'US' away, and what is left is a column.
Error AsText(Error error, const Written& written) {
  if (StartsWith(error.message, fmt::format("no column '{}' here", written.text)))
    error.message += fmt::format("; for the text write {{ value: {} }}", written.text);
  return error;
}

Result<Assignment> ReadAssignment(const Node& key, const Node& value, const Schema& columns,
                                  LowerContext& context) {
  if (value.IsNull()) return CutByComma(key);
  if (value.IsList())
    return WrongShape(value, key.scalar, "an expression or { expr | value, type, description }");
  Assigned assigned = TRY(AssignedSpec().Bind(value));
  if (assigned.expr.empty() == assigned.value.empty() &&
      !(value.IsMap() && value.Find("value") && assigned.expr.empty())) {
    return ConfigError(value.mark, fmt::format("'{}' takes either expr or value", key.scalar));
  }
  Assignment assignment{.path = TRY(ReadPath(key)),
                        .mark = key.mark,
                        .term = {},
                        .description = assigned.description};
  Written written = assigned.expr.empty() ? TextAsSql(assigned.value) : assigned.expr;
  auto term = ReadTerm(key.scalar, written, columns, Place::kRow, context);
  if (!term.ok()) return AsText(std::move(term).error(), written);
  assignment.term = std::move(*term);
  if (assigned.type.empty()) return assignment;
  std::string cast = fmt::format("CAST({} AS {})", assignment.term.sql, assigned.type.text);
  auto facts = context.parser.Expression(cast);
  if (!facts.ok() || !context.parser.Expression("CAST(NULL AS " + assigned.type.text + ")").ok()) {
    return ConfigError(
        assigned.type.mark,
        fmt::format("'{}' is not a type like bigint or decimal(18,2)", assigned.type.text));
  }
  assignment.term.sql = cast;
  assignment.term.facts = std::move(*facts);
  return assignment;
}

// Later names do not see earlier ones: what they mean must not depend on the order of keys.
Error OfSameStep(Error error, const Node& body, const Node& value, std::string_view verb) {
  for (const auto& [key, other] : body.map) {
    if (&other == &value ||
        error.message.find(fmt::format("no column '{}' here", key.scalar)) == std::string::npos)
      continue;
    error.message = fmt::format(
        "'{}' is made by this same {}; put it into a derive step of its own before this one",
        key.scalar, verb);
  }
  return error;
}

Status RefuseClashes(const std::vector<Assignment>& assignments) {
  std::map<std::string, const Assignment*> leaves;
  for (const Assignment& one : assignments) {
    std::string path;
    for (size_t i = 0; i < one.path.size(); ++i) {
      path += (i == 0 ? "" : ".") + ToLower(one.path[i]);
      bool leaf = i + 1 == one.path.size();
      auto [it, fresh] = leaves.emplace(path, leaf ? &one : nullptr);
      if (fresh || (!leaf && it->second == nullptr)) continue;
      return ConfigError(
          one.mark,
          fmt::format("'{}' is named twice (SQL does not tell upper from lower case)", path));
    }
  }
  return Ok();
}

// Fields of structs in the order they were first named.
struct Field {
  std::string name;
  std::string sql;
  std::vector<Field> fields;
};
Field& FieldNamed(std::vector<Field>& fields, const std::string& name) {
  for (Field& field : fields) {
    if (ToLower(field.name) == ToLower(name)) return field;
  }
  fields.push_back({name, "", {}});
  return fields.back();
}
std::string SqlOf(const Field& field) {
  if (field.fields.empty()) return field.sql;
  std::string text;
  for (const Field& inner : field.fields)
    text += (text.empty() ? "" : ", ") + QuoteLiteral(inner.name) + ": " + SqlOf(inner);
  return "{" + text + "}";
}

// The fields that a struct column has already, each as itself.
Result<std::vector<Field>> FieldsOf(const std::string& sql, const std::string& type,
                                    const Schema& columns, LowerContext& context) {
  std::vector<Field> fields;
  if (!StartsWith(type, "STRUCT(") || EndsWith(type, "]")) return fields;
  Schema inner = TRY(DescribeText(
      fmt::format("SELECT UNNEST({}) FROM {}", sql, relation::EmptyInput(Visible(columns))), {},
      context));
  for (const Column& column : inner) {
    std::string own = fmt::format("struct_extract({}, {})", sql, QuoteLiteral(column.name));
    fields.push_back({column.name, own, TRY(FieldsOf(own, column.type, columns, context))});
  }
  return fields;
}

Result<Lowered> LowerMap(const Node& body, const std::vector<StepInput>& inputs,
                         LowerContext& context) {
  const Schema& columns = inputs[0].rows->schema;
  std::vector<Assignment> assignments = TRY(ReadAssignments(body, "map", columns, context));
  Gathered gathered = TRY(Gather(assignments, columns, {}, context));
  return ProjectTerms(inputs[0], assignments, std::move(gathered), context);
}

}  // namespace

Result<std::vector<Assignment>> ReadAssignments(const Node& body, std::string_view verb,
                                                const Schema& columns, LowerContext& context) {
  if (!body.IsMap() || body.map.empty())
    return WrongShape(body, verb, "names, each with an expression");
  std::vector<Assignment> assignments;
  for (const auto& [key, value] : body.map) {
    auto one = ReadAssignment(key, value, columns, context);
    if (!one.ok()) return OfSameStep(one.error(), body, value, verb);
    assignments.push_back(std::move(*one));
  }
  TRY(RefuseClashes(assignments));
  return assignments;
}

Result<Gathered> Gather(const std::vector<Assignment>& assignments, const Schema& columns,
                        const Schema& existing, LowerContext& context) {
  Gathered gathered;
  std::vector<Field> roots;
  std::map<std::string, Term> terms;  // by the root's lower name: place and bound values
  for (const Assignment& one : assignments) {
    Total total = TRY(MakeTotal(one.term, Join(one.path, "."), columns, context));
    if (total.fate) gathered.fates.push_back(std::move(*total.fate));
    Field* field = &FieldNamed(roots, one.path[0]);
    if (const Column* old = Find(existing, one.path[0]);
        old && one.path.size() > 1 && field->fields.empty()) {
      field->fields = TRY(FieldsOf(QuoteIdentifier(old->name), old->type, columns, context));
      if (field->fields.empty()) {
        return ConfigError(one.mark,
                           fmt::format("'{}' is a {} without fields; '{}' cannot be put into it",
                                       old->name, old->type, Join(one.path, ".")));
      }
    }
    for (size_t i = 1; i < one.path.size(); ++i) field = &FieldNamed(field->fields, one.path[i]);
    field->sql = total.sql;
    field->fields.clear();
    Term& term = terms[ToLower(one.path[0])];
    if (term.name.empty())
      term = {
          .name = one.path[0], .written = one.term.written, .sql = "", .bound = {}, .facts = {}};
    Merge(term.bound, one.term.bound);
  }
  for (const Field& root : roots) {
    Term term = terms[ToLower(root.name)];
    term.sql = SqlOf(root);
    gathered.columns.push_back(std::move(term));
  }
  return gathered;
}

Result<Lowered> ProjectTerms(const StepInput& input, const std::vector<Assignment>& assignments,
                             Gathered gathered, LowerContext& context) {
  std::string from = relation::EmptyInput(Visible(input.rows->schema));
  // The expressions as written first: their errors speak of what the user wrote.
  std::vector<Term> written;
  for (const Assignment& one : assignments) written.push_back(one.term);
  TRY(DescribeTerms(written, from, "", context));
  Schema schema = TRY(DescribeTerms(gathered.columns, from, "", context));
  for (const Assignment& one : assignments) {
    for (Column& column : schema) {
      if (one.path.size() == 1 && column.name == one.path[0]) column.description = one.description;
    }
  }
  for (const Column& column : input.rows->schema) {
    if (column.hidden) schema.push_back(column);
  }
  std::vector<relation::Bound> bound = BoundOf(gathered.columns);
  relation::Ref rows = SiftOut(input.rows, std::move(gathered.fates), bound, context.step);
  return Lowered{relation::Make(relation::Project{rows, ToNamed(gathered.columns)},
                                std::move(schema), context.step, bound),
                 Reach::kRow};
}

Verb VerbOfNames(std::string_view name, std::string_view summary, decltype(Verb::lower) lower) {
  Verb verb{
      .facts = Spec<Written>(name, summary).facts(), .lower = std::move(lower), .mentions = {}};
  verb.facts.open = true;
  verb.facts.fields.push_back(
      {.name = "<name>",
       .help = "SQL, or { expr | value, type, description }; a name may be nested: address.city.",
       .slot = Slot::kColumn,
       .shape = "map name -> expression"});
  return verb;
}

Verb MapVerb() { return VerbOfNames("map", "Gives exactly the named columns.", LowerMap); }

}  // namespace sluice
