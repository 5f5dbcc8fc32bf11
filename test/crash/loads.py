"""The loads that the crash tests kill: what goes in (row i = f(seed, i), by Python alone), the pipeline, and what may be
seen in the destination before, between and after."""
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import rig  # noqa: E402
from rig import expect, expect_equal  # noqa: E402

WORD = 2**64 - 1
DAYS = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]


def row(seed, i):
    """id, day, amount in cents, note."""
    mixed = (i * 0x9E3779B97F4A7C15 + seed * 0xC2B2AE3D27D4EB4F) & WORD
    mixed ^= mixed >> 29
    mixed = (mixed * 0xBF58476D1CE4E5B9) & WORD
    mixed ^= mixed >> 32
    return i, DAYS[mixed % 5], mixed // 7 % 1_000_000, f"n{mixed:016x}"


def csv_files(project, seed, rows, files):
    """in/00.csv …, with the number of the file in every row."""
    each = rows // files
    for part in range(files):
        lines = ["id,part,day,amount,note"]
        for i in range(part * each, (part + 1) * each):
            key, day, amount, note = row(seed, i)
            lines.append(f"{key},{part},{day},{amount},{note}")
        project.write(f"in/{part:02}.csv", "\n".join(lines) + "\n")


COLUMNS = "{ id: bigint, part: integer, day: date, amount: bigint, note: varchar }"
SELECTED = "id, part, day, amount, note"
READ = "read_csv('{}/in/*.csv', header=true, columns={{'id':'BIGINT','part':'INTEGER','day':'DATE','amount':'BIGINT','note':'VARCHAR'}})"

READ_LINES = READ.replace("read_csv", "read_json").replace(".csv", ".ndjson").replace("header=true", "format='newline_delimited'")


def differences(project, found, wanted):
    """Rows of `found` that are too many, rows of `wanted` that are missing; both are SELECT statements."""
    more, less = project.query(both(found, wanted))[0]
    return int(more), int(less)


def both(found, wanted):
    return (f"SELECT (SELECT count(*) FROM (({found}) EXCEPT ALL ({wanted}))),"
            f" (SELECT count(*) FROM (({wanted}) EXCEPT ALL ({found})))")


def letters(project, code):
    """Visible dead letters."""
    return project.ask_ledger("SELECT count(*) FROM letters l JOIN letter_batches b ON b.id = l.batch"
                              " WHERE b.visible = 1 AND l.code = ?", code)[0][0]


class Load:
    """One kind of load. `rows` is of the input; an epoch takes `files`."""

    name = ""
    target = "target"
    files = 10

    def __init__(self, rows=200_000, seed=1):
        self.rows, self.seed = rows, seed

    def prepare(self, project):
        csv_files(project, self.seed, self.rows, self.files)
        project.pipeline("load", self.yaml(project))

    extension = "csv"

    def epoch_bytes(self, project):
        # Half a file: each file is an epoch of its own.
        return (project.folder / f"in/00.{self.extension}").stat().st_size // 2

    def placed(self, project):
        """A copy of the template is about to be run."""

    def removed(self, project):
        """It is about to be deleted."""

    def yaml(self, project):
        return f"""
epoch: {{ max_bytes: {self.epoch_bytes(project)} }}
steps:
  rows: {{ extract: {{ from: file, path: "in/*.{self.extension}", columns: {COLUMNS} }} }}
  kept: {{ filter: amount >= 0 }}
  out:  {{ load: {self.into()} }}
"""

    def into(self):
        return "{ into: warehouse, table: target, mode: append }"

    def input(self, project):
        return f"SELECT {SELECTED} FROM {READ.format(project.folder)}"

    def there(self, project):
        return project.warehouse.exists() and f"main.{self.target}" in project.tables()

    def between(self, project):
        """Right after the kill, before anything of ours runs again."""
        raise NotImplementedError

    def after(self, project):
        """When a later run has succeeded."""
        more, less = differences(project, f"SELECT {SELECTED} FROM {self.target}", self.wanted(project))
        expect(more == 0 and less == 0, f"{less} rows lost, {more} rows repeated or wrong in {self.target}")

    def wanted(self, project):
        return self.input(project)


class Append(Load):
    name = "append"

    def between(self, project):
        if not self.there(project):
            return
        each = self.rows // self.files
        for part, count, kinds in project.query(
                f"SELECT part, count(*), count(DISTINCT id) FROM {self.target} GROUP BY part"):
            expect(int(count) == each and int(kinds) == each, f"file {part} is half visible: {count} rows of {each}")
        more, _ = differences(project, f"SELECT {SELECTED} FROM {self.target}", self.input(project))
        expect_equal(more, 0, "visible rows that are not in the input")


