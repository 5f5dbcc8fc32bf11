// What the tests of the postgres connector share: a database of their own, a source and a sink on
// it, and a copy of one table into another as the driver would do it.
#pragma once

#include <gtest/gtest.h>

#include "base/text.h"
#include "connector/postgres/server_for_tests.h"
#include "connector/postgres/sink.h"
#include "connector/postgres/source.h"
#include "connector/source_probe.h"

namespace sluice::postgres {

class PostgresTest : public testing::Test {
 protected:
  void SetUp() override {
    server_ = TestServer::Shared();
    if (server_ == nullptr) GTEST_SKIP() << "no server";
    database_ = server_->NewDatabase();
    connection_ = server_->Connect(database_);
    settings_ = server_->SettingsOf(database_);
    sink_ = std::make_unique<PostgresSink>(settings_, Context());
  }

  ConnectorContext Context() {
    return {.files = *probe_.files,
            .database = *probe_.database,
            .clock = *clock_,
            .folder = probe_.folder,
            .secrets = &secrets_};
  }
  std::vector<std::string> Rows(const std::string& text) {
    return postgres::RowsOf(*connection_, text);
  }
  std::string One(const std::string& text) {
    const auto rows = Rows(text);
    return rows.size() == 1 ? rows[0] : "(" + std::to_string(rows.size()) + " rows)";
  }
  std::unique_ptr<Source> Table(const std::string& table,
                                const std::function<void(ExtractConfig&)>& more = {}) {
    ExtractRequest request{.step = "in"};
    request.config.mark = {"p.yml", 3, 5};
    request.config.table = {.text = table, .mark = {"p.yml", 3, 9}, .quoted = false};
    if (more) more(request.config);
    auto source = MakePostgresSource(settings_, request, Context());
    if (!source.ok()) {
      ADD_FAILURE() << Format(source.error());
      std::abort();
    }
    return std::move(source).value();
  }
  // As SourceProbe gives them: sorted rows of texts.
  std::vector<std::vector<std::string>> Read(Source& source, const Limits& limits = {}) {
    auto epochs = probe_.ReadAll(source, limits);
    EXPECT_TRUE(epochs.ok()) << Format(epochs.error());
    return epochs.ok() ? sluice::RowsOf(*epochs) : std::vector<std::vector<std::string>>();
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
    // As the engine does: what decoders deliver as text is cast.
    std::string columns;
    for (const Column& column : shape.schema) {
      const std::string name = QuoteIdentifier(column.name);
      const bool list = column.type.ends_with("[]");
      columns += columns.empty() ? "" : ", ";
      columns += list ? "CAST(CAST(" + name + " AS JSON) AS " + column.type + ") AS " + name : name;
    }
    const int64_t number = probe_.database->scans().Add(opened.scan);
    auto landed = Write(LoadOf(to, Mode::kAppend, shape.schema),
                        "SELECT " + columns + " FROM sluice_scan(" + std::to_string(number) + ")");
    probe_.database->scans().Remove(number);
    return landed;
  }

  TestServer* server_ = nullptr;
  SourceProbe probe_;
  std::unique_ptr<Clock> clock_ = SystemClock();
  EnvironmentSecrets secrets_;
  std::string database_;
  Settings settings_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<PostgresSink> sink_;
  Lane lane_{"shop", "daily", "out", "stream"};
};

}  // namespace sluice::postgres
