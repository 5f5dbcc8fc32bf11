// For tests: a project in a temporary folder, and its pipelines planned by the real verbs and
// connectors.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/plan.h"

namespace sluice {

class TestProject {
 public:
  TestProject() {
    static int count = 0;
    folder_ = std::filesystem::temp_directory_path() /
              ("sluice_plan_" + std::to_string(getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directories(folder_);
    Write("sluice.yml",
          "project: shop\n"
          "connections:\n"
          "  warehouse: { type: duckdb, path: warehouse.duckdb }\n"
          "  shop_db: { type: postgres, host: localhost }\n"
          "  typo: { type: dukdb, path: x.duckdb }\n"
          "vars: { bucket: raw, limit: 10 }\n");
    Write("orders.csv",
          "id,status,amount,created_at\n1,paid,2.5,2026-01-01 10:00:00\n2,open,3.5,2026-01-02 "
          "11:00:00\n");
    files_ = LocalFiles();
    clock_ = SystemClock();
    sql::DatabaseOptions options;
    options.threads = 1;
    auto database = sql::Database::Open(options);
    EXPECT_TRUE(database.ok()) << (database.ok() ? "" : Format(database.error()));
    database_ = std::move(*database);
    auto attached =
        database_->Attach((folder_ / "warehouse.duckdb").string(), "w", sql::Access::kReadWrite);
    EXPECT_TRUE(attached.ok()) << (attached.ok() ? "" : Format(attached.error()));
    auto project = ReadProject(*files_, folder_.string());
    EXPECT_TRUE(project.ok()) << (project.ok() ? "" : Format(project.error()));
    project_ = std::move(*project);
  }
  ~TestProject() {
    database_.reset();
    std::error_code code;
    std::filesystem::remove_all(folder_, code);
  }

  void Write(const std::string& name, std::string_view text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  void Run(std::string_view sql) {
    auto session = database_->Connect();
    ASSERT_TRUE(session.ok());
    auto done = (*session)->Execute(sql);
    ASSERT_TRUE(done.ok()) << Format(done.error());
  }

  Result<Plan> TryPlan(std::string text, std::vector<Error>* errors = nullptr) {
    auto parsed = ParsePipelines(std::move(text), "p.yml", *files_, project_.folder);
    if (!parsed.ok()) return parsed.error();
    const PipelineFile* file = &parsed->front();
    ConnectorContext context{*files_, *database_, *clock_, project_.folder};
    return MakePlan(project_, *file, request, connectors_, verbs_, context, errors);
  }
  Plan MustPlan(std::string text) {
    auto plan = TryPlan(std::move(text));
    EXPECT_TRUE(plan.ok()) << (plan.ok() ? "" : Format(plan.error()));
    return plan.ok() ? std::move(*plan) : Plan{};
  }
  std::string ErrorOf(std::string text) {
    auto plan = TryPlan(std::move(text));
    return plan.ok() ? "planned" : Format(plan.error());
  }

  PlanRequest request{.date = std::nullopt,
                      .params = {},
                      .settings = {},
                      .now = Micros(1'767'600'000'000'000),
                      .preview = false,
                      .pinned = {}};  // 2026-01-05T08:00Z

  std::string folder() const { return folder_.string(); }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Files> files_;
  std::unique_ptr<Clock> clock_;
  std::unique_ptr<sql::Database> database_;
  Project project_;
  Connectors connectors_ = BuiltinConnectors();
  Verbs verbs_ = BuiltinVerbs();
};

}  // namespace sluice
