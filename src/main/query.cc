// sluice query: SQL over the project's DuckDB files. It sees what is committed, in a transaction
// that can write nothing.
#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "base/text.h"
#include "main/command.h"
#include "main/hosted.h"
#include "main/query_text.h"
#include "main/session.h"
#include "main/table.h"

namespace sluice {

namespace {

constexpr int64_t kMostShown = 100'000;  // rows of a table: all of them are held
constexpr size_t kPart = 32 << 10;       // bytes said at once

// Attaches the DuckDB file of each connection, and makes `main` the one whose tables need no
// prefix. Gives the alias of each.
Result<std::map<std::string, std::string>> AttachAll(ProjectSession& project, sql::Session& session,
                                                     const std::string& main) {
  const ConnectorContext context = TRY(project.context());
  std::map<std::string, std::string> attached;
  std::vector<std::string> known;
  for (const auto& [name, connection] : project.project().connections) {
    const Connector* connector = Find(project.connectors(), connection.type);
    if (connector == nullptr || !connector->duckdb_file) continue;
    known.push_back(name);
    if (!main.empty() && name != main) continue;
    const DuckdbFile file = TRY(connector->duckdb_file(connection.node, context.folder));
    if (!project.files().Exists(file.path) && main.empty()) continue;  // nothing loaded yet
    attached[name] = TRY(context.database.Attach(file.path, file.alias, sql::Access::kReadOnly));
  }
  if (!main.empty() && attached.empty()) {
    if (project.project().connections.contains(main)) {
      return ConfigError({}, fmt::format("--connection '{}' is no DuckDB file, and only those can "
                                         "be queried; there are: {}",
                                         main, Join(known, ", ")));
    }
    const auto near = Nearest(main, known);
    return ConfigError({}, fmt::format("--connection '{}' is no DuckDB file{}", main,
                                       near ? "; did you mean '" + *near + "'?"
                                            : "; there are: " + Join(known, ", ")));
  }
  if (attached.size() == 1) {
    TRY(session.Execute("SET search_path = " +
                        QuoteLiteral(fmt::format("{}.main,memory.main",
                                                 QuoteIdentifier(attached.begin()->second)))));
  }
  return attached;
}

// Collects what is said into parts of a useful size.
class Parts {
 public:
  explicit Parts(server::Console& console) : console_(console) {}

  std::string& text() { return text_; }
  Status Say() {
    if (text_.size() < kPart) return Ok();
    return End();
  }
  Status End() {
    console_.Out(text_);
    text_.clear();
    return console_.heard();
  }

 private:
  server::Console& console_;
  std::string text_;
};

// A value as it stands in a line of csv: an empty text is not the same as none.
void AddCsv(std::string& text, std::string_view value) {
  if (!value.empty() && value.find_first_of(",\"\r\n") == std::string_view::npos) {
    text += value;
    return;
  }
  text += '"';
  for (const char c : value) text.append(c == '"' ? 2 : 1, c);
  text += '"';
}

Status SayCsv(sql::Session& session, const std::string& statement, const Schema& columns,
              server::Console& console, std::stop_token stop) {
  Parts parts(console);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) parts.text() += ',';
    AddCsv(parts.text(), columns[i].name);
  }
  parts.text() += '\n';
  TRY(session.Stream(
      fmt::format("SELECT * FROM ({}\n)", statement),
      [&](const sql::Rows& rows) -> Status {
        for (const auto& row : rows.rows) {
          for (size_t i = 0; i < row.size(); ++i) {
            if (i > 0) parts.text() += ',';
            if (!row[i].null) AddCsv(parts.text(), row[i].text);
          }
          parts.text() += '\n';
          TRY(parts.Say());
        }
        return Ok();
      },
      stop));
  return parts.End();
}

Status SayJson(sql::Session& session, const std::string& statement, const Schema& columns,
               server::Console& console, std::stop_token stop) {
  std::vector<std::string> members;
  for (const Column& column : columns)
    members.push_back(fmt::format("{0} := {0}", QuoteIdentifier(column.name)));
  Parts parts(console);
  TRY(session.Stream(
      fmt::format("SELECT CAST(to_json(struct_pack({})) AS VARCHAR) FROM ({}\n)",
                  Join(members, ", "), statement),
      [&](const sql::Rows& rows) -> Status {
        for (const auto& row : rows.rows) {
          parts.text() += row.at(0).text + '\n';
          TRY(parts.Say());
        }
        return Ok();
      },
      stop));
  return parts.End();
}

Status SayTable(sql::Session& session, const std::string& statement, int64_t limit,
                server::Console& console, std::stop_token stop) {
  sql::Rows rows = TRY(
      session.Query(fmt::format("SELECT * FROM ({}\n) LIMIT {}", statement, limit + 1), {}, stop));
  const bool more = rows.rows.size() > static_cast<size_t>(limit);
  if (more) rows.rows.pop_back();
  console.Out(FormatTable(rows));
  console.Out(more
                  ? fmt::format("the first {} rows; --limit shows more, --output csv or json all\n",
                                FormatCount(static_cast<uint64_t>(limit)))
                  : fmt::format("{} row{}\n", FormatCount(rows.rows.size()),
                                rows.rows.size() == 1 ? "" : "s"));
  return console.heard();
}

