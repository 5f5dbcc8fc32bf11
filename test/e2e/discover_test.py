#!/usr/bin/env python3
"""What a connection holds (`discover`), copies between URIs, and filters that the server decides, against real servers."""
import json
import os
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import expect, expect_equal, expect_in, number, query  # noqa: E402
import servers  # noqa: E402

CANARY = "c4n@ry/of:the?test"  # a password with what a URI must encode
os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
POSTGRES = MYSQL = None
TABLES = ("CREATE TABLE customers (id integer PRIMARY KEY, name varchar(20))",
          "CREATE TABLE orders (id bigint PRIMARY KEY, day date, amount numeric(10,2), note varchar(50))",
          "INSERT INTO customers VALUES (1, 'Ada'), (2, 'Bob')",
          "INSERT INTO orders VALUES (1, '2026-01-01', 10.50, 'a'), (2, '2026-01-02', 20.25, 'B'), (3, '2026-01-03', 0, NULL)")


def ok(project, *words, code=0):
    done = project.sluice(*words)
    expect_equal(done.code, code, f"exit code of {' '.join(words)}:\n{done.text}")
    return done


def found(project, connection, *more):
    lines = ok(project, "discover", connection, "--output", "json", *more).out.splitlines()
    return {table["reads_as"]: table for table in map(json.loads, lines)}


def discovered_and_run(project, connection):
    tables = found(project, connection)
    expect_equal(sorted(tables), ["customers", "orders"], "tables")
    expect_equal(tables["orders"]["key"], ["id"], "key")
    types = {column["name"]: column["type"] for column in tables["orders"]["columns"]}
    expect_equal(types, {"id": "BIGINT", "day": "DATE", "amount": "DECIMAL(10,2)", "note": "VARCHAR"}, "types")
    expect_in("orders (table", ok(project, "discover", connection).out)
    ok(project, "discover", connection, "--all")
    name = f"{connection}_tables"
    ok(project, "run", name)
    for table, rows in (("orders", 3), ("customers", 2)):
        expect_equal(number(":memory:", f"SELECT count(*) FROM '{project.folder}/{connection}/{table}.parquet'"), rows, table)
    refused = ok(project, "discover", connection, "--write", "orders", code=2)
    expect_in("--force", refused.err)
    ok(project, "discover", connection, "--write", "orders", "--into", "warehouse", "--force")
    ok(project, "run", name)
    expect_equal(number(project.warehouse, "SELECT count(*) FROM orders"), 3, "rows in the warehouse")
    expect_in("did you mean 'orders'", ok(project, "discover", connection, "--write", "order", "--force", code=2).err)


def test_postgres_discovered(project):
    database = POSTGRES.database()
    project.create(POSTGRES.connection("pg", database))
    POSTGRES.query(database, *TABLES, "ANALYZE orders")
    discovered_and_run(project, "pg")
    expect_equal(found(project, "pg")["orders"]["rows_estimate"], 3, "rows")
    POSTGRES.query(database, "CREATE SCHEMA \"Odd.One\"", "CREATE VIEW \"Odd.One\".v AS SELECT 1 AS a")
    expect_equal(list(found(project, "pg", "--schema", "Odd.One")), ['"Odd.One".v'], "a view of another schema")
    ok(project, "discover", "pg", "--write", '"Odd.One".v', "--force")
    ok(project, "run", "pg_tables")


def test_mysql_discovered(project):
    if MYSQL is None:
        return
    database = MYSQL.database()
    project.create(MYSQL.connection("my", database))
    MYSQL.query(database, *TABLES)
    discovered_and_run(project, "my")


def test_sqlite_and_duckdb_discovered(project):
    project.create("  lite: { type: sqlite, path: shop.db }\n  duck: { type: duckdb, path: shop.duckdb }\n")
    with sqlite3.connect(project.folder / "shop.db") as lite:
        for statement in TABLES:
            lite.execute(statement)
    query(project.folder / "shop.duckdb", *TABLES, read_only=False)
    discovered_and_run(project, "lite")
    discovered_and_run(project, "duck")
    expect_in("did you mean 'lite'", ok(project, "discover", "lit", code=2).err)


