// See hex.h.
#include "base/hex.h"

namespace sluice {

std::string DecodePercent(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] == '%' ? HexByte(text, i + 1) : -1;
    decoded += byte < 0 ? text[i] : static_cast<char>(byte);
    i += byte < 0 ? 0 : 2;
  }
  return decoded;
}

}  // namespace sluice
