// Walks the folders a pattern can reach, one part of the pattern at a time. Only names are
// compared: a match never backtracks over more than the last star, so a hostile pattern costs name
// × pattern steps at most.
#include "base/glob.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/text.h"

namespace sluice {
namespace {

// The length of the character at the start of `text`: a whole UTF-8 sequence, or one byte where it
// is none.
size_t CharacterLength(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  return length <= text.size() && ValidUtf8(text.substr(0, length)) ? length : 1;
}

// UTF-8 sorts as its code points do, so characters are compared as their bytes.
std::string_view TakeCharacter(std::string_view& text) {
  const std::string_view character = text.substr(0, CharacterLength(text));
  text.remove_prefix(character.size());
  return character;
}

std::string_view TakeClassCharacter(std::string_view& text) {
  if (text.size() > 1 && text[0] == '\\') text.remove_prefix(1);
  return TakeCharacter(text);
}

// One [class] at the start of `pattern`, and whether `character` is in it; the length 0 where the
// class has no end.
struct ClassMatch {
  size_t length = 0;
  bool inside = false;
};

ClassMatch MatchClass(std::string_view pattern, std::string_view character) {
  std::string_view rest = pattern.substr(1);
  const bool negated = !rest.empty() && (rest[0] == '!' || rest[0] == '^');
  if (negated) rest.remove_prefix(1);
  bool inside = false;
  for (bool first = true; !rest.empty() && (first || rest[0] != ']'); first = false) {
    const std::string_view low = TakeClassCharacter(rest);
    std::string_view high = low;
    if (rest.size() > 1 && rest[0] == '-' && rest[1] != ']') {
      rest.remove_prefix(1);
      high = TakeClassCharacter(rest);
    }
    inside = inside || (low <= character && character <= high);
  }
  if (rest.empty()) return {};
  return {pattern.size() - rest.size() + 1, inside != negated};
}

// Matches one character of `name` against the start of `part`, and moves both on.
bool TakeMatch(std::string_view& part, std::string_view& name) {
  if (part.empty() || name.empty()) return false;
  std::string_view left = name;
  const std::string_view character = TakeCharacter(left);
  if (part[0] == '?') {
    part.remove_prefix(1);
    name = left;
    return true;
  }
  if (part[0] == '[') {
    const ClassMatch match = MatchClass(part, character);
    if (match.length > 0) {
      if (!match.inside) return false;
      part.remove_prefix(match.length);
      name = left;
      return true;
    }
  }
  std::string_view literal = part;
  if (literal.size() > 1 && literal[0] == '\\') literal.remove_prefix(1);
  if (TakeCharacter(literal) != character) return false;
  part = literal;
  name = left;
  return true;
}

std::string Unescape(std::string_view part) {
  std::string name;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '\\' && i + 1 < part.size()) ++i;
    name += part[i];
  }
  return name;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

struct Entry {
  std::string name;
  bool maybe_folder = false;  // a folder or a link to one
  bool link = false;
};

Result<std::vector<Entry>> ReadFolder(const std::string& folder) {
  std::vector<Entry> entries;
  const std::unique_ptr<DIR, CloseFolder> opened(::opendir(folder.empty() ? "." : folder.c_str()));
  if (!opened) {
    if (errno == ENOENT || errno == ENOTDIR) return entries;
    return SystemError(fmt::format("reading folder '{}'", folder), errno);
  }
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(opened.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const unsigned char type = entry->d_type;
    entries.push_back({std::string(name), type == DT_DIR || type == DT_LNK || type == DT_UNKNOWN,
                       type == DT_LNK});
  }
  if (errno != 0) return SystemError(fmt::format("reading folder '{}'", folder), errno);
  return entries;
}

bool IsFolder(const std::string& path) {
  struct stat stat {};
  return ::stat(path.c_str(), &stat) == 0 && S_ISDIR(stat.st_mode);
}

bool IsFile(const std::string& path) {
  struct stat stat {};
  return ::stat(path.c_str(), &stat) == 0 && !S_ISDIR(stat.st_mode);
}

class Walk {
 public:
  explicit Walk(std::vector<std::string> parts) : parts_(std::move(parts)) {}

