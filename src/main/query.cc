// sluice query: SQL over the project's DuckDB files, opened read-only.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <thread>

#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "main/table.h"
#include "sql/parse.h"

namespace sluice {

namespace {

// Attaches the DuckDB file of each connection under the connection's name, and makes `main` the one
// whose tables need no prefix.
Status AttachAll(ProjectSession& project, sql::Session& session, const std::string& main) {
  const ConnectorContext context = TRY(project.context());
  std::vector<std::string> attached, known;
  for (const auto& [name, connection] : project.project().connections) {
    const Connector* connector = Find(project.connectors(), connection.type);
    if (connector == nullptr || !connector->duckdb_file) continue;
    known.push_back(name);
    if (!main.empty() && name != main) continue;
    const std::string path = TRY(connector->duckdb_file(connection.node, context));
    if (!project.files().Exists(path) && main.empty()) continue;  // nothing loaded yet
    TRY(context.database.Attach(path, name, sql::Access::kReadOnly));
    attached.push_back(name);
  }
  if (!main.empty() && attached.empty()) {
    const auto near = Nearest(main, known);
    return ConfigError({}, fmt::format("--connection '{}' is no DuckDB file{}", main,
                                       near ? "; did you mean '" + *near + "'?"
                                            : "; there are: " + Join(known, ", ")));
  }
  if (attached.size() == 1) {
    TRY(session.Execute(
        "SET search_path = " +
        QuoteLiteral(fmt::format("{}.main,memory.main", QuoteIdentifier(attached[0])))));
  }
  return Ok();
}

// One statement that only reads.
Result<std::string> ReadStatement(const std::string& text, sql::Session& session) {
  std::string statement(Trim(text));
  while (EndsWith(statement, ";"))
    statement = std::string(Trim(statement.substr(0, statement.size() - 1)));
  if (statement.empty()) return ConfigError({}, "the query is empty");
  const std::string first = ToLower(statement.substr(0, statement.find_first_of(" \t\r\n(")));
  const bool about = first == "show" || first == "describe" || first == "summarize";
  if (about && statement.find(';') == std::string::npos) return statement;
  const sql::SelectFacts facts = TRY(sql::Parser(session).Select(statement));
  if (facts.select) return statement;
  return ConfigError({},
                     "query only reads: one SELECT (or SHOW, DESCRIBE, SUMMARIZE) is valid; what "
                     "writes is a step with sql: { in: … }");
}

// Runs COPY into a pipe whose other end goes to standard output: DuckDB writes the format, and
// nothing is held in memory.
Status Stream(sql::Session& session, const std::string& statement, const std::string& options,
              std::stop_token stop) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("making a pipe", errno);
  std::thread reader([from = ends[0]] {
    char buffer[1 << 16];
    for (ssize_t count; (count = ::read(from, buffer, sizeof buffer)) > 0;)
      std::fwrite(buffer, 1, static_cast<size_t>(count), stdout);
    ::close(from);
  });
  auto done = session.Execute(
      fmt::format("COPY (SELECT * FROM ({})) TO '/dev/fd/{}' ({})", statement, ends[1], options),
      {}, stop);
  ::close(ends[1]);
  reader.join();
  std::fflush(stdout);
  if (!done.ok()) return std::move(done).error();
  return Ok();
}

Result<int64_t> ReadLimit(const std::string& text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, number).ptr != end || number < 1)
    return ConfigError({}, "--limit '" + text + "': a whole number from 1 is valid");
  return number;
}

Status ShowTable(sql::Session& session, const std::string& statement, int64_t limit,
                 std::stop_token stop) {
  sql::Rows rows = TRY(
      session.Query(fmt::format("SELECT * FROM ({}) LIMIT {}", statement, limit + 1), {}, stop));
  const bool more = rows.rows.size() > static_cast<size_t>(limit);
  if (more) rows.rows.pop_back();
  std::fputs(FormatTable(rows).c_str(), stdout);
  if (more)
    std::printf("the first %lld rows; --limit shows more, --output csv or json all\n",
                static_cast<long long>(limit));
  else
    std::printf("%s row%s\n", FormatCount(rows.rows.size()).c_str(),
                rows.rows.size() == 1 ? "" : "s");
  return Ok();
}

Result<int> Query(const Invocation& invocation) {
  auto project = TRY(ProjectSession::Open(invocation));
  const std::string output = invocation.Get("--output", "table");
  if (output != "table" && output != "csv" && output != "json")
    return ConfigError({}, "--output '" + output + "': valid are table, csv, json");
  const int64_t limit = TRY(ReadLimit(invocation.Get("--limit", "100")));
  std::stop_token stop = project->WatchSignals();
  sql::Database* database = TRY(project->database());
  auto session = TRY(database->Connect());
  TRY(AttachAll(*project, *session, invocation.Get("--connection")));
  const std::string statement = TRY(ReadStatement(invocation.Get("sql"), *session));
  TRY(session->Describe(statement));
  if (output == "table") {
    TRY(ShowTable(*session, statement, limit, stop));
  } else {
    TRY(Stream(*session, statement,
               output == "csv" ? "FORMAT csv, HEADER true, USE_TMP_FILE false"
                               : "FORMAT json, USE_TMP_FILE false",
               stop));
  }
  return kExitOk;
}

}  // namespace

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
          .run = Query};
}

}  // namespace sluice
