// `{{ … }}`: a DuckDB expression over values from outside the rows, in the three slots of
// language.md rule 3. It is evaluated once, at plan time; into SQL it goes as a bound value, never
// as text, so that no value can become code.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "pipeline/project.h"
#include "relation/relation.h"
#include "spec/field.h"
#include "sql/database.h"
#include "sql/parse.h"
#include "transform/verb.h"

namespace sluice {

// What the names in `{{ }}` mean: "ds", "interval.start", "params.region", "vars.bucket",
// "run.pipeline".
using Scope = std::map<std::string, relation::Bound>;

class Template {  // one thread
 public:
  Template(Scope scope, sql::Session& session, sql::Parser& parser, Files& files,
           std::string folder)
      : scope_(std::move(scope)),
        session_(session),
        parser_(parser),
        files_(files),
        folder_(std::move(folder)) {}

  // Column slot: SQL in which each `{{ }}` and each '{{ }}' is CAST($name AS type). Text that ends
  // in .sql is a file.
  Result<Expanded> Sql(const Written& written);
  // As Sql, of a query in which `{{ cursor }}` may stand; `mark` is put in its place.
  Result<Expanded> Query(const Written& written, std::string_view mark);
  // Text slot: the values' texts.
  Result<std::string> Text(const Written& written);
  // One value: the typed value of a scalar that is only one `{{ }}`, else its text.
  Result<relation::Bound> Value(const Written& written);
  // The body of a verb with `{{ }}` replaced in every slot that is not SQL; keys in `leave` stay as
  // they are.
  Result<Node> Body(const Node& body, const SpecFacts& facts,
                    const std::set<std::string>& leave = {});

  // A file of the project that is no SQL.
  Result<std::string> File(const Written& path);

  // A name that only a run knows: until then its value is NULL of that type, and a text that holds
  // it keeps its `{{ }}`.
  void Await(const std::string& name, const std::string& type);
  void Define(const std::string& name, relation::Bound value);
  // The awaited names that were used since the last call.
  std::set<std::string> TakeAwaited() { return std::exchange(awaited_used_, {}); }

  const Scope& scope() const { return scope_; }
  void Restore(Scope scope) {
    scope_ = std::move(scope);
    evaluated_.clear();
  }

  bool used_interval() const { return used_interval_; }
  void use_interval() { used_interval_ = true; }
  // The texts of the files that were read, by path.
  const std::map<std::string, std::string>& files_read() const { return read_; }

 private:
  struct Evaluated {
    relation::Bound value;
    std::set<std::string> awaited = {};  // names in it that only a run knows
    // An instant that is a date computed from dates: DuckDB's ds - INTERVAL 1 DAY is a TIMESTAMP.
    // A text says it as ds is said.
    bool day = false;
  };
  Result<relation::Bound> Evaluate(std::string_view expression, const Written& written,
                                   size_t offset);
  // The names that it holds.
  Result<std::set<std::string>> CheckNames(const sql::ExpressionFacts& facts,
                                           std::string_view expression, const Mark& mark);
  Result<std::string> CheckName(const std::string& dotted, const Mark& mark);
  Result<Written> Load(const Written& written);
  Result<Expanded> Expand(const Written& original, std::string_view cursor);
  Result<Node> Deep(const Node& node);
  bool Awaits(std::string_view expression) const;
  bool IsDay(std::string_view expression) const;
  std::string Environment(const std::set<std::string>& names) const;

  Scope scope_;
  sql::Session& session_;
  sql::Parser& parser_;
  Files& files_;
  std::string folder_;
  std::set<std::string> awaited_, awaited_used_;
  std::map<std::string, Evaluated> evaluated_;  // by the expression
  std::map<std::string, std::string> read_;
  bool used_interval_ = false;
};

}  // namespace sluice
