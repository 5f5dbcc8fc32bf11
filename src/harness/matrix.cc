// See matrix.h.
#include "harness/matrix.h"

#include <fmt/core.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "harness/expect.h"
#include "harness/scene.h"

namespace sluice::harness {

namespace {

struct Configuration {
  std::string name;
  std::optional<Limits> limits;
  int threads = 0;
};

const std::vector<Configuration> kConfigurations{
    {"whole", std::nullopt, 0},       {"rows", Limits{.rows = 1}, 0},
    {"three", Limits{.rows = 3}, 0},  {"parallel", std::nullopt, 4},
    {"killed", Limits{.rows = 3}, 0}, {"oracle", std::nullopt, 0}};

class Killer : public Observer {
 public:
  explicit Killer(int at) : left_(at) {}
  void OnMilestone(const std::string&, Milestone) override {
    if (--left_ == 0) kill(getpid(), SIGKILL);
  }

 private:
  int left_;
};

class Folder {  // a temporary one, removed at the end
 public:
  explicit Folder(const std::string& parent) : files_(LocalFiles()) {
    std::string name = parent + "/sluice-test-XXXXXX";
    path_ = mkdtemp(name.data()) != nullptr ? name : "";
  }
  ~Folder() {
    if (!path_.empty()) (void)files_->RemoveAll(path_);
  }
  const std::string& path() const { return path_; }

 private:
  std::unique_ptr<Files> files_;
  std::string path_;
};

class Play {  // one test under one configuration
 public:
  Play(const TestFile& file, const Configuration& configuration, Scene& scene)
      : file_(file), configuration_(configuration), scene_(scene) {}

  // `run`: does one run of the scene; the n-th of the file (from 0).
  std::string Perform(const std::function<RunReport(const RunSpec&, int)>& run) {
    Status ready = Ready();
    if (!ready.ok()) return Format(ready.error());
    std::string failures;
    bool ran = false;
    int runs = 0;
    RunSpec spec{.limits = configuration_.limits, .threads = configuration_.threads};
    for (const Section& section : file_.sections) {
      if (section.word == "pipeline" && ran) (void)WritePipeline(section);
      if (section.word == "clock") spec.now = Instant(section);
      if ((section.word == "input" || section.word == "file") && ran) (void)WriteInput(section);
      if (section.word == "run" ||
          ((section.word == "expect" || section.word == "oracle") && !ran)) {
        RunSpec own = spec;
        if (section.word == "run") Words(section, own);
        report_ = run(own, runs++);
        ran = true;
      }
      if (section.word != "expect" && section.word != "oracle") continue;
      if (configuration_.name == "killed" && OfOneRun(section)) continue;
      std::string wrong = CheckSection(section, scene_, report_);
      if (!wrong.empty())
        failures += fmt::format("  {}:{}: {} {}\n{}", file_.path, section.line, section.word,
                                Join(section.rest, " "), wrong);
    }
    if (!failures.empty() && !report_.error.empty())
      failures += "  the run's error: " + report_.error + "\n";
    return failures;
  }

 private:
  // What a killed run and the one that restores it share between them, so that neither shows it
  // whole.
  static bool OfOneRun(const Section& section) {
    static const std::set<std::string> kWords{"steps", "loads", "exit", "plan"};
    return section.word == "expect" && !section.rest.empty() && kWords.contains(section.rest[0]);
  }

  Micros Instant(const Section& section) {
    std::string text = section.rest.empty() ? "" : section.rest[0];
    Result<sql::Rows> rows = scene_.Query("SELECT epoch_us(" + QuoteLiteral(text) + "::TIMESTAMP)");
    return rows.ok() ? Micros(std::stoll(rows->rows[0][0].text)) : Micros(0);
  }

