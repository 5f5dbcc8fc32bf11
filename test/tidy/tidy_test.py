#!/usr/bin/env python3
"""The rules of the source tree that no compiler checks. Each rule is one test, and each is first shown to find what it
is there for: a rule that finds nothing in its own bad example fails."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A file includes its own module and those before it, never those after.
MODULES = ["base", "data", "calendar", "relation", "spec", "sql", "format", "connector", "transform", "quality",
           "ledger", "pipeline", "engine", "harness", "schedule", "server", "main"]

# Where a header that is slow to compile, or that no one else should know, may be included.
HEAVY = {
    r"<spdlog/": r"base/log\.cc",
    r"<nlohmann/json\.hpp>": r"base/json_full\.h",
    r"<nlohmann/": r"base/json(_full)?\.h",
    r'"base/json_full\.h"': r".*\.cc|.*_for_test\.h",
    r"<CLI/": r"main/[a-z_]+\.cc",
    r"<yaml-cpp/": r"(spec|pipeline)/.*\.cc",
    r"<simdjson": r"format/.*\.cc",
    r"<date/": r"calendar/.*\.cc",
    r"<sqlite3\.h>": r"ledger/.*|connector/sqlite/database\.cc",
    r"<(mysql|errmsg|mysqld_error)\.h>": r"connector/mysql/connection\.cc",
    r"<duckdb\.h>": r"sql/.*",
    r"<curl/": r"base/http\.cc",
    r"<pugixml": r"connector/s3/xml\.cc",
    r'"duckdb\.h"': r"sql/.*",
    r"<(regex|iostream)>": r".*_test\.cc",
}
GENERATED = {"sluice_version.h"}
LINE_LENGTH = 100
SHOWN = 12
BANNED_NAME = re.compile(r"(Utils?|Helpers?|Common|Manager)(?![a-z])|\w+Base$")
BANNED_FILE = re.compile(r"(^|_)(utils?|helpers?|common|manager)(_|$)")
INCLUDE = re.compile(r'^\s*#\s*include\s+(<[^>]+>|"[^"]+")', re.MULTILINE)
DECLARED = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:enum class|class|struct|enum|union)\s+"
                      r"(?:\[\[\w+\]\]\s+)?(?:[A-Z_]+\([^)]*\)\s+)?(\w+)", re.MULTILINE)


def is_test(name):
    return name.endswith("_test.cc")


def include_law(tree):
    for name, text in tree.items():
        own = name.split("/")[0]
        if own not in MODULES:
            yield f"{name}: '{own}' is no module; the modules are {', '.join(MODULES)}"
            continue
        for include in INCLUDE.findall(text):
            if include[0] != '"' or include[1:-1] in GENERATED or include == '"duckdb.h"':
                continue
            path = include[1:-1]
            if path not in tree:
                yield f"{name}: includes {include}, which is no file of src/ (paths start at src/)"
            elif MODULES.index(path.split("/")[0]) > MODULES.index(own):
                yield f"{name}: includes {include}, but '{path.split('/')[0]}' comes after '{own}'"


def file_names(tree):
    for name in tree:
        stem = Path(name).stem
        if not re.fullmatch(r"[a-z][a-z0-9_]*\.(cc|h)", Path(name).name):
            yield f"{name}: file names are snake_case, .h or .cc"
        if BANNED_FILE.search(stem):
            yield f"{name}: the name says nothing about what is in it"


def class_names(tree):
    for name, text in tree.items():
        for declared in DECLARED.findall(text):
            if BANNED_NAME.search(declared):
                yield f"{name}: '{declared}' says nothing about what it is"


def line_length(tree):
    for name, text in tree.items():
        # What is in a raw string is data: only its line ends count.
        text = re.sub(r'R"(\w*)\(.*?\)\1"', lambda raw: "\n" * raw.group().count("\n"), text, flags=re.DOTALL)
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > LINE_LENGTH and "://" not in line and not line.startswith("#include"):
                yield f"{name}:{number}: {len(line)} characters, at most {LINE_LENGTH}"


def put_off(tree):
    for name, text in tree.items():
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                yield f"{name}:{number}: do it, or write it into an issue"


def orphans(tree):
    included = {include[1:-1] for text in tree.values() for include in INCLUDE.findall(text)}
    for name in tree:
        if name.endswith(".h") and name not in included:
            yield f"{name}: nobody includes it"


def heavy_headers(tree):
    for name, text in tree.items():
        for include in INCLUDE.findall(text):
            for heavy, allowed in HEAVY.items():
                if re.match(heavy, include) and not re.fullmatch(allowed, name):
                    yield f"{name}: {include} belongs in {allowed} only"


def sized_integers(tree):
    """Which of the standard's headers brings them along differs from compiler to compiler."""
    for name, text in tree.items():
        includes = INCLUDE.findall(text)
        if name.endswith(".h") and re.search(r"\bu?int(8|16|32|64)_t\b", text) and "<cstdint>" not in includes \
                and not any(include[0] == '"' for include in includes):
            yield f"{name}: integers of a size need <cstdint>"


