#!/usr/bin/env python3
"""Functions that misbehave, as real processes: each must end the run with a message that names the step and what to do, load
nothing halfway, leave no process behind, and see nothing of what sluice sees."""
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import expect, expect_equal, expect_in, main_of  # noqa: E402

ROWS = 10
CANARY = "canary-4f1d9a"


def pipeline(project, function, source="", more="", head="", rows=ROWS, columns="id: bigint, name: varchar"):
    project.write("rows.csv", "id,name\n" + "".join(f"{i},n{i}\n" for i in range(1, rows + 1)))
    if source:
        project.write("functions/f.py", source)
    project.pipeline("p", head + "steps:\n"
                     f"  rows: {{ extract: {{ from: file, path: rows.csv, columns: {{ {columns} }} }} }}\n"
                     f"  odd:  {{ {more}function: {{ {function} }} }}\n"
                     "  out:  { load: { into: warehouse, table: t } }\n")


PYTHON = "python: functions/f.py, name: f"


def children_of(folder):
    """Processes whose working folder is the project: those that a function left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(folder):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                if b"run" not in words[1:3] and state != "Z":
                    found.append((int(entry.name), words))
        except OSError:
            continue
    return found


def nothing_left(project):
    limit = time.monotonic() + 10
    while children_of(project.folder) and time.monotonic() < limit:
        time.sleep(0.02)
    expect_equal(children_of(project.folder), [], "processes left behind")


def fails(project, *parts, code=1, **how):
    done = project.sluice("run", "p", timeout=60, **how)
    expect_equal(done.code, code, f"exit code\n{done.text}")
    for part in parts:
        expect_in(part, done.err)
    expect("INTERNAL" not in done.err and "terminate called" not in done.err, f"not for a user:\n{done.err}")
    expect(not project.warehouse.exists() or "main.t" not in project.tables() or project.number("SELECT count(*) FROM t") == 0,
           "rows were loaded")
    nothing_left(project)
    return done


def crash(project):
    pipeline(project, PYTHON, "import os, sys\ndef f(row):\n  if row['id'] == 7:\n    sys.stderr.write('about to go\\n')\n"
             "    os.abort()\n  return row\n")
    fails(project, "step 'odd'", "'functions/f.py' broke off: signal 6", "of 10 rows answered", "about to go")


def exits(project):
    pipeline(project, PYTHON, "import sys\ndef f(row):\n  sys.exit(7)\n")
    fails(project, "step 'odd'", "broke off: exit code 7", '"id":1')


def crash_is_retried(project):
    marker = project.folder / "been"
    pipeline(project, PYTHON, f"import os\ndef f(row):\n  if not os.path.exists('{marker}'):\n    open('{marker}', 'w').close()\n"
             "    os.kill(os.getpid(), 9)\n  return row\n", head="retry: { attempts: 2, delay: 10ms }\n")
    done = project.sluice("run", "p")
    expect_equal(done.code, 0, done.text)
    expect_equal(project.number("SELECT count(*) FROM t"), ROWS, "rows after the second try")
    nothing_left(project)


def hang(project):
    pipeline(project, PYTHON + ", timeout: 500ms", "import time\ndef f(row):\n  if row['id'] == 3:\n    while True: time.sleep(1)\n"
             "  return row\n")
    fails(project, "step 'odd'", "took longer than 500ms for a batch and was killed", "raise timeout: or lower batch_size:")


def hang_that_ignores_signals_and_forks(project):
    pipeline(project, PYTHON + ", timeout: 500ms",
             "import os, signal, time\nfor s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)\n"
             "def f(row):\n  if os.fork() == 0:\n    while True: time.sleep(1)\n  while True: time.sleep(1)\n")
    fails(project, "took longer than 500ms")


def a_command_that_never_answers(project):
    pipeline(project, "command: [sleep, '1000'], timeout: 3s")
    fails(project, "step 'odd'", "took longer than 3s", "0 of 10 rows answered; the next: {\"id\":1")


def garbage(project):
    project.write("functions/g.py", "import sys\nfor line in sys.stdin:\n  print('Loading the model…', flush=True)\n")
    pipeline(project, "command: [python3, functions/g.py]")
    fails(project, "step 'odd'", "wrote a line that is no row", "Loading the model…", "anything else goes to stderr")


def binary_garbage(project):
    project.write("functions/g.py", "import sys\nfor line in sys.stdin.buffer:\n  sys.stdout.buffer.write(b'{\"id\":\\xff\\x00\\x01\\n')\n"
                  "  sys.stdout.flush()\n")
    pipeline(project, "command: [python3, functions/g.py]")
    fails(project, "step 'odd'", "wrote a line that is no row")


def early_close(project):
    pipeline(project, "command: [head, -n, '4']")
    fails(project, "step 'odd'", "'head -n 4' ended too early (4 of 10 rows answered; the next: {\"id\":5,\"name\":\"n5\"})",
          "one line for each line that it reads, null for a row to drop")


def closes_at_once(project):
    pipeline(project, "command: ['true']", rows=5000)
    fails(project, "'true' ended too early (0 of 1000 rows answered")


def fewer_rows(project):
    pipeline(project, "command: [grep, -v, n3]")
    fails(project, "'grep -v n3' ended too early (9 of 10 rows answered")


def more_rows(project):
    pipeline(project, "command: [sed, -u, p]")
    fails(project, "'sed -u p' wrote ", "exactly one line for each line that it reads")


def a_banner(project):
    project.write("functions/g.py", "import sys\nprint('Welcome', flush=True)\nfor line in sys.stdin:\n  print(line, end='', flush=True)\n")
    pipeline(project, "command: [python3, functions/g.py]")
    fails(project, "step 'odd'", "'python3 functions/g.py' wrote")


def more_rows_at_the_end(project):
    project.write("functions/g.py", "import sys\nfor line in sys.stdin:\n  print(line, end='', flush=True)\nprint('{}')\n")
    pipeline(project, "command: [python3, functions/g.py]")
    fails(project, "wrote what nobody asked for: '{}'")


def a_command_that_does_not_flush(project):
    """awk holds its output back until its input ends: it runs once per batch."""
    pipeline(project, "command: [awk, '{ print }'], batch_size: 2000", rows=5000)
    done = project.sluice("run", "p")
    expect_equal(done.code, 0, done.text)
    expect_equal(project.number("SELECT count(*) FROM t"), 5000, "rows")
    nothing_left(project)


def a_huge_line(project):
    pipeline(project, PYTHON, "def f(row):\n  row['name'] = 'x' * (17 << 20)\n  return row\n")
    fails(project, "step 'odd'", "wrote a line of more than 16.8 MB")


def an_endless_line(project):
    pipeline(project, "command: [cat, /dev/zero]")
    fails(project, "step 'odd'", "'cat /dev/zero' wrote ")


def too_many_lines(project):
    pipeline(project, "command: [yes, 'null']")
    fails(project, "step 'odd'", "'yes null' wrote ")


def a_memory_bomb(project):
    pipeline(project, PYTHON, "held = []\ndef f(row):\n  while True: held.append(bytearray(64 << 20))\n")
    code, peak = project.peak_bytes("run", "p")
    expect_equal(code, 1, "exit code")
    expect(peak < 2 << 30, f"one of the two had {peak >> 20} MB")
    fails(project, "step 'odd'", "MemoryError")


def a_cpu_and_file_bomb(project):
    pipeline(project, PYTHON, "def f(row):\n  with open('big', 'wb') as out:\n    out.truncate(2 << 30)\n  return row\n")
    fails(project, "File too large")
    source = "import resource\ndef f(row):\n  limits = [resource.getrlimit(getattr(resource, 'RLIMIT_' + k))[1] for k in " \
             "('AS', 'CPU', 'NOFILE', 'FSIZE', 'CORE')]\n  row['name'] = ' '.join(map(str, limits))\n  return row\n"
    pipeline(project, PYTHON, source, rows=1)
    expect_equal(project.sluice("run", "p", "--again").code, 0, "exit code")
    expect_equal(project.query("SELECT name FROM t"), [[f"{2 << 30} 86400 256 {1 << 30} 0"]], "limits")


def full_pipes(project):
    """It reads nothing until it has written a lot, on both outputs, and the other way round."""
    project.write("functions/g.py", "import sys\nsys.stderr.write('e' * (1 << 20))\nlines = sys.stdin.readline()\n"
                  "sys.stderr.write('e' * (4 << 20))\nprint(lines, end='', flush=True)\nfor line in sys.stdin:\n"
                  "  sys.stderr.write('e' * 5000)\n  sys.stderr.flush()\n  print(line, end='', flush=True)\n")
    pipeline(project, "command: [python3, functions/g.py]", rows=3000)
    done = project.sluice("run", "p", timeout=60)
    expect_equal(done.code, 0, done.text[-2000:])
    expect_equal(project.number("SELECT count(*) FROM t"), 3000, "rows")


def sees_nothing(project):
    """No variable, no open file, no terminal of sluice's reaches it; its home is none."""
    source = ("import os\ndef f(row):\n  fds = sorted(int(n) for n in os.listdir('/proc/self/fd') if int(n) < 1000)\n"
              "  links = [os.readlink('/proc/self/fd/%d' % n) for n in fds if os.path.exists('/proc/self/fd/%d' % n)]\n"
              "  row['name'] = repr(sorted(os.environ)) + repr(dict(os.environ)) + repr(links) + open('/proc/self/cmdline').read()"
              ".replace(chr(0), ' ') + repr(os.getpgrp() == os.getpid())\n  return row\n")
    pipeline(project, PYTHON, source, rows=1)
    done = project.sluice("run", "p", env={"SECRET": CANARY, "AWS_SECRET_ACCESS_KEY": CANARY, "PYTHONPATH": "/" + CANARY,
                                           "LD_LIBRARY_PATH": "/" + CANARY, "SLUICE_SECRETS_KEY": CANARY})
    expect_equal(done.code, 0, done.text)
    seen = project.query("SELECT name FROM t")[0][0]
    expect(CANARY not in seen, f"the canary is seen: {seen}")
    expect_in("['HOME', 'LANG', 'PATH', 'TZ']", seen)
    expect_in("/nonexistent", seen)
    expect("duckdb" not in seen and "ledger" not in seen and "rows.csv" not in seen, f"open files: {seen}")
    expect(seen.endswith("True"), f"not in a group of its own: {seen[-80:]}")


