#!/usr/bin/env python3
"""Wrong macros, secrets, references and backfills: each is refused with exactly its message. What is wrong in a pipeline file alone
is in test/wrong."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import expect_equal, main_of  # noqa: E402

PIPELINE = """schedule: { cron: "@daily", interval: day }
steps:
  rows: { extract: { from: inline, columns: { id: bigint, day: date }, rows: [{ id: 1, day: 2026-01-01 }] } }
  out:  { load: { into: warehouse, table: t } }
"""

# file of macros -> what `check` says
MACROS = {
    "SELECT 1": "macros/m.sql:1:1: 'SELECT 1': a file of macros holds only CREATE MACRO name(…) AS …",
    "CREATE TABLE t (id INTEGER)":
        "macros/m.sql:1:1: 'CREATE TABLE t (id INTEGER)': a file of macros holds only CREATE MACRO name(…) AS …",
    "CREATE MACRO double(x) AS x * 2;\nDROP MACRO double":
        "macros/m.sql:2:1: 'DROP MACRO double': a file of macros holds only CREATE MACRO name(…) AS …",
    "CREATE MACRO double(x) AS": "macros/m.sql:1:1: macro 'double': syntax error at end of input",
    "CREATE MACRO double(x) AS nowhere(x)":
        "macros/m.sql:1:1: macro 'double': Scalar Function with name nowhere does not exist!",
    "CREATE MACRO double(x) AS x * 2;\nCREATE MACRO double(x) AS x + x": "macros/m.sql:2:1: macro 'double' is made in m.sql:1 too",
}

# a connection of sluice.yml, words of the command -> exit code and what it says
POSTGRES = "  pg: { type: postgres, host: localhost, database: d, user: u, password: "
SECRETS = [
    (POSTGRES + "secret:gone }\n", ("connections", "test", "pg"), 1,
     "FAILED pg (postgres): sluice.yml:4:74: there is no secret 'gone'; sluice secrets set gone stores it"),
    (POSTGRES + "env:GONE_FOR_SURE }\n", ("connections", "test", "pg"), 1,
     "FAILED pg (postgres): sluice.yml:4:74: the environment variable GONE_FOR_SURE is not set"),
    (POSTGRES + "file:gone.txt }\n", ("connections", "test", "pg"), 1,
     "FAILED pg (postgres): sluice.yml:4:74: file:gone.txt: there is no such file"),
    ("  pg: { type: postgres, host: secret:host, database: d, user: u }\n", ("check",), 2,
     "sluice.yml:4:31: 'host' is shown in plans and messages, and 'secret:host' is a secret; env: and file: are valid here"),
    ("", ("secrets", "remove", "gone"), 2, "there is no secret 'gone'; sluice secrets set gone stores it"),
    ("", ("secrets", "set", "a b"), 2, "'a b' is no name for a secret: letters, digits, _ - . /"),
]

JANUARY = ("--from", "2026-01-01", "--to", "2026-01-02")
HOW = "write it like 2026-11-21, 2026-11-21T06:00 or 2026-11-21T06:00:00+01:00"
SAME = "reads the same rows whatever the interval is: a backfill needs 'interval: column' on an extract, or ds in a path or an expression"
BACKFILLS = {
    ("p",): "backfill needs --from: the date of the first interval, like 2026-10-01",
    ("p", "--from", "2026-02-01", "--to", "2026-01-01"): "--from 2026-02-01 --to 2026-01-01: the end is not after the start",
    ("p", "--from", "2026-13-01", "--to", "2026-14-01"):
        f"--from: '2026-13-01' is not a time: '2026-13-01' is not a date: there is no month 13; months are 01 to 12; {HOW}",
    ("p", "--from", "2026-01-01", "--to", "yesterday"):
        f"--to: 'yesterday' is not a time: 'yesterday' is not a date: write year-month-day, like 2026-11-21; {HOW}",
    ("p", *JANUARY, "--parallel", "0"): "--parallel '0': write a number from 1 to 64",
    ("p", *JANUARY, "--on-failure", "retry"): "--on-failure 'retry': write stop or continue",
    ("p", *JANUARY): f"'p' {SAME}",
    ("plain", *JANUARY): f"'plain' {SAME}",
    ("new", *JANUARY): "pipelines/new.yml:3:62: --date with 'incremental': a cursor knows only what changed since last time; for a day's"
                       " rows use 'interval'",
    ("gone", *JANUARY): "no pipeline 'gone' in pipelines; there are: new, p, plain",
}


def said(project, done):
    """The first line, without the folder and what differs from run to run."""
    line = done.text.strip().splitlines()[0].replace(f"{project.folder}/", "")
    return re.sub(r", [0-9.]+m?s\)", ")", line.removeprefix("sluice: "))


def macros_are_refused(project):
    for number, (text, wanted) in enumerate(MACROS.items()):
        own = type(project)(project.folder / str(number)).create()
        own.pipeline("p", PIPELINE)
        own.write("macros/m.sql", text)
        done = own.sluice("check")
        expect_equal((done.code, said(own, done)), (2, wanted), text)


def secrets_are_refused(project):
    for number, (lines, words, code, wanted) in enumerate(SECRETS):
        own = type(project)(project.folder / str(number)).create(lines)
        own.pipeline("p", PIPELINE)
        done = own.sluice(*words)
        expect_equal((done.code, said(own, done)), (code, wanted), f"{lines}{words}")


def backfills_are_refused(project):
    project.create()
    project.pipeline("p", PIPELINE)
    project.pipeline("plain", PIPELINE.replace("schedule", "# schedule"))
    project.pipeline("new", "schedule: { cron: \"@daily\", interval: day }\nsteps:\n"
                     "  rows: { extract: { from: warehouse, table: t, incremental: { cursor: id } } }\n"
                     "  out:  { load: { into: warehouse, table: u } }\n")
    expect_equal(project.sluice("run", "plain").code, 0, "the table that is read")
    for words, wanted in BACKFILLS.items():
        done = project.sluice("backfill", *words)
        expect_equal((done.code, said(project, done)), (2, wanted), " ".join(words))


if __name__ == "__main__":
    sys.exit(main_of([macros_are_refused, secrets_are_refused, backfills_are_refused]))