def first_lines(tree):
    for name, text in tree.items():
        if not text.startswith("// "):
            yield f"{name}: a file opens with a comment that says what it is"
        if name.endswith(".h") and "#pragma once" not in text:
            yield f"{name}: no #pragma once"


def real_tests(tree):
    for name, text in tree.items():
        if not is_test(name):
            continue
        if not re.search(r"\b(EXPECT|ASSERT)_|\bADD_FAILURE\b|static_assert", text):
            yield f"{name}: asserts nothing"
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            # A loop that looks again, or a child that is to be killed, says so in a comment beside it.
            beside = " ".join(lines[number - 1 : number + 1])
            if re.search(r"\bsleep_for\b|\busleep\(|\bsleep\(", line) and "// " not in beside:
                yield f"{name}:{number}: a test waits for what happens, not for a time"


# Each rule with a tree in which it must find exactly that many problems.
def disabled_tests(tree):
    """A disabled test is the body of a process that another test of the file starts, never one that is put off."""
    for name, text in tree.items():
        declared = re.findall(r"\bTEST(?:_F|_P)?\(\w+, (DISABLED_\w+)\)", text)
        if declared and "--gtest_also_run_disabled_tests" not in text:
            yield f"{name}: {declared[0]} is run by nobody"


RULES = {
    include_law: ({"data/a.h": '#include "engine/b.h"\n#include "no.h"\n', "engine/b.h": '#include "data/a.h"\n',
                   "other/c.h": ""}, 3),
    file_names: ({"data/Block.h": "", "data/file_utils.cc": "", "data/good_name.h": ""}, 2),
    class_names: ({"data/a.h": "class RunManager {\nstruct StringUtils\nclass SinkBase {\nclass Commonality {\n"
                               "struct [[nodiscard]] Base64 {\nclass CAPABILITY(\"m\") LockHelper {\n"}, 4),
    line_length: ({"data/a.cc": "x" * 101 + "\n" + "ü" * 100 + "\n// https://" + "x" * 100,
                   "data/b.cc": 'R"(' + "x" * 200 + ')"\n' + "x" * 101}, 2),
    put_off: ({"data/a.cc": "// TODO: later\nint todo_list;\n// FIXME\n"}, 2),
    orphans: ({"data/a.h": "", "data/b.h": "", "data/b.cc": '#include "data/b.h"'}, 1),
    heavy_headers: ({"data/a.h": '#include "base/json_full.h"\n#include <spdlog/spdlog.h>\n',
                     "data/b.cc": '#include "base/json_full.h"\n#include <duckdb.h>\n', "sql/c.cc": "#include <duckdb.h>"},
                    3),
    sized_integers: ({"data/a.h": "#include <string>\nenum class A : uint8_t {};", "data/b.h": "#include <cstdint>\nint8_t b;",
                      "data/c.h": '#include "data/b.h"\nuint64_t c;'}, 1),
    first_lines: ({"data/a.h": "#pragma once\n", "data/b.h": "// What.\n", "data/c.cc": "// What.\n"}, 2),
    real_tests: ({"data/a_test.cc": "TEST(A, B) {}\n", "data/b_test.cc": "EXPECT_EQ(1, 1); sleep_for(1s);",
                  "data/c.cc": ""}, 2),
    disabled_tests: ({"base/a_test.cc": "TEST(A, DISABLED_B) {}",
                      "base/b_test.cc": "TEST(A, DISABLED_B) {}  // --gtest_also_run_disabled_tests"}, 1),
}


def main():
    source = ROOT / "src"
    tree = {str(path.relative_to(source)): path.read_text()
            for path in sorted(source.rglob("*")) if path.suffix in (".cc", ".h")}
    failed = 0
    for rule, (example, expected) in RULES.items():
        seen = list(rule(example))
        problems = list(rule(tree))
        if len(seen) != expected:
            problems.append(f"the rule finds {len(seen)} problems in its example, not {expected}: {seen}")
        if problems:
            failed += 1
            print(f"{rule.__name__}:")
            for problem in problems[:SHOWN]:
                print(f"  {problem}")
            if len(problems) > SHOWN:
                print(f"  and {len(problems) - SHOWN} more")
    if not tree:
        failed += 1
        print("no source files found")
    print(f"{len(RULES) - min(failed, len(RULES))} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
