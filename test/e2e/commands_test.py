#!/usr/bin/env python3
"""The commands around a run, as scripts use them: init, fmt, query, connectors, connections, doctor, completion, logs."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import ROOT, Project, expect, expect_equal, expect_in, main_of, query  # noqa: E402

ORDERS = "id,country,amount\n1,DE,10.5\n2,FR,20\n3,DE,0\n"
PIPELINE = """steps:
  orders: { extract: { from: file, path: orders.csv } }
  loaded: { load: { into: warehouse, table: orders } }
"""


def loaded(project):
    project.write("orders.csv", ORDERS)
    project.pipeline("orders", PIPELINE)
    expect_equal(project.sluice("run", "orders").code, 0, "exit code of the run")
    return project


def lines(done):
    return [json.loads(line) for line in done.out.splitlines()]


# init


def made(project, template, *words):
    done = project.sluice("init", "made", "--template", template, *words)
    expect_equal(done.code, 0, f"exit code of init {template}\n{done.text}")
    return Project(project.folder / "made")


def green(project, done, code=0):
    """Runs what init said to run next, and the tests of the new project."""
    command = done.split("Now: cd made && sluice ")[1].splitlines()[0].split()
    run = project.sluice(*command)
    expect_equal(run.code, code, f"exit code of {command}\n{run.text}")
    expect_equal(project.sluice("check").code, 0, "exit code of check")
    expect_equal(project.sluice("doctor").code, 0, "exit code of doctor")
    expect_equal(project.sluice("fmt", "--check").out, "", "fmt would change")
    tests = project.sluice("test", "tests")
    expect_equal(tests.code, 0, f"exit code of test\n{tests.text}")


def init_hello(project):
    done = project.sluice("init", "made")
    new = Project(project.folder / "made")
    green(new, done.out)
    expect_equal(new.query("SELECT greeting FROM greetings ORDER BY id"), [["Hello, Grace!"], ["Hello, Edsger!"]], "rows")
    expect_in("project: made", (new.folder / "sluice.yml").read_text())


def init_csv_to_warehouse(project):
    done = project.sluice("init", "made", "--template", "csv-to-warehouse")
    new = Project(project.folder / "made")
    green(new, done.out, code=3)  # one order has no amount, on purpose
    expect_equal(new.query("SELECT count(*) FROM orders"), [["5"]], "orders")
    expect_in("cast", new.sluice("dead-letters", "list").out)
    expect_equal(new.sluice("run", "revenue").code, 0, "exit code of revenue")
    expect_equal(new.query("SELECT revenue FROM revenue WHERE country = 'us' ORDER BY day"), [["80.00"], ["19.90"]], "revenue")


def init_stream(project):
    done = project.sluice("init", "made", "--template", "stream")
    new = Project(project.folder / "made")
    green(new, done.out)
    expect_equal(new.query("SELECT sum(events) FROM per_minute"), [["10000"]], "events in all windows")


def init_overwrites_nothing(project):
    project.write("made/pipelines/hello.yml", "mine")
    done = project.sluice("init", "made")
    expect_equal(done.code, 2, "exit code")
    expect_in("made/pipelines/hello.yml' is there already", done.err)
    expect_equal((project.folder / "made/pipelines/hello.yml").read_text(), "mine", "the user's file")
    expect(not (project.folder / "made/sluice.yml").exists(), "a part of the template was written")
    done = project.sluice("init", "other", "--template", "helo")
    expect_equal(done.code, 2, "exit code for a wrong template")
    expect_in("did you mean 'hello'?", done.err)


# fmt


def fmt_writes_once(project):
    project.write("orders.csv", ORDERS)
    path = project.pipeline("orders", "steps:\n    b: {extract: {from: file,path: orders.csv}} #why\n    a: {load: {into: warehouse,table: t}}\n")
    done = project.sluice("fmt", "--check")
    expect_equal((done.code, done.out.strip().endswith("pipelines/orders.yml")), (1, True), f"fmt --check\n{done.text}")
    expect_in("{extract:", path.read_text(), "--check has written")
    expect_equal(project.sluice("fmt").code, 0, "exit code of fmt")
    expect_equal(path.read_text(), "steps:\n  b: { extract: { from: file, path: orders.csv } }  # why\n"
                                   "  a: { load: { into: warehouse, table: t } }\n", "the file")
    expect_equal((project.sluice("fmt").out, project.sluice("fmt", "--check").code), ("", 0), "a second time")
    path.write_text("steps: [")
    done = project.sluice("fmt", "orders.yml", "--check")
    expect_equal(done.code, 2, "exit code for a file that is no pipeline")


def plans_of(project):
    """What the plans compute: without places in files, and the revision, which is the text's."""
    plans = {}
    for path in sorted((project.folder / "pipelines").rglob("*.yml")):
        for line in project.sluice("check", str(path)).out.splitlines():
            name = line.split(":")[0]
            done = project.sluice("plan", name, "--output", "json")
            plan = json.loads(done.out) if done.code == 0 else {"error": done.code}
            for word in ("revision", "warnings"):
                plan.pop(word, None)
            plans[name] = plan
    return plans


