#!/usr/bin/env python3
"""The examples that need a database server, or run on one with --env postgres, with what they leave there."""
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import rig  # noqa: E402
from rig import expect_equal, expect_in, number, query  # noqa: E402
import servers  # noqa: E402

os.environ["WAREHOUSE_PASSWORD"] = os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
POSTGRES = MYSQL = None


def begin(project, name, *databases):
    """A copy of the example whose connections are told where the server is. Gives the names of its databases there."""
    shutil.copytree(rig.ROOT / "examples/patterns" / name, project.folder, dirs_exist_ok=True)
    settings = (project.folder / "sluice.yml").read_text().replace("host: localhost", "host: 127.0.0.1")
    settings = settings.replace("port: 5432", f"port: {POSTGRES.port}")
    made = []
    for database in databases:
        made.append(POSTGRES.database())
        settings = settings.replace(f"database: {database},", f"database: {made[-1]},")
    project.write("sluice.yml", settings)
    return made if len(made) != 1 else made[0]


def run(project, *words, code=0):
    done = project.sluice("run", *words)
    expect_equal(done.code, code, f"exit code of run {' '.join(words)}\n{done.text}")
    return done


def rows(database, statement):
    return [",".join(row) for row in POSTGRES.query(database, statement)]


def test_p1_partition_replacement(project):
    shop = begin(project, "p1_partition_replacement", "shop")
    run(project, "raw_orders", "--env", "postgres")
    for day in ("2025-06-01", "2025-06-02", "2025-06-01"):
        run(project, "daily_revenue", "--date", day, "--env", "postgres")
    both = ["2025-06-01,books,20.00,2", "2025-06-01,games,30.00,1", "2025-06-02,books,5.25,1", "2025-06-02,games,15.00,1"]
    revenue = "SELECT date, category, revenue, order_count FROM analytics.daily_revenue ORDER BY 1, 2"
    expect_equal(rows(shop, revenue), both, "two days")
    run(project, "daily_revenue", "--date", "2025-06-01", "--again", "--env", "postgres")
    expect_equal(rows(shop, revenue), both, "run again")


def test_p2_merge(project):
    shop = begin(project, "p2_merge", "shop")
    run(project, "raw_orders", "--env", "postgres")
    run(project, "customer_metrics", "--date", "2025-06-01", "--env", "postgres")
    done = run(project, "customer_metrics", "--date", "2025-06-02", "--env", "postgres", "--output", "json")
    expect_in('"updated":1', done.out)
    expect_equal(rows(shop, "SELECT customer_id, total_orders, lifetime_value, last_order_date FROM analytics.customer_metrics ORDER BY 1"),
                 ["10,1,5.25,2025-06-02", "11,1,7.50,2025-06-01", "12,1,15.00,2025-06-02"], "merged")


def test_p4_backfill(project):
    shop = begin(project, "p4_backfill", "shop")
    for _ in range(2):
        done = project.sluice("backfill", "daily_revenue", "--from", "2025-06-01", "--to", "2025-06-03", "--parallel", "2",
                              "--env", "postgres")
        expect_equal(done.code, 0, f"exit code of the backfill\n{done.text}")
        expect_equal(rows(shop, "SELECT date, revenue, orders FROM daily_revenue ORDER BY 1"),
                     ["2025-06-01,11,2", "2025-06-02,22,2", "2025-06-03,33,2"], "three days")


def test_a6_idempotent_load(project):
    shop = begin(project, "a6_idempotent_load", "shop")
    for more in ((), (), ("--again",)):
        run(project, "load_sales", "--date", "2025-06-01", "--env", "postgres", *more)
        expect_equal(rows(shop, "SELECT date, category, total_sales, order_count FROM daily_sales ORDER BY 2"),
                     ["2025-06-01,books,20.00,2", "2025-06-01,games,30.00,1"], "the day")


def test_a11_elt(project):
    shop = begin(project, "a11_elt", "shop")
    run(project, "etl", "--env", "postgres")
    run(project, "elt", "--env", "postgres")
    for table in ("etl_sales", "elt_sales"):
        expect_equal(rows(shop, f"SELECT category, cents, orders FROM {table} ORDER BY 1"), ["books,2000,2", "games,3000,1"], table)
    expect_equal(rows(shop, "SELECT id FROM big_orders ORDER BY 1"), ["1", "3"], "the view")
    project.write("data/orders.csv", "id,category,amount\n4,games,40\n")
    run(project, "elt", "--env", "postgres")
    expect_equal(rows(shop, "SELECT category, cents, orders FROM elt_sales ORDER BY 1"), ["books,2000,2", "games,7000,2"], "again")


def test_d4_load_modes(project):
    shop = begin(project, "d4_load_modes", "shop")
    for mode in ("insert", "upsert", "replace"):
        run(project, mode, "--env", "postgres", code=3)
    project.write("data/customers-2.csv", "id,name,age\n3,Can,30\n4,Dee,18\n")
    run(project, "insert", "--env", "postgres", code=1)
    expect_equal(rows(shop, "SELECT id, name, age FROM inserted ORDER BY 1"), ["1,Ann,41", "3,Cem,29"], "a refused insert")
    for mode in ("upsert", "replace"):
        run(project, mode, "--env", "postgres")
    for table in ("upserted", "replaced"):
        expect_equal(rows(shop, f"SELECT id, name, age FROM {table} ORDER BY 1"), ["1,Ann,41", "3,Can,30", "4,Dee,18"], table)


