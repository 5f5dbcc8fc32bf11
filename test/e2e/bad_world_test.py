#!/usr/bin/env python3
"""What goes wrong around a run: files that are locked, damaged, full, read-only, missing, changing or strange. Each must be
told, with what to do, must load nothing halfway, and must be over with the next run once the cause is gone."""
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import Failed, expect, expect_equal, expect_in, main_of, query, raw  # noqa: E402

PIPELINE = """
steps:
  orders: {{ extract: {{ from: file, path: {path}{more} }} }}
  out:    {{ load: {{ into: warehouse, table: orders }} }}
"""
NDJSON_COLUMNS = ", columns: { id: bigint, name: varchar }"


def files(project, rows="id,name\n1,a\n2,b\n", path="orders.csv", more="", head=""):
    project.write(path, rows)
    project.pipeline("orders", head + PIPELINE.format(path=path, more=more))
    return project


def loaded(project):
    if not project.warehouse.exists() or "main.orders" not in project.tables():
        return 0
    return project.number("SELECT count(*) FROM orders")


def fails(project, *parts, code=1, words=("run", "orders"), **how):
    done = project.sluice(*words, **how)
    expect_equal(done.code, code, f"exit code\n{done.text}")
    for part in parts:
        expect_in(part, done.err.lower() if part.islower() else done.err)
    expect("terminate called" not in done.err and "INTERNAL" not in done.err, f"not an error for a user:\n{done.err}")
    return done


def heals(project, rows=2, code=0):
    done = project.sluice("run", "orders")
    expect_equal(done.code, code, f"exit code of the run after it\n{done.text}")
    expect_equal(loaded(project), rows, "rows after it")


