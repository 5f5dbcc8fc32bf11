#!/usr/bin/env python3
"""What befalls a server while rows are on their way into it: it falls over, ends a connection, has no room left, loses or
changes the table. Nothing is lost or repeated, and nothing a row did not do is blamed on one.

    test/crash/server_faults_test.py [restarts] [--keep]      N=50 SEED=7 by the environment; without N 4 of each
"""
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import rig  # noqa: E402
from rig import expect, expect_equal, expect_in, load_rows, write_rows  # noqa: E402
import s3_server  # noqa: E402
import servers  # noqa: E402

os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
os.environ["RIG_S3_SECRET"] = s3_server.SECRET
TIMES = min(int(os.environ.get("N") or 4), 50)
SEED = int(os.environ.get("SEED") or time.time_ns() // 1_000_000 % 1_000_000)
ROWS = 20_000
SERVERS = {}


def server(kind):
    if kind == "postgres" and servers.postgres_programs() is None:
        raise rig.Skipped("no PostgreSQL server; apt-get install postgresql")
    if kind == "mysql" and not servers.mariadb_programs():
        raise rig.Skipped("no MariaDB server; apt-get install mariadb-server")
    if kind not in SERVERS:
        SERVERS[kind] = {"postgres": servers.Postgres, "mysql": servers.Mariadb}[kind]()
    return SERVERS[kind]


def project_on(project, kind):
    database = server(kind).database()
    project.create(server(kind).connection("db", database))
    return database


def load(project, words, more="epoch: { max_rows: 4000 }\nretry: { attempts: 10, delay: 300ms, backoff: constant }", step=""):
    load_rows(project, words, more, step)


def run(project, *words, code=0):
    done = project.sluice("run", "load", *words)
    expect_equal(done.code, code, f"exit code of run load {' '.join(words)}:\n{done.text}")
    return done


def hit_in_mid_load(project, kind, mode, strike):
    """TIMES loads, each struck at a random time while it runs, and every row of all of them is there once."""
    chance = random.Random(SEED)
    database = project_on(project, kind)
    load(project, mode)
    run_seconds, struck, tried = 1.0, 0, 0
    while struck < TIMES and tried < 4 * TIMES:
        write_rows(project, f"{tried:04}", range(tried * ROWS, (tried + 1) * ROWS))
        begun = time.monotonic()
        process = project.start("run", "load", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.02, run_seconds))  # the moment of the strike is what is tried
        running = hit = False
        while process.poll() is None and not hit:
            running, hit = True, strike(database)
            time.sleep(0.005)  # until there is something to strike at
        struck += hit
        process.wait(timeout=rig.RUN_SECONDS)
        if not running:
            run_seconds = max(0.1, (time.monotonic() - begun) * 0.8)
        tried += 1
        run(project)
        expect_equal(server(kind).query(database, "SELECT count(*), count(DISTINCT id), max(id) FROM orders"),
                     [[str(tried * ROWS), str(tried * ROWS), str(tried * ROWS - 1)]],
                     f"rows after strike {struck} (seed {SEED})")
    expect_equal(struck, TIMES, f"strikes in mid-load of {tried} (seed {SEED})")
    print(f"{struck} {strike.__name__} of {kind}, {mode}, seed {SEED}: 0 lost, 0 repeated", flush=True)
    return database


def restart_postgres(_):
    server("postgres").crash()
    server("postgres").start()
    return True


def restart_mysql(_):
    server("mysql").crash()
    server("mysql").start()
    return True


def terminate_backends(database):
    ended = server("postgres").query(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ="
                                     f" 'sluice' AND datname = '{database}'")
    return ended != []


def kill_connections(database):
    victims = server("mysql").query("mysql", f"SELECT id FROM information_schema.processlist WHERE db = '{database}'")
    for victim in victims:
        server("mysql").client("mysql", f"KILL {victim[0]}")
    return victims != []


def test_postgres_restarts_under_append(project):
    hit_in_mid_load(project, "postgres", "mode: append", restart_postgres)


def test_postgres_restarts_under_upsert(project):
    database = hit_in_mid_load(project, "postgres", "mode: upsert, key: id", restart_postgres)
    expect_equal(server("postgres").number(database, "SELECT count(*) FROM pg_tables WHERE schemaname = '_sluice_stage'"), 0,
                 "stages that are left")