def secret_free(project, done):
    """The password is in nothing that was printed or kept."""
    kept = [done.text.encode()]
    kept += [path.read_bytes() for path in project.folder.rglob("*") if path.is_file()]  # the state's folder is in it
    for form in (CANARY, quote(CANARY, safe="")):
        expect(all(form.encode() not in bytes_ for bytes_ in kept), "the password was kept or printed")


def test_copies_between_uris(project):
    database = POSTGRES.database()
    POSTGRES.query(database, *TABLES, "DROP ROLE IF EXISTS copier", f"CREATE ROLE copier LOGIN SUPERUSER PASSWORD '{CANARY}'")
    uri = f"postgres://copier:{quote(CANARY, safe='')}@127.0.0.1:{POSTGRES.port}/{database}"
    done = ok(project, "copy", f"{uri}/public.orders", "out/orders.parquet", "--where", "amount > 5")
    secret_free(project, done)
    expect_equal(number(":memory:", f"SELECT count(*) FROM '{project.folder}/out/orders.parquet'"), 2, "rows of the file")
    ok(project, "copy", f"{uri}/orders", "sqlite://lite.db/orders")
    with sqlite3.connect(project.folder / "lite.db") as lite:
        expect_equal(lite.execute("SELECT count(*), sum(id) FROM orders").fetchall(), [(3, 6)], "rows of SQLite")
    ok(project, "copy", f"sqlite://{project.folder}/lite.db/orders", "duckdb://d.duckdb/orders")
    expect_equal(number(project.folder / "d.duckdb", "SELECT count(*) FROM orders"), 3, "rows of DuckDB")
    ok(project, "copy", "d.duckdb:orders", f"{uri}/back?readers=1")
    expect_equal(POSTGRES.query(database, "SELECT count(*) FROM back"), [["3"]], "rows that came back")
    if MYSQL is not None:
        my = MYSQL.database()
        done = ok(project, "copy", f"{uri}/orders",
                  f"mysql://sluice:{quote(servers.PASSWORD, safe='')}@127.0.0.1:{MYSQL.port}/{my}/orders")
        expect_equal(MYSQL.query(my, "SELECT count(*) FROM orders"), [["3"]], "rows of MySQL")
    wrong = ok(project, "copy", uri.replace("copier:", "nobody:") + "/orders", "x.csv", code=1)
    secret_free(project, wrong)
    for text, told in ((f"{uri}", "/DATABASE/TABLE"), (f"{uri}/orders?sslmode=off", "unknown here"),
                       (f"{uri}/orders?readrs=2", "did you mean 'readers'"), ("oracle://a/b", "no scheme"),
                       (f"postgres://copier:%zz@127.0.0.1/{database}/orders", "%XX"),
                       (f"{uri}/orders?password=plain", "unknown here")):
        wrong = ok(project, "copy", text, "x.csv", code=2)
        expect_in(told, wrong.err)
        secret_free(project, wrong)


def plan(project, where, connection, more=""):
    project.pipeline("load", f"""
steps:
  rows: {{ extract: {{ from: {connection}, table: orders{more} }} }}
  some: {{ filter: {{ where: "{where}" }} }}
  out:  {{ load: {{ into: warehouse, table: kept, mode: overwrite }} }}
""")
    return asked_of(project)


def asked_of(project):
    shown = ok(project, "plan", "load").out
    asked = [line for line in shown.splitlines() if "asks only for rows WHERE" in line]
    return asked[0].split("WHERE ")[1] if asked else ""


