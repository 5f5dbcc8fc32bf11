#!/usr/bin/env python3
"""The program against a real PostgreSQL server: every mode, both ways, lost answers and fallen servers."""
import os
import shutil
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import rig  # noqa: E402
from rig import expect, expect_equal, expect_in  # noqa: E402
import servers  # noqa: E402

os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
SERVER = None


def project_on(project, port=None, more=""):
    """A database of its own as connection `pg`."""
    database = SERVER.database()
    project.create(SERVER.connection("pg", database, port) + more)
    return database


def run(project, *words, code=0):
    done = project.sluice("run", *words)
    expect_equal(done.code, code, f"exit code of run {' '.join(words)}:\n{done.text}")
    return done


def orders(project, name, rows):
    lines = ["id,day,amount,note"]
    lines += [f"{i},2026-01-0{1 + i % 3},{i}.50,n{i}" for i in rows]
    project.write(name, "\n".join(lines) + "\n")


COLUMNS = "columns: { id: bigint, day: date, amount: 'decimal(10,2)', note: varchar }"


def load(project, into, path="in/*.csv", epoch=""):
    project.pipeline("load", f"""
{epoch}
steps:
  rows: {{ extract: {{ from: file, path: "{path}", {COLUMNS} }} }}
  out:  {{ load: {{ into: pg, table: orders, {into} }} }}
""")


def test_append_once(project):
    database = project_on(project)
    orders(project, "in/1.csv", range(10))
    load(project, "mode: append")
    run(project, "load")
    run(project, "load")
    orders(project, "in/2.csv", range(10, 20))
    run(project, "load")
    expect_equal(SERVER.query(database, "SELECT count(*), sum(amount), count(DISTINCT _sluice_epoch) FROM orders"),
                 [["20", "200.00", "2"]], "rows")
    types = SERVER.query(database, "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid ="
                         " 'orders'::regclass AND attnum > 0 ORDER BY attnum")
    expect_equal(types, [["id", "bigint"], ["day", "date"], ["amount", "numeric(10,2)"], ["note", "text"],
                         ["_sluice_epoch", "bigint"]], "types")


def test_again_takes_back(project):
    database = project_on(project)
    orders(project, "in/1.csv", range(10))
    load(project, "mode: append")
    run(project, "load")
    run(project, "load", "--again")
    expect_equal(SERVER.number(database, "SELECT count(*) FROM orders"), 10, "rows")


def test_upsert_and_partitions(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE orders (id bigint PRIMARY KEY, day date, amount numeric(12,4), note varchar(20), mine"
                 " text DEFAULT 'kept'); INSERT INTO orders SELECT i, '2026-01-09', 0, 'old' FROM generate_series(5, 9) i")
    orders(project, "in/1.csv", range(8))
    load(project, "mode: upsert, key: id")
    done = run(project, "load", "--output", "json").json()
    expect_equal([(one["inserted"], one["updated"]) for one in done["loads"]], [(5, 3)], "counts of the server")
    expect_equal(SERVER.query(database, "SELECT count(*), count(*) FILTER (WHERE note = 'old'), min(mine) FROM orders"),
                 [["10", "2", "kept"]], "rows")
    orders(project, "in/2.csv", [1, 4, 10])
    project.pipeline("days", f"""
steps:
  rows: {{ extract: {{ from: file, path: in/2.csv, {COLUMNS} }} }}
  out:  {{ load: {{ into: pg, table: orders, mode: replace_partition, partition: day }} }}
""")
    run(project, "days")
    expect_equal(SERVER.query(database, "SELECT id FROM orders WHERE day = '2026-01-02' ORDER BY id"),
                 [["1"], ["4"], ["10"]], "the partition")


def test_a_native_partition_is_exchanged_under_readers(project):
    """A day that is loaded again and again, beside readers in transactions of both kinds: each sees a whole day, and never none."""
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE orders (id bigint, day date, amount numeric(10,2), note text, PRIMARY KEY (day, id)) PARTITION"
                 " BY RANGE (day); CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM ('2026-01-02') TO ('2026-01-03');"
                 " CREATE TABLE orders_3 PARTITION OF orders FOR VALUES FROM ('2026-01-03') TO ('2026-01-04');"
                 " INSERT INTO orders SELECT i, '2026-01-02', 0, 'old' FROM generate_series(1, 1000) i;"
                 " INSERT INTO orders VALUES (1, '2026-01-03', 0, 'kept')")
    into = "mode: replace_partition, partition: { day: 2026-01-02 }"
    lines = ["id,day,amount,note"] + [f"{i},2026-01-02,1.50,n" for i in range(1000)]
    project.write("in/1.csv", "\n".join(lines) + "\n")
    load(project, into)
    expect_in("attaches a new table in place of its partition orders_2", project.sluice("plan", "load").text)
    oid = "SELECT 'orders_2'::regclass::oid"
    before = SERVER.number(database, oid)
    wrong, stop = [], threading.Event()

    def read(begin):
        while not stop.is_set():
            for (count,) in SERVER.query(database, begin, "SELECT count(*) FROM pg_class", "SELECT count(*) FROM orders WHERE day ="
                                         " '2026-01-02'", "COMMIT")[1:]:
                if count != "1000":
                    wrong.append(f"{begin}: {count} rows")

    readers = [threading.Thread(target=read, args=(begin,)) for begin in ("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ")]
    for reader in readers:
        reader.start()
    try:
        for _ in range(4):
            run(project, "load", "--again")
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    expect_equal(wrong, [], "days that were not whole")
    expect(SERVER.number(database, oid) != before, "the partition is the old table")
    expect_equal(SERVER.query(database, "SELECT note, count(*) FROM orders GROUP BY note ORDER BY note"), [["kept", "1"], ["n", "1000"]], "rows")
    # In several epochs the rows wait in a stage, and the partition stays.
    for part in range(4):
        project.write(f"in/{part}.csv", "\n".join(lines[:1] + lines[1 + part * 250:251 + part * 250]) + "\n")
    load(project, into, epoch="epoch: { max_rows: 300 }")
    before = SERVER.number(database, oid)
    run(project, "load", "--again")
    expect_equal(SERVER.number(database, oid), before, "the partition")
    expect_equal(SERVER.number(database, "SELECT count(*) FROM orders_2"), 1000, "rows")
    left = "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_sluice%' AND relname NOT LIKE '\\_sluice\\_epoch%'"
    expect_equal(SERVER.number(database, left), 0, "tables that are left")