class Upsert(Load):
    """Keys come again in later files, and some are in the table from before: the row of the last file wins (of NDJSON,
    which has an order; of a CSV two rows of a key would be refused)."""

    name = "upsert"
    files = 8
    extension = "ndjson"

    def prepare(self, project):
        keys = self.rows // 2
        each = self.rows // self.files
        random_one = random.Random(self.seed)
        for part in range(self.files):
            lines = []
            for i in random_one.sample(range(keys), each):
                _, day, amount, note = row(self.seed + part, i)
                lines.append(f'{{"id":{i},"part":{part},"day":"{day}","amount":{amount},"note":"{note}"}}')
            project.write(f"in/{part:02}.ndjson", "\n".join(lines) + "\n")
        rig.query(project.warehouse, f"""
            CREATE TABLE target AS SELECT range AS id, CAST(-1 AS INTEGER) AS part, DATE '2026-01-01' AS day,
                   CAST(0 AS BIGINT) AS amount, 'before' AS note FROM range({keys // 2})""", read_only=False)
        project.pipeline("load", self.yaml(project))
        self.before = keys // 2

    def into(self):
        return "{ into: warehouse, table: target, mode: upsert, key: id }"

    def upto(self, project, last):
        return f"""SELECT id, arg_max(part, part), arg_max(day, part), arg_max(amount, part), arg_max(note, part) FROM (
            SELECT {SELECTED} FROM {READ_LINES.format(project.folder)} WHERE part <= {last} UNION ALL
            SELECT range, -1, DATE '2026-01-01', 0, 'before' FROM range({self.before})) GROUP BY id"""

    def between(self, project):
        last = project.number("SELECT max(part) FROM target")
        more, less = differences(project, f"SELECT {SELECTED} FROM target", self.upto(project, last))
        expect(more == 0 and less == 0, f"the table is not what it was after file {last}: {less} missing, {more} wrong")

    def wanted(self, project):
        return self.upto(project, self.files)


class ReplacePartition(Load):
    """Five days are replaced at once; two others stay."""

    name = "replace_partition"
    files = 5

    def prepare(self, project):
        super().prepare(project)
        rig.query(project.warehouse, """
            CREATE TABLE target AS SELECT range AS id, CAST(-1 AS INTEGER) AS part,
                   CAST(DATE '2026-02-27' + CAST(range % 7 AS INTEGER) AS DATE) AS day,
                   CAST(range AS BIGINT) AS amount, 'before' AS note FROM range(70000)""", read_only=False)

    def into(self):
        return "{ into: warehouse, table: target, mode: replace_partition, partition: day }"

    before = f"""SELECT range AS id, CAST(-1 AS INTEGER) AS part, CAST(DATE '2026-02-27' + CAST(range % 7 AS INTEGER) AS DATE)
                        AS day, CAST(range AS BIGINT) AS amount, 'before' AS note FROM range(70000)"""

    def between(self, project):
        old = project.number("SELECT count(*) FROM target WHERE part = -1 AND day >= DATE '2026-03-01'")
        if old:
            more, less = differences(project, f"SELECT {SELECTED} FROM target", self.before)
            expect(more == 0 and less == 0, f"half visible: {less} old rows gone, {more} new ones there")
        else:
            self.after(project)

    def wanted(self, project):
        return f"{self.input(project)} UNION ALL SELECT * FROM ({self.before}) WHERE day < DATE '2026-03-01'"