def test_postgres_decides_filters(project):
    database = POSTGRES.database()
    project.create(POSTGRES.connection("pg", database))
    POSTGRES.query(database, "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
                   "CREATE TABLE orders (id integer PRIMARY KEY, day date, seen timestamptz, amount numeric(10,2), paid boolean,"
                   " note text, loose text COLLATE loose, ip inet)",
                   "INSERT INTO orders SELECT i, date '2026-01-01' + i, timestamptz '2026-01-01 00:00+00' + i * interval '1 h', i / 4.0,"
                   " nullif(i % 3, 2) = 1, CASE WHEN i % 5 > 0 THEN 'n''' || i % 5 END, CASE WHEN i % 2 = 0 THEN 'A' ELSE 'a' END, '10.0.0.1'"
                   " FROM generate_series(1, 1000) i")
    cases = {  # what is written -> what the server is asked, and the rows that are loaded
        "amount > 100.25 AND id <= 500": ('"amount" > 100.25 AND "id" <= 500', 99),
        "note = 'n''1'": ("\"note\" = 'n''1'", 200),
        "note IN ('n''1', 'n''2') OR note IS NULL": ("(\"note\" IN ('n''1', 'n''2') OR \"note\" IS NULL)", 600),
        "note <> 'n''1'": ("", 600),  # the server's collation decides, unlike DuckDB
        "note > 'n'": ("", 800),
        "loose = 'a'": ("\"loose\" = 'a'", 500),  # more come than stay
        "paid": ('"paid" = true', 334),
        "NOT paid": ('"paid" = false', 333),
        "day BETWEEN DATE '2026-01-10' AND DATE '2026-01-12'":
            ("(\"day\" >= date '2026-01-10' AND \"day\" <= date '2026-01-12')", 3),
        "seen < TIMESTAMP '2026-01-02 00:00:00'": ("\"seen\" < timestamptz '2026-01-02 00:00:00+00'", 23),
        "id % 2 = 0 AND id <= 10": ('"id" <= 10', 5),
        "id = 3 OR length(note) > 2": ("", None),
        "ip = '10.0.0.1/32'": ("", 1000),
        "5 > id": ('"id" < 5', 4),
    }
    for where, (asked, rows) in cases.items():
        expect_equal(plan(project, where, "pg"), asked, where)
        ok(project, "run", "load", "--again")
        if rows is not None:
            expect_equal(number(project.warehouse, "SELECT count(*) FROM kept"), rows, f"rows where {where}")
    # Steps between that only rename columns do not keep a filter from the server; one that computes does.
    between = {
        "a: { map: { key: id, text: note, id: amount } }": ("text = 'n''1' AND key <= 100", "\"note\" = 'n''1' AND \"id\" <= 100", 20),
        "a: { map: { id: amount } }": ("id <= 1.25", '"amount" <= 1.25', 5),
        "a: { derive: { was: note } }": ("WAS IS NULL AND id <= 10", '"note" IS NULL AND "id" <= 10', 2),
        "a: { map: { k: id } }\n  b: { filter: k > 5 }\n  c: { map: { l: k } }": ("l < 9", '"id" > 5 AND "id" < 9', 3),
        "a: { map: { id: 'id + 1' } }": ("id <= 10", "", 9),
        "a: { derive: { id: '-id', more: id } }": ("more <= 10", "", 10),
        "a: { map: { id: 'try_cast(note AS bigint)' } }": ("id IS NULL", "", 1000),
    }
    for at, (steps, (where, asked, rows)) in enumerate(between.items()):
        project.pipeline("load", f"""
steps:
  rows: {{ extract: {{ from: pg, table: orders }} }}
  {steps}
  some: {{ filter: {{ where: "{where}" }} }}
  out:  {{ load: {{ into: warehouse, table: kept_{at}, mode: overwrite }} }}
""")
        expect_equal(asked_of(project), asked, f"{steps}, then {where}")
        ok(project, "run", "load", "--again")
        expect_equal(number(project.warehouse, f"SELECT count(*) FROM kept_{at}"), rows, f"rows of {steps}, then {where}")
    # What the server leaves out was not read: it is in no count.
    project.pipeline("load", """
params: { least: { type: integer, default: 991 } }
steps:
  rows: { extract: { from: pg, table: orders } }
  some: { filter: "id >= {{ params.least }} AND id % 2 = 0" }
  out:  { load: { into: warehouse, table: kept, mode: overwrite } }
""")
    books = {step["name"]: step for step in ok(project, "run", "load", "--output", "json").json()["steps"]}
    expect_equal((books["rows"]["rows_out"], books["some"]["filtered"], books["out"]["rows_in"]), (10, 5, 5), f"books {books}")


def test_filters_stay_where_rows_are_needed(project):
    database = POSTGRES.database()
    project.create(POSTGRES.connection("pg", database))
    POSTGRES.query(database, *TABLES)
    project.pipeline("two", """
steps:
  rows: { extract: { from: pg, table: orders } }
  some: { from: rows, filter: "id > 1" }
  out:  { from: some, load: { into: warehouse, table: kept, mode: overwrite } }
  all:  { from: rows, load: { into: warehouse, table: everything, mode: overwrite } }
""")
    expect("asks only" not in ok(project, "plan", "two").out, "another step reads the rows")
    ok(project, "run", "two")
    expect_equal(number(project.warehouse, "SELECT count(*) FROM everything"), 3, "all rows")
    expect_equal(plan(project, "id > '1'", "pg", ", columns: { id: varchar }"), "", "a declared type")


