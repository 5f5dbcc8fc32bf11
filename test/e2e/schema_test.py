#!/usr/bin/env python3
"""The JSON Schema that editors are given: it accepts every pipeline of the examples and of the tests, and refuses every
wrong file whose mistake can be seen without knowing columns, steps or connections. It is read as an editor would, with
YAML 1.2's idea of true and false."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import ROOT, expect, expect_equal, expect_in, main_of  # noqa: E402

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}; scripts/setup test installs it")
    sys.exit(0)

# What a wrong file's message says where the schema must see the mistake.
STRUCTURAL = re.compile(
    r"unknown key|is no verb and no key|has no verb|has two verbs|has no steps|'steps' (takes|is empty)|is not for|"
    r"'\w+' in [\w ']+ is not built yet|the verb '\w+' is not built|^(extract|load|join|map|filter|aggregate) needs '\w+':|"
    r"'(backoff|on_row_error|mode|type|out_of_order|idle_after|on_null_time|format)' takes|"
    r"'\w+' takes a (list|map|whole)|'(extract|load)' takes|my-step|daily sales|cannot be written|needs 'tumbling'|unknown mode")
BEYOND = {"027_retry_bad_backoff"}  # retry is described, its words are not


class Editor(yaml.SafeLoader):
    """YAML 1.2: only true and false are booleans, and a date is text."""


Editor.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Editor.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def read(text):
    return yaml.load(text, Loader=Editor)


def schema_of(project, *words):
    done = project.sluice("schema", *words)
    expect_equal(done.code, 0, f"exit code of schema {words}\n{done.text}")
    schema = done.json()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def complaints(validator, document):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:160]}" for error in validator.iter_errors(document)]


def sections(path):
    """The sections of a .test file: (head, text)."""
    found, head, lines = [], None, []
    for line in path.read_text().splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            if head is not None:
                found.append((head, "\n".join(lines)))
            head, lines = line, []
        elif head is not None:
            lines.append(line[2:])
    return found + ([(head, "\n".join(lines))] if head is not None else [])


def accepts_every_pipeline_of_the_examples(project):
    validator = schema_of(project)
    files = sorted((ROOT / "examples").glob("**/pipelines/*.yml"))
    expect(len(files) >= 5, f"only {len(files)} examples")
    for path in files:
        expect_equal(complaints(validator, read(path.read_text())), [], str(path.relative_to(ROOT)))


def accepts_every_project_of_the_examples(project):
    validator = schema_of(project, "project")
    for path in sorted((ROOT / "examples").glob("**/sluice.yml")):
        expect_equal(complaints(validator, read(path.read_text())), [], str(path.relative_to(ROOT)))
    expect(complaints(validator, read("connections: { w: { type: duckdb, pth: w.duckdb } }")), "a wrong key was accepted")
    expect(complaints(validator, read("connections: { w: { path: w.duckdb } }")), "no type was accepted")
    expect(complaints(validator, read("conections: {}")), "a wrong key was accepted")


def accepts_every_pipeline_of_the_tests(project):
    validator = schema_of(project)
    seen = 0
    for path in sorted((ROOT / "test/pipelines").glob("**/*.test")):
        parts = sections(path)
        if any(head.startswith("expect error") for head, _ in parts):
            continue
        for head, text in parts:
            if head.split()[0] == "pipeline":
                seen += 1
                expect_equal(complaints(validator, read(text)), [], f"{path.relative_to(ROOT)} {head}")
    expect(seen > 100, f"only {seen} pipelines")


def refuses_what_is_wrong_in_structure(project):
    validator = schema_of(project)
    seen, accepted = 0, []
    for path in sorted((ROOT / "test/wrong").glob("*.yml")):
        text = path.read_text()
        message = re.search(r"^# expect: (?:\d+:\d+: )?(.*)$", text, re.MULTILINE).group(1)
        if not STRUCTURAL.search(message) or path.stem in BEYOND:
            continue
        seen += 1
        try:
            if not complaints(validator, read(text)):
                accepted.append(f"{path.name}: {message}")
        except yaml.YAMLError:
            pass
    expect(seen >= 35, f"only {seen} wrong files were looked at")
    expect_equal(accepted, [], "accepted by the schema")


def knows_the_connections_of_the_project(project):
    validator = schema_of(project)
    right = "steps: { a: { extract: { from: warehouse, table: t } } }"
    wrong = "steps: { a: { extract: { from: warehouse, path: a.csv } } }"
    expect_equal(complaints(validator, read(right)), [], "a key of the connection")
    expect(complaints(validator, read(wrong)), "a key of another kind of connection was accepted")


def of_a_connection_and_of_nothing(project):
    expect("path" in str(schema_of(project, "duckdb").schema), "the schema of duckdb names no path")
    done = project.sluice("schema", "dukdb")
    expect_equal(done.code, 2, "exit code for a wrong name")
    expect_in("did you mean 'duckdb'?", done.err)


TESTS = [accepts_every_pipeline_of_the_examples, accepts_every_project_of_the_examples, accepts_every_pipeline_of_the_tests,
         refuses_what_is_wrong_in_structure, knows_the_connections_of_the_project, of_a_connection_and_of_nothing]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
