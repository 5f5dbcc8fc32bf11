#!/usr/bin/env python3
"""The command line as scripts use it: exit codes, `--output json`, what each subcommand prints, and `copy` in all its
forms. Run one with its name: test/e2e/cli_test.py json [--keep]."""
import json
import subprocess
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import SLUICE, Skipped, expect, expect_equal, expect_in, main_of, number, query  # noqa: E402

ORDERS = "id,country,amount\n1,DE,10.5\n2,FR,20\n3,DE,0\n4,IT,7.25\n"
PIPELINE = """
steps:
  orders: { extract: { from: file, path: orders.csv, columns: { id: bigint, country: varchar, amount: double } } }
  paid:   { filter: amount > 0 }
  out:    { load: { into: warehouse, table: orders } }
"""
REJECTING = """
steps:
  orders: { extract: { from: file, path: orders.csv, columns: { id: varchar, country: varchar, amount: varchar } } }
  typed:
    on_row_error: reject
    map: { id: CAST(id AS bigint), country: country, amount: CAST(amount AS double) }
  out:    { load: { into: warehouse, table: orders } }
"""
STEP_KEYS = {"name", "verb", "status", "rows_in", "rows_out", "filtered", "deduplicated", "rejected", "late", "duration_ms"}
FILE_KEYS = {"bytes_read", "bytes_known"}  # of a step that reads files
LOAD_KEYS = {"step", "target", "mode", "inserted", "updated", "deleted", "unchanged", "touched", "bytes", "already_loaded"}
ERROR_KEYS = {"kind", "message", "file", "line", "column"}


def orders(project, pipeline=PIPELINE, rows=ORDERS):
    project.write("orders.csv", rows)
    project.pipeline("orders", pipeline)
    return project


def version_help_and_usage(project):
    done = project.sluice("--version")
    expect_equal((done.code, done.out.split()[0]), (0, "sluice"), "--version")
    done = project.sluice("--help")
    expect_equal(done.code, 0, "exit code of --help")
    for command in "check plan run copy test runs logs dead-letters preview".split():
        expect_in(command, done.out, "--help")
        each = project.sluice(command, "--help")
        expect_equal(each.code, 0, f"exit code of {command} --help")
        expect_in("Example: sluice " + command, each.out, f"{command} --help")
    for words in ([], ["nonsense"], ["run"], ["run", "orders", "--nonsense"], ["copy", "a.csv"]):
        done = project.sluice(*words)
        expect_equal(done.code, 2, f"exit code of sluice {' '.join(words)}")
        expect(done.text.strip(), f"sluice {' '.join(words)} says nothing")


def needs_delayed_libraries():
    cache = Path(SLUICE).parent / "CMakeCache.txt"
    if not cache.exists() or "SLUICE_DELAY_LOAD:BOOL=ON" not in cache.read_text():
        raise Skipped("this binary is linked to all its libraries")


def libraries_are_loaded_when_needed(project):
    needs_delayed_libraries()
    large = ["libduckdb", "libcurl", "libpq", "libmariadb", "libcrypto"]
    for words, needed in ((["--version"], []), (["--help"], []), (["run", "orders"], ["libduckdb"])):
        done = orders(project).sluice(*words, env={"LD_DEBUG": "libs"})
        expect_equal(done.code, 0, f"exit code of sluice {' '.join(words)}")
        expect_in("calling init: ", done.err, "LD_DEBUG=libs")
        loaded = [name for name in large if f"/{name}.so" in done.err]
        expect_equal(loaded, needed, f"what sluice {' '.join(words)} loads")