def test_overwrite_and_epochs_published_at_the_end(project):
    database = project_on(project)
    for part in range(4):
        orders(project, f"in/{part}.csv", range(part * 10, part * 10 + 10))
    load(project, "mode: overwrite", epoch="epoch: { max_rows: 7 }")
    run(project, "load")
    run(project, "load", "--again")
    expect_equal(SERVER.number(database, "SELECT count(*) FROM orders"), 40, "rows")
    expect_equal(SERVER.number(database, "SELECT count(*) FROM pg_tables WHERE schemaname = '_sluice_stage'"), 0, "stages")


def test_to_duckdb_and_back(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE orders AS SELECT i AS id, (i * 1.01)::numeric(12,2) AS amount, 'n' || i AS note,"
                 " timestamptz '2026-01-01 00:00+00' + i * interval '1 minute' AS at, ARRAY[i, NULL] AS list, jsonb_build_object('i',"
                 " i) AS doc FROM generate_series(1, 5000) i; ALTER TABLE orders ADD PRIMARY KEY (id)")
    project.pipeline("out", """
epoch: { max_rows: 1000 }
steps:
  rows: { extract: { from: pg, table: orders } }
  kept: { filter: id % 2 = 0 }
  out:  { load: { into: warehouse, table: orders, mode: append } }
""")
    done = project.sluice("plan", "out")
    expect_in("consistency: keys, by id", done.text)
    run(project, "out")
    expect_equal(project.query("SELECT count(*), sum(amount), max(list[1]), count(DISTINCT _sluice_epoch) FROM orders"),
                 [["2500", "6315025.00", "5000", "5"]], "rows in DuckDB")
    project.pipeline("back", """
steps:
  rows: { extract: { from: warehouse, table: orders } }
  back: { load: { into: pg, table: copied, mode: upsert, key: id } }
""")
    run(project, "back")
    expect_equal(SERVER.number(database, "SELECT count(*) FROM (SELECT id, amount, note, at, list::text, doc::text FROM orders"
                               " WHERE id % 2 = 0 EXCEPT SELECT id, amount, note, at, list::text, doc::jsonb::text FROM copied) x"), 0,
                 "rows that are not the same")


