// The words before the colon, and nothing else, make a value a reference.
#include "base/secrets.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>

#include "base/files.h"
#include "base/mutex.h"
#include "base/secret_store.h"
#include "base/text.h"

namespace sluice {

std::optional<Reference> ReadReference(std::string_view text) {
  constexpr std::pair<std::string_view, ReferenceKind> kKinds[] = {
      {"secret:", ReferenceKind::kSecret},
      {"env:", ReferenceKind::kEnvironment},
      {"file:", ReferenceKind::kFile}};
  for (const auto& [prefix, kind] : kKinds) {
    if (StartsWith(text, prefix)) return Reference{kind, std::string(text.substr(prefix.size()))};
  }
  return std::nullopt;
}

namespace {

constexpr uint64_t kMaxFileBytes = 64 << 10;

// A core file would hold what was opened.
void LeaveNoCore() {
  const rlimit none{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &none);
  (void)::prctl(PR_SET_DUMPABLE, 0);
}

class OpenedSecrets final : public Secrets {
 public:
  OpenedSecrets(Files& files, std::string folder, std::string store_path)
      : files_(files),
        folder_(std::move(folder)),
        store_(files, std::move(store_path),
               [](const char* name) -> const char* { return std::getenv(name); }) {}

  Result<Secret> Open(std::string_view text, const Mark& mark) override {
    LeaveNoCore();
    const auto reference = ReadReference(text);
    if (!reference) return Secret(std::string(text));
    auto value = Value(*reference);
    if (!value.ok()) return std::move(value).error().At(mark);
    return value;
  }

 private:
  Result<Secret> Value(const Reference& reference) {
    switch (reference.kind) {
      case ReferenceKind::kSecret: {
        MutexLock lock(mutex_);
        return store_.Read(reference.name);
      }
      case ReferenceKind::kEnvironment: {
        const char* value = std::getenv(reference.name.c_str());
        if (value != nullptr && *value != '\0') return Secret(value);
        return ConfigError({}, fmt::format("the environment variable {} is {}", reference.name,
                                           value == nullptr ? "not set" : "empty"));
      }
      case ReferenceKind::kFile:
        break;
    }
    const std::string path = JoinPath(folder_, reference.name);
    if (!files_.Exists(path))
      return ConfigError({}, fmt::format("file:{}: there is no such file", reference.name));
    std::string text = TRY(files_.ReadAll(path, kMaxFileBytes));
    if (EndsWith(text, "\n")) text.pop_back();
    if (EndsWith(text, "\r")) text.pop_back();
    Secret value(text);
    explicit_bzero(text.data(), text.size());
    if (value.empty()) return ConfigError({}, fmt::format("file:{} is empty", reference.name));
    return value;
  }

  Files& files_;
  const std::string folder_;
  Mutex mutex_;
  SecretStore store_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Secrets> MakeSecrets(Files& files, std::string folder, std::string store_path) {
  return std::make_unique<OpenedSecrets>(files, std::move(folder), std::move(store_path));
}

}  // namespace sluice
