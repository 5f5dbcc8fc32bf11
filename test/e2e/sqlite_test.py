#!/usr/bin/env python3
"""The program against SQLite files, and Python's own sqlite3 as the judge of what is in them."""
import sqlite3
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import rig  # noqa: E402
from rig import expect, expect_equal, expect_in  # noqa: E402

CONNECTION = "  lite: { type: sqlite, path: shop.db, wait: 20s }\n"


def ask(project, *statements, name="shop.db"):
    connection = sqlite3.connect(project.folder / name, timeout=30)
    try:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows
    finally:
        connection.close()


def run(project, *words, code=0):
    done = project.sluice("run", *words)
    expect_equal(done.code, code, f"exit code of run {' '.join(words)}:\n{done.text}")
    return done


def load(project, into, epoch=""):
    project.pipeline("load", f"""
{epoch}
steps:
  rows: {{ extract: {{ from: file, path: "in/*.csv", columns: {{ id: bigint, amount: 'decimal(10,2)', day: date }} }} }}
  out:  {{ load: {{ into: lite, table: orders, {into} }} }}
""")


def orders(project, name, rows):
    project.write(name, "id,amount,day\n" + "".join(f"{i},{i}.25,2026-01-0{1 + i % 3}\n" for i in rows))


def test_every_mode(project):
    project.create(CONNECTION)
    orders(project, "in/1.csv", range(100))
    load(project, "mode: append")
    run(project, "load")
    run(project, "load")
    orders(project, "in/2.csv", range(100, 150))
    run(project, "load")
    expect_equal(ask(project, "SELECT count(*), sum(amount), count(DISTINCT _sluice_epoch), typeof(max(day)) FROM orders"),
                 [(150, 11212.5, 2, "text")], "rows appended")
    load(project, "mode: overwrite", epoch="epoch: { max_rows: 7 }")
    run(project, "load", "--again")
    load(project, "mode: replace_partition, partition: day")
    run(project, "load", "--again")
    load(project, "mode: replace, key: id")
    run(project, "load", "--again")
    expect_equal(ask(project, "SELECT count(*), count(DISTINCT id) FROM orders"), [(150, 150)], "rows")
    expect_equal(ask(project, "SELECT name FROM sqlite_master WHERE name LIKE '\\_sluice\\_stage%' ESCAPE '\\'"), [], "stages")
    ask(project, "CREATE TABLE keyed (id INTEGER PRIMARY KEY, amount NUMERIC, day TEXT, mine TEXT DEFAULT 'kept')",
        "INSERT INTO keyed (id, amount) SELECT id, -1 FROM orders WHERE id < 50")
    project.pipeline("upsert", """
steps:
  rows: { extract: { from: lite, table: orders } }
  out:  { load: { into: lite, table: keyed, mode: upsert, key: id } }
""")
    expect_in("amount", run(project, "upsert", code=2).text)  # DECIMAL(10,2) is more than a bare NUMERIC says
    ask(project, "DROP TABLE keyed", "CREATE TABLE keyed (id INTEGER PRIMARY KEY, amount DECIMAL(12,4), day DATE, mine TEXT DEFAULT"
        " 'kept')", "INSERT INTO keyed (id, amount) SELECT id, -1 FROM orders WHERE id < 50")
    done = run(project, "upsert", "--output", "json").json()
    expect_equal([(one["inserted"], one["updated"]) for one in done["loads"]], [(100, 50)], "counts")
    expect_equal(ask(project, "SELECT count(*), min(amount), min(mine) FROM keyed"), [(150, 0.25, "kept")], "rows merged")


def test_images_are_kept_by_duckdb_only(project):
    project.create(CONNECTION)
    project.pipeline("out", """
steps:
  rows: { extract: { from: inline, rows: [{ id: 1 }] } }
  out:  { load: { into: lite, table: t, mode: upsert, key: id, provenance: before } }
""")
    expect_in("out.yml:4:76: provenance: before is built for duckdb so far; sqlite takes: on, off", run(project, "out", code=2).text)


def test_cursor_in_a_query(project):
    project.create(CONNECTION)
    ask(project, "CREATE TABLE events (id INTEGER PRIMARY KEY, made DATETIME, name TEXT COLLATE NOCASE, r REAL)",
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) INSERT INTO events SELECT i, datetime('2026-01-01',"
        " '+' || (i / 10) || ' hours'), 'na''me ' || i, i * 1e20 FROM n")
    project.pipeline("out", """
epoch: { max_rows: 7 }
steps:
  beyond: { extract: { from: lite, query: "SELECT id, made FROM events WHERE made > {{ cursor }}", incremental: { cursor: made, key: id, initial: "2026-01-01 00:00:00" } } }
  one:    { load: { into: warehouse, table: beyond } }
  since:  { extract: { from: lite, query: "SELECT id FROM events WHERE id >= {{ cursor }}", incremental: { cursor: id, initial: 0 } } }
  two:    { load: { into: warehouse, table: since } }
  wide:   { extract: { from: lite, query: "SELECT id, r FROM events WHERE r > {{ cursor }}", incremental: { cursor: r, initial: 0 } } }
  three:  { load: { into: warehouse, table: wide } }
  named:  { extract: { from: lite, query: "SELECT id, name FROM events WHERE name > '{{ cursor }}'", incremental: { cursor: name, key: id, initial: "NA'ME 0" } } }
  four:   { load: { into: warehouse, table: named } }
  again:  { extract: { from: lite, query: "SELECT id, made FROM events WHERE made > {{ cursor }}", incremental: { cursor: made, lookback: 2h, initial: "2026-01-01" } } }
  five:   { load: { into: warehouse, table: again, mode: upsert, key: id } }
""")
    expect_in("{{ cursor }} is '2026-01-01 00:00:0' at first", project.sluice("plan", "out").text)
    run(project, "out")
    tables = ("beyond", "since", "wide", "named", "again")
    count = " UNION ALL ".join(f"SELECT count(*), count(DISTINCT id) FROM {table}" for table in tables)
    expect_equal(project.query(count), [["100", "100"]] * 5, "rows of the first run")
    ask(project, "INSERT INTO events SELECT 101, max(made), max(name), 1e300 FROM events",
        "INSERT INTO events SELECT 102, datetime(max(made), '+1 second'), 'zz', 2e300 FROM events",
        "INSERT INTO events SELECT 103, datetime(max(made), '-1 hour'), 'aa', 3e300 FROM events")
    run(project, "out")
    run(project, "out")
    expect_equal(project.query(count), [["102", "102"], ["103", "103"], ["103", "103"], ["102", "102"], ["103", "103"]],
                 "rows of later runs")


