// The encrypted store of a project's secrets: one JSON file in which each value is sealed with
// XChaCha20-Poly1305, its name and version being part of the seal, so that no value can be put in
// the place of another or of an older one.
//
// The key is not beside the store: it comes from SLUICE_KEY, from the file that SLUICE_KEY_FILE
// names, or from a file of the user's that nobody else may read; the first `Set` makes one. A store
// is replaced as a whole, and rotation keeps the old key until nothing needs it: a crash anywhere
// leaves a store that opens.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/secrets.h"

namespace sluice {

struct SecretFacts {
  std::string name;
  int64_t version = 0;
  std::chrono::microseconds set_at{0};
};

class SecretStore {  // one thread; other processes may write the same file at the same time
 public:
  // `path`: of the store, which need not exist. `environment` is getenv, or a test's.
  using Environment = const char* (*)(const char* name);
  SecretStore(Files& files, std::string path, Environment environment);
  ~SecretStore();

  Result<std::vector<SecretFacts>> List();
  Result<Secret> Read(const std::string& name);
  // A new value is a new version. Returns it.
  Result<int64_t> Set(const std::string& name, const Secret& value, std::chrono::microseconds now);
  Status Remove(const std::string& name);
  // Seals every value with a new key (with SLUICE_KEY: with the first of the keys given). Returns
  // how many.
  Result<size_t> Rotate();
  // Where the key comes from: "SLUICE_KEY", or a path.
  Result<std::string> KeyPlace();

 private:
  class Keys;
  struct Contents;

  Result<Contents> Load();
  Status Save(const Contents& contents);

  Files& files_;
  const std::string path_;
  const Environment environment_;
};

// References opened with `store`, the process's environment, and files (from `folder` on). From the
// first one on the process leaves no core file.
std::unique_ptr<Secrets> MakeSecrets(Files& files, std::string folder, std::string store_path);

}  // namespace sluice