class Window(Load):
    """State over many epochs: tumbling windows by key of rows out of order, some of them too late. What must come out
    follows from the input by the rule for lateness, here in Python: a row is late for a window that ended at or before
    its own partition's watermark as of its offset."""

    name = "window"
    partitions, keys = 4, 30
    disorder, bound = 40, 15  # seconds

    def prepare(self, project):
        each = self.rows // 10
        project.pipeline("load", f"""
epoch: {{ max_rows: {each} }}
steps:
  events:
    extract: {{ from: generator, count: {self.rows}, partitions: {self.partitions}, keys: {self.keys}, seed: {self.seed},
               every: 500ms, disorder: {self.disorder}s, event_time: ts, out_of_order: {self.bound}s }}
  windows:
    window: {{ tumbling: 1m, by: key, select: {{ n: count(*), ids: sum(i), top: max(i) }} }}
  out: {{ load: {{ into: warehouse, table: target, mode: append }} }}
""")
        self.compute(project)

    def events(self):
        """What the generator gives, computed once more: row, partition, key, time."""
        def mix(x):  # splitmix64
            x = (x + 0x9E3779B97F4A7C15) & WORD
            x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
            x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
            return x ^ (x >> 31)

        start = 1_767_225_600_000_000  # 2026-01-01
        key_seed, time_seed = mix(self.seed * 4 + 2), mix(self.seed * 4 + 4)
        for i in range(self.rows):
            key = mix(key_seed ^ i) * self.keys >> 64
            late = mix(time_seed ^ i) * (self.disorder * 1_000_000 + 1) >> 64
            yield i, i % self.partitions, key, start + i * 500_000 - late

    def compute(self, project):
        size = 60_000_000
        high, wanted, late = {}, {}, 0
        for i, partition, key, ts in self.events():
            high[partition] = max(high.get(partition, ts), ts)
            start = ts - ts % size
            if start + size <= high[partition] - self.bound * 1_000_000:
                late += 1
                continue
            n, ids, top = wanted.get((start, key), (0, 0, 0))
            wanted[start, key] = (n + 1, ids + i, max(top, i))
        lines = ["start,key,n,ids,top"]
        lines += [f"{start},{key},{n},{ids},{top}" for (start, key), (n, ids, top) in wanted.items()]
        project.write("wanted.csv", "\n".join(lines) + "\n")
        self.late = late
        expect(late > 0, "no row of the input is late: this case shows nothing about lateness")

    def found(self):
        return "SELECT CAST(epoch_us(window_start) AS BIGINT), CAST(key AS BIGINT), CAST(n AS BIGINT), CAST(ids AS BIGINT), CAST(top AS BIGINT) FROM target"

    def wanted(self, project):
        return f"SELECT * FROM read_csv('{project.folder}/wanted.csv', header=true, columns={{'start':'BIGINT','key':'BIGINT','n':'BIGINT','ids':'BIGINT','top':'BIGINT'}})"

    def between(self, project):
        if self.there(project):
            more, _ = differences(project, self.found(), self.wanted(project))
            expect_equal(more, 0, "windows that fired twice or with less than all their rows")

    def after(self, project):
        more, less = differences(project, self.found(), self.wanted(project))
        expect(more == 0 and less == 0, f"{less} windows lost, {more} repeated or wrong")
        expect_equal(letters(project, "late"), self.late, "late rows among the dead letters")


class Parquet(Load):
    name = "parquet"

    def into(self):
        return "{ into: file, path: out/rows.parquet, mode: overwrite }"

    def published(self, project):
        return sorted(path for path in project.folder.glob("out/*.parquet"))

    def between(self, project):
        for path in self.published(project):
            self.after(project, path)

    def after(self, project, path=None):
        path = path or project.folder / "out/rows.parquet"
        expect(path.exists(), f"{path} is not there")
        found, wanted = f"SELECT {SELECTED} FROM read_parquet('{path}')", self.input(project)
        more, less = rig.query(":memory:", both(found, wanted))[0]
        expect(more == less == "0", f"{path.name}: {less} rows lost, {more} repeated or wrong")


class Letters(Load):
    """Two small files of NDJSON, one epoch each, with lines that are none: rows into DuckDB, letters into the ledger."""

    name = "letters"
    files = 2
    bad = 3

    def prepare(self, project):
        each = self.rows // self.files
        for part in range(self.files):
            lines = []
            for i in range(part * each, (part + 1) * each):
                key, day, amount, note = row(self.seed, i)
                lines.append(f'{{"id":{key},"part":{part},"day":"{day}","amount":{amount},"note":"{note}"}}')
            for i in range(self.bad):
                lines.insert((i + 1) * 7, f'{{"id": {i}, "part":')
            project.write(f"in/{part:02}.ndjson", "\n".join(lines) + "\n")
        csv_files(project, self.seed, self.rows, self.files)
        project.pipeline("load", f"""
epoch: {{ max_rows: {each + self.bad} }}
steps:
  rows:
    on_row_error: reject
    extract: {{ from: file, path: "in/*.ndjson", columns: {COLUMNS} }}
  out: {{ load: {{ into: warehouse, table: target, mode: append }} }}
""")

    between = Append.between

    def after(self, project):
        super().after(project)
        expect_equal(letters(project, "malformed"), self.bad * self.files, "dead letters")


ALL = {load.name: load for load in (Append, Upsert, ReplacePartition, Window, Parquet)}
SMALL = {load.name: load for load in (Letters, ReplacePartition, Parquet)}


def settled(project, usual):
    """Nothing is left behind: only the files and tables that a calm run leaves, nobody still runs, the ledger is whole."""
    # The records beside files carry numbers, and a run that was killed has used some up.
    shapes = {re.sub(r"\d+\.", "N.", name) for name in usual}
    extra = {name for name in project.files() - usual
             if not name.endswith(("ledger.db-wal", "ledger.db-shm")) and re.sub(r"\d+\.", "N.", name) not in shapes}
    expect(not extra, f"left behind: {', '.join(sorted(extra))}")
    expect_equal(project.ask_ledger("PRAGMA integrity_check"), [("ok",)], "integrity of the ledger")
    expect_equal(project.ask_ledger("SELECT count(*) FROM runs WHERE status = 'running'"), [(0,)], "runs that still run")
    expect(project.ask_ledger("SELECT count(*) FROM runs WHERE status = 'succeeded'")[0][0] >= 1, "no run succeeded")
