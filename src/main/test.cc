// sluice test: runs `.test` files under the matrix of configurations.
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/mutex.h"
#include "base/text.h"
#include "harness/matrix.h"
#include "main/command.h"
#include "transform/verb.h"

extern char** environ;

namespace sluice {

namespace {

// Starts this program as `sluice test --child FOLDER …`; true where SIGKILL ended it.
bool SpawnChild(const std::string& folder, const std::string& pipeline,
                const std::vector<std::string>& words, Micros now, int kill_at) {
  std::vector<std::string> arguments{
      "/proc/self/exe",        "test",       "--child", folder,  "--kill-at",
      std::to_string(kill_at), "--pipeline", pipeline,  "--now", std::to_string(now.count())};
  for (const std::string& word : words)
    arguments.insert(arguments.end(), {"--word", word.starts_with("-") ? "=" + word : word});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, argv.data(), environ) != 0)
    return false;
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

std::vector<std::string> TestFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.path().extension() == ".test") files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Tester {
 public:
  Tester(std::vector<std::string> files, harness::MatrixOptions options)
      : files_(std::move(files)),
        options_(std::move(options)),
        connectors_(BuiltinConnectors()),
        verbs_(BuiltinVerbs()) {}

  int Run(int jobs) {
    std::vector<std::jthread> workers;
    workers.reserve(static_cast<size_t>(jobs));
    for (int i = 0; i < jobs; ++i) workers.emplace_back([this] { Work(); });
    workers.clear();
    if (skipped_ > 0)
      std::printf("%d configurations are left out by their tests, which say why\n", skipped_);
    std::printf("%d passed, %d failed\n", passed_, failed_);
    return failed_ == 0 ? kExitOk : kExitFailed;
  }

 private:
  void Work() {
    for (size_t i = next_++; i < files_.size(); i = next_++) {
      auto files = LocalFiles();
      Result<std::string> text = files->ReadAll(files_[i], 16 << 20);
      Result<harness::TestFile> file = text.ok() ? harness::ParseTestFile(*text, files_[i])
                                                 : Result<harness::TestFile>(text.error());
      std::vector<harness::Verdict> verdicts;
      if (file.ok())
        verdicts = harness::RunMatrix(*file, connectors_, verbs_, options_);
      else
        verdicts.push_back({.configuration = "read",
                            .skipped = false,
                            .failure = "  " + Format(file.error()) + "\n"});
      MutexLock lock(mutex_);
      for (const harness::Verdict& verdict : verdicts) {
        if (verdict.skipped) {
          ++skipped_;
        } else if (verdict.failure.empty()) {
          ++passed_;
        } else {
          ++failed_;
          std::printf("FAILED %s (%s)\n%s", files_[i].c_str(), verdict.configuration.c_str(),
                      verdict.failure.c_str());
          std::fflush(stdout);
        }
      }
    }
  }

  std::vector<std::string> files_;
  harness::MatrixOptions options_;
  Connectors connectors_;
  Verbs verbs_;
  std::atomic<size_t> next_{0};
  Mutex mutex_;
  int passed_ = 0, failed_ = 0, skipped_ = 0;
};

Result<int> Test(const Invocation& invocation) {
  if (invocation.Has("--child")) {
    std::vector<std::string> words = invocation.All("--word");
    for (std::string& word : words) {
      if (word.starts_with("=")) word.erase(0, 1);
    }
    return harness::RunAndDie(invocation.Get("--child"), invocation.Get("--pipeline", "test"),
                              words, Micros(std::atoll(invocation.Get("--now").c_str())),
                              std::atoi(invocation.Get("--kill-at").c_str()), BuiltinConnectors(),
                              BuiltinVerbs());
  }
  std::vector<std::string> paths = invocation.All("file");
  if (paths.empty()) paths = {"tests"};
  for (const std::string& path : paths) {
    if (!std::filesystem::exists(path))
      return ConfigError({}, fmt::format("there is no file or folder '{}'", EscapeControl(path)));
  }
  std::vector<std::string> files = TestFiles(paths);
  if (files.empty()) return ConfigError({}, fmt::format("no .test files in {}", Join(paths, ", ")));
  const char* temp = std::getenv("TMPDIR");
  harness::MatrixOptions options{.configurations = invocation.All("--only"),
                                 .child = SpawnChild,
                                 .temp_folder = temp && *temp ? temp : "/tmp"};
  for (const std::string& name : options.configurations) {
    std::vector<std::string> known = harness::AllConfigurations();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return ConfigError({},
                         fmt::format("--only '{}' is unknown; valid: {}", name, Join(known, ", ")));
    }
  }
  int jobs = std::atoi(
      invocation.Get("--jobs", std::to_string(std::max(1u, std::thread::hardware_concurrency())))
          .c_str());
  return Tester(std::move(files), std::move(options)).Run(std::max(1, jobs));
}

}  // namespace

Command TestCommand() {
  return {.name = "test",
          .summary =
              "Run .test files: whole, by row, in small epochs, in parallel, killed and restored",
          .example = "sluice test tests/orders.test --only whole",
          .arguments = {{"file", "Files or folders (default: tests)", Argument::Count::kMany}},
          .options = {{"--only", "NAME",
                       "Only this configuration: whole, rows, three, parallel, killed, oracle",
                       Option::Kind::kList},
                      {"--jobs", "N", "Files at once (default: cores)"},
                      {"--child", "FOLDER", "Used by the killed configuration: run here and die"},
                      {"--kill-at", "N", "The milestone at which the child dies"},
                      {"--pipeline", "NAME", "What the child runs"},
                      {"--now", "MICROSECONDS", "What time it is for the child"},
                      {"--word", "WORD", "An option of the child's run", Option::Kind::kList}},
          .run = Test};
}

}  // namespace sluice