  Status Ready() {
    bool project = false;
    for (const Section& section : file_.sections) {
      if (section.word == "run") break;
      if (section.word == "project") {
        project = true;
        TRY(scene_.Write("sluice.yml", Join(section.lines, "\n") + "\n"));
      }
      if (section.word == "pipeline") TRY(WritePipeline(section));
      if (section.word == "input" || section.word == "file") TRY(WriteInput(section));
    }
    if (!project)
      TRY(scene_.Write(
          "sluice.yml",
          "project: test\nconnections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n"));
    return Ok();
  }
  Status WritePipeline(const Section& section) {
    std::string name = section.rest.empty() ? "test" : section.rest[0];
    return scene_.Write("pipelines/" + name + ".yml", Join(section.lines, "\n") + "\n");
  }
  Status WriteInput(const Section& section) {
    if (section.rest.empty())
      return ConfigError({file_.path, section.line, 1}, "write: input NAME, or file PATH");
    std::string path =
        section.word == "input" ? "input/" + section.rest[0] + ".ndjson" : section.rest[0];
    std::string text = Join(section.lines, "\n");
    return scene_.Write(path, text.empty() ? "" : text + "\n");
  }
  static void Words(const Section& section, RunSpec& spec) {
    for (const std::string& word : section.rest) {
      bool pipeline = &word == &section.rest.front() && !StartsWith(word, "--");
      if (pipeline)
        spec.pipeline = word;
      else
        spec.words.push_back(word);
    }
  }

  const TestFile& file_;
  const Configuration& configuration_;
  Scene& scene_;
  RunReport report_;
};

// Kills the process at every milestone in turn, each time on a fresh scene, and restores it. For
// each run of the file.
std::string PlayKilled(const TestFile& file, const Configuration& configuration,
                       const Connectors& connectors, const Verbs& verbs,
                       const MatrixOptions& options) {
  for (int kill_at = 1;; ++kill_at) {
    Folder folder(options.temp_folder);
    Scene scene(folder.path(), connectors, verbs);
    bool killed = false;
    std::string failure = Play(file, configuration, scene).Perform([&](const RunSpec& spec, int) {
      killed =
          options.child(scene.folder(), spec.pipeline, spec.words, spec.now, kill_at) || killed;
      return scene.Run(spec);
    });
    if (!failure.empty()) return fmt::format("  killed at milestone {}:\n{}", kill_at, failure);
    if (!killed) return "";
  }
}

}  // namespace

std::vector<std::string> AllConfigurations() {
  std::vector<std::string> names;
  for (const Configuration& configuration : kConfigurations) names.push_back(configuration.name);
  return names;
}

std::vector<Verdict> RunMatrix(const TestFile& file, const Connectors& connectors,
                               const Verbs& verbs, const MatrixOptions& options) {
  std::vector<Verdict> verdicts;
  bool has_oracle = std::any_of(file.sections.begin(), file.sections.end(),
                                [](const Section& s) { return s.word == "oracle"; });
  bool fails = std::any_of(file.sections.begin(), file.sections.end(), [](const Section& s) {
    return s.word == "expect" && !s.rest.empty() && s.rest[0] == "error";
  });
  for (const Configuration& configuration : kConfigurations) {
    bool wanted = options.configurations.empty() ||
                  std::find(options.configurations.begin(), options.configurations.end(),
                            configuration.name) != options.configurations.end();
    if (!wanted) continue;
    if (configuration.name == "oracle")
      continue;  // an oracle section is checked under every configuration
    Verdict verdict{.configuration = configuration.name,
                    .skipped = file.skips.contains(configuration.name),
                    .failure = ""};
    if (configuration.name == "killed")
      verdict.skipped = verdict.skipped || !options.child || fails;
    if (!verdict.skipped) {
      if (configuration.name == "killed") {
        verdict.failure = PlayKilled(file, configuration, connectors, verbs, options);
      } else {
        Folder folder(options.temp_folder);
        Scene scene(folder.path(), connectors, verbs);
        verdict.failure = Play(file, configuration, scene).Perform([&](const RunSpec& spec, int) {
          return scene.Run(spec);
        });
      }
    }
    verdicts.push_back(std::move(verdict));
  }
  if (has_oracle && !verdicts.empty() &&
      (options.configurations.empty() || options.configurations.size() > 1)) {
    verdicts.push_back({.configuration = "oracle", .skipped = false, .failure = ""});
  }
  return verdicts;
}

int RunAndDie(const std::string& folder, const std::string& pipeline,
              const std::vector<std::string>& words, Micros now, int kill_at,
              const Connectors& connectors, const Verbs& verbs) {
  Killer killer(kill_at);
  Scene scene(folder, connectors, verbs);
  RunSpec spec{.pipeline = pipeline,
               .words = words,
               .limits = Limits{.rows = 3},
               .threads = 0,
               .observer = &killer,
               .now = now};
  return scene.Run(spec).exit;
}

}  // namespace sluice::harness