def fmt_leaves_the_examples_what_they_are(project):
    """Every example is fmt's own layout, and comes out of a worse one with its comments, order and fingerprints."""
    seen = 0
    for settings in sorted((ROOT / "examples").rglob("sluice.yml")):
        folder = project.folder / "fmt" / settings.parent.name
        shutil.copytree(settings.parent, folder, ignore=shutil.ignore_patterns(".sluice", "*.duckdb*"))
        example = Project(folder)
        files = sorted(path for path in folder.rglob("*.yml") if path.name == "sluice.yml" or path.parent.name == "pipelines")
        expect_equal(example.sluice("fmt", "--check").out, "", f"{settings.parent.name}: fmt would change")
        for path in files:
            lines = [" " * (len(line) - len(line.lstrip())) + line for line in path.read_text().splitlines()]
            path.write_text("# first\n" + "\n".join(lines) + "   # last\n\n\n\n")
        ugly, plans = [path.read_text() for path in files], plans_of(example)
        done = example.sluice("fmt")
        expect_equal(done.code, 0, f"{settings.parent.name}: exit code of fmt\n{done.text}")
        expect_equal(plans_of(example), plans, f"{settings.parent.name}: what the plans compute")
        expect_equal(example.sluice("fmt").out, "", f"{settings.parent.name}: a second time")
        for path, before in zip(files, ugly):
            expect(path.read_text() != before, f"{path}: not laid out anew")
            expect_equal(comments(path.read_text()), comments(before), f"comments of {path}")
        seen += len(plans)
    expect(seen >= 20, f"only {seen} plans")


def comments(text):
    return [line.split("#", 1)[1].strip() for line in text.splitlines() if "#" in line]


def fmt_types_writes_columns(project):
    project.write("orders.csv", 'id,"odd name",at\n1,a,2026-01-01 10:00:00\n2,b,2026-01-02 11:00:00\n')
    project.write("docs.ndjson", '{"a": 1, "deep": {"x": 1.5, "y": [1]}}\n')
    flow = project.pipeline("flow", "steps:\n  a: { extract: { from: file, path: orders.csv } }\n  b: { load: { into: warehouse, table: t } }\n")
    block = project.pipeline("block", "steps:\n  a:\n    extract:\n      from: file  # where\n      path: docs.ndjson\n"
                                      "  b: { load: { into: warehouse, table: d } }\n")
    done = project.sluice("fmt", "--types")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    expect_in('path: orders.csv, columns: { id: bigint, "odd name": varchar, at: timestamp } } }', flow.read_text())
    expect_in('      from: file  # where\n      columns: { a: bigint, deep: "STRUCT(x DOUBLE, y BIGINT[])" }\n', block.read_text())
    expect_equal(project.sluice("fmt", "--types").out, "", "a second time")
    for name in ("flow", "block"):
        done = project.sluice("run", name)
        expect_equal(done.code, 0, f"exit code of {name}\n{done.text}")


# query


def query_prints_tables_csv_and_json(project):
    loaded(project)
    done = project.sluice("query", "SELECT id, country, amount FROM orders WHERE amount > 1 ORDER BY id DESC")
    expect_equal([line.split() for line in done.out.splitlines()],
                 [["id", "country", "amount"], ["2", "FR", "20.0"], ["1", "DE", "10.5"], ["2", "rows"]], "the table")
    done = project.sluice("query", "SELECT id, 'a,\"b' AS t, NULL AS n FROM orders ORDER BY id LIMIT 1", "--output", "csv")
    expect_equal(done.out, 'id,t,n\n1,"a,""b",\n', "csv")
    done = project.sluice("query", "SELECT id, NULL AS n, [1, 2] AS l FROM orders ORDER BY id;", "--output", "json")
    expect_equal(lines(done), [{"id": i, "n": None, "l": [1, 2]} for i in (1, 2, 3)], "json")
    done = project.sluice("query", "SELECT range AS i FROM range(250)")
    expect_equal(len(done.out.splitlines()), 102, "lines without --limit")
    expect_in("the first 100 rows", done.out)
    expect_in("orders", project.sluice("query", "SHOW TABLES").out)


def query_streams_what_is_large(project):
    done = project.sluice("query", "SELECT range AS i, repeat('x', 20) AS t FROM range(300000)", "--output", "csv")
    expect_equal((done.code, done.out.count("\n")), (0, 300001), "lines of csv")