  // `folder` ends with a slash or is empty; the parts from `at` on are matched below it.
  Status Descend(const std::string& folder, size_t at) {
    const std::string& part = parts_[at];
    const bool last = at + 1 == parts_.size();
    if (part.empty()) return last ? Ok() : Descend(folder, at + 1);
    if (part == "**") return DescendAny(folder, at);
    if (!HasGlob(part)) return Step(folder + Unescape(part), at);
    for (const Entry& entry : TRY(ReadFolder(folder))) {
      if (!last && !entry.maybe_folder) continue;
      if (MatchesGlob(part, entry.name)) TRY(Step(folder + entry.name, at));
    }
    return Ok();
  }

  std::vector<std::string> TakeFound() && { return std::move(found_); }

 private:
  // Links to folders are not followed here: they may lead back up.
  Status DescendAny(const std::string& folder, size_t at) {
    const bool last = at + 1 == parts_.size();
    if (!last) TRY(Descend(folder, at + 1));
    for (const Entry& entry : TRY(ReadFolder(folder))) {
      if (entry.name[0] == '.') continue;
      const std::string path = folder + entry.name;
      if (entry.maybe_folder && !entry.link && IsFolder(path)) {
        TRY(DescendAny(path + "/", at));
      } else if (last) {
        TRY(Step(path, at));
      }
    }
    return Ok();
  }

  Status Step(std::string path, size_t at) {
    if (at + 1 < parts_.size()) return Descend(path + "/", at + 1);
    if (IsFile(path)) found_.push_back(std::move(path));
    return Ok();
  }

  const std::vector<std::string> parts_;
  std::vector<std::string> found_;
};

}  // namespace

bool HasGlob(std::string_view pattern) {
  return pattern.find_first_of("*?[\\") != std::string_view::npos;
}

std::string EscapeGlob(std::string_view name) {
  std::string escaped;
  for (const char c : name) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

bool MatchesGlob(std::string_view part, std::string_view name) {
  if (!name.empty() && name[0] == '.' && (part.empty() || part[0] != '.')) return false;
  std::string_view after_star, name_at_star;
  bool starred = false;
  while (true) {
    if (!part.empty() && part[0] == '*') {
      part.remove_prefix(1);
      after_star = part;
      name_at_star = name;
      starred = true;
    } else if (name.empty() && part.empty()) {
      return true;
    } else if (!TakeMatch(part, name)) {
      if (!starred || name_at_star.empty()) return false;
      TakeCharacter(name_at_star);
      part = after_star;
      name = name_at_star;
    }
  }
}

namespace {

// Every part of a path against every part of the pattern, once each: no pattern is slow.
bool MatchesParts(const std::vector<std::string>& parts, const std::vector<std::string>& names) {
  std::vector<bool> reached(names.size() + 1, false);  // by the parts so far
  reached[0] = true;
  for (size_t at = 0; at < parts.size(); ++at) {
    std::vector<bool> next(names.size() + 1, false);
    if (parts[at] == "**") {
      // Folders of any number; as the last part, a file in any of them.
      const bool last = at + 1 == parts.size();
      for (size_t i = 0; i <= names.size(); ++i) {
        for (size_t j = i; reached[i] && j <= names.size(); ++j) {
          if (j > i && StartsWith(names[j - 1], ".")) break;
          if (!last || j > i) next[j] = true;
        }
      }
    } else {
      for (size_t i = 0; i < names.size(); ++i) {
        const bool equal =
            HasGlob(parts[at]) ? MatchesGlob(parts[at], names[i]) : Unescape(parts[at]) == names[i];
        if (reached[i] && equal) next[i + 1] = true;
      }
    }
    reached = std::move(next);
  }
  return reached[names.size()];
}

}  // namespace

bool MatchesPath(std::string_view pattern, std::string_view path) {
  return MatchesParts(Split(pattern, '/'), Split(path, '/'));
}

std::string GlobPrefix(std::string_view pattern) {
  return std::string(pattern.substr(0, pattern.find_first_of("*?[\\")));
}

Result<std::vector<std::string>> ExpandGlob(const std::string& pattern) {
  if (pattern.empty()) return std::vector<std::string>{};
  const bool absolute = pattern[0] == '/';
  Walk walk(Split(absolute ? std::string_view(pattern).substr(1) : std::string_view(pattern), '/'));
  TRY(walk.Descend(absolute ? "/" : "", 0));
  std::vector<std::string> found = std::move(walk).TakeFound();
  if (found.empty() && IsFile(pattern)) found.push_back(pattern);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace sluice
