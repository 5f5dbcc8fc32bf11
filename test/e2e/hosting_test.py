#!/usr/bin/env python3
"""One file, many readers: commands that find a DuckDB file held by another process of the project have it do their work."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import Failed, Project, expect, expect_equal, expect_in, main_of, raw  # noqa: E402

EPOCH = 2000
PAIRS = [{"id": n, "country": "DE" if n % 2 else "FR"} for n in range(10)]


def orders(project):
    """Ten rows in a table, and a pipeline that loads them."""
    project.write("orders.ndjson", "".join(json.dumps(row) + "\n" for row in PAIRS))
    project.pipeline("orders", """
steps:
  rows: { extract: { from: file, path: orders.ndjson } }
  out:  { load: { into: warehouse, table: orders, mode: overwrite } }
""")
    return project


@contextlib.contextmanager
def loading(project, name="long", count=100_000_000, table="numbers"):
    """A process that loads for minutes, in epochs of EPOCH rows, and has loaded some."""
    project.pipeline(name, f"""
epoch: {{ max_rows: {EPOCH} }}
steps:
  rows: {{ extract: {{ from: generator, count: {count}, seed: 1 }} }}
  out:  {{ load: {{ into: warehouse, table: {table} }} }}
""")
    process = project.start("run", name)
    try:
        wait_for(lambda: loaded_epochs(project, name) >= 2, process)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def loaded_epochs(project, name):
    return project.ask_ledger("SELECT coalesce(max(e.epoch), 0) FROM epochs e JOIN runs r ON r.id = e.run WHERE r.pipeline = ?", name)[0][0]


def wait_for(happens, process=None, seconds=60):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if process is not None and process.poll() is not None:
            raise Failed(f"it ended, exit code {process.returncode}: {process.communicate()}")
        try:
            if happens():
                return
        except Exception:  # pylint: disable=broad-except
            pass  # the ledger is being made
        time.sleep(0.01)
    raise Failed("what was waited for has not happened")


def ended(process, number=signal.SIGTERM):
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return out, err


def rows_of(done):
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    return [json.loads(line) for line in done.out.splitlines()]


def count_in(project, table="numbers"):
    return rows_of(project.sluice("query", f"SELECT count(*) AS n, coalesce(sum(i), 0) AS s FROM {table}", "--output", "json"))[0]


def query_beside_a_load(project):
    with loading(project) as process:
        seen = [count_in(project) for _ in range(5)]
        for row in seen:
            expect(row["n"] > 0 and row["n"] % EPOCH == 0, f"{row['n']} rows: an epoch is half visible")
            expect_equal(row["s"], row["n"] * (row["n"] - 1) // 2, f"sum of {row['n']} rows")
        expect(seen == sorted(seen, key=lambda row: row["n"]), f"rows have gone: {seen}")
        sql = "SELECT 1 AS one, 'a,\"b' AS t, '' AS e, NULL AS n, [1, 2] AS l"
        held = {output: project.sluice("query", sql, "--output", output).out for output in ("table", "csv", "json")}
        named = rows_of(project.sluice("query", "SELECT min(warehouse.numbers.i) AS least FROM warehouse.numbers", "--output", "json"))
        expect_equal(named, [{"least": 0}], "a table named with its connection")
        expect_in("numbers", project.sluice("query", "SHOW TABLES").out)
        expect_in("value", project.sluice("query", "DESCRIBE warehouse.numbers").out)
        out, err = ended(process)
        expect("one" not in out and "query" not in out, f"the host has printed for its guests:\n{out}")
        expect_in("cancelled", out + err)
    expect_equal({output: project.sluice("query", sql, "--output", output).out for output in held}, held, "the same on an idle file")
    expect_equal(held["csv"], 'one,t,e,n,l\n1,"a,""b","",,"[1, 2]"\n', "csv")


def query_errors_say_where(project):
    with loading(project):
        for sql, place in (("SELECT i,\n  amuont FROM numbers", "query:2:3"), ("SELECT i FROM\n numbrs", "query:2:2"),
                           ("SELECT nope FROM warehouse.numbers", "query:1:8"), ("SELECT 1 +\n FROM", "query:")):
            done = project.sluice("query", sql)
            expect_equal(done.code, 2, f"exit code of {sql!r}\n{done.text}")
            expect_in(place, done.err)
        done = project.sluice("query", "SELECT CASE WHEN i > 5000 THEN error('boom') ELSE i END FROM numbers", "--output", "csv")
        expect_equal(done.code, 1, f"exit code of an error in mid-query\n{done.text}")
        expect_in("boom", done.err)
    done = project.sluice("query", "SELECT i,\n  warehouse.numbers.amuont FROM warehouse.numbers")
    expect_in("query:2:3", done.err)


def writing_is_refused(project):
    orders(project)
    expect_equal(project.sluice("run", "orders").code, 0, "exit code of the run")
    with loading(project):
        for sql in ("DELETE FROM orders", "SELECT 1; DROP TABLE orders", "COPY orders TO 'x.csv'", "ATTACH 'x.duckdb'", "CHECKPOINT",
                    "COMMIT", "SET threads = 1", "INSERT INTO numbers SELECT * FROM numbers", "CREATE TABLE x AS SELECT 1",
                    "SELECT sluice_keep(1, 0) FROM numbers", "SELECT * FROM sluice_scan(1)"):
            done = project.sluice("query", sql)
            expect_equal(done.code, 2, f"exit code of {sql!r}\n{done.text}")
        expect_equal(count_in(project, "(SELECT id AS i FROM orders)"), {"n": 10, "s": 45}, "rows")
    expect(not (project.folder / "x.csv").exists() and not (project.folder / "x.duckdb").exists(), "a file was written")


def large_results_stream(project):
    with loading(project) as process:
        sql = "SELECT range AS i, repeat('x', 100) AS t FROM range(3000000)"
        code, peak = project.peak_bytes("query", sql, "--output", "csv")
        expect_equal(code, 0, "exit code")
        expect(peak < 120 << 20, f"{peak >> 20} MB in the guest for 300 MB of rows")
        before = resident(process)
        slow = project.start("query", sql, "--output", "csv")  # reads nothing of it
        wait_for(lambda: os.read(slow.stdout.fileno(), 1) == b"i")
        was = loaded_epochs(project, "long")
        wait_for(lambda: loaded_epochs(project, "long") > was + 20, process)
        expect_equal(count_in(project)["n"] % EPOCH, 0, "a query beside a reader that takes nothing")
        grown = resident(process) - before
        slow.kill()
        slow.communicate()
        expect(grown < 200 << 20, f"the host has grown by {grown >> 20} MB")
        wait_for(lambda: not others(process))


def resident(process):
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def others(process):
    """Connections that the host serves: its open unix sockets but the one it listens at."""
    folder = Path(f"/proc/{process.pid}/fd")
    return sum(1 for fd in folder.iterdir() if os.readlink(fd).startswith("socket:")) - 1


def a_run_is_handed_over(project):
    orders(project)
    with loading(project) as process:
        done = project.sluice("run", "orders")
        expect_equal(done.code, 0, f"exit code\n{done.text}")
        for part in ("rows", "overwrite", "succeeded"):
            expect_in(part, done.out)
        expect_equal(count_in(project, "(SELECT id AS i FROM orders)"), {"n": 10, "s": 45}, "rows")
        done = project.sluice("run", "orders", "--output", "json")
        expect_equal(done.json()["status"], "succeeded", "json of a run")
        expect_equal(project.ask_ledger("SELECT DISTINCT pid FROM leases"), [(process.pid,)], "who has run them")
        project.write("orders.ndjson", '{"id": 77, "country": "IT"}\n')  # the files are read anew
        expect_equal(project.sluice("run", "orders").code, 0, "exit code after a change")
        expect_equal(count_in(project, "(SELECT id AS i FROM orders)"), {"n": 1, "s": 77}, "rows after a change")
        project.pipeline("orders", "steps: [")
        done = project.sluice("run", "orders", "--output", "json")
        expect_equal(done.code, 2, f"exit code of a wrong file\n{done.text}")
        expect_in("orders.yml:1", done.json()["error"]["file"] + ":" + str(done.json()["error"]["line"]))
        expect_equal(project.sluice("run", "long").code, 1, "exit code of a run that runs already")
        out, _ = ended(process)
        expect("orders" not in out, f"the host has printed for its guests:\n{out}")


def rejected_rows_and_preview_while_held(project):
    project.write("bad.csv", "id,n\n1,5\n2,x\n3,7\n")
    project.pipeline("bad", """
