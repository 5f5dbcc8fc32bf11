#!/usr/bin/env python3
"""The program against a real MariaDB server: every mode, both ways, lost answers and fallen servers."""
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import rig  # noqa: E402
from rig import expect, expect_equal, expect_in  # noqa: E402
import servers  # noqa: E402

os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
SERVER = None
BLNS = Path(os.environ.get("SLUICE_CORPORA") or Path(__file__).resolve().parents[3] / "shared/corpora") / "json/blns.json"


def project_on(project, port=None):
    """A database of its own as connection `my`."""
    database = SERVER.database()
    project.create(SERVER.connection("my", database, port))
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
  out:  {{ load: {{ into: my, table: orders, {into} }} }}
""")


def test_append_once_and_again(project):
    database = project_on(project)
    orders(project, "in/1.csv", range(10))
    load(project, "mode: append")
    run(project, "load")
    run(project, "load")
    orders(project, "in/2.csv", range(10, 20))
    run(project, "load")
    expect_equal(SERVER.query(database, "SELECT count(*), sum(amount), count(DISTINCT _sluice_epoch) FROM orders"),
                 [["20", "200.00", "2"]], "rows")
    types = SERVER.query(database, "SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = database()"
                         " AND table_name = 'orders' ORDER BY ordinal_position")
    expect_equal(types, [["id", "bigint(20)"], ["day", "date"], ["amount", "decimal(10,2)"], ["note", "longtext"],
                         ["_sluice_epoch", "bigint(20)"]], "types")
    run(project, "load", "--again")
    expect_equal(SERVER.number(database, "SELECT count(*) FROM orders"), 20, "rows after --again")


def test_upsert_and_partitions(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE orders (id bigint PRIMARY KEY, day date, amount decimal(12,4), note varchar(20), mine"
                 " varchar(10) DEFAULT 'kept'); INSERT INTO orders (id, day, amount, note) SELECT seq, '2026-01-09', 0, 'old' FROM"
                 " seq_5_to_9")
    orders(project, "in/1.csv", range(8))
    load(project, "mode: upsert, key: id")
    done = run(project, "load", "--output", "json").json()
    expect_equal([(one["inserted"], one["updated"]) for one in done["loads"]], [(5, 3)], "counts of the server")
    expect_equal(SERVER.query(database, "SELECT count(*), sum(note = 'old'), min(mine) FROM orders"),
                 [["10", "2", "kept"]], "rows")
    orders(project, "in/2.csv", [1, 4, 10])
    project.pipeline("days", f"""
steps:
  rows: {{ extract: {{ from: file, path: in/2.csv, {COLUMNS} }} }}
  out:  {{ load: {{ into: my, table: orders, mode: replace_partition, partition: day }} }}
""")
    run(project, "days")
    expect_equal(SERVER.query(database, "SELECT id FROM orders WHERE day = '2026-01-02' ORDER BY id"),
                 [["1"], ["4"], ["10"]], "the partition")


def test_epochs_published_at_the_end(project):
    database = project_on(project)
    for part in range(4):
        orders(project, f"in/{part}.csv", range(part * 10, part * 10 + 10))
    load(project, "mode: overwrite", epoch="epoch: { max_rows: 7 }")
    run(project, "load")
    run(project, "load", "--again")
    expect_equal(SERVER.number(database, "SELECT count(*) FROM orders"), 40, "rows")
    expect_equal(SERVER.query(database, "SHOW TABLES LIKE '\\_sluice\\_stage%'"), [], "stages")


def test_to_duckdb_and_back(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE orders (id bigint PRIMARY KEY, amount decimal(12,2), note varchar(20), at datetime(6), big"
                 " bigint unsigned, doc json, bin varbinary(10)); INSERT INTO orders SELECT seq, seq * 1.01, concat('n', seq),"
                 " '2026-01-01' + INTERVAL seq MINUTE, 18446744073709551615 - seq, json_object('i', seq), unhex(lpad(hex(seq), 8, '0'))"
                 " FROM seq_1_to_5000")
    project.pipeline("out", """
epoch: { max_rows: 1000 }
steps:
  rows: { extract: { from: my, table: orders } }
  kept: { filter: id % 2 = 0 }
  out:  { load: { into: warehouse, table: orders, mode: append } }
