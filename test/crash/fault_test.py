#!/usr/bin/env python3
"""Breaks every system call of a small load that makes something durable: the N-th write, sync, rename, truncate or unlink
kills the process, fails with EIO, or fails with ENOSPC, for N = 1, 2, … until the run completes without reaching it. A
run that says it succeeded must have loaded everything; after any other, the next run does. (strace injects; a call is
counted per thread, so all threads' N-th calls are broken.)

    test/crash/fault_test.py [--case letters] [--call pwrite64] [--fault kill] [--at 17] [--keep]
"""
import argparse
import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import loads  # noqa: E402
from rig import Failed, Project, Scratch, expect, expect_equal, raw  # noqa: E402

CALLS = ["write", "pwrite64", "writev", "pwritev", "fsync", "fdatasync", "rename,renameat,renameat2", "link,linkat",
         "ftruncate", "fallocate", "unlink,unlinkat"]
FAULTS = {"kill": "signal=KILL", "eio": "error=EIO", "enospc": "error=ENOSPC", "eio-on": "error=EIO",
          "enospc-on": "error=ENOSPC"}
# What a call cannot answer in the real world, or what is the same to the caller as another fault.
SKIPPED = {("fsync", "enospc-on"), ("fdatasync", "enospc-on")}
MOST = 2000  # of one call: more would be a loop
ROWS = 2000
# One load through DuckDB and the ledger, one through our own files: the short run. A long one breaks the others too, and
# "from then on", which the full disks of test/e2e cover.
WRITERS = ["letters", "parquet"]


class Point:
    def __init__(self, case, call, fault, at):
        self.case, self.call, self.fault, self.at = case, call, fault, at

    def command(self):
        return (f"test/crash/fault_test.py --case {self.case.name} --call {self.call} --fault {self.fault} --at {self.at}"
                " --keep")

    def strace(self, log):
        when = f"{self.at}+" if self.fault.endswith("-on") else str(self.at)
        # With --seccomp-bpf strace is faster, but delivers an injected signal at the first call only.
        quick = [] if self.fault == "kill" else ["--seccomp-bpf"]
        return ["strace", "-f", *quick, "-q", "-o", str(log), "-e", f"trace={self.call}", "-e", "signal=none",
                "-e", f"inject={self.call}:{FAULTS[self.fault]}:when={when}"]


class Case:
    def __init__(self, name, folder):
        self.name = name
        self.load = loads.SMALL[name](ROWS, seed=3)
        self.template = Project(folder / name / "template").create()
        self.load.prepare(self.template)
        calm = self.copy(folder / name / "calm")
        done = calm.sluice("run", "load")
        expect(done.code in (0, 3), f"the run that nobody breaks failed:\n{done.text}")
        self.load.after(calm)
        self.code = done.code
        self.tables = calm.tables() if calm.warehouse.exists() else set()
        self.files = calm.files()
        shutil.rmtree(calm.folder)

    def copy(self, folder):
        shutil.copytree(self.template.folder, folder)
        return Project(folder)

    def broken(self, folder, point):
        """Whether the point was reached."""
        project = self.copy(folder)
        log = folder.with_suffix(".strace")
        done = project.sluice("run", "load", before=point.strace(log), timeout=60)
        text = log.read_text(errors="replace")
        log.unlink()
        reached = "(INJECTED)" in text or done.code == -signal.SIGKILL or "killed by SIGKILL" in text
        if done.code in (0, self.code):
            self.load.after(project)
        elif point.fault == "kill":
            expect(reached, f"exit code {done.code} without a kill:\n{done.text}")
        else:
            expect_equal(done.code, 1, f"exit code after a fault\n{done.text}")
            expect("sluice: " in done.err or point.call == "write", f"no word about the fault:\n{done.text}")
        self.load.between(project)
        again = project.sluice("run", "load", timeout=60)
        expect(again.code in (0, 3), f"the run after it failed, exit code {again.code}:\n{again.text}\n  before:\n{done.text}")
        self.load.after(project)
        loads.settled(project, self.files)
        if project.warehouse.exists():
            expect_equal(project.tables(), self.tables, "tables in the warehouse")
        return reached


def attempt(point, folder, keep):
    where = folder / point.case.name / f"{point.call.split(',')[0]}_{point.fault}_{point.at}"
    try:
        reached, problem = point.case.broken(where, point), None
    except Failed as error:
        reached, problem = True, str(error)
    except Exception:  # pylint: disable=broad-except
        reached, problem = True, traceback.format_exc()
    if problem and keep:
        problem += f"\n  kept: {where}"
    else:
        shutil.rmtree(where, ignore_errors=True)
    return reached, problem


def walk(case, call, fault, points, folder, keep):
    """Breaks one call after the other until one is not reached. How many passed, failed."""
    passed = failed = 0
    for at in points or range(1, MOST):
        point = Point(case, call, fault, at)
        reached, problem = attempt(point, folder, keep)
        if problem:
            failed += 1
            print(f"FAILED {case.name}: {fault} at {call} {at}: {problem}\n  again: {point.command()}", flush=True)
            if failed >= 5:
                print(f"{case.name}: {fault} at {call}: given up after 5 failures", flush=True)
                break
        elif reached:
            passed += 1
        else:
            break
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(loads.SMALL), action="append")
    parser.add_argument("--call", choices=CALLS, action="append")
    parser.add_argument("--fault", choices=list(FAULTS), action="append")
    parser.add_argument("--at", type=int, action="append")
    parser.add_argument("--keep", action="store_true", help="leave the folder of a failure")
    arguments = parser.parse_args()
    if shutil.which("strace") is None or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode != 0:
        print("skipped: strace cannot trace here (it is not installed, or ptrace is forbidden)")
        return 0
    raw()
    began = time.monotonic()
    passed = failed = 0
    long = int(os.environ.get("N", "25")) > 100
    with Scratch("fault", keep=arguments.keep) as folder:
        for name in arguments.case or (list(loads.SMALL) if long else WRITERS):
            case_began = time.monotonic()
            try:
                case = Case(name, folder)
            except Failed as error:
                failed += 1
                print(f"FAILED {name}: {error}", flush=True)
                continue
            faults = arguments.fault or (list(FAULTS) if long else ["kill", "eio", "enospc"])
            good = bad = 0
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                walks = [pool.submit(walk, case, call, fault, arguments.at, folder, arguments.keep)
                         for fault in faults for call in arguments.call or CALLS if (call, fault) not in SKIPPED]
                for one in concurrent.futures.as_completed(walks):
                    good, bad = good + one.result()[0], bad + one.result()[1]
            print(f"{name}: {good} points right, {bad} wrong  ({time.monotonic() - case_began:.0f} s)", flush=True)
            passed, failed = passed + good, failed + bad
        if failed and arguments.keep:
            raise SystemExit(f"kept: {folder}\n{passed} passed, {failed} failed")
    print(f"{time.monotonic() - began:.0f} s\n{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