steps:
  rows: { extract: { from: file, path: bad.csv, columns: { id: bigint, n: bigint } }, on_row_error: reject }
  out:  { load: { into: warehouse, table: bad } }
""")
    with loading(project):
        done = project.sluice("run", "bad")
        expect_equal(done.code, 3, f"exit code of a run with a rejected row\n{done.text}")
        done = project.sluice("dead-letters", "list", "--output", "json")
        expect_equal([line["line"] for line in rows_of(done)], [3], "dead letters")
        done = project.sluice("preview", "bad", "rows")
        expect_equal(done.code, 0, f"exit code of preview\n{done.text}")
        expect_in("7", done.out)
        project.pipeline("again", """
steps:
  rows: { extract: { from: warehouse, table: bad } }
  out:  { load: { into: warehouse, table: again } }
""")
        done = project.sluice("preview", "again", "rows")
        expect_equal(done.code, 0, f"exit code of preview from the held file\n{done.text}")
        expect_equal(len(done.out.splitlines()), 3, f"lines of preview\n{done.out}")
        for words in (("runs",), ("logs", "1")):
            done = project.sluice(*words)
            expect_equal(done.code, 0, f"exit code of {words}\n{done.text}")


def many_rows(project, name, table, count=3_000_000):
    project.pipeline(name, f"""