def secrets_stay_out_of_errors(project):
    pipeline(project, PYTHON, "import os\ndef f(row):\n  raise KeyError(str(dict(os.environ)))\n")
    done = fails(project, "KeyError", env={"SECRET": CANARY})
    expect(CANARY not in done.text, "the canary is in the error")


def cancelled(project):
    pipeline(project, PYTHON, "import time\ndef f(row):\n  open('began', 'w').close()\n  time.sleep(1000)\n")
    process = project.start("run", "p")
    limit = time.monotonic() + 60
    while not (project.folder / "began").exists() and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    expect_in("cancelled", (out + err).lower())
    nothing_left(project)


def killed(project):
    """A function does not outlive the sluice that was killed."""
    pipeline(project, PYTHON, "import time\ndef f(row):\n  open('began', 'w').close()\n  while True: pass\n")
    process = project.start("run", "p")
    limit = time.monotonic() + 60
    while not (project.folder / "began").exists() and time.monotonic() < limit:
        time.sleep(0.01)
    process.kill()
    process.wait()
    nothing_left(project)


def no_python(project):
    pipeline(project, PYTHON, "def f(row):\n  return row\n")
    done = project.sluice("check", env={"PATH": str(project.folder)})
    expect(done.code != 0, done.text)
    expect_in("needs python3, and there is none in PATH", done.text)


