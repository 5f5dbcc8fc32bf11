// See path_list.h.
#include "format/path_list.h"

#include "base/text.h"

namespace sluice::format {

std::string PlainPath(const std::string& path) {
  std::string plain;
  for (const char c : path)
    plain += c == '*' || c == '?' || c == '[' ? std::string{'[', c, ']'} : std::string(1, c);
  return plain;
}

std::string PathList(const std::vector<std::string>& paths) {
  std::string list = "[";
  for (const std::string& path : paths)
    list += (list.size() > 1 ? ", " : "") + QuoteLiteral(PlainPath(path));
  return list + "]";
}

}  // namespace sluice::format
