#!/usr/bin/env python3
"""Ctrl-C and SIGTERM end a run within ten seconds and lose nothing; progress is for terminals, plain lines elsewhere."""
import gzip
import os
import pty
import random
import re
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import Failed, expect, expect_equal, expect_in, main_of  # noqa: E402

ROWS = 200_000
FILES = 40


def slow(project):
    """Forty files, an epoch each; strace is not needed to be in the middle of them."""
    lines = "".join(f"{i},{'x' * 40}\n" for i in range(ROWS // FILES * 4))
    for part in range(FILES):
        project.write(f"in/{part:02}.csv", "id,name\n" + lines)
    project.pipeline("slow", """
epoch: { max_bytes: 1000 }
steps:
  rows: { extract: { from: file, path: "in/*.csv", columns: { id: bigint, name: varchar } } }
  out:  { load: { into: warehouse, table: rows } }
""")
    return ROWS * 4


def wait_for_epochs(project, process, least):
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if process.poll() is not None:
            raise Failed(f"it ended by itself, exit code {process.returncode}: {process.communicate()}")
        try:
            if project.ask_ledger("SELECT count(*) FROM epochs")[0][0] >= least or \
                    project.ask_ledger("SELECT count(*) FROM runs WHERE status = 'running'")[0][0]:
                time.sleep(0.1)
                return
        except Exception:  # pylint: disable=broad-except
            pass
        time.sleep(0.005)
    raise Failed("the run did not start")


def cancelled(project, number):
    rows = slow(project)
    process = project.start("run", "slow")
    wait_for_epochs(project, process, 1)
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    took = time.monotonic() - began
    expect(took < 10, f"it took {took:.1f} s to stop")
    expect(process.returncode not in (0, -number), f"exit code {process.returncode}:\n{out}{err}")
    expect_in("cancelled", (out + err).lower())
    expect_equal(project.ask_ledger("SELECT status FROM runs"), [("cancelled",)], "the run in the ledger")
    before = project.number("SELECT count(*) FROM rows") if "main.rows" in project.tables() else 0
    expect(before % (rows // FILES) == 0, f"{before} rows: an epoch is half visible")
    expect(before < rows, "nothing was left to cancel: this test shows nothing")
    done = project.sluice("run", "slow")
    expect_equal(done.code, 0, f"exit code of the next run\n{done.text}")
    expect_equal(project.number("SELECT count(*) FROM rows"), rows, "rows when it went on")


def ctrl_c(project):
    cancelled(project, signal.SIGINT)


def terminated(project):
    cancelled(project, signal.SIGTERM)


def cancelled_in_a_long_query(project):
    project.pipeline("long", """
steps:
  numbers: { extract: { from: generator, count: 200000000, seed: 1 } }
  sorted:  { sql: "SELECT key, list(value ORDER BY value, i) AS all_values FROM numbers GROUP BY key" }
  out:     { load: { into: warehouse, table: numbers } }
""")
    process = project.start("run", "long")
    wait_for_epochs(project, process, 1)
    time.sleep(1)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    expect(time.monotonic() - began < 10, f"it took {time.monotonic() - began:.1f} s to stop")
    expect(process.returncode not in (0, -signal.SIGTERM), f"exit code {process.returncode}:\n{out}{err}")
    expect(not [name for name in project.files() if "temp" in name], f"spilled files are left: {project.files()}")


def on_a_terminal(project, **variables):
    """What a run writes to a terminal."""
    master, slave = pty.openpty()
    process = project.start("run", "slow", stdout=slave, stderr=slave, env=variables)
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(master)
    expect_equal(process.wait(timeout=60), 0, f"exit code\n{text.decode()}")
    return text.decode()


def progress_on_a_terminal(project):
    rows = slow(project)
    text = on_a_terminal(project, TERM="xterm")
    expect_in("\r", text, "a line that is rewritten")
    expect(re.search(r"[\d,.]+ rows/s", text), f"no speed in:\n{text!r}")
    shown = [int(count.replace(",", "")) for count in re.findall(r"([\d,]+) rows in", text)]
    expect(shown and shown == sorted(shown) and shown[-1] <= rows, f"counters: {shown}")
    expect(all(count % (rows // FILES) == 0 for count in shown), f"rows that were not committed are counted: {shown}")


def bytes_on_a_terminal(project):
    """CSV (DuckDB reads), NDJSON (we read), packed ones, each to its end."""
    chosen = random.Random(1)
    names = [f"{chosen.getrandbits(160):040x}" for _ in range(300_000)]  # packed they are still large
    line = "".join(f"{i},{name}\n" for i, name in enumerate(names))
    ndjson = "".join(f'{{"id": {i}, "name": "{name}"}}\n' for i, name in enumerate(names))
    for name, content in {"a.csv": "id,name\n" + line, "a.ndjson": ndjson, "a.csv.gz": gzip.compress(("id,name\n" + line).encode(), 1),
                          "a.ndjson.gz": gzip.compress(ndjson.encode(), 1)}.items():
        size = project.write(f"in/{name}", content).stat().st_size
        project.pipeline("slow", f"""
steps:
  rows:   {{ extract: {{ from: file, path: in/{name}, columns: {{ id: bigint, name: varchar }} }} }}
  hashed: {{ derive: {{ h: "list_sum(list_transform(range(300), x -> hash(x, id) % 7))" }} }}
  out:    {{ load: {{ into: warehouse, table: "{name.replace('.', '_')}" }} }}
""")
        text = on_a_terminal(project, TERM="xterm")
        shown = re.findall(r"loading ([\d.]+ \w+) of ([\d.]+ \w+) \((\d+)%\), [\d.]+ \w+/s", text)
        expect(shown, f"no bytes of {name} in:\n{text!r}")
        expect(len({known for _, known, _ in shown}) == 1, f"what is known changes: {shown}")
        shares = [int(share) for _, _, share in shown]
        expect(shares == sorted(shares) and shares[-1] <= 100, f"shares of {name}: {shares}")
        # DuckDB takes 32 MB of a packed CSV at once.
        expect(name == "a.csv.gz" or len(set(shares)) > 1, f"the bytes of {name} stand still: {shown}")
        run = project.ask_ledger("SELECT max(id) FROM runs")[0][0]
        expect_in("rows: read ", project.sluice("logs", str(run)).text)
        done = project.sluice("run", "slow", "--again", "--output", "json").json()
        steps = {step["name"]: step for step in done["steps"]}
        expect_equal((steps["rows"].get("bytes_read"), steps["rows"].get("bytes_known")), (size, size), f"bytes of {name}")
        expect("bytes_read" not in steps["hashed"], "a step that reads nothing has bytes")


def no_color(project):
    slow(project)
    text = on_a_terminal(project, TERM="xterm", NO_COLOR="1")
    expect(not re.search(r"\x1b\[[\d;]*m", text), f"colours in:\n{text!r}")


def plain_without_a_terminal(project):
    slow(project)
    done = project.sluice("run", "slow")
    expect_equal(done.code, 0, "exit code")
    expect("\x1b" not in done.text and "\r" not in done.text, f"control characters in:\n{done.text!r}")
    expect_in("800,000", done.out, "what was loaded")


TESTS = [ctrl_c, terminated, cancelled_in_a_long_query, progress_on_a_terminal, bytes_on_a_terminal, no_color, plain_without_a_terminal]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