""")
    expect_in("consistency: keys, by id", project.sluice("plan", "out").text)
    run(project, "out")
    expect_equal(project.query("SELECT count(*), sum(amount), max(big), count(DISTINCT _sluice_epoch) FROM orders"),
                 [["2500", "6315025.00", "18446744073709551613", "5"]], "rows in DuckDB")
    project.pipeline("back", """
steps:
  rows: { extract: { from: warehouse, table: orders } }
  back: { load: { into: my, table: copied, mode: upsert, key: id } }
""")
    run(project, "back")
    columns = "id, amount, note, at, big, json_extract(doc, '$.i'), hex(bin)"
    expect_equal(SERVER.number(database, f"SELECT count(*) FROM (SELECT {columns} FROM orders WHERE id % 2 = 0 EXCEPT SELECT"
                               f" {columns} FROM copied) x"), 0, "rows that are not the same")
    expect_equal(SERVER.number(database, "SELECT count(*) FROM copied"), 2500, "rows copied")


def test_lookup_query_and_statement(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE sales (day date, n int); INSERT INTO sales SELECT '2026-01-01' + INTERVAL seq % 5 DAY, seq"
                 " FROM seq_0_to_99; CREATE TABLE days (day date PRIMARY KEY, name varchar(20)); INSERT INTO days VALUES"
                 " ('2026-01-03', 'Saturday'); CREATE TABLE totals (day date PRIMARY KEY, n bigint)")
    project.pipeline("daily", """
schedule: { every: 1d, interval: day }
steps:
  rows:  { extract: { from: my, query: "SELECT day, n FROM sales WHERE n >= {{ 10 }}", interval: day } }
  named: { lookup: { from: my, table: days, key: day, select: [name] } }
  out:   { load: { into: my, table: daily, mode: replace_partition, partition: { day: "{{ ds }}" } } }
  total: { sql: { in: my, query: "REPLACE INTO totals SELECT day, count(*) FROM daily WHERE day = '{{ ds }}' AND name = 'Saturday' GROUP BY day" } }
""")
    for _ in range(2):
        run(project, "daily", "--date", "2026-01-03", "--again")
    expect_equal(SERVER.query(database, "SELECT * FROM totals"), [["2026-01-03", "18"]], "totals")
    project.pipeline("ddl", """
steps:
  make: { sql: { in: my, query: "CREATE TABLE x (a int)" } }
""")
    expect_in("MySQL commits at CREATE TABLE", run(project, "ddl", code=2).text)


def test_incremental_with_equal_cursors(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE events (id int, at datetime, v varchar(10)); INSERT INTO events SELECT seq, '2026-01-01' +"
                 " INTERVAL seq DIV 10 HOUR, 'a' FROM seq_1_to_100")
    project.pipeline("out", """
epoch: { max_rows: 7 }
steps:
  rows: { extract: { from: my, table: events, incremental: { cursor: at, key: id } } }
  out:  { load: { into: warehouse, table: events, mode: append } }
""")
    run(project, "out")
    SERVER.query(database, "INSERT INTO events SELECT 101, max(at), 'late' FROM events; INSERT INTO events SELECT 102, max(at) +"
                 " INTERVAL 1 SECOND, 'new' FROM events")
    run(project, "out")
    run(project, "out")
    expect_equal(project.query("SELECT count(*), count(DISTINCT id), max(id) FROM events"), [["102", "102", "102"]], "rows")
    SERVER.query(database, "INSERT INTO events VALUES (103, NULL, 'lost')")
    expect_in("1 rows of events", run(project, "out", code=1).text)


def test_cursor_in_a_query(project):
    database = project_on(project)
    SERVER.query(database, "CREATE TABLE events (id bigint unsigned PRIMARY KEY, made datetime(6) NOT NULL, name varchar(40) COLLATE"
                 " utf8mb4_unicode_ci) DEFAULT CHARSET utf8mb4; INSERT INTO events SELECT seq, '2026-01-01' + INTERVAL seq DIV 10 HOUR,"
                 " concat('na''me ', seq) FROM seq_0_to_99")
    project.pipeline("out", """
