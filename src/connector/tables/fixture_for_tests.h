// What the tests of the systems of tables/system.h share: a source and a sink on one of them, and a
// copy of one table into another as the driver would do it.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "base/text.h"
#include "connector/postgres/server_for_tests.h"
#include "connector/source_probe.h"
#include "connector/tables/sink.h"
#include "connector/tables/source.h"

namespace sluice::tables {

class TablesTest : public testing::Test {
 protected:
  // From here on all is about this system.
  void UseSystem(std::shared_ptr<const System> system, const std::string& schema) {
    system_ = std::move(system);
    schema_ = schema;
    Restart();
  }
  // As another process would find it.
  void Restart() { sink_ = std::make_unique<TableSink>(system_, schema_, Context()); }

  ConnectorContext Context() {
    return {.files = *probe_.files,
            .database = *probe_.database,
            .clock = *clock_,
            .folder = probe_.folder,
            .secrets = &secrets_};
  }
  // "a|b" per row, NULL as "NULL"; what went wrong where it did.
  std::vector<std::string> Rows(const std::string& text) {
    if (!link_) {
      auto link = system_->Connect(Use::kWrite, {});
      if (!link.ok()) return {Format(link.error())};
      link_ = std::move(link).value();
    }
    std::vector<std::string> rows;
    for (const std::string& statement : Split(text, ';')) {
      rows.clear();
      auto answer = link_->Run(statement);
      if (!answer.ok()) {
        ADD_FAILURE() << Format(answer.error()) << "\n" << statement;
        return {Format(answer.error())};
      }
      for (const auto& row : answer->rows) {
        std::vector<std::string> values;
        for (const Value& value : row) values.push_back(value.value_or("NULL"));
        rows.push_back(Join(values, "|"));
      }
    }
    return rows;
  }
  std::string One(const std::string& text) {
    const auto rows = Rows(text);
    return rows.size() == 1 ? rows[0] : "(" + std::to_string(rows.size()) + " rows)";
  }

  std::unique_ptr<Source> From(const std::function<void(ExtractConfig&)>& configure,
                               const std::function<void(ExtractRequest&)>& more = {}) {
    ExtractRequest request{.step = "in"};
    request.config.mark = {"p.yml", 3, 5};
    configure(request.config);
    if (more) more(request);
    auto source = MakeTableSource(system_, request);
    if (!source.ok()) {
      ADD_FAILURE() << Format(source.error());
      std::abort();
    }
    return std::move(source).value();
  }
  std::unique_ptr<Source> Table(const std::string& table,
                                const std::function<void(ExtractConfig&)>& more = {}) {
    return From([&](ExtractConfig& config) {
      config.table = {.text = table, .mark = {"p.yml", 3, 9}, .quoted = false};
      if (more) more(config);
    });
  }
  // As SourceProbe gives them: sorted rows of texts.
  std::vector<std::vector<std::string>> Read(Source& source, const Limits& limits = {}) {
    auto epochs = probe_.ReadAll(source, limits);
    EXPECT_TRUE(epochs.ok()) << Format(epochs.error());
    return epochs.ok() ? sluice::RowsOf(*epochs) : std::vector<std::vector<std::string>>();
  }
  std::vector<Letter> Letters(Source& source) {
    auto epochs = probe_.ReadAll(source, {});
    EXPECT_TRUE(epochs.ok()) << Format(epochs.error());
    return epochs.ok() ? sluice::LettersOf(*epochs) : std::vector<Letter>();
  }
  std::string TypesOf(Source& source) {
    auto shape = source.Describe(*probe_.session, {});
    return shape.ok() ? Format(shape->schema) : Format(shape.error());
  }