def a_missing_library_is_told(project):
    needs_delayed_libraries()
    folder = project.folder / "alone"
    folder.mkdir()
    shutil.copy(SLUICE, folder)
    alone = str(folder / "sluice")
    orders(project)

    def run(*words, **env):
        return subprocess.run([alone, *words], cwd=project.folder, env=project.environment(**env),
                              capture_output=True, text=True, check=False)
    done = run("--version")
    expect_equal((done.returncode, done.stderr), (0, ""), "--version without libduckdb.so")
    done = run("run", "orders")
    expect_equal(done.returncode, 1, f"exit code of a run without libduckdb.so\n{done.stderr}")
    expect_in("libduckdb.so cannot be used: libduckdb.so: cannot open shared object file", done.stderr)
    expect_in("put the one that sluice came with beside its binary", done.stderr)
    (folder / "libduckdb.so").symlink_to(Path(SLUICE).parent / "libduckdb.so")
    done = run("run", "orders")
    expect_equal(done.returncode, 0, f"exit code with libduckdb.so beside the binary\n{done.stderr}")
    # One that is damaged, and found first.
    (folder / "libpq.so.5").write_text("none")
    project.pipeline("orders", """
steps:
  orders: { extract: { from: shop, table: orders } }
  out:    { load: { into: warehouse, table: orders } }
""")
    project.write("sluice.yml", """
project: rig
connections:
  warehouse: { type: duckdb, path: warehouse.duckdb }
  shop: { type: postgres, host: 127.0.0.1, port: 1, database: shop, user: nobody }
""")
    done = run("run", "orders", LD_LIBRARY_PATH=str(folder))
    expect(done.returncode in (1, 2), f"exit code {done.returncode} with a damaged libpq.so.5")
    expect_in("libpq.so.5 cannot be used: ", done.stderr)
    expect_in("apt-get install libpq5", done.stderr)


def json_of_a_run(project):
    done = orders(project).sluice("run", "orders", "--output", "json")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    run = done.json()
    wanted = {"run", "pipeline", "status", "interval", "duration_ms", "steps", "loads", "error"}
    expect(wanted <= set(run), f"keys are missing: {wanted - set(run)}")
    expect_equal((run["run"], run["pipeline"], run["status"], run["error"]), (1, "orders", "succeeded", None), "the run")
    expect(isinstance(run["duration_ms"], int), "duration_ms is no whole number")
    for step in run["steps"]:
        expect_equal(set(step), STEP_KEYS | (FILE_KEYS if step["verb"] == "extract" else set()), "keys of a step")
    counts = [(step["name"], step["verb"], step["rows_in"], step["rows_out"], step["filtered"]) for step in run["steps"]]
    expect_equal(counts, [("orders", "extract", 4, 4, 0), ("paid", "filter", 4, 3, 1), ("out", "load", 3, 3, 0)], "counts")
    load = run["loads"][0]
    expect_equal(set(load), LOAD_KEYS, "keys of a load")
    expect_equal((load["step"], load["target"], load["mode"], load["inserted"], load["already_loaded"]),
                 ("out", "orders", "append", 3, False), "the load")
    expect_equal(project.number("SELECT count(*) FROM orders"), 3, "rows in the table")


def json_of_an_interval(project):
    pipeline = 'schedule: { cron: "0 6 * * *", interval: day }\n' + PIPELINE.replace("{ filter: amount > 0 }", "{ filter: \"amount > 0 AND {{ ds }} IS NOT NULL\" }")
    done = orders(project, pipeline).sluice("run", "orders", "--date", "2026-03-01", "--output", "json")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    interval = done.json()["interval"]
    expect(interval["start"].startswith("2026-03-01T00:00:00"), f"start: {interval}")
    expect(interval["end"].startswith("2026-03-02T00:00:00"), f"end: {interval}")
    done = project.sluice("run", "orders", "--date", "2026-03-02")
    expect_in("2026-03-02", done.out.splitlines()[0], "the first line")


def json_of_errors(project):
    orders(project, rows="id,country,amount\nx,DE,1\n")
    done = project.sluice("run", "orders", "--output", "json")
    expect_equal(done.code, 1, f"exit code of bad data\n{done.text}")
    error = done.json()["error"]
    expect_equal(set(error), ERROR_KEYS, "keys of the error")
    expect_in("orders.csv", error["message"], "the message")
    expect(not project.warehouse.exists() or "main.orders" not in project.tables()
           or project.number("SELECT count(*) FROM orders") == 0, "rows of a failed run are there")
    project.pipeline("wrong", PIPELINE.replace("filter: amount > 0", "filtre: amount > 0"))
    done = project.sluice("run", "wrong", "--output", "json")
    expect_equal(done.code, 2, f"exit code of a wrong pipeline\n{done.text}")
    error = done.json()["error"]
    expect_equal((error["kind"], error["line"], error["column"]), ("config", 4, 13), f"place of {error}")
    expect_in("filter", error["message"], "the nearest verb")