def test_s5_incremental_sync(project):
    shop = begin(project, "s5_incremental_sync", "shop")
    done = run(project, "sync", "--output", "json", "--env", "postgres")
    expect_in('"output":{"new":2,"updated":0,"unchanged":0,"any":true}', done.out)
    project.write("data/2.ndjson", '{"id": 2, "name": "Bobby", "updated_at": "2025-06-01 11:00:00"}\n')
    expect_in('"updated":1', run(project, "sync", "--output", "json", "--env", "postgres").out)
    expect_equal(rows(shop, "SELECT id, name FROM customers ORDER BY 1"), ["1,Ann", "2,Bobby"], "the newest of each")


def test_a1_daily_sales(project):
    shop, warehouse = begin(project, "a1_daily_sales", "shop", "warehouse")
    POSTGRES.query(shop, "CREATE TABLE orders (id bigint PRIMARY KEY, category text, amount text, created_at timestamp)",
                   "INSERT INTO orders VALUES (1, 'books', '10.00', '2026-01-02 08:00'), (2, 'books', '2.50', '2026-01-02 23:59'),"
                   " (3, 'games', '30.00', '2026-01-03 00:00'), (4, 'games', 'n/a', '2026-01-02 12:00')")
    run(project, "daily_sales_etl", "--date", "2026-01-02", code=3)
    run(project, "daily_sales_etl", "--date", "2026-01-03")
    sales = "SELECT date, category, orders, revenue FROM analytics.daily_sales ORDER BY 1, 2"
    both = ["2026-01-02,books,2,12.50", "2026-01-03,games,1,30.00"]
    expect_equal(rows(warehouse, sales), both, "two days")
    expect_equal(rows(warehouse, "SELECT month, category, revenue FROM analytics.sales_by_month ORDER BY 2"),
                 ["2026-01-01,books,12.50", "2026-01-01,games,30.00"], "the month")
    raw = project.folder / "data-lake-raw/orders/2026-01-02/data.parquet"
    expect_equal(number(":memory:", f"SELECT count(*) FROM '{raw}'"), 3, "rows of the raw file")
    run(project, "daily_sales_etl", "--date", "2026-01-02", "--again", code=3)
    expect_equal(rows(warehouse, sales), both, "a day again")


def test_d1_etl(project):
    crm = begin(project, "d1_etl", "crm")
    POSTGRES.query(crm, "CREATE TABLE customers (id bigint, name text, email text, country text, age text, updated_at timestamp)",
                   "INSERT INTO customers VALUES (1, ' Ann', 'ANN@x.test', 'DE', '41', '2026-01-01'), (2, 'Bob', 'bob@x.test', 'JP', '20', '2026-01-01'),"
                   " (3, 'Cem', 'cem@x.test', 'US', 'unknown', '2026-01-02')")
    run(project, "customer_data", code=3)
    seen = "SELECT id, name, email, region FROM customers ORDER BY id"
    expect_equal(query(project.warehouse, seen), [["1", "Ann", "ann@x.test", "EU"], ["2", "Bob", "bob@x.test", "other"]], "the first run")
    POSTGRES.query(crm, "UPDATE customers SET name = 'Bobby', updated_at = '2026-01-03' WHERE id = 2")
    done = run(project, "customer_data", "--output", "json")
    expect_in('"updated":1', done.out)
    expect_equal(query(project.warehouse, seen)[1], ["2", "Bobby", "bob@x.test", "other"], "what changed")


def test_a2_sources_on_servers(project):
    begin(project, "a2_dynamic_pipelines")
    shop = POSTGRES.database()
    POSTGRES.query(shop, "CREATE TABLE users (id bigint PRIMARY KEY, amount bigint)", "INSERT INTO users VALUES (1, 3), (2, 9)")
    project.write("sluice.yml", (project.folder / "sluice.yml").read_text() + POSTGRES.connection("postgres_prod", shop))
    sources = "- name: users\n  source: { from: postgres_prod, table: users }\n  rules: { least: 5 }\n"
    if MYSQL is not None:
        mysql = MYSQL.database()
        MYSQL.query(mysql, "CREATE TABLE orders (id bigint PRIMARY KEY, amount bigint)", "INSERT INTO orders VALUES (1, 7), (2, 1)")
        project.write("sluice.yml", (project.folder / "sluice.yml").read_text() + MYSQL.connection("mysql_prod", mysql))
        sources += "- name: mysql_orders\n  source: { from: mysql_prod, table: orders }\n  rules: { least: 5 }\n"
    project.write("sources.yml", sources)
    run(project, "etl_users")
    expect_equal(query(project.warehouse, "SELECT id, amount, source FROM raw_users"), [["2", "9", "users"]], "users")
    if MYSQL is not None:
        run(project, "etl_mysql_orders")
        expect_equal(query(project.warehouse, "SELECT id, source FROM raw_mysql_orders"), [["1", "mysql_orders"]], "orders")


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]


if __name__ == "__main__":
    sys.exit(servers.main_with({"POSTGRES": servers.postgres_or_none, "MYSQL": servers.mariadb_or_none}, TESTS, globals(), servers.NEEDS_POSTGRES))
