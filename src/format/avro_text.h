// Values of Avro as text: alone, or as JSON where they are inside others.
#pragma once

#include <string>

#include "format/avro_file.h"

namespace sluice::format {

__extension__ typedef __int128 AvroWide;
__extension__ typedef unsigned __int128 AvroBits;

enum class AvroFault : uint8_t { kNone, kDamaged, kUtf8, kRange };

// Whether a list or map may say that it has so many elements.
bool AvroCountHolds(int64_t count, const AvroType& element, const AvroCursor& cursor);
// The count of the next run of a list or map; 0: it is over. False: damaged.
bool AvroRun(AvroCursor& cursor, int64_t* count, int64_t* bytes);
AvroFault SkipAvro(const AvroType& type, AvroCursor& cursor, int depth = 0);

enum class AvroQuotes : uint8_t { kNone, kJson };
// Appends a value; `quotes` are of what is no number, boolean, list or object. Where a string is no
// UTF-8 it is appended all the same, with U+FFFD, and kUtf8 returned.
AvroFault ShowAvro(const AvroType& type, AvroCursor& cursor, AvroQuotes quotes, std::string& into,
                   int depth = 0);

// The number of big-endian bytes; false where it does not fit.
bool ReadAvroWide(std::string_view bytes, AvroWide* value);
// Whether it has at most so many digits.
bool FitsDigits(AvroWide value, int digits);

}  // namespace sluice::format
