"""The load of the crash tests that writes to an SQLite file; Python's own sqlite3 looks into it."""
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import loads  # noqa: E402
import rig  # noqa: E402
from rig import expect, expect_equal  # noqa: E402


class CsvToSqlite(loads.Load):
    """Half of the keys are in the target already."""

    name = "csv_to_sqlite"

    def prepare(self, project):
        super().prepare(project)
        project.write("sluice.yml", "project: rig\nconnections:\n  lite: { type: sqlite, path: out.db }\n")
        rows = [(i * 2, -1, "2026-01-01", 0, "before") for i in range(self.rows // 2)]
        rows += [(-i, -1, "2026-01-01", 0, "before") for i in range(1, 1001)]
        connection = sqlite3.connect(project.folder / "out.db")
        connection.execute("CREATE TABLE target (id INTEGER PRIMARY KEY, part INTEGER, day DATE, amount INTEGER, note TEXT)")
        connection.executemany("INSERT INTO target VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
        connection.close()

    def into(self):
        return "{ into: lite, table: target, mode: upsert, key: id }"

    def ask(self, project, statement):
        connection = sqlite3.connect(project.folder / "out.db")
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def between(self, project):
        each = self.rows // self.files
        for part, count in self.ask(project, "SELECT part, count(*) FROM target WHERE part >= 0 GROUP BY part"):
            expect_equal(count, each, f"rows of file {part}, which is half visible")

    def after(self, project):
        path = project.folder / "dump.csv"
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in self.ask(project, f"SELECT {loads.SELECTED} FROM target")))
        types = "{'id':'BIGINT','part':'INTEGER','day':'DATE','amount':'BIGINT','note':'VARCHAR'}"
        found = f"SELECT * FROM read_csv('{path}', header=false, columns={types})"
        wanted = f"{self.input(project)} UNION ALL SELECT -range, -1, DATE '2026-01-01', 0, 'before' FROM range(1, 1001)"
        more, less = rig.query(":memory:", loads.both(found, wanted))[0]
        path.unlink()
        expect(more == less == "0", f"{less} rows lost, {more} rows repeated or wrong in target")
        expect_equal(self.ask(project, "SELECT name FROM sqlite_master WHERE name LIKE '\\_sluice\\_stage%' ESCAPE '\\'"), [], "stages")
        expect_equal(self.ask(project, "PRAGMA integrity_check"), [("ok",)], "integrity of the file")


ALL = {CsvToSqlite.name: CsvToSqlite}