def exit_code_3_where_rows_are_rejected(project):
    orders(project, REJECTING, "id,country,amount\n1,DE,10\ntwo,FR,20\n3,IT,lots\n4,IT,4\n")
    done = project.sluice("run", "orders", "--output", "json")
    expect_equal(done.code, 3, f"exit code\n{done.text}")
    expect_equal(project.query("SELECT id FROM orders ORDER BY id"), [["1"], ["4"]], "the good rows")
    done = project.sluice("dead-letters", "list")
    expect_equal(done.code, 0, "exit code of dead-letters")
    expect_in("'two'", done.out)
    expect_in("'lots'", done.out)
    listed = [json.loads(line) for line in project.sluice("dead-letters", "list", "--output", "json").out.splitlines()]
    originals = [json.loads(letter["original"]) for letter in listed]
    expect_equal({(row["id"], row["amount"]) for row in originals}, {("two", "20"), ("3", "lots")}, "the rows as they came")
    shown = project.sluice("dead-letters", "show", str(listed[0]["id"]))
    expect_in(listed[0]["original"], shown.out, "dead-letters show")
    expect_equal(project.sluice("dead-letters", "show", "99").code, 2, "exit code for an unknown letter")
    expect_equal(project.sluice("dead-letters", "list", "--code", "nothing").out.strip(), "no dead letters", "a filter")


def what_is_loaded_is_not_loaded_again(project):
    orders(project)
    expect_equal(project.sluice("run", "orders").code, 0, "the first run")
    done = project.sluice("run", "orders", "--output", "json")
    expect_equal((done.code, done.json()["loads"][0]["already_loaded"]), (0, True), "the second run")
    expect_in("already loaded", project.sluice("run", "orders").out, "the second run, as text")
    expect_equal(project.number("SELECT count(*) FROM orders"), 3, "rows after three runs")
    done = project.sluice("run", "orders", "--again", "--output", "json")
    expect_equal((done.code, done.json()["loads"][0]["already_loaded"]), (0, False), "--again")
    expect_equal(project.number("SELECT count(*) FROM orders"), 3, "rows after --again")


def a_renamed_pipeline_says_so(project):
    orders(project)
    expect_equal(project.sluice("run", "orders").code, 0, "exit code of the first run")
    (project.folder / "pipelines/orders.yml").unlink()
    project.pipeline("sales", PIPELINE)
    done = project.sluice("run", "sales")
    expect_equal(done.code, 2, f"exit code under another name\n{done.text}")
    expect_in("renamed_from: orders.out", done.err)
    project.pipeline("sales", PIPELINE.replace("table: orders", "table: orders, renamed_from: orders.out"))
    expect_in("goes on from orders.out", project.sluice("plan", "sales").out)
    for _ in range(2):
        done = project.sluice("run", "sales")
        expect_equal(done.code, 0, f"exit code with renamed_from\n{done.text}")
    expect_in("already loaded", done.text)
    expect_equal(project.number("SELECT count(*) FROM orders"), 3, "rows")


def check_says_where_and_what(project):
    orders(project)
    done = project.sluice("check")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    expect_in("orders: ok, 3 steps", done.out)
    project.pipeline("wrong", PIPELINE.replace("amount > 0", "amuont > 0"))
    project.pipeline("worse", PIPELINE.replace("table: orders", "tabel: orders"))
    done = project.sluice("check")
    expect_equal(done.code, 2, f"exit code\n{done.text}")
    expect_in("pipelines/wrong.yml:4:", done.err)
    expect_in("amount", done.err)
    expect_in("pipelines/worse.yml:5:", done.err)
    expect_in("did you mean 'table'", done.err)
    expect_in("2 of 3 pipelines have errors", done.err)
    expect(not project.warehouse.exists() and not project.ledger.exists(), "check wrote something")
    expect_equal(project.sluice("check", "nothing").code, 2, "exit code for a pipeline that is not there")