def test_mysql_and_sqlite_decide_filters(project):
    more = ""
    if MYSQL is not None:
        database = MYSQL.database()
        more = MYSQL.connection("my", database)
        MYSQL.query(database, *TABLES, "INSERT INTO orders VALUES (4, NULL, 5, 'it\\'s \\\\')")
    project.create("  lite: { type: sqlite, path: shop.db }\n" + more)
    with sqlite3.connect(project.folder / "shop.db") as lite:
        for statement in TABLES:
            lite.execute(statement)
    expect_equal(plan(project, "id > 1 AND amount > 1", "lite"), '"id" > 1', "SQLite")
    ok(project, "run", "load", "--again")
    expect_equal(number(project.warehouse, "SELECT count(*) FROM kept"), 1, "rows of SQLite")
    if MYSQL is None:
        return
    expect_equal(plan(project, "note = 'b' OR note = 'it''s \\\\'", "my"),
                 "(`note` = 'b' OR `note` = 'it\\'s \\\\')", "MySQL")
    ok(project, "run", "load", "--again")
    expect_equal(query(project.warehouse, "SELECT id FROM kept"), [["4"]], "a text is equal to itself alone")


def test_mysql_snapshot_of_several_readers(project):
    if MYSQL is None:
        return
    database = MYSQL.database()
    project.create(MYSQL.connection("my", database))
    MYSQL.query(database, "CREATE TABLE orders (id bigint PRIMARY KEY, v varchar(20))",
                "INSERT INTO orders SELECT seq, concat('v', seq) FROM seq_1_to_450000", "INSERT INTO orders VALUES (-7, 'minus')")
    project.pipeline("load", """
steps:
  rows: { extract: { from: my, table: orders, consistency: snapshot } }
  out:  { load: { into: warehouse, table: orders, mode: overwrite } }
""")
    expect_in("consistency: snapshot, by 2 readers", ok(project, "plan", "load").out)
    ok(project, "run", "load")
    expect_equal(query(project.warehouse, "SELECT count(*), count(DISTINCT id), sum(id) FROM orders"),
                 [["450001", "450001", str(450000 * 450001 // 2 - 7)]], "rows")
    MYSQL.query(database, "CREATE USER 'poor'@'127.0.0.1' IDENTIFIED BY '" + servers.PASSWORD + "'",
                f"GRANT SELECT ON {database}.* TO 'poor'@'127.0.0.1'")
    text = (project.folder / "sluice.yml").read_text()
    (project.folder / "sluice.yml").write_text(text.replace("user: sluice", "user: poor"))
    expect_in("by one reader: the account may not FLUSH TABLES WITH READ LOCK", ok(project, "plan", "load").out)
    ok(project, "run", "load", "--again")
    expect_equal(number(project.warehouse, "SELECT count(*) FROM orders"), 450001, "rows of one reader")


def test_lookup_in_sqlite(project):
    project.create("  lite: { type: sqlite, path: shop.db }\n")
    with sqlite3.connect(project.folder / "shop.db") as lite:
        for statement in TABLES:
            lite.execute(statement)
    project.write("in.csv", "id,customer\n1,2\n2,9\n3,1\n")
    project.pipeline("load", """
steps:
  rows: { extract: { from: file, path: in.csv, columns: { id: bigint, customer: integer } } }
  who:  { lookup: { from: lite, table: customers, key: { customer: id }, select: [name] } }
  out:  { load: { into: warehouse, table: named, mode: overwrite } }
""")
    ok(project, "run", "load")
    expect_equal(query(project.warehouse, "SELECT id, name FROM named ORDER BY id"),
                 [["1", "Bob"], ["2", None], ["3", "Ada"]], "names")


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]


if __name__ == "__main__":
    sys.exit(servers.main_with({"POSTGRES": servers.postgres_or_none, "MYSQL": servers.mariadb_or_none}, TESTS, globals(), servers.NEEDS_POSTGRES))