def query_names_the_tables_that_there_are(project):
    done = project.sluice("query", "FROM ordrs")
    expect_equal((done.code, done.err), (2, "sluice: query:1:6: there is no table 'ordrs'; nothing is loaded yet\n"), "before a load")
    loaded(project)
    expect_in("query:1:15: there is no table 'ordrs'; did you mean 'orders'?", project.sluice("query", "SELECT * FROM ordrs").err)
    expect_in("there is no table 'elsewhere'; there are: orders\n", project.sluice("query", "SELECT * FROM elsewhere").err)


def words_that_are_no_commands(project):
    done = project.sluice("explain")
    expect_equal((done.code, done.err), (2, "sluice: there is no command 'explain'; sluice --help lists them\n"), "an unknown word")
    expect_in("there is no command 'chek'; did you mean 'check'?", project.sluice("chek", "orders").err)
    done = project.sluice()
    expect_equal(done.code, 2, "exit code of nothing")
    expect_in("backfill", done.err, "the list of commands")
    done = project.sluice("test")
    expect_equal(done.code, 2, "exit code of test without tests")
    expect_in("there is no file or folder 'tests'", done.err)
    done = project.sluice("init", "my shop")
    expect_in("Now: cd 'my shop' && sluice run hello\n", done.out)


def query_only_reads(project):
    loaded(project)
    for text in ("DELETE FROM orders", "SELECT 1; DROP TABLE orders", "COPY orders TO 'x.csv'", "ATTACH 'x.duckdb'", "",
                 "SHOW TABLES; DROP TABLE orders"):
        done = project.sluice("query", text)
        expect_equal(done.code, 2, f"exit code of {text!r}\n{done.text}")
    expect_equal(project.number("SELECT count(*) FROM orders"), 3, "rows")
    expect(not (project.folder / "x.csv").exists() and not (project.folder / "x.duckdb").exists(), "a file was written")
    done = project.sluice("query", "SELECT amuont FROM orders")
    expect_equal(done.code, 2, "exit code of a wrong column")
    expect_in("amount", done.err)


def query_of_several_connections(project):
    loaded(project)
    query(project.folder / "other.duckdb", "CREATE TABLE names AS SELECT 'DE' AS country, 'Germany' AS name", read_only=False)
    project.write("sluice.yml", "connections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n"
                                "  other: { type: duckdb, path: other.duckdb }\n  later: { type: duckdb, path: later.duckdb }\n")
    done = project.sluice("query", "SELECT count(*) AS n FROM warehouse.orders JOIN other.names USING (country)", "--output", "json")
    expect_equal(lines(done), [{"n": 2}], f"a join\n{done.text}")
    done = project.sluice("query", "SELECT name FROM names", "--connection", "other", "--output", "json")
    expect_equal(lines(done), [{"name": "Germany"}], f"--connection\n{done.text}")
    done = project.sluice("query", "SELECT 1", "--connection", "othr")
    expect_equal(done.code, 2, "exit code of a wrong connection")
    expect_in("did you mean 'other'?", done.err)
    expect(not (project.folder / "later.duckdb").exists(), "a query created a database")


# connectors, connections, doctor


def connectors_and_their_keys(project):
    done = project.sluice("connectors")
    for word in ("duckdb", "file", "inline", "generator"):
        expect_in(word, done.out)
    done = project.sluice("connectors", "file")
    for word in ("allow_empty", "compression", "Built in"):
        expect_in(word, done.out)
    expect("topic" not in done.out, "keys of others are listed")
    expect_equal({line["type"] for line in lines(project.sluice("connectors", "--output", "json"))} >= {"duckdb", "file"}, True, "json")
    done = project.sluice("connectors", "fil")
    expect_equal(done.code, 2, "exit code of a wrong one")
    expect_in("did you mean 'file'?", done.err)


def connections_are_tried(project):
    loaded(project)
    project.write("broken.duckdb", "this is no database, but it is long enough to be looked at" * 100)
    project.write("sluice.yml", "connections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n"
                                "  new: { type: duckdb, path: new.duckdb }\n  broken: { type: duckdb, path: broken.duckdb }\n"
                                "  nowhere: { type: duckdb, path: missing/x.duckdb }\n")
    expect_in("sluice.yml:2", project.sluice("connections").out)
    done = project.sluice("connections", "test", "--output", "json")
    expect_equal(done.code, 1, "exit code")
    expect_equal({line["name"]: line["ok"] for line in lines(done)},
                 {"warehouse": True, "new": True, "broken": False, "nowhere": False}, "what is right")
    said = {line["name"]: line["message"] for line in lines(done)}
    expect_in("1 table,", said["warehouse"])
    expect_in("broken.duckdb", said["broken"])
    expect(not (project.folder / "new.duckdb").exists(), "a test created a database")
    expect_equal(project.sluice("connections", "test", "warehouse").code, 0, "exit code of one")
    expect_in("did you mean 'warehouse'?", project.sluice("connections", "test", "warehose").err)
    expect_equal(project.sluice("connections", "tset").code, 2, "exit code of a wrong word")


