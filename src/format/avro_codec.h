// The four ways in which a block of Avro is packed: null, deflate (no header), snappy (with a CRC
// of the bytes inside) and zstandard. What is damaged is an error (kData) that says how.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice::format {

enum class AvroCodec : unsigned char { kNull, kDeflate, kSnappy, kZstandard };
std::optional<AvroCodec> AvroCodecOf(std::string_view name);  // as the file's header writes it
std::string_view NameOf(AvroCodec codec);

// A block must not become larger: it is made to fill the memory, or not what it says.
inline constexpr size_t kMaxAvroBlockBytes = size_t{256} << 20;

class AvroUnpacker {  // one thread; keeps what its libraries have allocated
 public:
  AvroUnpacker();
  ~AvroUnpacker();
  // What `packed` holds: itself (kNull), or bytes in `buffer`.
  Result<std::string_view> Unpack(AvroCodec codec, std::string_view packed,
                                  std::vector<char>& buffer);

 private:
  struct Streams;
  std::unique_ptr<Streams> streams_;
};

Result<std::string> PackAvro(AvroCodec codec, std::string_view bytes);

}  // namespace sluice::format