def test_relayed_as_it_is_read(project):
    """Between two tables of the same types nothing is decoded: values arrive that DuckDB could not hold, each with its epoch."""
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE wide (id bigint PRIMARY KEY, n numeric(12,3), day date, at timestamptz, note text, doc jsonb,"
                 " flag boolean, raw bytea, f double precision, u uuid, iv interval); INSERT INTO wide SELECT i, i * 1.001, date"
                 " '2026-01-01' + i, timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', CASE WHEN i % 7 = 0 THEN NULL ELSE 'n' || i"
                 " END, jsonb_build_object('i', i), i % 2 = 0, decode(md5(i::text), 'hex'), i / 3.0, md5(i::text)::uuid, i * interval"
                 " '1 hour' FROM generate_series(1, 5000) i; INSERT INTO wide VALUES (0, 'NaN', 'infinity', '-infinity')")
    SERVER.query(database, "CREATE TABLE copied (LIKE wide); ALTER TABLE copied ADD _sluice_epoch bigint",
                 "CREATE TABLE merged (LIKE wide); ALTER TABLE merged ADD PRIMARY KEY (id)")
    same = "SELECT count(*) FROM (SELECT * FROM wide EXCEPT SELECT {} FROM {}) x"
    names = "id, n, day, at, note, doc, flag, raw, f, u, iv"
    for table, mode in [("copied", "mode: append"), ("merged", "mode: upsert, key: id")]:
        project.pipeline("relay", f"""
epoch: {{ max_rows: 1500 }}
steps:
  rows: {{ extract: {{ from: pg, table: wide }} }}
  out:  {{ load: {{ into: pg, table: {table}, {mode} }} }}
""")
        expect_in("relayed as it is read", project.sluice("plan", "relay").text)
        done = run(project, "relay", "--output", "json").json()
        expect_equal([(one["name"], one["rows_in"], one["rows_out"]) for one in done["steps"]],
                     [("rows", 5001, 5001), ("out", 5001, 5001)], "the books")
        expect_equal(SERVER.number(database, same.format(names, table)), 0, "rows that are not the same")
        SERVER.query(database, "DELETE FROM _sluice_epochs")
        shutil.rmtree(project.folder / ".sluice")
    expect_equal(SERVER.query(database, "SELECT count(*), count(DISTINCT _sluice_epoch) FROM copied"), [["5001", "4"]], "epochs")
    # Other types, and what somebody looks at on the way, go through a query.
    project.pipeline("other", """
steps:
  rows: { extract: { from: pg, query: "SELECT id, f::real AS f FROM wide" } }
  out:  { load: { into: pg, table: copied, mode: append } }
""")
    project.pipeline("looked", """
steps:
  rows: { extract: { from: pg, table: wide } }
  few:  { filter: id > 4000 }
  out:  { load: { into: pg, table: copied, mode: append } }
""")
    for name in ("other", "looked"):
        text = project.sluice("plan", name).text
        expect_in("append into pg copied", text)
        expect("relayed as it is read" not in text, f"relayed:\n{text}")


