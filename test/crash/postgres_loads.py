"""The loads of the crash tests that read from or write to PostgreSQL. One server for all trials, a database for each."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import loads  # noqa: E402
import rig  # noqa: E402
import servers  # noqa: E402
from rig import expect, expect_equal  # noqa: E402

os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
ROW = "id, part, day, amount, note"
TABLE = "(id bigint PRIMARY KEY, part integer, day date, amount bigint, note text)"


class PostgresLoad(loads.Load):
    server = None

    def prepare(self, project):
        if PostgresLoad.server is None:
            PostgresLoad.server = servers.Postgres()
        super().prepare(project)

    def placed(self, project):
        """A copy of the template gets a database of its own."""
        project.database = self.server.database()
        project.write("sluice.yml", "project: rig\nconnections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n"
                      + self.server.connection("pg", project.database))
        self.seed_database(project)

    def removed(self, project):
        self.server.query("postgres", f"DROP DATABASE IF EXISTS {project.database} WITH (FORCE)")

    def seed_database(self, project):
        pass

    def is_there(self, project, table):
        return self.server.number(project.database, f"SELECT count(*) FROM pg_tables WHERE tablename = '{table}'") == 1

    def dump(self, project, table):
        """What DuckDB can select from: the rows of a table as the server gives them."""
        path = project.folder / f"dump_{table}.csv"
        rows = self.server.query(project.database, f"COPY (SELECT {ROW} FROM {table}) TO STDOUT (FORMAT csv)")
        path.write_text("".join("\t".join(row) + "\n" for row in rows))
        types = "{'id':'BIGINT','part':'INTEGER','day':'DATE','amount':'BIGINT','note':'VARCHAR'}"
        return f"SELECT * FROM read_csv('{path}', header=false, columns={types})"

    def compare(self, project, table, wanted):
        found = self.dump(project, table)
        more, less = rig.query(":memory:", loads.both(found, wanted))[0]
        (project.folder / f"dump_{table}.csv").unlink()
        return int(more), int(less)

    def after(self, project):
        more, less = self.compare(project, "target", self.wanted(project))
        expect(more == 0 and less == 0, f"{less} rows lost, {more} rows repeated or wrong in target")
        left = self.server.query(project.database, "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE"
                                 " '\\_sluice%' OR schemaname LIKE 'pg\\_temp%'")
        expect_equal(left, [], "stages and temporary tables")
        busy = self.server.query("postgres", "SELECT pid, state, query FROM pg_stat_activity WHERE application_name = 'sluice'"
                                 f" AND datname = '{project.database}' AND state <> 'idle'")
        expect_equal(busy, [], "open transactions")


class CsvToPostgres(PostgresLoad):
    name = "csv_to_postgres"

    def into(self):
        return "{ into: pg, table: target, mode: append }"

    def between(self, project):
        if not self.is_there(project, "target"):
            return
        each = self.rows // self.files
        for part, count, kinds in self.server.query(project.database, "SELECT part, count(*), count(DISTINCT id) FROM target GROUP BY part"):
            expect(int(count) == each and int(kinds) == each, f"file {part} is half visible: {count} rows of {each}")


class FromPostgres(PostgresLoad):
    """The rows are in a table `input` of the database."""

    how = ""

    def seed_database(self, project):
        csv = project.folder / "in"
        self.server.query(project.database, f"CREATE TABLE input {TABLE}")
        for path in sorted(csv.glob("*.csv")):
            self.server.query(project.database, f"\\copy input FROM '{path}' (FORMAT csv, HEADER)")
        self.server.query(project.database, "ANALYZE input")

    def yaml(self, project):
        return f"""
epoch: {{ max_rows: {self.rows // 10} }}
steps:
  rows: {{ extract: {{ from: pg, table: input{self.how} }} }}
  kept: {{ filter: amount >= 0 }}
  out:  {{ load: {self.into()} }}
"""


class PostgresToDuckdb(FromPostgres):
    name = "postgres_to_duckdb"
    how = ", incremental: { cursor: id }"  # a second run finds nothing new

    def between(self, project):
        if not self.there(project):
            return
        more, _ = loads.differences(project, f"SELECT {ROW} FROM target", self.input(project))
        expect_equal(more, 0, "visible rows that are not in the input")
        expect_equal(project.number("SELECT count(*) FROM target") % (self.rows // 10), 0, "rows of half an epoch")

    def after(self, project):
        loads.Load.after(self, project)


class PostgresUpsert(FromPostgres):
    """Half of the keys are in the target already."""

    name = "postgres_upsert"

    def seed_database(self, project):
        super().seed_database(project)
        self.server.query(project.database, f"CREATE TABLE target {TABLE}; INSERT INTO target SELECT id, -1, date '2026-01-01', 0, 'before'"
                          f" FROM input WHERE id % 2 = 0 UNION ALL SELECT -i, -1, date '2026-01-01', 0, 'before' FROM"
                          " generate_series(1, 1000) i")

    def into(self):
        return "{ into: pg, table: target, mode: upsert, key: id }"

    def between(self, project):
        # Published at once or by epochs of a tenth: nothing in between.
        new = self.server.number(project.database, "SELECT count(*) FROM target WHERE part >= 0")
        expect_equal(new % (self.rows // 10), 0, "rows of half an epoch")

    def wanted(self, project):
        return f"{self.input(project)} UNION ALL SELECT -range, -1, DATE '2026-01-01', 0, 'before' FROM range(1, 1001)"


class PostgresPartition(PostgresLoad):
    """All rows replace one native partition, in one epoch; another one is beside it."""

    name = "postgres_partition"

    def seed_database(self, project):
        self.server.query(project.database, "CREATE TABLE target (id bigint, part integer, day date, amount bigint, note text,"
                          " kind text NOT NULL) PARTITION BY LIST (kind); CREATE TABLE target_new PARTITION OF target FOR VALUES"
                          " IN ('new'); CREATE TABLE target_old PARTITION OF target FOR VALUES IN ('old'); CREATE UNIQUE INDEX ON"
                          " target_new (id); INSERT INTO target SELECT -i, -1, date '2026-01-01', 0, 'before', k FROM"
                          " generate_series(1, 1000) i, unnest(ARRAY['new', 'old']) k")

    def yaml(self, project):
        return super().yaml(project).replace("  out: ", "  kind: { derive: { kind: \"'new'\" } }\n  out: ")

    def into(self):
        return "{ into: pg, table: target, mode: replace_partition, partition: { kind: new } }"

    def between(self, project):
        # The partition of before, or the new one.
        old, new = self.server.query(project.database, "SELECT count(*) FILTER (WHERE part < 0), count(*) FILTER (WHERE part >= 0)"
                                     " FROM target WHERE kind = 'new'")[0]
        expect((old, new) == ("1000", "0") or (old == "0" and new != "0"), f"{old} old rows and {new} new ones in the partition")

    def after(self, project):
        super().after(project)
        left = self.server.query(project.database, "SELECT relname FROM pg_class WHERE relname LIKE '\\_sluice%' AND relname NOT"
                                 " LIKE '\\_sluice\\_epoch%'")
        expect_equal(left, [], "tables beside the partition")

    def wanted(self, project):
        return f"{self.input(project)} UNION ALL SELECT -range, -1, DATE '2026-01-01', 0, 'before' FROM range(1, 1001)"


ALL = {load.name: load for load in (CsvToPostgres, PostgresToDuckdb, PostgresUpsert, PostgresPartition)}
