#!/usr/bin/env python3
"""What every database must do alike, each against its own server or file: backups put back, dropped records, naughty names,
deadlocks, tables that go while they are read, statements in one transaction, what the environment must not change."""
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import naughty  # noqa: E402
import rig  # noqa: E402
from rig import Skipped, expect, expect_equal, expect_in, load_rows, write_rows  # noqa: E402
import servers  # noqa: E402

PASSWORD = servers.PASSWORD
os.environ["RIG_PG_PASSWORD"] = PASSWORD
POSTGRES = MYSQL = None


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def in_yaml(text):
    """As a text in double quotes: YAML writes by number what cannot stand there."""
    return '"' + "".join("\\" + c if c in '"\\' else c if " " <= c < "\x7f" else f"\\U{ord(c):08x}" for c in text) + '"'


class OnPostgres:
    """Connection `db` of the project, and its database seen by a client that is not ours."""

    name, name_bytes = "postgres", 63
    schema = "CREATE SCHEMA {}"

    def __init__(self, project, more=""):
        self.project, self.database = project, POSTGRES.database()
        self.settings = POSTGRES.connection("db", self.database)
        project.create(self.settings + more)

    def ask(self, *statements):
        return POSTGRES.query(self.database, *statements)

    def back_up(self):
        POSTGRES.query("postgres", f"CREATE DATABASE backup_{self.database} TEMPLATE {self.database}")

    def restore(self):
        POSTGRES.query("postgres", f"DROP DATABASE {self.database}", f"ALTER DATABASE backup_{self.database} RENAME TO {self.database}")

    @staticmethod
    def can_hold(text):
        return len(text.encode()) <= 63

    quote = staticmethod(quoted)


class OnMysql(OnPostgres):
    name, name_bytes = "mysql", 64 * 3
    schema = "CREATE DATABASE {}"

    def __init__(self, project, more=""):  # pylint: disable=super-init-not-called
        if MYSQL is None:
            raise Skipped(servers.NEEDS_MARIADB)
        self.project, self.database = project, MYSQL.database()
        self.settings = MYSQL.connection("db", self.database)
        project.create(self.settings + more)

    def ask(self, *statements):
        return MYSQL.query(self.database, *statements, options=["-r"])

    def client(self, program, **more):
        return subprocess.run([program, "--no-defaults", "-h", "127.0.0.1", "-P", str(MYSQL.port), "-u", "sluice", self.database],
                              env={**os.environ, "MYSQL_PWD": PASSWORD}, capture_output=True, check=True, **more).stdout

    def back_up(self):
        self.backup = self.client("mariadb-dump")

    def restore(self):
        self.ask(f"DROP DATABASE {self.database}", f"CREATE DATABASE {self.database}")
        self.client("mariadb", input=self.backup)

    @staticmethod
    def can_hold(text):
        return len(text) <= 64 and all(0 < ord(c) < 0x10000 for c in text) and not text.endswith(" ")

    @staticmethod
    def quote(name):
        return "`" + name.replace("`", "``") + "`"


class OnSqlite(OnPostgres):
    name, name_bytes = "sqlite", 200
    schema, file = "", "shop.db"

    def __init__(self, project, more=""):  # pylint: disable=super-init-not-called
        self.project = project
        self.settings = "  db: { type: sqlite, path: shop.db }\n"
        project.create(self.settings + more)

    def ask(self, *statements):
        connection = sqlite3.connect(self.project.folder / self.file, timeout=30)
        try:
            rows = [[str(cell) for cell in row] for statement in statements for row in connection.execute(statement).fetchall()]
            connection.commit()
            return rows
        finally:
            connection.close()

    def back_up(self):
        shutil.copy(self.project.folder / self.file, self.project.folder / "backup")

    def restore(self):
        for end in ("-wal", "-journal", "-shm", ".wal"):
            (self.project.folder / (self.file + end)).unlink(missing_ok=True)
        shutil.copy(self.project.folder / "backup", self.project.folder / self.file)

    @staticmethod
    def can_hold(text):
        return "\0" not in text