def check_looks_at_every_connection(project):
    orders(project)
    settings = (project.folder / "sluice.yml").read_text()
    for wrong, said in {
        "{ type: duckbd, path: a }": "connection 'x' has the unknown type 'duckbd'; did you mean 'duckdb'?",
        "{ type: mariadb, host: h }": "MariaDB is reached as type: mysql",
        "{ type: kafka, brokers: [a] }": "connections of type 'kafka' are not built yet: they come with streams",
        "{ type: duckdb, pth: a }": "unknown key 'pth' in duckdb; did you mean 'path'?",
    }.items():
        project.write("sluice.yml", f"{settings.rstrip()}\n  x: {wrong}\n")
        done = project.sluice("check")
        expect_equal(done.code, 2, f"exit code with {wrong}\n{done.text}")
        expect_in(said, done.err)
        expect_in("1 of 2 connections have errors", done.err)
        expect_in("orders: ok, 3 steps", done.out)
        expect_equal(project.sluice("check", "orders").code, 0, "exit code of a pipeline that does not use it")
        expect_in(said, project.sluice("connections", "test", "x").out)
        project.pipeline("uses", PIPELINE.replace("into: warehouse", "into: x"))
        done = project.sluice("check")
        expect_equal(done.err.count(said), 1, f"times that it is said\n{done.err}")
        expect_in("1 of 2 pipelines have errors", done.err)
        (project.folder / "pipelines/uses.yml").unlink()


def names_that_end_otherwise(project):
    orders(project)
    said = "/pipelines/other.yaml' is not read: the names of pipelines end in .yml; rename it other.yml"
    project.write("pipelines/other.yaml", PIPELINE)
    for words in (("run", "other"), ("check", "other"), ("check",)):
        done = project.sluice(*words)
        expect_equal(done.code, 2, f"exit code of {words}\n{done.text}")
        expect_in(said, done.err)
    expect_in("orders: ok", done.out)
    expect_in(said, project.sluice("doctor").out)
    (project.folder / "pipelines/other.yaml").unlink()
    (project.folder / "sluice.yml").rename(project.folder / "sluice.yaml")
    done = project.sluice("check")
    expect_equal(done.code, 2, "exit code with sluice.yaml")
    expect_in("sluice.yaml: this file is not read: the project is in sluice.yml; rename it", done.err)
    (project.folder / "sluice.yaml").unlink()
    (project.folder / "pipelines/orders.yml").unlink()
    done = project.sluice("check")
    expect_equal(done.code, 2, "exit code in an empty folder")
    expect_in("sluice init makes a project", done.err)


def check_of_what_others_run(project):
    orders(project, pipeline="params: { least: { type: bigint, required: true } }\n" + PIPELINE.replace("amount > 0", '"amount > {{ params.least }}"'))
    done = project.sluice("check")
    expect_equal((done.code, done.err), (0, ""), f"check\n{done.text}")
    expect_in("orders: not checked: it needs params: sluice check orders --param least=…", done.out)
    expect_equal(project.sluice("check", "orders", "--param", "least=1").out, "orders: ok, 3 steps\n", "with its params")
    expect_equal(project.sluice("check", "--param", "least=1", "orders").out, "orders: ok, 3 steps\n", "params before the name")
    expect_in("parameter 'least' is required", project.sluice("check", "orders").err)
    expect_equal(project.sluice("doctor").code, 0, "exit code of doctor")


def plan_shows_everything(project):
    done = orders(project).sluice("plan", "orders")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    for part in ("orders", "paid", "warehouse", "append", "exactly once", "BIGINT", "amount > 0"):
        expect_in(part, done.out, "the plan")
    expect(isinstance(json.loads(project.sluice("plan", "orders", "--output", "json").out), dict), "plan as JSON")
    expect_equal(project.sluice("run", "orders", "--dry-run").code, 0, "--dry-run")
    expect(not project.warehouse.exists() or "main.orders" not in project.tables(), "a plan loaded rows")


