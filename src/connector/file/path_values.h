// What paths say of their rows (hive.h), for rows that our own decoders make: a value of the path
// stands where the record has none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/file/origin.h"
#include "data/block.h"
#include "data/schema.h"
#include "sql/database.h"

namespace sluice {

struct PathValue {
  int64_t whole = 0;  // of whole numbers, days and microseconds
  double real = 0;
  std::string text;
};

struct PathValues {
  std::vector<uint64_t> columns;  // indices into the schema: what any path says
  // Partition -> values in the order of `columns`; nullopt: NULL, or this path does not say it.
  std::map<std::string, std::vector<std::optional<PathValue>>> of;
};

// `own`: columns that the files have themselves, of which a path is not asked. `physical`: how the
// decoder fills a type. kRejected: a path says what its column cannot hold.
Result<std::shared_ptr<const PathValues>> ReadPathValues(sql::Session& session,
                                                         const std::vector<ListedFile>& files,
                                                         const Schema& schema, const Schema& own,
                                                         Physical (*physical)(std::string_view));

// The schema without what paths say: what the files themselves must have.
Schema WithoutPathValues(const Schema& schema, const PathValues& said);

// Whether the files' own decoder knows the columns that paths say: it leaves NULL what a record
// does not have.
enum class OwnDecoder : uint8_t { kKnowsThem, kLacksThem };
using MakeDecoder = std::function<std::unique_ptr<Decoder>(const std::vector<uint64_t>& projected)>;

// `make` counts columns as its files have them.
std::unique_ptr<Decoder> MakePathDecoder(std::shared_ptr<const PathValues> said,
                                         const std::vector<uint64_t>& projected,
                                         const MakeDecoder& make, OwnDecoder own);

}  // namespace sluice