class OnDuckdb(OnSqlite):
    name, name_bytes = "duckdb", 200
    schema, file = "CREATE SCHEMA {}", "shop.duckdb"

    def __init__(self, project, more=""):  # pylint: disable=super-init-not-called
        self.project = project
        self.settings = "  db: { type: duckdb, path: shop.duckdb }\n"
        project.create(self.settings + more)

    def ask(self, *statements):
        return rig.query(self.project.folder / self.file, *statements, read_only=False)


def run(project, *words, code=0, **more):
    done = project.sluice("run", *words, **more)
    expect_equal(done.code, code, f"exit code of run {' '.join(words)}:\n{done.text}")
    return done


# What the destination remembers


def refused_then_resynced(project, had, knows):
    done = run(project, "load", code=1)
    expect_in(f"knows epoch {had} of", done.text)
    expect_in(f"ledger knows epoch {knows}", done.text)
    expect_in("sluice resync load", done.text)
    done = project.sluice("resync", "load")
    expect_equal(done.code, 0, f"exit code of resync:\n{done.text}")
    run(project, "load")


def restored_from_a_backup(system):
    """The destination is that of yesterday: refused with both numbers; resync goes on from what is there."""
    project = system.project
    load_rows(project, "mode: append")
    write_rows(project, 1, range(10))
    run(project, "load")
    system.back_up()
    write_rows(project, 2, range(10, 20))
    run(project, "load")
    system.restore()
    expect_equal(system.ask("SELECT count(*) FROM orders"), [["10"]], "rows of the backup")
    refused_then_resynced(project, 1, 2)
    expect_equal(system.ask("SELECT count(*), count(DISTINCT id) FROM orders"), [["20", "20"]], "rows")


def records_dropped(system):
    project = system.project
    load_rows(project, "mode: upsert, key: id")
    write_rows(project, 1, range(10))
    run(project, "load")
    system.ask("DROP TABLE _sluice_epochs")
    refused_then_resynced(project, 0, 1)
    expect_equal(system.ask("SELECT count(*), count(DISTINCT id) FROM orders"), [["10", "10"]], "rows")


# Names and values


def naughty_values(system):
    """Each string as a value and as a key: merged twice, read again."""
    project = system.project
    project.write("in.ndjson", naughty.rows_of(naughty.strings()))
    count = len(naughty.strings())
    for name, key in (("by_id", "id"), ("by_name", "name")):
        project.pipeline(f"there_{name}", f"""
steps:
  rows: {{ extract: {{ from: file, path: in.ndjson, columns: {{ id: bigint, name: varchar }} }} }}
  out:  {{ load: {{ into: db, table: {name}, mode: upsert, key: {key} }} }}
""")
        project.pipeline(f"back_{name}", f"""
steps:
  rows: {{ extract: {{ from: db, table: {name} }} }}
  out:  {{ load: {{ into: file, path: back_{name}.ndjson, mode: overwrite }} }}
""")
        if key == "name" and system.name == "mysql":
            system.ask("CREATE TABLE by_name (id bigint, name varchar(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY)")
            # Of texts that differ in blanks at their end only, a key of MySQL's holds one.
            project.write("in.ndjson", naughty.rows_of(list({text.rstrip(" "): text for text in naughty.strings()}.values())))
            count = len({text.rstrip(" ") for text in naughty.strings()})
        run(project, f"there_{name}")
        run(project, f"there_{name}", "--again")
        run(project, f"back_{name}")
        lines = (project.folder / f"back_{name}.ndjson").read_text().rstrip("\n").split("\n")
        found = {row["id"]: row["name"] for row in map(json.loads, lines)}
        wanted = {row["id"]: row["name"] for row in map(json.loads, (project.folder / "in.ndjson").read_text().rstrip("\n").split("\n"))}
        expect_equal(len(lines), count, "rows")
        expect_equal({i: text for i, text in found.items() if text != wanted[i]}, {}, "strings that are not the same")


