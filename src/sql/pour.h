// Rows of a query handed to us, chunk by chunk, on DuckDB's threads:
//
//   SELECT count(sluice_pour(17, a, b)) FROM (…)
//
// The vessel sees each row exactly once, in any order; its calls run at the same time on several
// threads, and blocking in one of them is the back-pressure. Arguments are flat vectors in DuckDB's
// own layout, which the caller knows because it casts each column to a type of its choice.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice::sql {

struct VectorView {
  const void* values = nullptr;        // of the column's type
  const uint64_t* validity = nullptr;  // bit i set: row i is not null; null: no nulls
  std::vector<VectorView> child;       // of a LIST: its elements

  bool Null(uint64_t row) const {
    return validity != nullptr && (validity[row / 64] >> (row % 64) & 1) == 0;
  }
  template <class T>
  const T& At(uint64_t row) const {
    return static_cast<const T*>(values)[row];
  }
  std::string_view Text(uint64_t row) const;  // VARCHAR, BLOB
};

// An entry of a LIST vector.
struct ListEntry {
  uint64_t offset, length;
};

class Vessel {  // any thread, several at once
 public:
  virtual ~Vessel() = default;
  // An error ends the query; it is kept by the vessel's owner, DuckDB only passes its message on.
  virtual Status Take(std::span<const VectorView> columns, uint64_t rows) = 0;
};

class Vessels {  // any thread
 public:
  virtual ~Vessels() = default;
  // Lives until Remove, which must be after the queries that name it.
  virtual int64_t Add(std::shared_ptr<Vessel> vessel) = 0;
  virtual void Remove(int64_t number) = 0;
};

inline std::string_view VectorView::Text(uint64_t row) const {
  // DuckDB's string: length, then 12 bytes in place or 4 of a prefix and a pointer.
  const char* at = static_cast<const char*>(values) + row * 16;
  uint32_t length = 0;
  std::memcpy(&length, at, sizeof(length));
  if (length <= 12) return {at + 4, length};
  const char* bytes = nullptr;
  std::memcpy(&bytes, at + 8, sizeof(bytes));
  return {bytes, length};
}

}  // namespace sluice::sql
