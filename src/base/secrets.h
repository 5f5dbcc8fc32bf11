// What the values of a connection refer to: `secret:name` (the encrypted store), `env:NAME`,
// `file:path`. A config holds the reference; who connects opens it, uses it and lets it be wiped.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace sluice {

enum class ReferenceKind : unsigned char { kSecret, kEnvironment, kFile };
struct Reference {
  ReferenceKind kind = ReferenceKind::kSecret;
  std::string name;  // what follows the colon
};
// nullopt: a plain value.
std::optional<Reference> ReadReference(std::string_view text);

class Secrets {  // any thread
 public:
  virtual ~Secrets() = default;
  // The value that `text` refers to; `text` itself where it refers to nothing. kConfig at `mark`,
  // naming the reference and never the value, where there is none.
  virtual Result<Secret> Open(std::string_view text, const Mark& mark) = 0;
};

}  // namespace sluice