def names_for(system):
    """Those that the system can hold, that differ not in case only, and that are no template of ours."""
    names = [text for text in naughty.strings() if text and system.can_hold(text) and "{{" not in text]
    return list({text.lower(): text for text in names if not text.lower().startswith("_sluice")}.values())


def naughty_columns(system):
    project = system.project
    names = naughty.column_names()
    names = [name for name in names_for(system) if name in names and len(name.encode()) <= system.name_bytes]
    expect(len(names) > 200, f"only {len(names)} names")
    for at in range(0, len(names), naughty.COLUMNS):
        some = names[at:at + naughty.COLUMNS]
        project.write(f"wide_{at}.ndjson", json.dumps({name: i for i, name in enumerate(some)}) + "\n")
        project.pipeline(f"wide_{at}", f"""
steps:
  rows: {{ extract: {{ from: file, path: wide_{at}.ndjson }} }}
  out:  {{ load: {{ into: db, table: wide_{at}, mode: upsert, key: {in_yaml(some[0])} }} }}
""")
        project.pipeline(f"back_{at}", f"""
steps:
  rows: {{ extract: {{ from: db, table: wide_{at} }} }}
  out:  {{ load: {{ into: file, path: back_{at}.ndjson, mode: overwrite }} }}
""")
        for _ in range(2):
            run(project, f"wide_{at}", "--again")
        run(project, f"back_{at}")
        found = json.loads((project.folder / f"back_{at}.ndjson").read_text())
        found.pop("_sluice_epoch", None)
        expect_equal(found, {name: i for i, name in enumerate(some)}, "columns")