def preview_loads_nothing(project):
    done = orders(project).sluice("preview", "orders", "paid", "--limit", "2")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    expect_in("country", done.out)
    expect_equal(len(done.out.strip().splitlines()), 3, "lines: a header and two rows")
    expect(not project.warehouse.exists() or "main.orders" not in project.tables(), "preview loaded rows")
    done = project.sluice("preview", "orders", "piad")
    expect_equal(done.code, 2, "exit code for an unknown step")
    expect_in("paid", done.err)


def runs_and_logs_remember(project):
    orders(project)
    project.sluice("run", "orders")
    project.write("orders.csv", "id,country,amount\nx,DE,1\n")
    project.sluice("run", "orders")
    listed = [json.loads(line) for line in project.sluice("runs", "--output", "json").out.splitlines()]
    expect_equal([(run["run"], run["status"]) for run in listed], [(2, "failed"), (1, "succeeded")], "the runs")
    expect_in("failed", project.sluice("runs").out)
    expect_equal(len(project.sluice("runs", "--status", "failed").out.splitlines()), 2, "lines of runs --status failed")
    done = project.sluice("logs", "2")
    expect_equal(done.code, 0, "exit code of logs")
    expect_in("orders.csv", done.out, "the log of a failed run")
    expect_equal(project.sluice("logs", "77").code, 2, "exit code for an unknown run")


def found_from_a_subfolder(project):
    orders(project)
    deep = project.folder / "sql/deep"
    deep.mkdir(parents=True)
    done = project.sluice("run", "orders", "--project", str(project.folder))
    expect_equal(done.code, 0, f"exit code with --project\n{done.text}")
    done = subprocess.run([SLUICE, "runs", "--output", "json"], cwd=deep, capture_output=True, text=True, check=False)
    expect_equal((done.returncode, len(done.stdout.splitlines())), (0, 1), "runs from a subfolder")


def parameters(project):
    orders(project, "params: { least: { type: double, default: 5 } }\n" + PIPELINE.replace("{ filter: amount > 0 }", '{ filter: "amount > {{ params.least }}" }'))
    expect_equal(project.sluice("run", "orders", "--param", "least=15").code, 0, "a run with a parameter")
    expect_equal(project.query("SELECT id FROM orders"), [["2"]], "rows above 15")
    done = project.sluice("run", "orders", "--param", "leest=15")
    expect_equal(done.code, 2, "exit code for an unknown parameter")
    expect_in("least", done.err)


def copy_csv_to_a_table(project):
    project.write("orders.csv", ORDERS)
    done = project.sluice("copy", "orders.csv", "w.duckdb:orders")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    table = project.folder / "w.duckdb"
    expect_equal(query(table, "DESCRIBE orders") and [row[0] for row in query(table, "DESCRIBE orders")],
                 ["id", "country", "amount"], "columns: no provenance in a copy")
    expect_equal(number(table, "SELECT count(*) FROM orders"), 4, "rows")
    done = project.sluice("copy", "orders.csv", "w.duckdb:orders")
    expect_equal(done.code, 0, f"exit code of the same copy\n{done.text}")
    expect_in("already loaded", done.out)
    expect_equal(number(table, "SELECT count(*) FROM orders"), 4, "rows after the same copy")


def copy_a_glob_of_parquet_to_csv(project):
    for part in (1, 2):
        query(":memory:", f"COPY (SELECT {part} AS part, range AS i FROM range(3)) TO '{project.folder}/p{part}.parquet'")
    done = project.sluice("copy", "p*.parquet", "out.csv")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    lines = (project.folder / "out.csv").read_text().splitlines()
    expect_equal((lines[0], sorted(lines[1:])), ("part,i", ["1,0", "1,1", "1,2", "2,0", "2,1", "2,2"]), "the file")


def copy_where_and_select(project):
    project.write("orders.csv", ORDERS)
    done = project.sluice("copy", "orders.csv", "out.ndjson", "--where", "amount > 5",
                          "--select", "upper(country) AS land, amount * 2 AS twice")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    rows = [json.loads(line) for line in (project.folder / "out.ndjson").read_text().splitlines()]
    expect_equal({(row["land"], row["twice"]) for row in rows}, {("DE", 21.0), ("FR", 40.0), ("IT", 14.5)}, "the rows")


