"""The loads of the crash tests that read from or write to S3. One server for all trials, a bucket for each."""
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import loads  # noqa: E402
import rig  # noqa: E402
import s3_server  # noqa: E402
from rig import expect, expect_equal  # noqa: E402

os.environ["RIG_S3_SECRET"] = s3_server.SECRET
LAST_EPOCH = 40  # no trial comes that far


class S3Load(loads.Load):
    server = None

    def prepare(self, project):
        if S3Load.server is None:
            S3Load.server = s3_server.S3()
        super().prepare(project)

    def placed(self, project):
        """A copy of the template gets a bucket of its own."""
        project.bucket = self.server.bucket()
        project.write("sluice.yml", "project: rig\nconnections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n"
                      + self.server.connection("lake", project.bucket))

    def targets(self):
        return [f"out/part-{epoch}.parquet" for epoch in range(1, LAST_EPOCH)]

    def compare(self, project, wanted):
        """Rows too many and rows missing, and rows by part, of all visible objects."""
        with tempfile.TemporaryDirectory() as folder:
            keys = self.server.keys(project.bucket, "out/")
            for key in keys:
                (Path(folder) / key.replace("/", "_")).write_bytes(self.server.get(project.bucket, key))
            if not keys:
                return 0, int(rig.query(":memory:", f"SELECT count(*) FROM ({wanted})")[0][0]), []
            found = f"SELECT {loads.SELECTED} FROM read_parquet('{folder}/*.parquet')"
            more, less = rig.query(":memory:", loads.both(found, wanted))[0]
            parts = rig.query(":memory:", f"SELECT part, count(*) FROM ({found}) GROUP BY part")
            return int(more), int(less), [(int(part), int(count)) for part, count in parts]

    def after(self, project):
        more, less, _ = self.compare(project, self.wanted(project))
        expect(more == 0 and less == 0, f"{less} rows lost, {more} rows repeated or wrong in out/")
        for key in self.targets():
            _, _, body = self.server.send("GET", project.bucket, query=[("uploads", ""), ("prefix", key)])
            expect(b"<UploadId>" not in body, f"an upload of {key} is left")
        left = [key for key in self.server.keys(project.bucket, hidden=True)
                if ".sluice/" in key and not key.endswith(".json")]
        expect_equal(left, [], "objects that are not decisions")


class CsvToS3(S3Load):
    name = "csv_to_s3"

    def into(self):
        return "{ into: lake, path: out/, mode: append }"

    def between(self, project):
        more, _, parts = self.compare(project, self.wanted(project))
        expect_equal(more, 0, "visible rows that are not in the input")
        for part, count in parts:
            expect_equal(count, self.rows // self.files, f"rows of file {part}: half visible")


class CsvToS3ByFile(CsvToS3):
    """One object for each file, all of one epoch: placed one after the other."""

    name = "csv_to_s3_by_file"

    def into(self):
        return "{ into: lake, path: \"out/{{ file.stem }}.parquet\", mode: append }"

    def targets(self):
        return [f"out/{part:02}.parquet" for part in range(self.files)]


class S3ToS3(S3Load):
    """Objects into one object, which is replaced whole."""

    name = "s3_to_s3"

    def placed(self, project):
        super().placed(project)
        for path in sorted((project.folder / "in").glob("*.csv")):
            self.server.put(project.bucket, f"in/{path.name}", path.read_bytes())
        self.server.put(project.bucket, "out/rows.parquet", self.before)

    def prepare(self, project):
        with tempfile.TemporaryDirectory() as folder:
            rig.query(":memory:", "COPY (SELECT range AS id, -1 AS part, DATE '2026-01-01' AS day, range AS amount, 'before' AS"
                      f" note FROM range(100)) TO '{folder}/before.parquet'")
            self.before = (Path(folder) / "before.parquet").read_bytes()
        super().prepare(project)

    def yaml(self, project):
        return super().yaml(project).replace("from: file", "from: lake")

    def into(self):
        return "{ into: lake, path: out/rows.parquet, mode: overwrite }"

    def targets(self):
        return ["out/rows.parquet"]

    def between(self, project):
        if self.server.get(project.bucket, "out/rows.parquet") == self.before:
            return
        more, less, _ = self.compare(project, self.wanted(project))
        expect(more == 0 and less == 0, f"half visible: {less} rows missing, {more} wrong")


ALL = {load.name: load for load in (CsvToS3, CsvToS3ByFile, S3ToS3)}
