// The columns of files: declared by the user, pinned by an earlier run, or inferred from a sample;
// and how one file fits them.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/extract.h"
#include "connector/file/listing.h"
#include "data/schema.h"
#include "format/csv.h"
#include "sql/database.h"
#include "sql/scan.h"

namespace sluice {

// What the user says about how the files are written.
struct FileTold {
  format::CsvTold csv;
  std::string records;  // JSON: the dotted path to the list of records
};

// The declared columns with their types as DuckDB writes them; a type it does not know: kConfig at
// its place.
Result<Schema> DeclaredColumns(sql::Session& session, const std::vector<NamedWritten>& columns);
// The narrowest type that holds both.
Result<std::string> Widen(sql::Session& session, const std::string& a, const std::string& b);

inline constexpr size_t kSampledFiles = 20;

// Looks into up to kSampledFiles: the columns of the first, types widened by the others.
Result<Schema> InferColumns(sql::Session& session, Files& files, FileFormat format,
                            const std::vector<ListedFile>& listed, const FileTold& told,
                            std::stop_token stop);
Result<format::CsvFacts> FactsOfCsv(sql::Session& session, Files& files, const ListedFile& file,
                                    const std::vector<std::string>& wanted,
                                    const format::CsvTold& told, std::stop_token stop);

// Whether each row comes with the local path of its file, as kFileColumn.
enum class WithFile : uint8_t { kNo, kYes };
inline constexpr std::string_view kFileColumn = "_sluice_file";

// FROM items for files of which each is told where it does not have the columns of `schema`; one
// that its path says it need not have. `read` are the same files with the paths under which their
// rows are read; `listed` may be opened again and again.
Result<std::string> FromCsv(sql::Session& session, Files& files,
                            const std::vector<ListedFile>& listed,
                            const std::vector<ListedFile>& read, const Schema& schema,
                            const format::CsvTold& told, const std::string& rejects,
                            WithFile with_file, std::stop_token stop);
Result<std::string> FromParquet(sql::Session& session, const std::vector<ListedFile>& listed,
                                const Schema& schema, WithFile with_file);

// A scan of files whose fields `schema` holds; what their paths say they need not have.
Result<std::shared_ptr<sql::Scan>> FromAvro(sql::Session& session, Files& files,
                                            const std::vector<ListedFile>& listed,
                                            const Schema& schema);

}  // namespace sluice
