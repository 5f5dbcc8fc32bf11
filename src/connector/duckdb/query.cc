// See query.h.
#include "connector/duckdb/query.h"

#include <fmt/format.h>

#include <set>

#include "base/json_full.h"

namespace sluice::duckdb {
namespace {

using Names = std::set<std::string>;

// The names that a node's WITH makes are tables within the node.
void AddCteNames(const Json& node, Names& ctes) {
  const auto map = node.find("cte_map");
  if (map == node.end() || !map->is_object() || !map->contains("map")) return;
  for (const Json& entry : (*map)["map"]) {
    if (entry.contains("key") && entry["key"].is_string())
      ctes.insert(entry["key"].get<std::string>());
  }
}

void Qualify(Json& node, const std::string& alias, Names ctes) {
  if (node.is_array()) {
    for (Json& item : node) Qualify(item, alias, ctes);
    return;
  }
  if (!node.is_object()) return;
  AddCteNames(node, ctes);
  if (node.value("type", Json()) == "BASE_TABLE") {
    const std::string schema = node.value("schema_name", ""), table = node.value("table_name", "");
    if (node.value("catalog_name", "").empty() && !(schema.empty() && ctes.contains(table))) {
      node["catalog_name"] = alias;
      if (schema.empty()) node["schema_name"] = "main";
    }
  }
  for (auto& item : node.items()) Qualify(item.value(), alias, ctes);
}

}  // namespace

Result<std::string> QualifyTables(sql::Session& session, const DatabaseFile& file,
                                  const std::string& query) {
  const sql::Rows parsed = TRY(session.Query("SELECT json_serialize_sql(CAST($query AS VARCHAR))",
                                             {TextValue("query", query)}));
  Json tree = TRY(ParseJson(parsed.rows.at(0).at(0).text));
  if (tree.value("error", true)) {
    return ConfigError({}, fmt::format("the query of '{}' is not one SELECT: {}", file.shown(),
                                       tree.value("error_message", "it cannot be parsed")));
  }
  if (!tree.contains("statements") || tree["statements"].size() != 1) {
    return ConfigError(
        {}, fmt::format("the query of '{}' is not one SELECT; write one statement", file.shown()));
  }
  Qualify(tree["statements"], file.alias(), {});
  const sql::Rows text = TRY(session.Query("SELECT json_deserialize_sql(CAST($tree AS JSON))",
                                           {TextValue("tree", tree.dump())}));
  return text.rows.at(0).at(0).text;
}

}  // namespace sluice::duckdb