def test_only_what_is_needed_is_asked_for(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE wide (id integer PRIMARY KEY, a text, b text); INSERT INTO wide VALUES (1, 'x', 'y')",
                 "ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    project.pipeline("out", """
steps:
  rows: { extract: { from: pg, table: wide } }
  few:  { map: { id: id } }
  out:  { load: { into: warehouse, table: few, mode: append } }
""")
    run(project, "out")
    SERVER.query(database, "ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
    log = (SERVER.folder / "log").read_text()
    expect_in('COPY (SELECT "id" FROM "public"."wide"', log, "the server's log")


def test_incremental_with_equal_cursors(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE events (id integer, at timestamp, v text); INSERT INTO events SELECT i, timestamp"
                 " '2026-01-01' + (i / 10) * interval '1 hour', 'a' FROM generate_series(1, 100) i")
    project.pipeline("out", """
epoch: { max_rows: 7 }
steps:
  rows: { extract: { from: pg, table: events, incremental: { cursor: at, key: id } } }
  out:  { load: { into: warehouse, table: events, mode: append } }
""")
    run(project, "out")
    expect_equal(project.query("SELECT count(*), count(DISTINCT id) FROM events"), [["100", "100"]], "rows")
    # A row that comes later with the greatest cursor value of all, and one after it.
    SERVER.query(database, "INSERT INTO events SELECT 101, max(at), 'late' FROM events; INSERT INTO events SELECT 102, max(at) +"
                 " interval '1 second', 'new' FROM events")
    run(project, "out")
    run(project, "out")
    expect_equal(project.query("SELECT count(*), count(DISTINCT id), max(id) FROM events"), [["102", "102", "102"]], "rows")
    SERVER.query(database, "INSERT INTO events VALUES (103, NULL, 'lost')")
    done = run(project, "out", code=1)
    expect_in("1 rows of events", done.text)
    expect_in("have no 'at'", done.text)


def test_cursor_in_a_query(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE events (id integer PRIMARY KEY, made timestamptz NOT NULL, name text COLLATE \"und-x-icu\","
                 " part uuid); INSERT INTO events SELECT i, timestamptz '2026-01-01 00:00+00' + (i / 10) * interval '1 hour',"
                 " 'na''me ' || i, ('00000000-0000-0000-0000-0000000' || 10000 + i)::uuid FROM generate_series(1, 100) i",
                 "CREATE INDEX ON events (made)", "ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    project.pipeline("out", """
epoch: { max_rows: 7 }
steps:
  beyond: { extract: { from: pg, query: "SELECT id, made FROM events WHERE made > {{ cursor }}", incremental: { cursor: made, key: id, initial: "2026-01-01 00:00:00+00" } } }
  one:    { load: { into: warehouse, table: beyond } }
  since:  { extract: { from: pg, query: "SELECT id, made FROM events WHERE made >= {{ cursor }}", incremental: { cursor: made, key: id, initial: "2026-01-01 00:00:00+00" } } }
  two:    { load: { into: warehouse, table: since } }
  named:  { extract: { from: pg, query: "SELECT id, name FROM events WHERE name > '{{ cursor }}'", incremental: { cursor: name, key: id, initial: "na'me 1" } } }
  three:  { load: { into: warehouse, table: named } }
  again:  { extract: { from: pg, query: "SELECT id, made FROM events WHERE made > {{ cursor }}", incremental: { cursor: made, lookback: 2h, initial: "2026-01-01 00:00:00+00" } } }
  four:   { load: { into: warehouse, table: again, mode: upsert, key: id } }
  parts:  { extract: { from: pg, query: "SELECT id, part FROM events WHERE part > {{ cursor }}", incremental: { cursor: part, initial: 00000000-0000-0000-0000-000000010001 } } }
  five:   { load: { into: warehouse, table: parts } }
""")
    expect_in("{{ cursor }} is CAST('2025-12-31 23:59:59+00' AS timestamp with time zone) at first", project.sluice("plan", "out").text)
    run(project, "out")
    tables = ("beyond", "since", "named", "again", "parts")
    count = " UNION ALL ".join(f"SELECT count(*), count(DISTINCT id) FROM {table}" for table in tables)
    expect_equal(project.query(count), [["100", "100"]] * 5, "rows of the first run")
    # One with the greatest values there were, one beyond, one that a lookback finds.
    SERVER.query(database, "INSERT INTO events SELECT 101, max(made), max(name COLLATE \"und-x-icu\"), NULL FROM events; INSERT INTO"
                 " events SELECT 102, max(made) + interval '1 microsecond', 'zz', NULL FROM events; INSERT INTO events SELECT 0,"
                 " max(made) - interval '1 hour', 'aa', NULL FROM events")
    run(project, "out")
    run(project, "out")
    expect_equal(project.query(count), [["102", "102"], ["102", "102"], ["102", "102"], ["103", "103"], ["100", "100"]],
                 "rows of later runs")
    SERVER.query(database, "ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
    copies = [line for line in (SERVER.folder / "log").read_text().splitlines() if "COPY (SELECT" in line and "made > CAST(" in line]
    expect_in("made > CAST('2026-01-01 09:59:59+00' AS timestamp with time zone)", "\n".join(copies))
    plan = SERVER.query(database, "SET enable_seqscan = off", "EXPLAIN SELECT id FROM events WHERE made > CAST('2026-01-01 09:59:59+00'"
                        " AS timestamp with time zone)")
    expect_in("Cond: (made > '2026-01-01", str(plan))
    project.pipeline("none", """
steps:
  rows: { extract: { from: pg, query: "SELECT id, made FROM events WHERE made > {{ cursor }}", incremental: { cursor: made, initial: "-infinity" } } }
  out:  { load: { into: warehouse, table: none } }
""")
    expect_in("must lie below '-infinity', so that no row with it is lost, and nothing sorts before it", run(project, "none", code=1).text)
    SERVER.query(database, "CREATE TABLE odd (id integer, v boolean)")
    project.pipeline("odd", """
steps:
  rows: { extract: { from: pg, query: "SELECT id, v FROM odd WHERE v > {{ cursor }}", incremental: { cursor: v, initial: "false" } } }
  out:  { load: { into: warehouse, table: odd } }
""")
    expect_in("{{ cursor }}: 'v' is boolean, of which no value below another can be written", run(project, "odd", code=2).text)


def test_query_interval_and_statement(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE sales (day date, n integer); INSERT INTO sales SELECT date '2026-01-01' + i % 5, i FROM"
                 " generate_series(0, 99) i")
    project.pipeline("daily", """
schedule: { every: 1d, interval: day }
steps:
  rows:  { extract: { from: pg, query: "SELECT day, n FROM sales WHERE n >= {{ 10 }}", interval: day } }
  out:   { load: { into: pg, table: daily, mode: replace_partition, partition: { day: "{{ ds }}" } } }
  total: { sql: { in: pg, query: "CREATE TABLE IF NOT EXISTS totals (day date PRIMARY KEY, n bigint); INSERT INTO totals SELECT day, count(*) FROM daily WHERE day = '{{ ds }}' GROUP BY day ON CONFLICT (day) DO UPDATE SET n = EXCLUDED.n" } }
""")
    for _ in range(2):
        run(project, "daily", "--date", "2026-01-03", "--again")
    expect_equal(SERVER.query(database, "SELECT * FROM totals"), [["2026-01-03", "18"]], "totals")


def test_letters_of_values_that_do_not_fit(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE t (id integer PRIMARY KEY, n numeric(5,1)); INSERT INTO t VALUES (1, 1.5), (2, 'NaN')")
    text = """
steps:
  rows: { %s extract: { from: pg, table: t } }
  out:  { load: { into: warehouse, table: t, mode: append } }
"""
    project.pipeline("out", text % "")
    expect_in("column 'n': NaN does not fit DECIMAL(5,1)", run(project, "out", code=1).text)
    project.pipeline("out", text % "on_row_error: reject, ")
    run(project, "out", code=3)
    expect_equal(project.query("SELECT id FROM t"), [["1"]], "rows")


def test_the_password_is_nowhere(project):
    project_on(project)
    orders(project, "in/1.csv", range(10))
    load(project, "mode: append")
    texts = [run(project, "load").text, project.sluice("plan", "load").text, project.sluice("history").text]
    os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD + "-wrong"
    try:
        texts.append(project.sluice("run", "load").text)
    finally:
        os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
    expect_in("password authentication failed", texts[-1])
    for path in project.folder.rglob("*"):
        if path.is_file():
            expect(servers.PASSWORD.encode() not in path.read_bytes(), f"the password is in {path}")
    for text in texts:
        expect(servers.PASSWORD not in text, f"the password is in:\n{text}")
    project.write("sluice.yml", "project: rig\nconnections:\n  pg: { type: postgres, database: x, user: y, password: plain-words }\n")
    done = project.sluice("check")
    expect_in("a password is never written here", done.text)
    expect("plain-words" not in done.text, f"a password is repeated:\n{done.text}")


def test_a_lost_answer_to_a_commit(project):
    """Every commit of the run in turn is sent on, and its answer lost: what happened is asked, nothing is lost or repeated."""
    settings = "epoch: { max_rows: 5 }\nretry: { attempts: 3, delay: 10ms }"
    for skip in [0, 1, 2, 3] * int(os.environ.get("CUTS", "3")):
        proxy = servers.CutAtCommit(SERVER.port, cuts=1, skip=skip)
        try:
            one = rig.Project(project.folder / f"{skip}_{time.time_ns()}")
            database = project_on(one, proxy.port)
            orders(one, "in/1.csv", range(10))
            orders(one, "in/2.csv", range(10, 20))
            load(one, "mode: append", epoch=settings)
            done = one.sluice("run", "load")
            if done.code != 0:  # cut before an epoch: in the preparation
                run(one, "load")
            run(one, "load")
            expect_equal(SERVER.query(database, "SELECT count(*), count(DISTINCT id) FROM orders"), [["20", "20"]],
                         f"rows after commit {skip} was cut ({proxy.cut} cuts):\n{done.text}")
        finally:
            proxy.close()


def test_the_server_falls_over(project):
    database = project_on(project)
    for part in range(3):
        orders(project, f"in/{part}.csv", range(part * 20000, part * 20000 + 20000))
    load(project, "mode: append", epoch="epoch: { max_rows: 5000 }\nretry: { attempts: 5, delay: 500ms }")
    process = project.start("run", "load")
    SERVER.crash()
    SERVER.start()
    process.communicate(timeout=rig.RUN_SECONDS)
    run(project, "load")
    expect_equal(SERVER.query(database, "SELECT count(*), count(DISTINCT id) FROM orders"), [["60000", "60000"]], "rows")


def test_records_dropped_are_refused(project):
    database = project_on(project)
    orders(project, "in/1.csv", range(10))
    load(project, "mode: append")
    run(project, "load")
    SERVER.query(database, "DROP TABLE _sluice_epochs")
    done = run(project, "load", code=1)
    expect_in("sluice resync load", done.text)


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]


if __name__ == "__main__":
    sys.exit(servers.main_with({"SERVER": servers.postgres_or_none}, TESTS, globals(), servers.NEEDS_POSTGRES))