// The tables and views of the project's files, as a query names them.
std::vector<std::string> TablesThere(const std::map<std::string, std::string>& files,
                                     sql::Session& session) {
  std::vector<std::string> there;
  for (const auto& [connection, alias] : files) {
    const auto rows = session.Query(fmt::format(
        "SELECT DISTINCT CASE WHEN schema_name = 'main' THEN name ELSE schema_name || '.' || name "
        "END FROM ("
        "SELECT database_name, schema_name, table_name AS name FROM duckdb_tables() UNION ALL "
        "SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal) "
        "WHERE database_name = {} AND NOT starts_with(name, '_sluice_') ORDER BY 1",
        QuoteLiteral(alias)));
    if (!rows.ok()) continue;
    for (const auto& row : rows->rows)
      there.push_back(files.size() == 1 ? row.at(0).text : connection + "." + row.at(0).text);
  }
  return there;
}

// DuckDB proposes tables of its own catalogue for one that is not there.
Error NamingTables(Error error, const std::map<std::string, std::string>& files,
                   sql::Session& session) {
  constexpr std::string_view kBegins = "Table with name ";
  if (!StartsWith(error.message, kBegins)) return error;
  const std::string name = error.message.substr(
      kBegins.size(), error.message.find(' ', kBegins.size()) - kBegins.size());
  const std::vector<std::string> there = TablesThere(files, session);
  const auto near = Nearest(name, there);
  error.message = fmt::format("there is no table '{}'; {}", name,
                              near            ? fmt::format("did you mean '{}'?", *near)
                              : there.empty() ? "nothing is loaded yet"
                                              : "there are: " + Join(there, ", "));
  return error;
}

// The columns of the statement, names told apart; an error says where in what was typed.
Result<Schema> Columns(const QueryText& query, const std::map<std::string, std::string>& files,
                       sql::Session& session) {
  int64_t offset = -1;
  auto described = session.Describe(query.text(), {}, &offset);
  if (!described.ok()) {
    return NamingTables(std::move(described).error(), files, session).At(query.PlaceOf(offset));
  }
  return session.Describe(fmt::format("SELECT * FROM ({}\n)", query.text()));
}

Result<int> Query(const Invocation& invocation, ProjectSession& project) {
  const std::string output = invocation.Get("--output", "table");
  if (output != "table" && output != "csv" && output != "json")
    return ConfigError({}, "--output '" + output + "': valid are table, csv, json");
  const int64_t limit = TRY(ReadNumber(invocation.Get("--limit", "100"), "--limit"));
  if (limit > kMostShown) {
    return ConfigError({}, fmt::format("--limit '{}': a table shows at most {} rows; --output csv "
                                       "or json gives all",
                                       limit, FormatCount(kMostShown)));
  }
  std::stop_token stop = project.WatchSignals();
  sql::Database* database = TRY(project.database());
  auto session = TRY(database->Connect());
  const auto files = TRY(AttachAll(project, *session, invocation.Get("--connection")));
  const QueryText query = TRY(QueryText::Read(invocation.Get("sql"), files, *session));
  if (query.reads_files() && project.Here() != std::filesystem::current_path()) {
    return ConfigError({},
                       fmt::format("the query reads files, but it is answered by a process that "
                                   "runs in '{}': ask from there, or when that has ended",
                                   std::filesystem::current_path().string()));
  }
  TRY(session->Execute("BEGIN TRANSACTION READ ONLY"));
  const Schema columns = TRY(Columns(query, files, *session));
  if (output == "table")
    TRY(SayTable(*session, query.text(), limit, project.console(), stop));
  else if (output == "csv")
    TRY(SayCsv(*session, query.text(), columns, project.console(), stop));
  else
    TRY(SayJson(*session, query.text(), columns, project.console(), stop));
  return kExitOk;
}

}  // namespace

Hosted HostedQuery() { return {.name = "query", .kind = Hosted::Kind::kReads, .run = Query}; }

Command QueryCommand() {
  return {.name = "query",
          .summary = "Query the project's DuckDB files, read-only",
          .example = "sluice query \"SELECT count(*) FROM orders\" --output json",
          .arguments = {{"sql", "One SELECT; tables of several connections as CONNECTION.TABLE"}},
          .options = {ProjectOption(),
                      EnvOption(),
                      {"--output", "FORMAT", "table (default), csv, or json: one object per line"},
                      {"--connection", "NAME", "Only this connection; its tables need no prefix"},
                      {"--limit", "N", "Rows of a table to show (default 100)"}},
          .run = [](const Invocation& typed) { return RunWhereFilesAre(HostedQuery(), typed); }};
}

}  // namespace sluice