epoch: { max_rows: 7 }
steps:
  beyond: { extract: { from: my, query: "SELECT id, made FROM events WHERE made > {{ cursor }}", incremental: { cursor: made, key: id, initial: "2026-01-01 00:00:00" } } }
  one:    { load: { into: warehouse, table: beyond } }
  since:  { extract: { from: my, query: "SELECT id, made FROM events WHERE id >= {{ cursor }}", incremental: { cursor: id, initial: 0 } } }
  two:    { load: { into: warehouse, table: since } }
  above:  { extract: { from: my, query: "SELECT id, made FROM events WHERE id > {{ cursor }}", incremental: { cursor: id, initial: 0 } } }
  three:  { load: { into: warehouse, table: above } }
  named:  { extract: { from: my, query: "SELECT id, name FROM events WHERE name > '{{ cursor }}'", incremental: { cursor: name, key: id, initial: "NA'ME 0" } } }
  four:   { load: { into: warehouse, table: named } }
  again:  { extract: { from: my, query: "SELECT id, made FROM events WHERE made > {{ cursor }}", incremental: { cursor: made, lookback: 2h, initial: "2026-01-01" } } }
  five:   { load: { into: warehouse, table: again, mode: upsert, key: id } }
""")
    expect_in("{{ cursor }} is '2025-12-31 23:59:59.000000' at first", project.sluice("plan", "out").text)
    run(project, "out")
    tables = ("beyond", "since", "above", "named", "again")
    count = " UNION ALL ".join(f"SELECT count(*), count(DISTINCT id) FROM {table}" for table in tables)
    expect_equal(project.query(count), [["100", "100"]] * 5, "rows of the first run")
    SERVER.query(database, "INSERT INTO events SELECT 101, max(made), max(name) FROM events; INSERT INTO events SELECT 102, max(made) +"
                 " INTERVAL 1 MICROSECOND, 'zz' FROM events; INSERT INTO events SELECT 103, max(made) - INTERVAL 1 HOUR, 'aa' FROM"
                 " events")
    run(project, "out")
    run(project, "out")
    expect_equal(project.query(count), [["102", "102"], ["103", "103"], ["103", "103"], ["102", "102"], ["103", "103"]],
                 "rows of later runs")


def test_zero_dates_are_told(project):
    database = project_on(project)
    SERVER.query(database, "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, d date); INSERT INTO t VALUES (1, '2026-01-01'), (2,"
                 " '0000-00-00')")
    text = """
steps:
  rows: { %s extract: { from: my, table: t } }
  out:  { load: { into: warehouse, table: t, mode: append } }
"""
    project.pipeline("out", text % "")
    expect_in("column 'd': the value '0000-00-00' is a zero date", run(project, "out", code=1).text)
    project.pipeline("out", text % "on_row_error: reject, ")
    run(project, "out", code=3)
    expect_equal(project.query("SELECT id FROM t"), [["1"]], "rows")


def test_naughty_strings_are_data(project):
    """Each of the naughty strings as a value, and some of them as names of tables and columns."""
    database = project_on(project)
    if not BLNS.exists():
        expect(os.environ.get("SLUICE_NO_SKIPS") is None, f"{BLNS} is not there")
        return
    naughty = json.loads(BLNS.read_text())
    rows = "".join(json.dumps({"id": i, "s": text}) + "\n" for i, text in enumerate(naughty))
    project.write("in.ndjson", rows)
    project.pipeline("there", """
steps:
  rows: { extract: { from: file, path: in.ndjson, columns: { id: bigint, s: varchar } } }
  out:  { load: { into: my, table: naughty, mode: upsert, key: id } }
""")
    project.pipeline("back", """
steps:
  rows: { extract: { from: my, table: naughty } }
  out:  { load: { into: warehouse, table: naughty, mode: overwrite } }
