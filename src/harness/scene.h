// A project in a folder of its own, on which runs happen as they would in processes of their own:
// each opens ledger and DuckDB anew.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "connector/registry.h"
#include "engine/run.h"
#include "transform/verb.h"

namespace sluice::harness {

// Time that stands still until someone waits.
class FakeClock : public Clock {
 public:
  explicit FakeClock(Micros now) : now_(now) {}
  Micros Now() const override { return now_; }
  std::chrono::nanoseconds Steady() const override { return now_; }
  void Wait(std::chrono::nanoseconds time, std::stop_token) const override {
    now_ += std::chrono::duration_cast<Micros>(time);
  }

 private:
  mutable Micros now_;
};

struct RunSpec {
  std::string pipeline = "test";
  std::vector<std::string> words;  // --date D, --again, --env E, --param k=v
  std::optional<Limits> limits;
  int threads = 0;
  Observer* observer = nullptr;
  Micros now{1'795'262'400'000'000};  // 2026-11-21T12:00:00Z
};

struct RunReport {
  int exit = 0;
  std::string error;  // as it is printed; empty: none
  std::string json;   // of the outcome; empty where planning failed
  std::string plan;
};

class Scene {
 public:
  Scene(std::string folder, const Connectors& connectors, const Verbs& verbs);

  const std::string& folder() const { return folder_; }
  Status Write(const std::string& path, const std::string& text);
  RunReport Run(const RunSpec& spec);
  // Over warehouse.duckdb, attached read-only as the default database.
  Result<sql::Rows> Query(const std::string& select);
  Result<std::vector<LetterRow>> Letters();

 private:
  std::string folder_;
  const Connectors& connectors_;
  const Verbs& verbs_;
  std::unique_ptr<Files> files_;
};

}  // namespace sluice::harness