def import_that_fails(project):
    pipeline(project, PYTHON, "import no_such_module\ndef f(row):\n  return row\n")
    fails(project, "'functions/f.py' could not be loaded: ModuleNotFoundError: No module named 'no_such_module'", "functions/f.py:1")


def import_that_exits(project):
    pipeline(project, PYTHON, "import sys\nprint('no licence')\nsys.exit(4)\ndef f(row):\n  return row\n")
    fails(project, "could not be loaded (exit code 4)", "no licence")


def what_runs_is_what_was_planned(project):
    """A changed function is a changed computation: another revision, and said so by the next run."""
    pipeline(project, PYTHON, "def f(row):\n  return row\n")
    first = project.sluice("plan", "p", "--output", "json").text
    project.sluice("run", "p")
    project.write("functions/f.py", "def f(row):\n  row['name'] = 'new'\n  return row\n")
    expect(project.sluice("plan", "p", "--output", "json").text != first, "the same plan")
    done = project.sluice("run", "p")
    expect_in("has changed since its last load", done.text)
    expect_equal(project.ask_ledger("SELECT count(DISTINCT revision) FROM runs"), [(2,)], "revisions")


def preview_and_plan(project):
    pipeline(project, PYTHON, "def f(row):\n  if row['id'] == 2: raise ValueError('two')\n  return row\n")
    expect_in("odd", project.sluice("plan", "p").out)
    done = project.sluice("preview", "p", "odd")
    expect_in("ValueError: two", done.err)
    project.write("functions/f.py", "def f(row):\n  row['name'] = 'seen'\n  return row\n")
    done = project.sluice("preview", "p", "odd")
    expect_equal(done.code, 0, done.text)
    expect_in("seen", done.out)
    nothing_left(project)


TESTS = [crash, exits, crash_is_retried, hang, hang_that_ignores_signals_and_forks, a_command_that_never_answers, garbage,
         binary_garbage, early_close, closes_at_once, fewer_rows, more_rows, a_banner, more_rows_at_the_end, a_command_that_does_not_flush,
         a_huge_line, an_endless_line, too_many_lines, a_memory_bomb, a_cpu_and_file_bomb, full_pipes, sees_nothing,
         secrets_stay_out_of_errors, cancelled, killed, no_python, import_that_fails, import_that_exits,
         what_runs_is_what_was_planned, preview_and_plan]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