def naughty_tables(system):
    """A table, and where there are schemas a schema, by each of the names."""
    project = system.project
    names = names_for(system)
    step = 7  # a seventh of them, another one at each hour, is enough for one run of the tests
    if system.name == "mysql":  # a database is a folder, a character of another script five of its name
        names = [name for name in names if sum(1 if c.isascii() and c.isalnum() else 5 for c in name) < 250 and name.isprintable()]
    names = names[int(time.time()) // 3600 % step::step]
    expect(len(names) > 30, f"only {len(names)} names")
    there, back, wanted = "steps:\n  rows: { extract: { from: inline, rows: [{ id: 1 }] } }\n", "steps:\n", {}
    for i, name in enumerate(names):
        schema, table = names[-1 - i], quoted(name)
        if system.schema:
            system.ask(system.schema.format(system.quote(schema)))
            table = quoted(schema) + "." + table
        there += f"  out{i}: {{ load: {{ into: db, table: {in_yaml(table)}, mode: upsert, key: id }}, from: rows }}\n"
        back += f"  in{i}: {{ extract: {{ from: db, table: {in_yaml(table)} }} }}\n"
        back += f"  back{i}: {{ load: {{ into: file, path: back/{i}.ndjson, mode: overwrite }} }}\n"
        wanted[str(i)] = 1
    project.pipeline("there", there)
    project.pipeline("back", back)
    for _ in range(2):
        run(project, "there", "--again")
    run(project, "back")
    found = {path.stem: json.loads(path.read_text())["id"] for path in (project.folder / "back").glob("*.ndjson")}
    expect_equal(found, wanted, "tables")


# Reading


def an_interval(system):
    """Each row is in the interval of its own time, whatever the type of the column; one without a time is in none."""
    project = system.project
    instant = {"postgres": "timestamptz", "mysql": "timestamp", "sqlite": "TIMESTAMPTZ", "duckdb": "timestamptz"}[system.name]
    system.ask(f"CREATE TABLE t (id bigint, day date, made {'datetime' if system.name == 'mysql' else 'timestamp'},"
               f" instant {instant} NULL)")
    if system.name == "postgres":
        system.ask(f"ALTER DATABASE {system.database} SET TimeZone = 'Asia/Tokyo'")
    if system.name == "mysql":
        system.ask("SET GLOBAL time_zone = '+09:00'")
    zone = "" if system.name == "mysql" else "+00:00"
    times = ["2026-01-02 23:59:59", "2026-01-03 00:00:00", "2026-01-03 23:59:59", "2026-01-04 00:00:00"]
    begin = "SET time_zone = '+00:00'; " if system.name == "mysql" else ""
    for i, time_ in enumerate(times):
        system.ask(f"{begin}INSERT INTO t VALUES ({i}, '{time_[:10]}', '{time_}', '{time_}{zone}')")
    system.ask("INSERT INTO t VALUES (9, NULL, NULL, NULL)")
    steps = ""
    for column in ("day", "made", "instant"):
        steps += f"  r_{column}: {{ extract: {{ from: db, table: t, select: [id, {column}], interval: {column} }} }}\n"
        steps += f"  w_{column}: {{ load: {{ into: warehouse, table: by_{column}, mode: append }} }}\n"
    project.pipeline("daily", "schedule: { every: 1d, interval: day }\nsteps:\n" + steps)
    try:
        for day in (2, 3, 4, 3):
            run(project, "daily", "--date", f"2026-01-0{day}")
    finally:
        if system.name == "mysql":
            system.ask("SET GLOBAL time_zone = SYSTEM")
    for column in ("day", "made", "instant"):
        expect_equal(project.query(f"SELECT string_agg(id, ' ' ORDER BY id), count(DISTINCT _sluice_epoch) FROM by_{column}"),
                     [["0 1 2 3", "3"]], f"rows by {column}")


def looked_up(system):
    project = system.project
    system.ask("CREATE TABLE countries (code varchar(2), name varchar(20))", "INSERT INTO countries VALUES ('DE', 'Germany'), ('JP', 'Japan')")
    project.write("in.csv", "id,country\n1,JP\n2,XX\n3,DE\n4,\n")
    project.pipeline("load", """
steps:
  rows: { extract: { from: file, path: in.csv, columns: { id: bigint, country: varchar } } }
  who:  { lookup: { from: db, table: countries, key: { country: code }, select: [name] } }
  out:  { load: { into: warehouse, table: named, mode: overwrite } }
""")
    run(project, "load")
    expect_equal(project.query("SELECT id, name FROM named ORDER BY id"), [["1", "Japan"], ["2", None], ["3", "Germany"], ["4", None]], "names")


WAITS = """
import os, time
def wait(row):
    if row["id"] == 17:
        open("waiting", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.02)
    return row
"""


def gone_while_it_is_read(system):
    """A source's table is dropped, or loses its column, between two epochs: told with its name; what was decided stays."""
    for number, (statement, words) in enumerate([("DROP TABLE t", "t"), ("ALTER TABLE t DROP COLUMN name", "name")]):
        project = rig.Project(system.project.folder / str(number))
        one = type(system)(project)
        one.ask("CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, name varchar(20))",
                "INSERT INTO t VALUES " + ", ".join(f"({i}, 'n{i}')" for i in range(30)))
        project.write("functions/wait.py", WAITS)
        project.pipeline("load", """
epoch: { max_rows: 10 }
retry: { attempts: 2, delay: 10ms }
steps:
  rows: { extract: { from: db, table: t, consistency: keys } }
  wait: { function: { python: functions/wait.py, name: wait } }
  out:  { load: { into: warehouse, table: copied, mode: append } }
""")
        process = project.start("run", "load")
        for _ in range(1200):
            if (project.folder / "waiting").exists() or process.poll() is not None:
                break
            time.sleep(0.05)  # until it is in the second epoch
        if system.name == "postgres":  # the epoch that is under way keeps its table: this waits for it
            other = threading.Thread(target=one.ask, args=(statement,))
            other.start()
            for _ in range(600):
                if not other.is_alive() or one.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") != [["0"]]:
                    break
                time.sleep(0.05)  # until it waits, or has it
        else:
            other = None
            one.ask(statement)
        project.write("go", "")
        out, err = process.communicate(timeout=rig.RUN_SECONDS)
        if other:
            other.join()
        expect(process.returncode in (1, 2), f"exit code {process.returncode} after {statement}\n{out}{err}")
        expect_in(words, out + err)
        expect_in("load.yml:", out + err)
        held = project.query("SELECT count(*), count(DISTINCT id) FROM copied")[0]
        expect(held[0] == held[1] and held[0] in ("10", "20"), f"rows after {statement}: {held}")
        expect_in("no dead letters", project.sluice("dead-letters", "list").text)


# Writing


def statements_are_one_transaction(system):
    """The second statement fails: the first is undone, and the run says where."""
    project = system.project
    system.ask("CREATE TABLE a (x integer NOT NULL PRIMARY KEY)", "CREATE TABLE b (x integer NOT NULL PRIMARY KEY)", "INSERT INTO b VALUES (1)")
    project.pipeline("both", """
steps:
  move: { sql: { in: db, query: "INSERT INTO a SELECT x FROM b; INSERT INTO b VALUES (1)" } }
""")
    text = run(project, "both", code=1).text
    expect_in("both.yml:3:", text)
    expect_equal(system.ask("SELECT count(*) FROM a"), [["0"]], "rows of the first statement")
    system.ask("DELETE FROM b", "INSERT INTO b VALUES (2)")
    run(project, "both")
    expect_equal(system.ask("SELECT x FROM a"), [["2"]], "rows of the first statement")


class Held:
    """A session of a client of the server's own that is told statement by statement."""

    def __init__(self, system):
        if system.name == "postgres":
            words = ["psql", "-h", "127.0.0.1", "-p", str(POSTGRES.port), "-U", "postgres", "-d", system.database, "-q", "-At"]
        else:
            words = ["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(MYSQL.port), "-u", "sluice", "-N", "-B", "-n", "-A", "-D", system.database]
        self.process = subprocess.Popen(words, env={**os.environ, "PGPASSWORD": PASSWORD, "MYSQL_PWD": PASSWORD}, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def tell(self, statement):
        self.process.stdin.write(statement + ";\n")
        self.process.stdin.flush()

    def asked(self, statement):
        """Answers when all that was told before is done."""
        self.tell(statement + "; SELECT 'answered'")
        while (line := self.process.stdout.readline()) and line != "answered\n":
            pass
        expect(line, "the other session has ended")

    def close(self):
        self.process.stdin.close()
        text = self.process.stdout.read()
        expect_equal(self.process.wait(), 0, f"the other session: {text}")


def a_deadlock(system):
    """Our merge holds a row that another transaction waits for, and waits for one that it holds: the server ends ours, and it
    is tried again."""
    project = system.project
    system.ask("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(20))", "INSERT INTO orders VALUES (1, 'old'), (2, 'old'), (3, 'old')",
               "CREATE TABLE heavy (id bigint PRIMARY KEY)")
    write_rows(project, 1, [1, 2])
    load_rows(project, "mode: upsert, key: id", more="retry: { attempts: 5, delay: 10ms }")
    if system.name == "postgres":
        deadlocks = f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{system.database}'"
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        begin = "SET deadlock_timeout = '10min'; BEGIN"
    else:
        deadlocks = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'INNODB_DEADLOCKS'"
        waits = "SELECT count(*) FROM information_schema.innodb_lock_waits"
        begin = "BEGIN; INSERT INTO heavy SELECT seq FROM seq_1_to_5000"  # the lighter transaction is the victim: ours
    before = int(system.ask(deadlocks)[0][0])
    other = Held(system)
    other.asked(f"{begin}; UPDATE orders SET name = 'theirs' WHERE id = 2")
    process = project.start("run", "load")
    for _ in range(1200):
        if system.ask(waits) != [["0"]] or process.poll() is not None:
            break
        time.sleep(0.02)  # until ours waits for theirs
    other.asked("UPDATE orders SET name = 'theirs' WHERE id = 1; COMMIT")
    out, err = process.communicate(timeout=rig.RUN_SECONDS)
    other.close()
    for _ in range(100):  # the server's counts come a little later
        if int(system.ask(deadlocks)[0][0]) > before:
            break
        time.sleep(0.05)
    expect(int(system.ask(deadlocks)[0][0]) > before, f"there was no deadlock\n{out}{err}")
    expect_equal(process.returncode, 0, f"exit code\n{out}{err}")
    expect_equal(system.ask("SELECT id, name FROM orders ORDER BY id"), [["1", "n1"], ["2", "n2"], ["3", "old"]], "rows")
    expect_equal(system.ask("SELECT count(*) FROM _sluice_epochs"), [["1"]], "epochs")


def names_that_are_too_long(system):
    """A server that cuts names would load two columns into one: told before the first row."""
    project = system.project
    long = "x" * 70
    project.write("wide.ndjson", json.dumps({long + "1": 1, long + "2": 2}) + "\n")
    project.pipeline("wide", """
steps:
  rows: { extract: { from: file, path: wide.ndjson } }
  out:  { load: { into: db, table: wide, mode: append } }
""")
    text = run(project, "wide", code=2).text
    expect_in(long, text)
    project.pipeline("long", f"""
steps:
  rows: {{ extract: {{ from: inline, rows: [{{ id: 1 }}] }} }}
  out:  {{ load: {{ into: db, table: {long}, mode: append }} }}
""")
    expect_in(long, run(project, "long", code=2).text)


# Connecting


def the_environment_changes_nothing(system):
    """No file and no variable of the client libraries' reaches a connection: neither where it goes nor who it is."""
    project = system.project
    home = project.folder / "home"
    lines = "host=127.0.0.9\nport=1\ndbname=other\nuser=nobody\noptions=-c default_transaction_read_only=on\n"
    project.write("home/.pg_service.conf", "[evil]\n" + lines)
    project.write("home/.pgpass", f"*:*:*:*:{PASSWORD}\n").chmod(0o600)
    project.write("home/.my.cnf", f"[client]\nhost=127.0.0.9\nport=1\nuser=nobody\npassword={PASSWORD}\nssl\n[mysql]\ndatabase=other\n").chmod(0o600)
    evil = {"HOME": str(home), "PGSERVICE": "evil", "PGSERVICEFILE": str(home / ".pg_service.conf"), "PGPASSFILE": str(home / ".pgpass"),
            "PGHOST": "127.0.0.9", "PGHOSTADDR": "127.0.0.9", "PGPORT": "1", "PGDATABASE": "other", "PGUSER": "nobody", "PGPASSWORD": PASSWORD,
            "PGOPTIONS": "-c default_transaction_read_only=on", "PGSSLMODE": "require", "PGDATESTYLE": "German", "PGTZ": "Asia/Tokyo",
            "PGCLIENTENCODING": "LATIN1", "PGTARGETSESSIONATTRS": "read-only", "PGREQUIREAUTH": "scram-sha-256,none", "PGCONNECT_TIMEOUT": "1",
            "PGCHANNELBINDING": "require", "PGGSSENCMODE": "require",
            "MYSQL_HOST": "127.0.0.9", "MYSQL_TCP_PORT": "1", "MYSQL_PWD": PASSWORD, "MYSQL_UNIX_PORT": "/nowhere", "MARIADB_HOME": str(home),
            "MYSQL_HOME": str(home), "MYSQL_TEST_LOGIN_FILE": str(home / ".my.cnf")}
    write_rows(project, 1, range(10))
    load_rows(project, "mode: append")
    run(project, "load", env=evil)
    expect_equal(system.ask("SELECT count(*), max(name) FROM orders"), [["10", "n9"]], "rows")
    # A wrong password stays one, though the right one lies about.
    done = project.sluice("run", "load", "--again", env={**evil, "RIG_PG_PASSWORD": PASSWORD + "-wrong"})
    expect_equal(done.code, 1, f"exit code with a wrong password\n{done.text}")
    expect(PASSWORD not in done.text, f"the password is in:\n{done.text}")


def connections_say_what_is_wrong(system):
    project = system.project
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    lines = system.settings
    here = str((POSTGRES if system.name == "postgres" else MYSQL).port)
    user = "postgres" if system.name == "postgres" else "sluice"
    lines += system.settings.replace("  db:", "  closed:").replace(f"port: {here}", f"port: {port}")
    lines += system.settings.replace("  db:", "  nobody:").replace(f"user: {user}", "user: nobody_here")
    lines += system.settings.replace("  db:", "  nowhere:").replace(f"database: {system.database}", "database: not_there")
    lines += system.settings.replace("  db:", "  unset:").replace("env:RIG_PG_PASSWORD", "env:RIG_NOT_SET")
    project.create(lines)
    done = project.sluice("connections", "test", "--output", "json")
    expect_equal(done.code, 1, "exit code")
    said = {line["name"]: line for line in map(json.loads, done.out.splitlines())}
    expect_equal({name: line["ok"] for name, line in said.items()},
                 {"warehouse": True, "db": True, "closed": False, "nobody": False, "nowhere": False, "unset": False}, "what is right")
    for name, words in {"closed": f"127.0.0.1:{port}", "nobody": "nobody_here", "nowhere": "not_there", "unset": "RIG_NOT_SET"}.items():
        expect_in(words, said[name]["message"])
        expect_in("sluice.yml:", said[name]["message"])
        expect(PASSWORD not in said[name]["message"], "the password is in a message")
        expect(isinstance(said[name]["duration_ms"], int), "no timing")
    expect_in("is it running", said["closed"]["message"])


def no_permission_to_read(system):
    project = system.project
    system.ask("CREATE TABLE t (id bigint PRIMARY KEY, name varchar(20))", "INSERT INTO t VALUES (1, 'a')")
    role = f"limited_{system.database}"
    if system.name == "postgres":
        system.ask(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        project.create(system.settings.replace("user: postgres", f"user: {role}"))
    else:
        system.ask(f"CREATE USER '{role}'@'%' IDENTIFIED BY '{PASSWORD}'", "CREATE TABLE other (id bigint)",
                   f"GRANT SELECT ON {system.database}.other TO '{role}'@'%'")
        project.create(system.settings.replace("user: sluice", f"user: {role}"))
    project.pipeline("out", """
retry: { attempts: 3, delay: 30s }
steps:
  rows: { extract: { from: db, table: t } }
  out:  { load: { into: warehouse, table: t, mode: append } }
""")
    done = project.sluice("run", "out", timeout=25)
    expect(done.code in (1, 2), f"exit code {done.code}\n{done.text}")
    expect_in("denied", done.text)
    expect_in("out.yml:4:", done.text)


def no_permission_to_write(system):
    project = system.project
    role = f"writer_{system.database}"
    write_rows(project, 1, range(10))
    load_rows(project, "mode: append", more="retry: { attempts: 3, delay: 30s }", step=", on_row_error: reject")
    system.ask("CREATE TABLE orders (id bigint, name varchar(20), _sluice_epoch bigint)", f"CREATE USER '{role}'@'%' IDENTIFIED BY '{PASSWORD}'",
               f"GRANT SELECT ON {system.database}.orders TO '{role}'@'%'")
    system.ask(f"GRANT CREATE ON {system.database}.* TO '{role}'@'%'")
    project.create(system.settings.replace("user: sluice", f"user: {role}"))
    done = project.sluice("run", "load", timeout=25)
    expect_equal(done.code, 1, f"exit code\n{done.text}")
    expect_in("command denied to user", done.text)
    expect_in("no dead letters", project.sluice("dead-letters", "list").text)
    system.ask(f"GRANT ALL ON {system.database}.* TO '{role}'@'%'")
    run(project, "load")
    expect_equal(system.ask("SELECT count(*) FROM orders"), [["10"]], "rows")


def readers_bound_the_connections(system):
    """`readers: 3` and a table, of many ranges, read into another: never more than those and the ones that write and decide."""
    project = system.project
    system.ask("CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, v varchar(20))")
    series = "generate_series(1, 400000) s(seq)" if system.name == "postgres" else "seq_1_to_400000"
    system.ask(f"INSERT INTO t SELECT seq, concat('v', seq) FROM {series}")
    project.create(system.settings.replace("{ type", "{ readers: 3, type"))
    project.pipeline("copy", """
epoch: { max_rows: 50000 }
steps:
  rows: { extract: { from: db, table: t, consistency: keys } }
  odd:  { filter: id % 2 = 1 }
  out:  { load: { into: db, table: copied, mode: upsert, key: id } }
""")
    seen, stop = [0], threading.Event()
    ours = (f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = '{system.database}'" if system.name == "postgres"
            else f"SELECT count(*) FROM information_schema.processlist WHERE db = '{system.database}' AND id <> connection_id()")

    def watch():
        while not stop.is_set():
            seen.append(int(system.ask(ours)[0][0]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run(project, "copy")
    finally:
        stop.set()
        watcher.join()
    expect_equal(system.ask("SELECT count(*) FROM copied"), [["200000"]], "rows")
    expect(2 <= max(seen) <= 3 + 3, f"{max(seen)} connections at once")


def a_statement_takes_too_long(system):
    project = system.project
    system.ask("CREATE TABLE t (id bigint PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    project.create(system.settings.replace("{ type", "{ statement_timeout: 200ms, type"))
    slow = "pg_sleep(60)" if system.name == "postgres" else "sleep(60)"
    for name, step in {"read": f"rows: {{ extract: {{ from: db, query: \"SELECT id, CAST({slow} AS CHAR(3)) AS s FROM t WHERE id > 0\", columns: {{ id: bigint, s: varchar }} }} }}\n"
                               "  out:  { load: { into: warehouse, table: t, mode: append } }",
                       "act": f"act: {{ sql: {{ in: db, query: \"UPDATE t SET id = id WHERE {slow} IS NULL\" }} }}"}.items():
        project.pipeline(name, f"steps:\n  {step}\n")
        done = project.sluice("run", name, timeout=40)
        expect(done.code != 0, f"{name}: it did not stop\n{done.text}")
        expect_in("statement_timeout", done.text)


def of(check, system):
    def test(project):
        check(system(project))
    test.__name__ = f"{system.name}_{check.__name__}"
    return test


ALL = [OnPostgres, OnMysql, OnSqlite, OnDuckdb]
SERVERS = [OnPostgres, OnMysql]
TESTS = [of(check, system) for check, systems in [
    (restored_from_a_backup, ALL), (records_dropped, ALL), (naughty_values, ALL), (naughty_columns, ALL), (naughty_tables, ALL),
    (an_interval, ALL), (looked_up, ALL), (gone_while_it_is_read, [OnPostgres, OnMysql, OnSqlite]), (statements_are_one_transaction, ALL),
    (a_deadlock, SERVERS), (names_that_are_too_long, SERVERS), (the_environment_changes_nothing, SERVERS),
    (connections_say_what_is_wrong, SERVERS), (no_permission_to_read, SERVERS), (no_permission_to_write, [OnMysql]),
    (readers_bound_the_connections, SERVERS), (a_statement_takes_too_long, SERVERS)] for system in systems]


if __name__ == "__main__":
    sys.exit(servers.main_with({"POSTGRES": servers.postgres_or_none, "MYSQL": servers.mariadb_or_none}, TESTS, globals(), servers.NEEDS_POSTGRES))
