#!/usr/bin/env python3
"""Kills the release binary with SIGKILL at random times while it loads 200,000 rows, starts it again, and compares what is
there with what a seeded generator says: nothing lost, nothing repeated, nothing half visible, nothing left behind.

    test/crash/kill_test.py [--case append] [--seed 1] [--trial 17] [--keep]        N=25 by the environment

Trial t of a case is killed after a time that is drawn from (seed, t): the printed command repeats it. One trial in five is
killed once more while it recovers.
"""
import argparse
import concurrent.futures
import os
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import loads  # noqa: E402
import mysql_loads  # noqa: E402
import postgres_loads  # noqa: E402
import s3_loads  # noqa: E402
import s3_server  # noqa: E402
import servers  # noqa: E402
import sqlite_loads  # noqa: E402
from rig import Failed, Project, Scratch, expect, expect_equal, raw  # noqa: E402

RESTART_SECONDS = 60
LOADS = loads.ALL | sqlite_loads.ALL | postgres_loads.ALL | mysql_loads.ALL | s3_loads.ALL
NAMES = list(LOADS)


def command(case, seed, trial):
    return f"test/crash/kill_test.py --case {case} --seed {seed} --trial {trial} --keep"


def kill_after(project, seconds):
    """True where it was still running."""
    process = project.start("run", "load")
    try:
        process.wait(timeout=seconds)
        alive = False
    except Exception:  # pylint: disable=broad-except
        alive = True
        os.kill(process.pid, signal.SIGKILL)
    out, err = process.communicate()
    if not alive:
        expect(process.returncode in (0, 3), f"the run failed by itself, exit code {process.returncode}:\n{out}{err}")
    return alive


class Case:
    def __init__(self, name, seed, folder, rows):
        self.name, self.seed = name, seed
        self.load = LOADS[name](rows, seed)
        self.template = Project(folder / name / "template").create()
        self.load.prepare(self.template)
        calm = self.copy(folder / name / "calm")
        began = time.monotonic()
        done = calm.sluice("run", "load")
        self.seconds = time.monotonic() - began
        expect(done.code in (0, 3), f"the run that nobody kills failed:\n{done.text}")
        self.load.after(calm)
        self.tables = calm.tables() if calm.warehouse.exists() else set()
        self.files = calm.files()
        again = calm.sluice("run", "load")
        expect(again.code in (0, 3), f"the second run failed:\n{again.text}")
        self.load.after(calm)
        self.load.removed(calm)
        shutil.rmtree(calm.folder)

    def copy(self, folder):
        shutil.copytree(self.template.folder, folder)
        project = Project(folder)
        self.load.placed(project)
        return project

    def trial(self, folder, trial):
        draw = random.Random(f"{self.name} {self.seed} {trial}")
        project = self.copy(folder)
        killed = kill_after(project, draw.uniform(0.01, 1.15 * self.seconds))
        self.load.between(project)
        if draw.random() < 0.2:
            kill_after(project, draw.uniform(0.01, 0.8 * self.seconds))
            self.load.between(project)
        done = project.sluice("run", "load", timeout=RESTART_SECONDS)
        expect(done.code in (0, 3), f"the restart failed, exit code {done.code}:\n{done.text}")
        self.load.after(project)
        loads.settled(project, self.files)
        if project.warehouse.exists():
            expect_equal(project.tables(), self.tables, "tables in the warehouse")
        done = project.sluice("run", "load", timeout=RESTART_SECONDS)
        expect(done.code in (0, 3), f"the run after that failed, exit code {done.code}:\n{done.text}")
        self.load.after(project)
        self.load.removed(project)
        return killed


def attempt(case, trial, folder, keep):
    where = folder / case.name / str(trial)
    try:
        return case.trial(where, trial), None
    except Failed as error:
        problem = str(error)
    except Exception:  # pylint: disable=broad-except
        problem = traceback.format_exc()
    if keep:
        kept = Path(f"{where}.kept")
        shutil.copytree(where, kept, dirs_exist_ok=True)
        problem += f"\n  kept: {kept}"
    return None, problem


def run_case(case, trials, folder, keep):
    """How many passed, failed, and were killed while they ran."""
    passed = failed = killed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(attempt, case, trial, folder, keep): trial for trial in trials}
        for future in concurrent.futures.as_completed(running):
            trial = running[future]
            alive, problem = future.result()
            if problem is None:
                passed += 1
                killed += alive
            else:
                failed += 1
                print(f"FAILED {case.name}, trial {trial}: {problem}\n  again: {command(case.name, case.seed, trial)}", flush=True)
            if not keep:
                shutil.rmtree(folder / case.name / str(trial), ignore_errors=True)
    return passed, failed, killed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=NAMES, action="append")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or time.time_ns() // 1_000_000 % 1_000_000))
    parser.add_argument("--trial", type=int, action="append")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--keep", action="store_true", help="leave the folder of a failure")
    arguments = parser.parse_args()
    told = os.environ.get("N")  # without it 25, 6 where a server has to answer
    raw()
    passed = failed = 0
    print(f"seed {arguments.seed}", flush=True)
    names = arguments.case or NAMES
    without = []
    for there, package, what in [(servers.postgres_programs(), "postgresql", "postgres"),
                                 (servers.mariadb_programs(), "mariadb-server", "mysql")]:
        missing = [name for name in names if what in name] if not there else []
        if missing:
            print(f"skipped: {', '.join(missing)}: no server; apt-get install {package}", flush=True)
        without += missing
    if s3_server.minio_program() is None:
        s3_server.skipped()
        without += [name for name in names if name in s3_loads.ALL]
    with Scratch("kill", keep=arguments.keep) as folder:
        for name in names:
            if name in without:
                continue
            began = time.monotonic()
            try:
                case = Case(name, arguments.seed, folder, arguments.rows)
            except Failed as error:
                failed += 1
                print(f"FAILED {name}: {error}\n  again: test/crash/kill_test.py --case {name} --seed {arguments.seed}", flush=True)
                continue
            served = name in postgres_loads.ALL | mysql_loads.ALL | s3_loads.ALL
            trials = arguments.trial or range(int(told or (6 if served else 25)))
            good, bad, killed = run_case(case, trials, folder, arguments.keep)
            passed, failed = passed + good, failed + bad
            bound = f"; failures below {3 / good:.2%} with 95 % confidence" if bad == 0 and good >= 100 else ""
            print(f"{name}: {good} right, {bad} wrong, {killed} killed in mid-run{bound}"
                  f"  ({case.seconds:.2f} s a calm run, {time.monotonic() - began:.0f} s)", flush=True)
            shutil.rmtree(folder / name, ignore_errors=True) if bad == 0 else None
        if failed and arguments.keep:
            raise SystemExit(f"kept: {folder}\n{passed} passed, {failed} failed")
    print(f"{passed} passed, {failed} failed" + (f", {len(without)} skipped" if without else ""))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        if postgres_loads.PostgresLoad.server is not None:
            postgres_loads.PostgresLoad.server.stop()
        mysql_loads.Servers.stop()
        if s3_loads.S3Load.server is not None:
            s3_loads.S3Load.server.stop()
