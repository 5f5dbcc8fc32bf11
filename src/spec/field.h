// How a component declares itself: one spec names each field of a plain config struct once; its
// initialisers are the defaults. Validation with places, "did you mean", JSON Schema, reference
// docs and --help all derive from it.
//
//   struct FileConfig { std::string path; std::string format = "auto"; };
//   Spec<FileConfig> FileSpec() {
//     return Spec<FileConfig>("file", "Reads rows from the files that match a glob.").Main("path")
//         .Text(&FileConfig::path, "path", "Glob of the files to read.", Need::kRequired)
//         .Choice(&FileConfig::format, "format", "Format of the files; 'auto' goes by their
//         extension.", {"auto", "csv"});
//   }
//   FileConfig config = TRY(FileSpec().Bind(node));   // every wrong key or value: kConfig with
//   file:line:column
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spec/node.h"

namespace sluice {

enum class Need : uint8_t { kOptional, kRequired };

// The slot a field is (language.md rule 3): it decides how `{{ }}` in it is treated by `pipeline`.
enum class Slot : uint8_t {
  kText,
  kColumn,
  kPath,
  kNumber,
  kFlag,
  kDuration,
  kBytes,
  kChoice,
  kNode
};

struct FieldFacts {
  std::string name = {}, help = {};
  Slot slot = Slot::kText;
  Need need = Need::kOptional;
  std::string shape = {};  // for docs: "text", "list of columns", "map name -> expression", …
  std::vector<std::string> choices = {};  // valid words; empty: free
  std::string standard = {};              // the default, as a user would write it; empty: none
  bool secret = false;                    // holds a reference until a connector opens it
  std::string comes_with =
      {};  // not empty: reserved, an early use is refused with "not built yet: comes with …"
};

// An expression or text that the user wrote, with its place. What `{{ }}` in it means is decided by
// `pipeline`.
struct Written {
  std::string text;
  Mark mark;
  bool quoted = false;

  bool empty() const { return text.empty(); }
};
struct NamedWritten {
  std::string name;
  Mark mark;  // of the name
  Written value;
};

// The facts and the name of a component, without its config type: what docs and catalogues walk.
struct SpecFacts {
  std::string name, summary,
      main;           // main: the field that a value which is no map fills; empty: none
  bool open = false;  // the keys are the user's own names (map, derive, mask)
  std::vector<FieldFacts> fields;
};

// Errors that every binder words alike.
Error UnknownKey(const Node& key, std::string_view component,
                 const std::vector<std::string>& known);
Error WrongShape(const Node& node, std::string_view field, std::string_view wanted);
Error NotBuiltYet(const Node& key, std::string_view component, std::string_view comes_with);
// `{ x: round(a, 2) }` leaves the key `2)` with no value.
Error CutByComma(const Node& key);

// Values out of nodes; each refuses another shape with WrongShape.
Result<Written> ReadWritten(const Node& node, std::string_view field);  // a scalar
Result<std::vector<Written>> ReadWrittenList(
    const Node& node, std::string_view field);  // a scalar or a list of scalars
// name -> expression: a map, or a list whose items are names (value empty: the column itself) or
// one-entry maps
Result<std::vector<NamedWritten>> ReadNamed(const Node& node, std::string_view field);
Result<int64_t> ReadInteger(const Node& node, std::string_view field);
Result<bool> ReadFlag(const Node& node, std::string_view field);  // true false on off yes no
Result<std::chrono::microseconds> ReadDuration(const Node& node, std::string_view field);
Result<uint64_t> ReadBytes(const Node& node, std::string_view field);

template <class Config>
class Spec {
 public:
  using Setter = std::function<Status(Config&, const Node&)>;

  Spec(std::string_view name, std::string_view summary) {
    facts_.name = name, facts_.summary = summary;
  }

  Spec& Main(std::string_view field) { return facts_.main = field, *this; }

