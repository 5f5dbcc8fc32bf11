// Which native partition a load replaces: the one that holds the value that the load names, where
// it holds no other and a new table can take its place without anybody noticing more than that.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "connector/postgres/target.h"

namespace sluice::postgres {

struct Leaf {
  TableName name;
  std::string quoted;      // as SQL names it
  std::string bound;       // "FOR VALUES IN ('2026-01-01')"
  std::string constraint;  // what its bound says of a row
};

struct Leaving {
  std::optional<Leaf> leaf;
  std::string why;  // there is none; empty where the target is not partitioned
};
// The catalog as it is now: at plan time, and again in the landing's transaction.
Result<Leaving> FindLeaf(Connection& connection, const Target& target, const Load& load,
                         std::stop_token stop);

}  // namespace sluice::postgres
