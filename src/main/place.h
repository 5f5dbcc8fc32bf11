// Where a copy comes from or goes to: a path, a table of a DuckDB file, or a URI.
//
//   postgres://USER:PASSWORD@HOST:PORT/DATABASE/TABLE?tls=require   mysql:// likewise
//   sqlite://FILE/TABLE   duckdb://FILE/TABLE   s3://BUCKET/PATH?region=…   file://PATH
//
// A password leaves the URI at once: what is kept of it is `shown`, which has none, and a reference
// to a secret that only connectors open.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "connector/registry.h"

namespace sluice {

struct CopyPlace {
  std::string type;   // of the connection; empty: files of this machine
  std::string path;   // of files or objects
  std::string table;  // of a database
  std::vector<std::pair<std::string, std::string>> keys;  // of the connection
  Secret password;
  std::string shown;  // the URI without its secrets
};

// `side`: "source" or "target": the name of the connection and of its secret.
Result<CopyPlace> ReadCopyPlace(const std::string& text, const std::string& side,
                                const Connectors& connectors);

// What `password` of its connection refers to.
std::string SecretOf(const std::string& side);

}  // namespace sluice