def test_to_duckdb_and_back(project):
    project.create(CONNECTION)
    ask(project, "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, s TEXT, b BLOB, d DATE, at DATETIME, big DECIMAL TEXT(30,4), untyped)",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 5000) INSERT INTO t SELECT i, i / 8.0, 'n' || i,"
        " zeroblob(i % 5), date('2026-01-01', i || ' days'), datetime('2026-01-01', i || ' minutes'), i || '.0001', i FROM r")
    project.pipeline("out", """
epoch: { max_rows: 1000 }
steps:
  rows: { extract: { from: lite, table: t } }
  out:  { load: { into: warehouse, table: t, mode: append } }
""")
    expect_in("consistency: keys, by id", project.sluice("plan", "out").text)
    run(project, "out")
    expect_equal(project.query("SELECT count(*), sum(r), max(\"at\"), sum(big), sum(untyped), count(DISTINCT _sluice_epoch) FROM t"),
                 [["5000", "1562812.5", "2026-01-04 11:20:00", "12502500.5000", "12502500", "5"]], "rows in DuckDB")
    project.pipeline("back", """
steps:
  rows: { extract: { from: warehouse, table: t } }
  out:  { load: { into: lite, table: t2, mode: append } }
""")
    run(project, "back")
    columns = "id, r, s, hex(b), d, at, big, untyped"
    expect_equal(ask(project, f"SELECT count(*) FROM (SELECT {columns} FROM t EXCEPT SELECT {columns} FROM t2)"), [(0,)], "lost")


def test_values_that_do_not_fit_are_told(project):
    project.create(CONNECTION)
    ask(project, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)", "INSERT INTO t VALUES (1, 5), (2, 'many')")
    text = """
steps:
  rows: { %s extract: { from: lite, table: t } }
  out:  { load: { into: warehouse, table: t, mode: append } }
"""
    project.pipeline("out", text % "")
    expect_in("column 'n': the value 'many' does not fit BIGINT", run(project, "out", code=1).text)
    project.pipeline("out", text % "on_row_error: reject, ")
    run(project, "out", code=3)
    expect_equal(project.query("SELECT id FROM t"), [["1"]], "rows")


def test_incremental_and_statement(project):
    project.create(CONNECTION)
    ask(project, "CREATE TABLE e (id INTEGER, at DATETIME)",
        *[f"INSERT INTO e VALUES ({i}, '2026-01-0{1 + i // 4} 10:00:00')" for i in range(10)])
    project.pipeline("out", """
epoch: { max_rows: 3 }
steps:
  rows: { extract: { from: lite, table: e, incremental: { cursor: at, key: id } } }
  out:  { load: { into: warehouse, table: e, mode: append } }
  note: { sql: { in: lite, query: "CREATE TABLE IF NOT EXISTS done (n INTEGER); INSERT INTO done VALUES ({{ 7 }})" } }
""")
    run(project, "out")
    ask(project, "INSERT INTO e VALUES (10, '2026-01-03 10:00:00'), (11, '2026-01-09 10:00:00')")
    run(project, "out")
    expect_equal(project.query("SELECT count(*), count(DISTINCT id) FROM e"), [["12", "12"]], "rows")
    expect_equal(ask(project, "SELECT n FROM done"), [(7,), (7,)], "statements, once per run")


def test_another_program_holds_the_file(project):
    project.create(CONNECTION.replace("20s", "200ms"))
    orders(project, "in/1.csv", range(10))
    load(project, "mode: append")
    holder = subprocess.Popen([sys.executable, "-c", f"""
import sqlite3, sys
c = sqlite3.connect({str(project.folder / 'shop.db')!r}, isolation_level=None)
c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read(1)"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        expect_equal(holder.stdout.readline(), b"held\n", "the holder")
        expect_in("another program holds the file", run(project, "load", code=1).text)
    finally:
        holder.stdin.close()
        holder.wait()
    run(project, "load")
    expect_equal(ask(project, "SELECT count(*) FROM orders"), [(10,)], "rows")


def test_a_missing_table_is_told(project):
    project.create(CONNECTION)
    ask(project, "CREATE TABLE t (id INTEGER)")
    project.pipeline("none", """
steps:
  rows: { extract: { from: lite, table: no_such } }
  out:  { load: { into: warehouse, table: t } }
""")
    text = project.sluice("plan", "none").text
    expect_in("no such table: main.no_such", text)
    expect_in("pipelines/none.yml:3:", text)
    expect_in("1 table", project.sluice("connections", "test").text)


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]


if __name__ == "__main__":
    sys.exit(rig.main_of(TESTS))