def doctor_finds_what_is_wrong(project):
    loaded(project)
    before = project.files()
    done = project.sluice("doctor")
    expect_equal(done.code, 0, f"exit code of a healthy project\n{done.text}")
    expect("FAILED" not in done.out, done.out)
    expect_equal(project.files(), before, "files before and after")
    project.pipeline("wrong", "steps: { a: { extract: { from: file, path: none.csv } }, b: { load: { into: warehouse, table: t } } }")
    (project.folder / ".sluice/ledger.db").chmod(0o644)
    done = project.sluice("doctor", "--output", "json")
    expect_equal(done.code, 1, "exit code")
    found = {line["what"]: line["status"] for line in lines(done) if line["status"] != "ok"}
    expect_equal(found, {"pipeline": "failed", "ledger": "warn"}, "findings")
    expect_equal(project.sluice("doctor", "--offline").code, 0, "exit code offline, where no input is opened")
    project.write("sluice.yml", "conections: {}")
    done = project.sluice("doctor")
    expect_equal(done.code, 1, "exit code without a project that can be read")
    expect_in("did you mean 'connections'?", done.out)


# completion, logs


def completion_of_each_shell(project):
    loaded(project)
    bash = project.sluice("completion", "bash").out
    script = bash + ('\nCOMP_WORDS=(sluice run --dat); COMP_CWORD=2; _sluice; echo "${COMPREPLY[@]}"\n'
                     'COMP_WORDS=(sluice run or); COMP_CWORD=2; _sluice; echo "${COMPREPLY[@]}"\n'
                     'COMP_WORDS=(sluice con); COMP_CWORD=1; _sluice; echo "${COMPREPLY[@]}"\n')
    done = subprocess.run(["bash", "-c", script], cwd=project.folder, capture_output=True, text=True, check=True)
    words = done.stdout.splitlines()
    expect_equal(words[0], "--date", "options in bash")
    expect_in("orders", words[1], "pipelines in bash")
    expect_equal(set(words[2].split()), {"connectors", "connections"}, "commands in bash")
    for shell in ("zsh", "fish"):
        text = project.sluice("completion", shell).out
        for word in ("dead-letters", "connections", "full-refresh"):
            expect_in(word, text, f"{shell} completion")
        if shutil.which(shell):
            path = project.write(f"completion.{shell}", text)
            checked = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True)
            expect_equal((checked.returncode, checked.stderr), (0, ""), f"{shell} -n")
    done = project.sluice("completion", "tcsh")
    expect_equal(done.code, 2, "exit code of a shell that is not known")
    expect_in("bash, zsh, fish", done.err)


def logs_by_level_and_time(project):
    loaded(project)
    project.pipeline("bad", "steps: { a: { extract: { from: file, path: orders.csv, columns: { id: date, country: varchar, amount: double } } },"
                            " b: { load: { into: warehouse, table: bad } } }")
    expect_equal(project.sluice("run", "bad").code, 1, "exit code of a run that fails")
    expect_in("run 2 of bad: failed", project.sluice("logs").out, "the newest run")
    everything = project.sluice("logs", "--since", "1h").out
    expect(everything.index("run 1 of orders") < everything.index("run 2 of bad"), "the order of runs")
    errors = lines(project.sluice("logs", "--since", "1h", "--level", "error", "--output", "json"))
    expect_equal({(line["run"], line["level"]) for line in errors}, {(2, "error")}, "errors")
    expect_equal(project.sluice("logs", "--since", "2100-01-01T00:00:00Z").out, "no runs since then\n", "in the future")
    for words in (["--level", "loud"], ["--since", "yesterday"], ["x"], ["99"]):
        expect_equal(project.sluice("logs", *words).code, 2, f"exit code of logs {words}")


TESTS = [init_hello, init_csv_to_warehouse, init_stream, init_overwrites_nothing, fmt_writes_once, fmt_leaves_the_examples_what_they_are, fmt_types_writes_columns,
         query_prints_tables_csv_and_json, query_streams_what_is_large, query_only_reads, query_names_the_tables_that_there_are, words_that_are_no_commands, query_of_several_connections,
         connectors_and_their_keys, connections_are_tried, doctor_finds_what_is_wrong, completion_of_each_shell, logs_by_level_and_time]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