  Load LoadOf(const std::string& target, Mode mode, Schema schema,
              std::vector<std::string> key = {}) {
    Load load{.step = "out", .target = target, .mode = mode, .key = std::move(key)};
    load.schema = std::move(schema);
    load.mark = {"p.yml", 5, 3};
    return load;
  }
  Result<Landed> Write(const Load& load, const std::string& select) {
    TRY(sink_->Prepare({load}, {}));
    auto landing = TRY(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
    const Landed landed = TRY(landing->Write(0, select, {}, {}));
    EpochRecord record{.lane = lane_, .epoch = landing->epoch(), .fence = {1}, .run = {1}};
    TRY(landing->Commit(record));
    return landed;
  }
  std::string Refused(const Load& load, const std::string& select) {
    auto landed = Write(load, select);
    return landed.ok() ? "it was taken" : landed.error().message;
  }
  // All rows of `from` into `to`, through DuckDB.
  Result<Landed> Copy(const std::string& from, const std::string& to) {
    auto source = Table(from);
    const SourceShape shape = TRY(source->Describe(*probe_.session, {}));
    auto range = TRY(source->Freeze({}, {}, {}));
    if (!range) return Landed{};
    Opened opened = TRY(source->Open(*range, *probe_.session, {}));
    opened.scan->reject = [](Letter letter) { ADD_FAILURE() << letter.message; };
    const int64_t number = probe_.database->scans().Add(opened.scan);
    auto landed = Write(LoadOf(to, Mode::kAppend, shape.schema), SelectOf(*opened.scan, number));
    probe_.database->scans().Remove(number);
    return landed;
  }
  // Of a scan, as the engine does it: what decoders deliver as text is cast.
  static std::string SelectOf(const sql::Scan& scan, int64_t number) {
    std::string columns;
    for (const Column& column : scan.schema) {
      const std::string name = QuoteIdentifier(column.name);
      const bool text = scan.physical(column.type) == Physical::kText;
      columns += columns.empty() ? "" : ", ";
      columns += text ? "CAST(" + name + " AS " + column.type + ") AS " + name : name;
    }
    return "SELECT " + columns + " FROM sluice_scan(" + std::to_string(number) + ")";
  }
  // How many rows of `select` do not come back from a table that is made of them, or come changed.
  Result<std::string> Changed(const std::string& select) {
    TRY(probe_.session->Execute("CREATE OR REPLACE TABLE there AS " + select));
    const Schema schema = TRY(probe_.session->Describe("SELECT * FROM there"));
    TRY(Write(LoadOf("back", Mode::kOverwrite, schema), "SELECT * FROM there"));
    auto source = Table("back");
    auto range = TRY(source->Freeze({}, {}, {}));
    Opened opened = TRY(source->Open(*range, *probe_.session, {}));
    opened.scan->reject = [](Letter letter) { ADD_FAILURE() << letter.message; };
    const int64_t number = probe_.database->scans().Add(opened.scan);
    std::string columns;
    for (const Column& column : schema) {
      columns += columns.empty() ? "" : ", ";
      columns += "CAST(" + column.name + " AS " + column.type + ") AS " + column.name;
    }
    TRY(probe_.session->Execute("CREATE OR REPLACE TABLE back AS SELECT " + columns + " FROM (" +
                                SelectOf(*opened.scan, number) + ")"));
    probe_.database->scans().Remove(number);
    const sql::Rows found = TRY(probe_.session->Query(
        "SELECT (SELECT count(*) FROM (FROM there EXCEPT ALL FROM back)) || ' lost, ' || (SELECT "
        "count(*) FROM (FROM back EXCEPT ALL FROM there)) || ' made up of ' || (SELECT count(*) "
        "FROM there)"));
    return found.rows.at(0).at(0).text;
  }

  SourceProbe probe_;
  std::unique_ptr<Clock> clock_ = SystemClock();
  postgres::EnvironmentSecrets secrets_;
  std::shared_ptr<const System> system_;
  std::string schema_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<TableSink> sink_;
  Lane lane_{"shop", "daily", "out", "stream"};
};

}  // namespace sluice::tables