epoch: {{ max_rows: 50000 }}
steps:
  rows: {{ extract: {{ from: generator, count: {count}, seed: 2 }} }}
  out:  {{ load: {{ into: warehouse, table: {table} }} }}
""")
    return count


def whole(project, table, count):
    expect_equal(project.query(f"SELECT count(*), count(DISTINCT i), sum(i) FROM {table}"),
                 [[str(count), str(count), str(count * (count - 1) // 2)]], f"rows of {table}")


def guest_goes_on_when_its_host_dies(project):
    count = many_rows(project, "guest", "guests")
    with loading(project) as process:
        guest = guest_at_work(project)
        process.kill()
        out, err = guest.communicate(timeout=100)
    expect_equal(guest.returncode, 0, f"exit code of the guest\n{out}{err}")
    expect_in(f"process {process.pid} ended in the middle", err)
    whole(project, "guests", count)
    row = project.query("SELECT count(*), count(DISTINCT i) FROM numbers")[0]
    expect_equal((row[0] == row[1], int(row[0]) % EPOCH), (True, 0), "rows of the host that was killed")
    # The guest may have come back while the host was still going down; the next process takes the socket away.
    expect_equal(project.sluice("query", "SELECT 1 AS one", "--output", "csv").code, 0, "exit code of a query after both")
    expect_equal(list((project.folder / ".sluice/hosts").glob("*.sock")), [], "sockets that are left")


def guest_at_work(project):
    guest = project.start("run", "guest")
    wait_for(lambda: loaded_epochs(project, "guest") >= 3, guest)
    return guest


def host_goes_on_when_a_guest_dies(project):
    count = many_rows(project, "guest", "guests")
    with loading(project) as process:
        guest = guest_at_work(project)
        guest.kill()
        guest.communicate()
        wait_for(lambda: project.ask_ledger("SELECT status FROM runs WHERE pipeline = 'guest'") == [("cancelled",)])
        was = loaded_epochs(project, "long")
        wait_for(lambda: loaded_epochs(project, "long") > was, process)
        done = project.sluice("run", "guest")
        expect_equal(done.code, 0, f"exit code of the next run\n{done.text}")
        ended(process)
    whole(project, "guests", count)


def ctrl_c_of_a_guest(project):
    count = many_rows(project, "guest", "guests")
    with loading(project) as process:
        guest = guest_at_work(project)
        out, err = ended(guest, signal.SIGINT)
        expect(guest.returncode not in (0, -signal.SIGINT), f"exit code {guest.returncode}\n{out}{err}")
        expect_in("cancelled", (out + err).lower())
        wait_for(lambda: others(process) == 0)
        query = project.start("query", "SELECT count(*) FROM range(100000000000) a, range(1000000) b")
        wait_for(lambda: others(process) == 1)
        out, err = ended(query, signal.SIGINT)
        expect_equal(query.returncode, 130, f"exit code of the query\n{out}{err}")
        wait_for(lambda: others(process) == 0)
        expect_equal(project.sluice("run", "guest").code, 0, "exit code of the next run")
        ended(process)
    whole(project, "guests", count)


def host_that_is_stopped_hands_back(project):
    count = many_rows(project, "guest", "guests")
    with loading(project) as process:
        guest = guest_at_work(project)
        ended(process, signal.SIGINT)
        out, err = guest.communicate(timeout=100)
    expect_equal(guest.returncode, 0, f"exit code of the guest\n{out}{err}")
    whole(project, "guests", count)


def host_that_is_done_serves_to_the_end(project):
    count = many_rows(project, "guest", "guests")
    with loading(project, name="short", count=EPOCH * 300, table="short") as process:
        guest = project.start("run", "guest")
        out, err = process.communicate(timeout=100)
        expect_equal(process.returncode, 0, f"exit code of the host\n{out}{err}")
        out, guest_err = guest.communicate(timeout=100)
        expect_equal(guest.returncode, 0, f"exit code of the guest\n{out}{guest_err}")
    whole(project, "guests", count)
    whole(project, "short", EPOCH * 300)


def host_dies_in_mid_query(project):
    sql = "SELECT range AS i, repeat('x', 100) AS t FROM range(100000000)"
    with loading(project) as process:
        printed = project.start("query", sql, "--output", "csv")
        wait_for(lambda: os.read(printed.stdout.fileno(), 1) == b"i")
        silent = project.start("query", "SELECT count(*) FROM range(30000000) a, range(50) b WHERE a.range + b.range < 1000")
        wait_for(lambda: others(process) == 2)
        process.kill()
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(printed.stdout.fileno(), 1 << 16), b"")])
        reader.start()
        err = printed.stderr.read()
        expect_equal(printed.wait(timeout=60), 1, f"exit code of the one that had printed\n{err}")
        expect_in("what was printed is not all", err)
        reader.join()
        out, err = silent.communicate(timeout=100)
        expect_equal(silent.returncode, 0, f"exit code of the one that had not\n{out}{err}")


def a_stranger_is_named(project):
    orders(project)
    expect_equal(project.sluice("run", "orders").code, 0, "exit code of the run")
    stranger = subprocess.Popen([raw(), str(project.warehouse), "CREATE TABLE held (i INTEGER)", "-"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_for(lambda: str(stranger.pid) in project.sluice("query", "SELECT 1").err)
        done = project.sluice("query", "SELECT 1")
        expect_equal(done.code, 1, "exit code of query")
        expect_in("another process has it open", done.err)
        project.pipeline("from", "steps:\n  a: { extract: { from: warehouse, table: orders } }\n  b: { load: { into: file, path: o.csv } }\n")
        for words in (("run", "orders"), ("run", "from"), ("preview", "from", "a")):
            done = project.sluice(*words)
            expect_equal(done.code, 1, f"exit code of {words}\n{done.text}")
            expect_in(f"(PID {stranger.pid})", done.err)
    finally:
        stranger.communicate("SELECT 1")
    expect_equal(project.sluice("run", "orders", "--again").code, 0, "exit code when it is free")


def writers_wait_for_readers(project):
    """Readers of an idle file hold it; a run waits for them, and those that come after it for the run."""
    orders(project)
    expect_equal(project.sluice("run", "orders").code, 0, "exit code of the run")
    stop, problems = threading.Event(), []

    def read():
        while not stop.is_set():
            done = project.sluice("query", "SELECT count(*) AS n FROM orders", "--output", "json")
            if done.code != 0 or json.loads(done.out) != {"n": 10}:
                problems.append(done.text)

    readers = [threading.Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(5):
            done = project.sluice("run", "orders", "--again")
            expect_equal(done.code, 0, f"exit code\n{done.text}")
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    expect_equal(problems, [], "readers that failed")


def what_the_process_shares_must_be_the_same(project):
    orders(project)
    project.write("macros/twice.sql", "CREATE MACRO twice(n) AS n * 2;")
    with loading(project) as process:
        row = rows_of(project.sluice("query", "SELECT twice(21) AS n", "--output", "json"))
        expect_equal(row, [{"n": 42}], "a macro of the project")
        project.write("macros/twice.sql", "CREATE MACRO twice(n) AS n * 200;")
        waiting = project.start("query", "SELECT twice(21) AS n", "--output", "json")
        line = waiting.stderr.readline()
        expect_in(f"waiting for process {process.pid}", line)
        expect_in("macros have changed", line)
        ended(process)
        out, err = waiting.communicate(timeout=60)
        expect_equal((waiting.returncode, json.loads(out)), (0, {"n": 4200}), f"when the host has ended\n{err}")


def long_paths(project):
    deep = Project(project.folder / "/".join("d" * 60 for _ in range(4)))
    deep.folder.mkdir(parents=True)
    deep.create()
    with loading(deep):
        expect_equal(count_in(deep)["n"] % EPOCH, 0, "rows")
        sockets = list((deep.folder / ".sluice/hosts").glob("*.sock"))
        expect_equal([oct(path.stat().st_mode & 0o777) for path in sockets], ["0o600"], "mode of the socket")


def fifty_readers(project, readers=20, seconds=5):
    """A short form of bench/run_readers: nobody is refused, and each sees whole epochs only."""
    problems, counts = [], []
    with loading(project) as process:
        until = time.monotonic() + seconds

        def read():
            while time.monotonic() < until:
                done = project.sluice("query", "SELECT count(*) AS n, coalesce(sum(i), 0) AS s FROM numbers", "--output", "json")
                try:
                    row = json.loads(done.out)
                    right = done.code == 0 and row["n"] % EPOCH == 0 and row["s"] == row["n"] * (row["n"] - 1) // 2
                except ValueError:
                    right = False
                counts.append(1)
                if not right:
                    problems.append(done.text)

        threads = [threading.Thread(target=read) for _ in range(readers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect_equal(problems, [], "answers that are wrong")
        expect(len(counts) >= readers, f"{len(counts)} answers")
        expect_equal(process.poll(), None, "exit code of the load")


TESTS = [query_beside_a_load, query_errors_say_where, writing_is_refused, large_results_stream, a_run_is_handed_over,
         rejected_rows_and_preview_while_held, guest_goes_on_when_its_host_dies, host_goes_on_when_a_guest_dies, ctrl_c_of_a_guest,
         host_that_is_stopped_hands_back, host_that_is_done_serves_to_the_end, host_dies_in_mid_query, a_stranger_is_named,
         writers_wait_for_readers, what_the_process_shares_must_be_the_same, long_paths, fifty_readers]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