""")
    run(project, "there")
    run(project, "there", "--again")
    run(project, "back")
    wrong = project.query("SELECT count(*) FROM read_json('in.ndjson', columns={'id':'BIGINT','s':'VARCHAR'}) r FULL JOIN naughty n"
                          " USING (id) WHERE r.s IS DISTINCT FROM n.s".replace("in.ndjson", str(project.folder / "in.ndjson")))
    expect_equal(wrong, [["0"]], "strings that are not the same")
    names = [text for text in naughty if 0 < len(text) < 60 and text.isprintable() and text.strip() == text
             and max(map(ord, text)) < 0x10000 and not text.endswith(".")][:60]
    columns = {}
    for name in names:
        columns.setdefault(name.lower(), name)
    project.write("wide.ndjson", json.dumps({f"c{i}": i for i in range(len(columns))}) + "\n")
    quoted = ['"' + name.replace('"', '""') + '"' for name in columns.values()]
    picked = ", ".join(f"c{i} AS {name}" for i, name in enumerate(quoted))
    project.pipeline("names", "steps:\n  rows: { extract: { from: file, path: wide.ndjson } }\n"
                     f"  named: {{ sql: {json.dumps(f'SELECT {picked} FROM rows')} }}\n"
                     "  out: { load: { into: my, table: '\"odd ''`;-- name\"', mode: append } }\n")
    run(project, "names")
    found = [row[0] for row in SERVER.query(database, "SELECT column_name FROM information_schema.columns WHERE table_name ="
                                            " 'odd ''`;-- name' ORDER BY ordinal_position", options=["-r"])]
    expect_equal(found, [*columns.values(), "_sluice_epoch"], "names of columns")


def test_wrong_words_are_told(project):
    project_on(project)
    orders(project, "in/1.csv", range(10))
    load(project, "mode: append")
    texts = [run(project, "load").text, project.sluice("plan", "load").text]
    os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD + "-wrong"
    try:
        texts.append(project.sluice("run", "load").text)
    finally:
        os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
    expect_in("Access denied for user 'sluice'", texts[-1])
    for path in project.folder.rglob("*"):
        if path.is_file():
            expect(servers.PASSWORD.encode() not in path.read_bytes(), f"the password is in {path}")
    for text in texts:
        expect(servers.PASSWORD not in text, f"the password is in:\n{text}")
    project.pipeline("none", """
steps:
  rows: { extract: { from: my, table: no_such } }
  out:  { load: { into: warehouse, table: t } }
""")
    text = project.sluice("plan", "none").text
    expect_in("no_such' doesn't exist", text)
    expect_in("pipelines/none.yml:3:", text)
    project.write("sluice.yml", "project: rig\nconnections:\n  my: { type: mysql, database: x, user: y, password: plain-words }\n")
    done = project.sluice("check")
    expect_in("a password is never written here", done.text)
    expect("plain-words" not in done.text, f"a password is repeated:\n{done.text}")


def test_a_lost_answer_to_a_commit(project):
    """Every commit of the run in turn is sent on, and its answer lost: what happened is asked, nothing is lost or repeated."""
    settings = "epoch: { max_rows: 5 }\nretry: { attempts: 3, delay: 10ms }"
    cuts = 0
    for skip in list(range(8)) * int(os.environ.get("CUTS", "1")):
        proxy = servers.CutAtCommit(SERVER.port, cuts=1, skip=skip, commit=servers.MYSQL_COMMIT)
        try:
            one = rig.Project(project.folder / f"{skip}_{time.time_ns()}")
            database = project_on(one, proxy.port)
            orders(one, "in/1.csv", range(10))
            orders(one, "in/2.csv", range(10, 20))
            load(one, "mode: append", epoch=settings)
            done = one.sluice("run", "load")
            if done.code != 0:
                run(one, "load")
            run(one, "load")
            cuts += proxy.cut
            expect_equal(SERVER.query(database, "SELECT count(*), count(DISTINCT id) FROM orders"), [["20", "20"]],
                         f"rows after commit {skip} was cut ({proxy.cut} cuts):\n{done.text}")
        finally:
            proxy.close()
    expect(cuts >= 4, f"only {cuts} answers were lost")


def test_the_server_is_killed_in_mid_load(project):
    database = project_on(project)
    for part in range(3):
        orders(project, f"in/{part}.csv", range(part * 20000, part * 20000 + 20000))
    load(project, "mode: append", epoch="epoch: { max_rows: 5000 }\nretry: { attempts: 8, delay: 500ms }")
    for _ in range(2):
        process = project.start("run", "load")
        while process.poll() is None and SERVER.query(database, "SHOW TABLES LIKE 'orders'") == []:
            time.sleep(0.01)  # until it has begun
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
    expect_in("sluice resync load", run(project, "load", code=1).text)


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]


if __name__ == "__main__":
    sys.exit(servers.main_with({"SERVER": servers.mariadb_or_none}, TESTS, globals(), servers.NEEDS_MARIADB))