  Spec& Text(std::string Config::*member, std::string_view name, std::string_view help,
             Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = Slot::kText,
                .need = need,
                .shape = "text",
                .standard = Config{}.*member},
               [member](Config& config, const Node& node, const std::string& field) -> Status {
                 config.*member = TRY(ReadWritten(node, field)).text;
                 return Ok();
               });
  }
  Spec& Choice(std::string Config::*member, std::string_view name, std::string_view help,
               const std::vector<std::string>& choices, Need need = Need::kOptional) {
    return Add(
        {.name = std::string(name),
         .help = std::string(help),
         .slot = Slot::kChoice,
         .need = need,
         .shape = "word",
         .choices = choices,
         .standard = Config{}.*member},
        [member, choices](Config& config, const Node& node, const std::string& field) -> Status {
          config.*member = TRY(ReadChoice(node, field, choices));
          return Ok();
        });
  }
  Spec& Expression(Written Config::*member, std::string_view name, std::string_view help,
                   Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = Slot::kColumn,
                .need = need,
                .shape = "SQL expression"},
               [member](Config& config, const Node& node, const std::string& field) -> Status {
                 config.*member = TRY(ReadWritten(node, field));
                 return Ok();
               });
  }
  Spec& TextSlot(Written Config::*member, std::string_view name, std::string_view help,
                 Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = Slot::kText,
                .need = need,
                .shape = "text"},
               [member](Config& config, const Node& node, const std::string& field) -> Status {
                 config.*member = TRY(ReadWritten(node, field));
                 return Ok();
               });
  }
  // A password or a token: what the user writes stays a reference, and OpenSecret opens it.
  Spec& SecretSlot(Written Config::*member, std::string_view name, std::string_view help,
                   Need need = Need::kOptional) {
    TextSlot(member, name, help, need);
    facts_.fields.back().secret = true;
    facts_.fields.back().shape = "secret:, env: or file:";
    return *this;
  }
  Spec& List(std::vector<Written> Config::*member, std::string_view name, std::string_view help,
             Slot slot, std::string_view shape, Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = slot,
                .need = need,
                .shape = std::string(shape)},
               [member](Config& config, const Node& node, const std::string& field) -> Status {
                 config.*member = TRY(ReadWrittenList(node, field));
                 return Ok();
               });
  }
  Spec& Names(std::vector<NamedWritten> Config::*member, std::string_view name,
              std::string_view help, Slot slot, std::string_view shape,
              Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = slot,
                .need = need,
                .shape = std::string(shape)},
               [member](Config& config, const Node& node, const std::string& field) -> Status {
                 config.*member = TRY(ReadNamed(node, field));
                 return Ok();
               });
  }
  Spec& Integer(int64_t Config::*member, std::string_view name, std::string_view help,
                Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = Slot::kNumber,
                .need = need,
                .shape = "whole number",
                .standard = std::to_string(Config{}.*member)},
               [member](Config& config, const Node& node, const std::string& field) -> Status {
                 config.*member = TRY(ReadInteger(node, field));
                 return Ok();
               });
  }
  Spec& Flag(bool Config::*member, std::string_view name, std::string_view help) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = Slot::kFlag,
                .shape = "on or off",
                .standard = Config{}.*member ? "on" : "off"},
               [member](Config& config, const Node& node, const std::string& field) -> Status {
                 config.*member = TRY(ReadFlag(node, field));
                 return Ok();
               });
  }
  Spec& Duration(std::chrono::microseconds Config::*member, std::string_view name,
                 std::string_view help, Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = Slot::kDuration,
                .need = need,
                .shape = "duration"},
               [member](Config& config, const Node& node, const std::string& field) -> Status {
                 config.*member = TRY(ReadDuration(node, field));
                 return Ok();
               });
  }
  // A field that its owner takes apart by itself.
  Spec& Whole(Node Config::*member, std::string_view name, std::string_view help,
              std::string_view shape, Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = Slot::kNode,
                .need = need,
                .shape = std::string(shape)},
               [member](Config& config, const Node& node, const std::string&) -> Status {
                 config.*member = node;
                 return Ok();
               });
  }
  // A field with a reader of its own: optional numbers, nested specs, words with errors of their
  // own.
  Spec& Read(std::string_view name, std::string_view help, Slot slot, std::string_view shape,
             std::function<Status(Config&, const Node&, const std::string& field)> read,
             Need need = Need::kOptional) {
    return Add({.name = std::string(name),
                .help = std::string(help),
                .slot = slot,
                .need = need,
                .shape = std::string(shape)},
               std::move(read));
  }
  // A reserved key: known to the language, refused for now by name.
  Spec& Reserved(std::string_view name, std::string_view help, std::string_view comes_with) {
    facts_.fields.push_back({.name = std::string(name),
                             .help = std::string(help),
                             .comes_with = std::string(comes_with)});
    setters_.emplace_back();
    return *this;
  }

  const SpecFacts& facts() const { return facts_; }

  // A map by its keys; anything else fills the main field. Unknown, reserved, repeated and missing
  // keys are errors.
  Result<Config> Bind(const Node& node) const {
    Config config;
    std::vector<std::pair<size_t, const Node*>> bound = TRY(Match(facts_, node));
    for (auto& [index, value] : bound) TRY(setters_[index](config, *value));
    return config;
  }

 private:
  template <class F>
  Spec& Add(FieldFacts field, F set) {
    std::string name = field.name;
    facts_.fields.push_back(std::move(field));
    setters_.push_back(
        [set, name](Config& config, const Node& node) { return set(config, node, name); });
    return *this;
  }
  static Result<std::string> ReadChoice(const Node& node, const std::string& field,
                                        const std::vector<std::string>& choices);
  static Result<std::vector<std::pair<size_t, const Node*>>> Match(const SpecFacts& facts,
                                                                   const Node& node);

  SpecFacts facts_;
  std::vector<Setter> setters_;
};

// The parts of Bind that do not depend on the config type.
Result<std::vector<std::pair<size_t, const Node*>>> MatchFields(const SpecFacts& facts,
                                                                const Node& node);
Result<std::string> ReadChoiceOf(const Node& node, const std::string& field,
                                 const std::vector<std::string>& choices);

template <class Config>
Result<std::string> Spec<Config>::ReadChoice(const Node& node, const std::string& field,
                                             const std::vector<std::string>& choices) {
  return ReadChoiceOf(node, field, choices);
}
template <class Config>
Result<std::vector<std::pair<size_t, const Node*>>> Spec<Config>::Match(const SpecFacts& facts,
                                                                        const Node& node) {
  return MatchFields(facts, node);
}

}  // namespace sluice
