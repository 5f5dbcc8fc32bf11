"""What the crash and the end-to-end tests share: a project in a folder of its own, the binary, and a look into what it
wrote by means that are not sluice (bench/raw_duckdb.c, Python's own sqlite3)."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SLUICE = os.environ.get("SLUICE") or str(ROOT / "build/release/sluice")
RUN_SECONDS = 120  # no run of a test takes that long: past it the program hangs
LIBRARY = ROOT / "third_party/duckdb/node_modules/@duckdb/node-bindings-linux-x64"

_raw = None


class Failed(Exception):
    """What was expected and what came."""


class Skipped(Exception):
    """Why a test cannot run here."""


def expect(holds, message):
    if not holds:
        raise Failed(message)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}: expected {wanted!r}, found {found!r}")


def expect_in(part, text, what="output"):
    expect(part in text, f"{what}: expected to read {part!r} in:\n{text}")


def raw():
    global _raw
    if _raw is None:
        _raw = subprocess.run([str(ROOT / "scripts/raw_duckdb")], check=True, capture_output=True, text=True).stdout.strip()
    return _raw


def query(database, *statements, read_only=True):
    """The rows of the last statement, as lists of texts; None for NULL."""
    command = [raw()] + (["-r"] if read_only and str(database) != ":memory:" else []) + [str(database), *statements]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS)
    if done.returncode != 0:
        raise Failed(f"DuckDB itself on {database}: {done.stderr.strip()}\n  {statements[-1]}")
    return [[None if cell == "\\N" else cell for cell in line.split("\t")] for line in done.stdout.splitlines()]


def number(database, statement):
    return int(query(database, statement)[0][0])


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out + self.err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise Failed(f"not JSON (exit code {self.code}):\n{self.text}") from None


class Project:
    """A folder with sluice.yml, pipelines/ and a DuckDB connection `warehouse`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.warehouse = self.folder / "warehouse.duckdb"
        self.ledger = self.folder / ".sluice/ledger.db"

    def create(self, settings=""):
        (self.folder / "pipelines").mkdir(parents=True, exist_ok=True)
        self.write("sluice.yml", "project: rig\nconnections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n" + settings)
        return self

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        return path

    def pipeline(self, name, text):
        return self.write(f"pipelines/{name}.yml", text)

    def environment(self, **more):
        variables = {**os.environ, "XDG_STATE_HOME": str(self.folder / "state"), "NO_COLOR": "1", **more}
        variables.pop("SLUICE_ENV", None)
        return variables

    def start(self, *words, before=(), **popen):
        return subprocess.Popen([*before, SLUICE, *words], cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=popen.pop("stdout", subprocess.PIPE), stderr=popen.pop("stderr", subprocess.PIPE),
                                env=self.environment(**popen.pop("env", {})), text=True, start_new_session=True, **popen)

    def sluice(self, *words, before=(), timeout=RUN_SECONDS, **popen):
        process = self.start(*words, before=before, **popen)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise Failed(f"sluice {' '.join(words)} did not end within {timeout} s:\n{out}{err}") from None
        return Done(process.returncode, out, err)

    def peak_bytes(self, *words):
        """Runs and gives the exit code and the most memory that this one process had."""
        # Its parent must be small: what the parent holds at the fork counts as the child's.
        code = ("import os, sys; p = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); _, s, u = os.wait4(p, 0);"
                " print(); print(os.waitstatus_to_exitcode(s), u.ru_maxrss)")
        done = self.sluice(*words, before=[sys.executable, "-c", code])
        status, kilobytes = done.out.splitlines()[-1].split()
        return int(status), int(kilobytes) * 1024

    def query(self, *statements):
        return query(self.warehouse, *statements)

    def number(self, statement):
        return number(self.warehouse, statement)

    def tables(self):
        return {row[0] for row in self.query("SELECT schema_name || '.' || table_name FROM duckdb_tables()")}

    def files(self):
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def ask_ledger(self, statement, *values):
        connection = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


class Scratch:
    """A folder that is removed at the end, except where a test failed in it and --keep was given."""

    def __init__(self, name, keep=False):
        self.keep = keep
        self.path = Path(tempfile.mkdtemp(prefix=f"sluice_{name}_"))

    def __enter__(self):
        return self.path

    def __exit__(self, kind, error, trace):
        if kind is not None and self.keep:
            print(f"kept: {self.path}")
            return
        for folder, _, _ in os.walk(self.path):
            try:
                os.chmod(folder, 0o755)
            except OSError:
                pass
        shutil.rmtree(self.path, ignore_errors=True)


def main_of(tests, words=None):
    """Runs functions that take a Project in an empty folder; `words` picks some by name. Prints the count."""
    words = sys.argv[1:] if words is None else words
    keep = "--keep" in words
    chosen = [word for word in words if not word.startswith("-")]
    passed = failed = skipped = 0
    for test in tests:
        if chosen and not any(word in test.__name__ for word in chosen):
            continue
        try:
            with Scratch(test.__name__, keep) as folder:
                test(Project(folder).create())
            passed += 1
        except Skipped as reason:
            skipped += 1
            print(f"skipped: {test.__name__}: {reason}", flush=True)
        except Failed as error:
            failed += 1
            print(f"FAILED {test.__name__}: {error}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {test.__name__}:\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or passed == 0 else 0


def write_rows(project, name, numbers):
    """in/NAME.ndjson, a row `id`, `name` for each number."""
    project.write(f"in/{name}.ndjson", "".join(f'{{"id": {i}, "name": "n{i}"}}\n' for i in numbers))


def load_rows(project, words, more="", step=""):
    """The pipeline `load`, of what write_rows wrote into the table `orders` of the connection `db`."""
    project.pipeline("load", f"""
{more}
steps:
  rows: {{ extract: {{ from: file, path: "in/*.ndjson", columns: {{ id: bigint, name: varchar }} }} }}
  out:  {{ load: {{ into: db, table: orders, {words} }}{step} }}
""")
