"""The loads of the crash tests that read from or write to MySQL. One server for all trials, a database for each."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import loads  # noqa: E402
import postgres_loads  # noqa: E402
import rig  # noqa: E402
import servers  # noqa: E402
from rig import expect, expect_equal  # noqa: E402

os.environ["RIG_PG_PASSWORD"] = servers.PASSWORD
ROW = postgres_loads.ROW
TABLE = "(id bigint PRIMARY KEY, part integer, day date, amount bigint, note varchar(40))"


class Servers:
    mysql = None

    @classmethod
    def started(cls):
        if cls.mysql is None:
            cls.mysql = servers.Mariadb()
        return cls.mysql

    @classmethod
    def stop(cls):
        if cls.mysql is not None:
            cls.mysql.stop()


def feed(database, table, folder):
    """The files of the input into a table."""
    for path in sorted((folder / "in").glob("*.csv")):
        Servers.mysql.query(database, f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table} FIELDS TERMINATED BY ',' IGNORE 1 LINES",
                            options=["--local-infile=1"])


class CsvToMysql(loads.Load):
    """Half of the keys are in the target already."""

    name = "csv_to_mysql"

    def prepare(self, project):
        Servers.started()
        super().prepare(project)

    def placed(self, project):
        """A copy of the template gets a database of its own."""
        project.my = Servers.mysql.database()
        project.write("sluice.yml", "project: rig\nconnections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n"
                      + Servers.mysql.connection("my", project.my))
        Servers.mysql.query(project.my, f"CREATE TABLE target {TABLE}; INSERT INTO target SELECT seq * 2, -1, '2026-01-01', 0, 'before'"
                            f" FROM seq_0_to_{self.rows // 2 - 1}; INSERT INTO target SELECT -seq, -1, '2026-01-01', 0, 'before' FROM"
                            " seq_1_to_1000")

    def removed(self, project):
        Servers.mysql.query("mysql", f"DROP DATABASE IF EXISTS {project.my}")

    def into(self):
        return "{ into: my, table: target, mode: upsert, key: id }"

    def dump(self, project):
        path = project.folder / "dump.csv"
        rows = Servers.mysql.query(project.my, f"SELECT concat_ws(',', {ROW}) FROM target")
        path.write_text("".join(row[0] + "\n" for row in rows))
        types = "{'id':'BIGINT','part':'INTEGER','day':'DATE','amount':'BIGINT','note':'VARCHAR'}"
        return f"SELECT * FROM read_csv('{path}', header=false, columns={types})"

    def wanted(self, project):
        return f"{self.input(project)} UNION ALL SELECT -range, -1, DATE '2026-01-01', 0, 'before' FROM range(1, 1001)"

    def between(self, project):
        each = self.rows // self.files
        for part, count in Servers.mysql.query(project.my, "SELECT part, count(*) FROM target WHERE part >= 0 GROUP BY part"):
            expect_equal(int(count), each, f"rows of file {part}, which is half visible")

    def after(self, project):
        more, less = rig.query(":memory:", loads.both(self.dump(project), self.wanted(project)))[0]
        (project.folder / "dump.csv").unlink()
        expect(more == less == "0", f"{less} rows lost, {more} rows repeated or wrong in target")
        expect_equal(Servers.mysql.query(project.my, "SHOW TABLES LIKE '\\_sluice\\_stage%'"), [], "stages")
        expect_equal(Servers.mysql.query("mysql", "SELECT trx_state FROM information_schema.innodb_trx JOIN information_schema.processlist"
                                         f" ON id = trx_mysql_thread_id WHERE db = '{project.my}'"), [], "open transactions")


class MysqlToPostgres(postgres_loads.PostgresLoad):
    """A table of MySQL's is walked by its key; a second run finds nothing new."""

    name = "mysql_to_postgres"

    def prepare(self, project):
        Servers.started()
        super().prepare(project)

    def placed(self, project):
        super().placed(project)
        project.my = Servers.mysql.database()
        settings = project.folder / "sluice.yml"
        settings.write_text(settings.read_text() + Servers.mysql.connection("my", project.my))
        Servers.mysql.query(project.my, f"CREATE TABLE input {TABLE}")
        feed(project.my, "input", project.folder)

    def removed(self, project):
        super().removed(project)
        Servers.mysql.query("mysql", f"DROP DATABASE IF EXISTS {project.my}")

    def yaml(self, project):
        return f"""
epoch: {{ max_rows: {self.rows // 10} }}
steps:
  rows: {{ extract: {{ from: my, table: input, incremental: {{ cursor: id }} }} }}
  kept: {{ filter: amount >= 0 }}
  out:  {{ load: {{ into: pg, table: target, mode: append }} }}
"""

    def between(self, project):
        if self.is_there(project, "target"):
            found = self.server.number(project.database, "SELECT count(*) FROM target")
            expect_equal(found % (self.rows // 10), 0, "rows of half an epoch")


ALL = {load.name: load for load in (CsvToMysql, MysqlToPostgres)}
