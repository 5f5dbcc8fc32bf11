// The records of a JSON document as lines, without moving a byte: what is not in a record becomes a
// line feed, and a line feed inside one a space. So the decoder of NDJSON reads them, blank lines
// being none, and an offset is where the record lies in the document.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"

namespace sluice::format {

// `document` holds a list at the dotted `path` (empty: the document itself is a list, or objects
// one after the other). A document without it, or one that is cut off, is an error that calls it
// `name`. Read it from front to back.
std::unique_ptr<File> MakeJsonRecords(std::unique_ptr<File> document, const std::string& path,
                                      std::string name);

}  // namespace sluice::format