def locked_duckdb_file(project):
    files(project)
    holder = subprocess.Popen([raw(), str(project.warehouse), "CREATE TABLE held (i INTEGER)", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 20
        while not project.warehouse.exists() and time.monotonic() < limit:
            time.sleep(0.01)
        fails(project, "warehouse.duckdb", "lock", str(holder.pid), timeout=60)
    finally:
        holder.communicate(b"SELECT 1")
    heals(project)


def damaged_warehouse(project):
    files(project)
    project.write("warehouse.duckdb", b"this is no database at all" * 1000)
    fails(project, "warehouse.duckdb")
    project.warehouse.unlink()
    heals(project)


def damaged_ledger(project):
    files(project)
    heals(project)
    folding = sqlite3.connect(project.ledger)
    folding.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    folding.close()
    for side in ("-wal", "-shm"):
        Path(f"{project.ledger}{side}").unlink(missing_ok=True)
    whole = project.ledger.read_bytes()
    expect(len(whole) > 8192, "the ledger is too small to be damaged")
    project.ledger.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    fails(project, "ledger.db")
    project.ledger.write_bytes(b"not a ledger" * 500)
    fails(project, "ledger.db")
    project.ledger.write_bytes(whole)
    heals(project)


def foreign_ledger(project):
    files(project)
    (project.folder / ".sluice").mkdir()
    other = sqlite3.connect(project.ledger)
    other.execute("CREATE TABLE mine (i INTEGER)")
    other.commit()
    other.close()
    fails(project, "ledger.db", "not a ledger")
    expect_equal(sqlite3.connect(project.ledger).execute("SELECT name FROM sqlite_master").fetchall(), [("mine",)],
                 "tables in somebody else's file")


def broken(project, what, call, paths, when="1+"):
    """`before` for a run whose system call fails on these paths only: root ignores permissions, and a full disk takes root."""
    words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", f"trace={call}", "-e", f"inject={call}:error={what}:when={when}"]
    for path in paths:
        words += ["-P", str(project.folder / path)]
    return words


def read_only_folder(project):
    files(project)
    fails(project, "warehouse.duckdb", before=broken(project, "EROFS", "openat", ["warehouse.duckdb"]))
    expect_equal(loaded(project), 0, "rows in a read-only folder")
    heals(project)


def read_only_store(project):
    files(project)
    fails(project, ".sluice", before=broken(project, "EROFS", "mkdir", [".sluice"]))
    heals(project)


def full_disk_for_the_warehouse(project):
    rows = "id,name\n" + "".join(f"{i},{'x' * 50}{i}\n" for i in range(50_000))
    files(project, rows)
    broken_once = False
    for when in (12, 8, 5, 3, 2, 1):  # calls are counted per thread
        done = project.sluice("run", "orders", timeout=60, before=broken(
            project, "ENOSPC", "pwrite64,write", ["warehouse.duckdb", "warehouse.duckdb.wal"], when=f"{when}+"))
        if done.code == 0:
            for name in (".sluice", "warehouse.duckdb", "warehouse.duckdb.wal"):
                path = project.folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            continue
        broken_once = True
        expect_equal(done.code, 1, f"exit code\n{done.text}")
        expect_in("warehouse.duckdb", done.err)
        expect_in("space", done.err.lower())
        expect_equal(loaded(project), 0, "rows of a run that failed")
        heals(project, 50_000)
        break
    expect(broken_once, "no write to the warehouse was broken: this test shows nothing")


def full_disk_for_a_file(project):
    rows = "id,name\n" + "".join(f"{i},{'x' * 50}{i}\n" for i in range(50_000))
    files(project, rows)
    project.pipeline("orders", PIPELINE.format(path="orders.csv", more="").replace(
        "into: warehouse, table: orders", "into: file, path: out.csv, mode: overwrite"))

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then write says EFBIG
    done = project.sluice("run", "orders", preexec_fn=small, restore_signals=False, timeout=60)
    expect_equal(done.code, 1, f"exit code\n{done.text}")
    expect_in("sluice: ", done.err)
    expect(not (project.folder / "out.csv").exists(), "half a file is visible")
    expect_equal(project.sluice("run", "orders").code, 0, "exit code of the run after it")
    expect_equal(len((project.folder / "out.csv").read_text().splitlines()), 50_001, "lines")
    left = {name for name in project.files() if "out" in name and not name.startswith(".sluice")} - {"out.csv"}
    expect(all("manifest" in name or "sluice" in name for name in left), f"left behind: {left}")


def glob_without_a_match(project):
    files(project)
    project.pipeline("orders", PIPELINE.format(path="none/*.csv", more=", columns: { id: bigint, name: varchar }"))
    done = project.sluice("run", "orders")
    expect(done.code in (1, 2), f"exit code {done.code}\n{done.text}")
    expect_in("none/*.csv", done.err)
    expect_in("allow_empty", done.err)
    project.pipeline("orders", PIPELINE.format(path="none/*.csv", more=", allow_empty: true, columns: { id: bigint, name: varchar }"))
    done = project.sluice("run", "orders")
    expect_equal(done.code, 0, f"exit code with allow_empty\n{done.text}")
    expect_equal(loaded(project), 0, "rows")


def file_that_changes_while_it_is_read(project):
    row = "".join(f"{i},{'y' * 80}\n" for i in range(100_000))
    text = "id,name\n" + row * 25
    for attempt in range(3):
        shutil.rmtree(project.folder / ".sluice", ignore_errors=True)
        project.warehouse.unlink(missing_ok=True)
        files(project, text, more=", columns: { id: bigint, name: varchar }")
        process = project.start("run", "orders")
        limit = time.monotonic() + 30
        while time.monotonic() < limit and process.poll() is None:
            try:
                if project.ask_ledger("SELECT count(*) FROM runs WHERE status = 'running'")[0][0]:
                    break
            except sqlite3.Error:
                pass
            time.sleep(0.002)
        time.sleep(0.15 + 0.1 * attempt)
        with open(project.folder / "orders.csv", "a") as file:
            file.write("7,late\n" * 10)
        out, err = process.communicate(timeout=60)
        if process.returncode == 0:
            continue  # it had been read, or had not been listed yet
        expect_equal(process.returncode, 1, f"exit code\n{out}{err}")
        expect_in("orders.csv", err)
        expect_in("changed", err)
        expect_equal(loaded(project), 0, "rows of a file that changed")
        heals(project, 2_500_010)
        return
    raise Failed("the file could never be changed in time: this test shows nothing")


def ragged_rows(project):
    files(project, "id,name\n1,a\n2\n3,c,too,many\n4,d\n", more=", columns: { id: bigint, name: varchar }")
    fails(project, "orders.csv:3")
    expect_equal(loaded(project), 0, "rows of a failed run")
    files(project, "id,name\n1,a\n2\n3,c,too,many\n4,d\n", more=", columns: { id: bigint, name: varchar }")
    project.pipeline("orders", PIPELINE.format(path="orders.csv", more=", columns: { id: bigint, name: varchar }").replace(
        "orders: { extract", "orders: { on_row_error: reject, extract"))
    heals(project, 2, code=3)
    lines = [line.split()[4] for line in project.sluice("dead-letters", "list").out.splitlines() if "orders.csv" in line]
    expect_equal(sorted(lines), ["orders.csv:3", "orders.csv:4"], "places of the letters")


def byte_order_mark(project):
    files(project, b"\xef\xbb\xbfid,name\n1,\xc3\xa4\n2,b\n")
    heals(project)
    expect_equal(project.query("SELECT name FROM orders WHERE id = 1"), [["ä"]], "a value beside a byte order mark")
    project.write("more.ndjson", b'\xef\xbb\xbf{"id": 1, "name": "a"}\n')
    project.pipeline("more", PIPELINE.format(path="more.ndjson", more=NDJSON_COLUMNS).replace("table: orders", "table: more"))
    done = project.sluice("run", "more")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    expect_equal(project.query("SELECT id, name FROM more"), [["1", "a"]], "NDJSON beside a byte order mark")


def utf_16(project):
    files(project, "id,name\n1,a\n2,ä\n".encode("utf-16"))
    done = project.sluice("run", "orders")
    if done.code == 0:
        expect_equal(project.query("SELECT id, name FROM orders ORDER BY id"), [["1", "a"], ["2", "ä"]], "UTF-16 that was read")
    else:
        expect(done.code in (1, 2), f"exit code {done.code}\n{done.text}")
        expect_in("orders.csv", done.err)
        expect_in("utf-", done.err.lower())
        expect_equal(loaded(project), 0, "rows of a failed run")


def nul_bytes(project):
    files(project, b"id,name\n1,a\x00b\n2,b\n", more=", columns: { id: bigint, name: varchar }")
    done = project.sluice("run", "orders")
    if done.code == 0:
        expect_equal(project.query("SELECT id, length(name) FROM orders ORDER BY id"), [["1", "3"], ["2", "1"]], "a NUL that was read")
    else:
        expect_equal(done.code, 1, f"exit code\n{done.text}")
        expect_in("orders.csv", done.err)
    files(project, b'{"id": 1, "name": "a"}\n\x00\x00\x00\n{"id": 2, "name": "b"}\n', path="orders.ndjson", more=NDJSON_COLUMNS)
    shutil.rmtree(project.folder / ".sluice")
    project.warehouse.unlink()
    fails(project, "orders.ndjson:2")


def a_line_of_100_mb(project):
    path = project.folder / "orders.ndjson"
    with open(path, "wb") as file:
        file.write(b'{"id": 1, "name": "a"}\n{"id": 2, "name": "')
        for _ in range(100):
            file.write(b"z" * (1 << 20))
        file.write(b'"}\n{"id": 3, "name": "c"}\n')
    project.pipeline("orders", PIPELINE.format(path="orders.ndjson", more=NDJSON_COLUMNS).replace(
        "orders: { extract", "orders: { on_row_error: reject, extract"))
    code, peak = project.peak_bytes("run", "orders")
    expect_equal(code, 3, "exit code")
    expect(peak < 150 << 20, f"{peak >> 20} MB of memory for a line that is not held")
    expect_equal(project.query("SELECT id FROM orders ORDER BY id"), [["1"], ["3"]], "the lines around it")
    path = project.folder / "wide.csv"
    with open(path, "wb") as file:
        file.write(b"id,name\n1,a\n2," + b"z" * (100 << 20) + b"\n3,c\n")
    project.pipeline("wide", PIPELINE.format(path="wide.csv", more=NDJSON_COLUMNS).replace("table: orders", "table: wide"))
    done = project.sluice("run", "wide", timeout=100)
    expect(done.code in (0, 1), f"exit code {done.code}\n{done.text[:2000]}")
    if done.code == 1:
        expect_in("wide.csv", done.err)
        expect(len(done.err) < 10_000, "the whole line is in the message")


def empty_file(project):
    files(project, "", more=", columns: { id: bigint, name: varchar }")
    done = project.sluice("run", "orders")
    expect(done.code in (0, 1), f"exit code {done.code}\n{done.text}")
    if done.code == 1:
        expect_in("orders.csv", done.err)
        expect_in("empty", done.err)
    expect_equal(loaded(project), 0, "rows of an empty file")
    files(project, "id,name\n")
    shutil.rmtree(project.folder / ".sluice", ignore_errors=True)
    project.warehouse.unlink(missing_ok=True)
    heals(project, 0)
    files(project, "", path="orders.ndjson", more=NDJSON_COLUMNS)
    shutil.rmtree(project.folder / ".sluice", ignore_errors=True)
    project.warehouse.unlink(missing_ok=True)
    heals(project, 0)


def damaged_parquet(project):
    path = project.folder / "orders.parquet"
    query(":memory:", f"COPY (SELECT range AS id, 'n' || range AS name FROM range(10000)) TO '{path}'")
    whole = path.read_bytes()
    files(project, whole[: len(whole) // 2], path="orders.parquet")
    done = project.sluice("run", "orders")
    expect(done.code in (1, 2), f"exit code {done.code}\n{done.text}")
    expect_in("orders.parquet", done.err)
    middle = len(whole) // 3
    project.write("orders.parquet", whole[:middle] + bytes(200) + whole[middle + 200:])
    done = project.sluice("run", "orders")
    expect(done.code in (0, 1), f"exit code {done.code}\n{done.text}")  # zeros may be a value
    if done.code == 1:
        expect_in("orders.parquet", done.err)
        project.write("orders.parquet", whole)
        heals(project, 10_000)


def two_runs_at_once(project):
    rows = "id,name\n" + "".join(f"{i},{'x' * 20}\n" for i in range(300_000))
    files(project, rows)
    processes = [project.start("run", "orders") for _ in range(4)]
    codes = []
    for process in processes:
        out, err = process.communicate(timeout=100)
        codes.append(process.returncode)
        if process.returncode != 0:
            expect_in("sluice: ", err)
    expect(0 in codes, f"no run succeeded: {codes}")
    heals(project, 300_000)


TESTS = [locked_duckdb_file, damaged_warehouse, damaged_ledger, foreign_ledger, read_only_folder, read_only_store,
         full_disk_for_the_warehouse, full_disk_for_a_file, glob_without_a_match, file_that_changes_while_it_is_read,
         ragged_rows, byte_order_mark, utf_16, nul_bytes, a_line_of_100_mb, empty_file, damaged_parquet, two_runs_at_once]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
