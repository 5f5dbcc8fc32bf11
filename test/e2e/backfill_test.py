#!/usr/bin/env python3
"""`sluice backfill`: one run per interval, listed first, side by side into one DuckDB file, gone on with after a failure or
Ctrl-C. Run one with its name: test/e2e/backfill_test.py parallel [--keep]."""
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import expect, expect_equal, expect_in, main_of, number, query  # noqa: E402

BY_DAY = """
schedule: { cron: "0 6 * * *", interval: day }
steps:
  rows:  { extract: { from: file, path: "in/{{ ds }}.csv", columns: { id: bigint, day: date } } }
  out:   { load: { into: warehouse, table: t%s } }
"""
DAYS = [f"2026-10-{day:02}" for day in range(1, 32)]


def days(project, mode="", missing=()):
    for at, day in enumerate(DAYS):
        if day not in missing:
            project.write(f"in/{day}.csv", "id,day\n" + "".join(f"{at * 10 + i},{day}\n" for i in range(10)))
    project.pipeline("by_day", BY_DAY % mode)
    return project


def counts(project):
    return query(project.warehouse, "SELECT count(*), count(DISTINCT id), count(DISTINCT day) FROM t")[0]


def lists_first(project):
    done = days(project).sluice("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[-1], "--dry-run")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    expect_in("31 intervals from 2026-10-01T00:00:00Z to 2026-11-01T00:00:00Z", done.out)
    expect_in("  … 18 more\n  2026-10-29T00:00:00Z to", done.out)
    expect(not project.warehouse.exists(), "a dry run has loaded something")


def bounds(project):
    days(project)
    for until, many in (("2026-10-03", 3), ("2026-10-03T00:00:00Z", 2)):
        done = project.sluice("backfill", "by_day", "--from", DAYS[0], "--to", until, "--dry-run")
        expect_in(f"by_day: {many} intervals", done.out)


def parallel(project):
    days(project)
    done = project.sluice("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[-1], "--parallel", "4")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    expect_in("31 of 31 succeeded\n", done.out)
    expect_equal(counts(project), ["310", "310", "31"], "rows, ids, days")
    again = project.sluice("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[-1], "--parallel", "3")
    expect_equal(again.code, 0, f"exit code of the second\n{again.text}")
    expect_in("31 of 31 succeeded (31 were already loaded)", again.out)
    expect_equal(counts(project), ["310", "310", "31"], "after the second")


def lanes_that_meet_take_turns(project):
    days(project, ", mode: upsert, key: id")
    done = project.sluice("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[-1], "--parallel", "6")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    expect_equal(counts(project), ["310", "310", "31"], "rows, ids, days")


def stops_and_goes_on(project):
    days(project, missing=DAYS[3])
    (project.folder / f"in/{DAYS[3]}.csv").unlink(missing_ok=True)
    done = project.sluice("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[9])
    expect_equal(done.code, 1, f"exit code\n{done.text}")
    expect_in("3 of 10 succeeded, 1 failed, 6 not run: the same command goes on with them", done.out)
    expect_in(f"{DAYS[3]}T00:00:00Z  failed:", done.out)
    kept = project.sluice("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[9], "--on-failure", "continue", "--output", "json")
    expect_equal(kept.code, 1, "exit code with continue")
    told = kept.json()
    expect_equal([told[key] for key in ("intervals", "succeeded", "already_loaded", "failed", "not_run")], [10, 9, 3, 1, 0], "told")
    project.write(f"in/{DAYS[3]}.csv", f"id,day\n7000,{DAYS[3]}\n")
    expect_equal(project.sluice("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[9]).code, 0, "exit code once mended")
    expect_equal(counts(project), ["91", "91", "10"], "rows, ids, days")


def ctrl_c(project):
    days(project)
    process = project.start("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[-1])
    deadline = time.monotonic() + 60
    while not (project.warehouse.exists() and project.ledger.exists()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    expect(process.returncode in (0, 130), f"exit code {process.returncode}\n{out}{err}")
    done = project.sluice("backfill", "by_day", "--from", DAYS[0], "--to", DAYS[-1])
    expect_equal(done.code, 0, f"exit code of the next\n{done.text}")
    expect_equal(counts(project), ["310", "310", "31"], "rows, ids, days")


def says_what_is_wrong(project):
    days(project)
    project.pipeline("still", "steps:\n  a: { extract: { from: inline, rows: [ { i: 1 } ] } }\n"
                              "  out: { load: { into: warehouse, table: s } }\n")
    for words, part in ((("by_day",), "needs --from"),
                        (("by_day", "--from", "2026-13-01"), "--from"),
                        (("by_day", "--from", DAYS[5], "--to", DAYS[1]), "the end is not after the start"),
                        (("by_day", "--from", "2999-01-01", "--to", "2999-01-05"), "the last complete one is"),
                        (("by_day", "--from", DAYS[0], "--parallel", "0"), "a number from 1 to 64"),
                        (("by_day", "--from", DAYS[0], "--on-failure", "maybe"), "stop or continue"),
                        (("still", "--from", DAYS[0], "--to", DAYS[1]), "reads the same rows whatever the interval is")):
        done = project.sluice("backfill", *words)
        expect_equal(done.code, 2, f"exit code of {words}\n{done.text}")
        expect_in(part, done.err)
    expect_equal(number(":memory:", "SELECT 1"), 1, "DuckDB")


TESTS = [lists_first, bounds, parallel, lanes_that_meet_take_turns, stops_and_goes_on, ctrl_c, says_what_is_wrong]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