def test_postgres_backends_terminated(project):
    hit_in_mid_load(project, "postgres", "mode: append", terminate_backends)


def test_mysql_restarts(project):
    hit_in_mid_load(project, "mysql", "mode: append", restart_mysql)


def test_mysql_connections_killed(project):
    hit_in_mid_load(project, "mysql", "mode: upsert, key: id", kill_connections)


@contextlib.contextmanager
def small_disk(owner=None):
    """A folder on a disk of 3 MB."""
    small = Path(tempfile.mkdtemp(prefix="sluice_small_"))
    mounted = os.getuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)],
                                                  capture_output=True, check=False).returncode == 0
    if not mounted:
        small.rmdir()
        raise rig.Skipped("a small disk needs root and mount")
    try:
        if owner is not None:
            shutil.chown(small, owner)
            os.chmod(small, 0o700)
        yield small
    finally:
        subprocess.run(["umount", str(small)], check=False)
        small.rmdir()


def full_then_with_room(project, words, make_room, count, rows=100_000):
    """The run fails and says so in `words`, no row is blamed and none is there; with room it goes on. `count`: rows and ids."""
    load(project, "mode: append", more="", step=", on_row_error: reject")
    write_rows(project, "1", range(rows))
    done = run(project, code=1)
    expect_in(words, done.text)
    expect_in("no dead letters", project.sluice("dead-letters", "list").text)
    expect_equal(count(), (0, 0), "rows")
    make_room()
    run(project)
    expect_equal(count(), (rows, rows), "rows")


def counts_on(kind, database):
    return lambda: tuple(map(int, server(kind).query(database, "SELECT count(*), count(DISTINCT id) FROM orders")[0]))


def test_disk_full_of_postgres(project):
    server("postgres")
    with small_disk("postgres") as small:
        database = project_on(project, "postgres")
        server("postgres").query(database, f"CREATE TABLESPACE small LOCATION '{small}'",
                                 "CREATE TABLE orders (id bigint, name text, _sluice_epoch bigint) TABLESPACE small")
        full_then_with_room(project, "No space left on device", lambda: server("postgres").query(
            database, "ALTER TABLE orders SET TABLESPACE pg_default", "DROP TABLESPACE small"), counts_on("postgres", database))


# MariaDB 10.11 falls over itself where a table's disk is full (a failed assertion of its own): a restart, as above.


def test_disk_full_of_sqlite(project):
    with small_disk() as small:
        def count():
            connection = sqlite3.connect(small / "shop.db")
            try:
                there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'orders'").fetchall()
                return connection.execute("SELECT count(*), count(DISTINCT id) FROM orders").fetchone() if there else (0, 0)
            finally:
                connection.close()
        project.create(f"  db: {{ type: sqlite, path: {small}/shop.db }}\n")
        full_then_with_room(project, "database or disk is full", lambda: subprocess.run(
            ["mount", "-o", "remount,size=100m", str(small)], check=True), count, rows=300_000)


def test_disk_full_of_s3(project):
    if s3_server.minio_program() is None:
        raise rig.Skipped("no S3 server; scripts/setup s3 builds MinIO (needs Go)")
    with small_disk() as small:
        subprocess.run(["mount", "-o", "remount,size=80m", str(small)], check=True)
        lake = s3_server.S3(small)
        try:
            bucket = lake.bucket()
            fillers = 0
            while lake.send("PUT", bucket, f"filler/{fillers}", body=os.urandom(1 << 20))[0] == 200:
                fillers += 1
            expect(fillers > 0, "there was no room from the start")
            project.create(lake.connection("db", bucket))
            write_rows(project, "1", range(400_000))
            project.pipeline("load", """
steps:
  rows: { extract: { from: file, path: "in/*.ndjson", columns: { id: bigint, name: varchar } } }
  out:  { load: { into: db, path: out/, format: ndjson, mode: append } }
""")
            done = run(project, code=1)
            expect_in("XMinioStorageFull", done.text)
            expect_in("no dead letters", project.sluice("dead-letters", "list").text)
            expect_equal(lake.keys(bucket, "out/"), [], "objects")
            subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
            for i in range(fillers):
                lake.remove(bucket, f"filler/{i}")
            for _ in range(100):
                if lake.send("PUT", bucket, "probe")[0] == 200:
                    break
                time.sleep(0.1)  # until the server has seen the room
            run(project)
            expect_equal(sum(lake.get(bucket, key).count(b"\n") for key in lake.keys(bucket, "out/")), 400_000, "rows")
        finally:
            lake.stop()