def copy_modes_and_keys(project):
    project.write("orders.csv", ORDERS)
    project.write("more.csv", "id,country,amount\n2,FR,99.4\n5,ES,5.25\n")
    expect_equal(project.sluice("copy", "orders.csv", "w.duckdb:orders").code, 0, "the first copy")
    done = project.sluice("copy", "more.csv", "w.duckdb:orders", "--mode", "upsert", "--key", "id")
    expect_equal(done.code, 0, f"exit code of the upsert\n{done.text}")
    expect_equal(query(project.folder / "w.duckdb", "SELECT id, amount FROM orders ORDER BY id"),
                 [["1", "10.5"], ["2", "99.4"], ["3", "0.0"], ["4", "7.25"], ["5", "5.25"]], "the rows")
    done = project.sluice("copy", "more.csv", "w.duckdb:orders", "--mode", "upsert")
    expect_equal(done.code, 2, "exit code without a key")
    expect_in("key", done.err)


def copy_a_table_to_parquet(project):
    query(project.folder / "w.duckdb", "CREATE SCHEMA shop", "CREATE TABLE shop.t AS SELECT range AS i FROM range(5)", read_only=False)
    done = project.sluice("copy", "w.duckdb:shop.t", "out.parquet")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    expect_equal(query(":memory:", f"SELECT count(*), sum(i) FROM '{project.folder}/out.parquet'"), [["5", "10"]], "the rows")


def copy_after_its_records_were_deleted(project):
    project.write("orders.csv", ORDERS)
    expect_equal(project.sluice("copy", "orders.csv", "out/a.csv").code, 0, "the first copy")
    shutil.rmtree(project.folder / "out" / ".sluice")
    done = project.sluice("copy", "orders.csv", "out/a.csv")
    expect_equal(done.code, 1, f"exit code without records\n{done.text}")
    expect_in("the same command with --resync", done.err)
    done = project.sluice("copy", "orders.csv", "out/a.csv", "--resync")
    expect_equal(done.code, 0, f"exit code with --resync\n{done.text}")
    done = project.sluice("copy", "orders.csv", "out/a.csv")
    expect_equal(done.code, 0, f"exit code of the next copy\n{done.text}")
    expect_equal(query(":memory:", f"SELECT count(*) FROM '{project.folder}/out/a.csv'"), [["4"]], "the rows")


def copy_says_what_is_wrong(project):
    done = project.sluice("copy", "none.csv", "w.duckdb:t")
    expect(done.code in (1, 2), f"exit code {done.code} for a file that is not there")
    expect_in("none.csv", done.err)
    done = project.sluice("copy", "none.csv", "w.duckdb")
    expect_equal(done.code, 2, "exit code without a table")
    expect_in("w.duckdb:TABLE", done.err)
    project.write("orders.csv", ORDERS)
    done = project.sluice("copy", "orders.csv", "out.csv", "--where", "amuont > 1")
    expect_equal(done.code, 2, f"exit code for a wrong column\n{done.text}")
    expect_in("amount", done.err)
    expect(not (project.folder / "out.csv").exists(), "a failed copy left a file")


TESTS = [version_help_and_usage, libraries_are_loaded_when_needed, a_missing_library_is_told, json_of_a_run, json_of_an_interval, json_of_errors, exit_code_3_where_rows_are_rejected,
         what_is_loaded_is_not_loaded_again, a_renamed_pipeline_says_so, check_says_where_and_what, check_looks_at_every_connection,
         names_that_end_otherwise, check_of_what_others_run, plan_shows_everything, preview_loads_nothing,
         runs_and_logs_remember, found_from_a_subfolder, parameters, copy_csv_to_a_table, copy_a_glob_of_parquet_to_csv,
         copy_where_and_select, copy_modes_and_keys, copy_a_table_to_parquet,
         copy_after_its_records_were_deleted, copy_says_what_is_wrong]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