WAITS = """
import os, time
def wait(row):
    if row["id"] == 17:
        open("waiting", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.02)
    return row
"""


def between_two_epochs(project, database, statement):
    """The run stops in its second of three epochs; `statement` has the table before the rows of that or of the third go in."""
    process = project.start("run", "load")
    for _ in range(1200):
        if (project.folder / "waiting").exists() or process.poll() is not None:
            break
        time.sleep(0.05)  # until it is in the second
    words = ["psql", "-h", "127.0.0.1", "-p", str(server("postgres").port), "-U", "postgres", "-d", database, "-q", "-c", statement]
    other = subprocess.Popen(words, env={**os.environ, "PGPASSWORD": servers.PASSWORD})
    for _ in range(600):
        waits = server("postgres").number(database, "SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
        if waits or other.poll() is not None:
            break
        time.sleep(0.05)  # until it waits, or has it
    project.write("go", "")
    out, err = process.communicate(timeout=rig.RUN_SECONDS)
    expect_equal(other.wait(), 0, f"exit code of {statement}")
    return rig.Done(process.returncode, out, err)


def test_table_vanishes_or_changes_in_mid_run(project):
    for number, (code, statement, words) in enumerate([
            (1, "DROP TABLE orders", "was dropped while the run was under way; run again"),
            (1, "ALTER TABLE orders DROP COLUMN name", "'orders' has lost its column 'name' while the run was under way"),
            (2, "ALTER TABLE orders ALTER COLUMN id TYPE smallint", "column 'id' of 'orders' is smallint, the rows have BIGINT")]):
        one = rig.Project(project.folder / str(number))
        database = project_on(one, "postgres")
        one.write("functions/wait.py", WAITS)
        one.pipeline("load", """
epoch: { max_rows: 10 }
steps:
  rows: { extract: { from: file, path: "in/*.ndjson", columns: { id: bigint, name: varchar } } }
  wait: { function: { python: functions/wait.py, name: wait } }
  out:  { load: { into: db, table: orders, mode: append }, on_row_error: reject }
""")
        for part in range(3):
            write_rows(one, part, range(part * 10, part * 10 + 10))
        done = between_two_epochs(one, database, statement)
        expect_equal(done.code, code, f"exit code after {statement}\n{done.text}")
        expect_in(words, done.text)
        expect_in("no dead letters", one.sluice("dead-letters", "list").text)


def test_no_permission(project):
    database = project_on(project, "postgres")
    postgres = server("postgres")
    role = f"limited_{database}"
    postgres.query(database, f"CREATE ROLE {role} LOGIN PASSWORD '{servers.PASSWORD}'", f"GRANT CREATE ON SCHEMA public TO {role}",
                   "CREATE TABLE orders (id bigint, name text)", f"GRANT SELECT ON orders TO {role}")
    project.create(postgres.connection("db", database).replace("user: postgres", f"user: {role}"))
    load(project, "mode: append", more="retry: { attempts: 3, delay: 10s }", step=", on_row_error: reject")
    write_rows(project, "1", range(10))
    begun = time.monotonic()
    done = run(project, code=1)
    expect_in("permission denied for table orders", done.text)
    expect(time.monotonic() - begun < 10, "what would be refused again was tried again")
    expect_in("no dead letters", project.sluice("dead-letters", "list").text)
    postgres.query(database, f"GRANT INSERT ON orders TO {role}")
    run(project)
    expect_equal(postgres.number(database, "SELECT count(*) FROM orders"), 10, "rows")


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]


if __name__ == "__main__":
    try:
        sys.exit(rig.main_of(TESTS))
    finally:
        for one in SERVERS.values():
            one.stop()
