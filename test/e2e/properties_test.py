#!/usr/bin/env python3
"""Properties of functions and of for_each, on random input. A function: what comes out is what Python's own map, filter and
flat map make of the rows, whatever the size of batches and the number of processes. for_each: every element of a list is run
exactly once, however many at once, killed and resumed or not; that of a pipeline makes one pipeline of each entry, which reads what
its entry says and knows its own ranges. SLUICE_SEED chooses the numbers; a failure names the seed."""
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import expect_equal, main_of  # noqa: E402

SEED = int(os.environ.get("SLUICE_SEED", "1"))
TRIALS = int(os.environ.get("SLUICE_TRIALS", "4"))

COLUMNS = 'id: bigint, text: varchar, real: double, flag: boolean, day: date, price: "decimal(9,2)", list: "bigint[]"'
LETTERS = "abc \"'\\\n\t,äß€😀{}[]\u200d0"

# What stands in the project's file stands here too: the oracle is Python itself.
SOURCE = '''
def same(row):
    return row

def some(row):
    return row if row["id"] % 3 else None

def several(row):
    return [{**row, "text": str(k)} for k in range(row["id"] % 4)]

def picky(row):
    if row["id"] % 5 == 0:
        raise ValueError("five")
    return {**row, "real": None}
'''
ORACLE = {}
exec(SOURCE, ORACLE)  # pylint: disable=exec-used


def random_row(chance, i):
    def maybe(value):
        return None if chance.random() < 0.15 else value
    return {"id": i,
            "text": maybe("".join(chance.choice(LETTERS) for _ in range(chance.randrange(12)))),
            "real": maybe(chance.choice([0.0, -1.5, 1e300, 0.1, chance.random() * 1e6])),
            "flag": maybe(chance.random() < 0.5),
            "day": maybe(f"{chance.randrange(1900, 2100)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"),
            "price": maybe(f"{chance.randrange(-10**6, 10**6) / 100:.2f}"),
            "list": maybe([chance.randrange(-10**12, 10**12) for _ in range(chance.randrange(4))])}


def shown(rows):
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def functions_are_pythons_own(project):
    letters_before = 0
    for trial in range(TRIALS):
        seed = SEED * 1000 + trial
        chance = random.Random(seed)
        rows = [random_row(chance, i) for i in range(chance.choice([0, 1, 7, 300, 3000]))]
        name = chance.choice(["same", "some", "several", "picky"])
        batch, processes = chance.choice([1, 2, 100, 1000, 2048]), chance.choice([1, 2, 3])
        epoch = chance.choice(["", "epoch: { max_rows: 100 }\n", "epoch: { max_rows: 1 }\n"] if len(rows) < 10 else ["", "epoch: { max_rows: 500 }\n"])
        what = f"seed {seed}: {name} of {len(rows)} rows, batches of {batch}, {processes} processes, {epoch!r}"
        project.write(f"in{trial}.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
        project.write("functions/f.py", SOURCE)
        project.pipeline(f"p{trial}", f"{epoch}on_row_error: reject\nsteps:\n"
                         f"  a: {{ extract: {{ from: file, path: in{trial}.ndjson, columns: {{ {COLUMNS} }} }} }}\n"
                         f"  b: {{ function: {{ python: functions/f.py, name: {name}, batch_size: {batch}, parallelism: {processes} }} }}\n"
                         f"  c: {{ load: {{ into: warehouse, table: t{trial} }} }}\n")
        wanted, refused = [], 0
        for row in rows:
            try:
                made = ORACLE[name](dict(row))
            except ValueError:
                refused += 1
                continue
            wanted += made if isinstance(made, list) else [] if made is None else [made]
        done = project.sluice("run", f"p{trial}", "--output", "json")
        expect_equal(done.code, 3 if refused else 0, f"exit code, {what}\n{done.text}")
        ran = done.json()
        project.pipeline(f"show{trial}", f"steps:\n  a: {{ extract: {{ from: warehouse, table: t{trial} }} }}\n"
                         "  b: { map: { line: \"CAST(to_json({'id': id, 'text': text, 'real': real, 'flag': flag, 'day': CAST(day AS"
                         " VARCHAR), 'price': CAST(price AS VARCHAR), 'list': list}) AS VARCHAR)\" } }\n"
                         f"  c: {{ load: {{ into: file, path: out{trial}.ndjson, mode: overwrite }} }}\n")
        done = project.sluice("run", f"show{trial}")
        expect_equal(done.code, 0, f"reading back, {what}\n{done.text}")
        text = (project.folder / f"out{trial}.ndjson").read_text()
        found = [json.loads(json.loads(line)["line"]) for line in text.splitlines()]
        expect_equal(shown(found), shown(wanted), what)
        step = next(s for s in ran["steps"] if s["name"] == "b")
        expect_equal((step["rows_in"], step["rejected"]), (len(rows), refused), f"counts, {what}")
        letters = project.ask_ledger("SELECT count(*) FROM letters l JOIN letter_batches b ON b.id = l.batch"
                                     " WHERE b.visible AND l.code = 'function'")[0][0] - letters_before
        expect_equal(letters, refused, f"letters, {what}")
        letters_before += letters


def elements(chance):
    return [f"{chance.choice('abcdef')}{i}" for i in range(chance.choice([1, 2, 5, 9]))]


def for_each_pipelines(project, chance, of, parallel, rows):
    project.pipeline("child", "params: { x: { type: varchar, required: true } }\nsteps:\n"
                     "  a: { extract: { from: generator, count: 2000 } }\n"
                     "  b: { aggregate: { select: { n: count(*) } } }\n"
                     "  c: { map: { x: \"{{ params.x }}\", n: n } }\n"
                     "  d: { load: { into: warehouse, table: seen } }\n")
    head = f"parallelism: {parallel}\nsteps:\n"
    if rows:
        listed = ", ".join(f"{{ x: {x} }}" for x in of)
        project.pipeline("parent", head + f"  list: {{ extract: {{ from: inline, columns: {{ x: varchar }}, rows: [{listed}] }} }}\n"
                         "  each: { for_each: list, run: { pipeline: child, params: { x: \"{{ each.x }}\" } } }\n")
    else:
        project.pipeline("parent", head + f"  each: {{ for_each: [{', '.join(of)}], "
                         "run: { pipeline: child, params: { x: \"{{ each }}\" } } }\n")


def every_element_once(project):
    for trial in range(TRIALS):
        seed = SEED * 1000 + trial
        chance = random.Random(seed)
        of, parallel, rows = elements(chance), chance.choice([1, 2, 4]), chance.random() < 0.5
        kills = chance.choice([0, 1, 2])
        what = f"seed {seed}: {len(of)} elements, {parallel} at once, {'rows' if rows else 'list'}, {kills} kills"
        root = project.folder / f"t{trial}"
        own = type(project)(root).create()
        for_each_pipelines(own, chance, of, parallel, rows)
        for _ in range(kills):
            process = own.start("run", "parent")
            time.sleep(chance.random() * 0.4)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.communicate()
        done = own.sluice("run", "parent")
        expect_equal(done.code, 0, f"exit code, {what}\n{done.text}")
        found = sorted(row[0] for row in own.query("SELECT x FROM seen"))
        expect_equal(found, sorted(of), what)
        expect_equal(own.number("SELECT count(*) FROM seen WHERE n <> 2000"), 0, f"rows of a child, {what}")


def random_entries(chance):
    """Words of YAML's and SQL's as names, any text beside them."""
    names = chance.sample(["no", "select", "007", "1e3", "true", "n"], chance.choice([1, 2, 4]))
    return [{"name": name, "text": "".join(chance.choice("ab' \"ä{}:#-0") for _ in range(chance.randrange(1, 9))),
             "from": chance.choice(["inline", "file"]), "rows": chance.randrange(1, 4), "keep": chance.randrange(-1, 3)}
            for name in names]


def each_pipeline_is_its_own(project):
    for trial in range(TRIALS):
        seed = SEED * 1000 + trial
        chance = random.Random(seed)
        entries = random_entries(chance)
        what = f"seed {seed}: {entries}"
        own = type(project)(project.folder / f"e{trial}").create()
        written = []
        for entry in entries:
            rows = [{"id": i} for i in range(entry["rows"])]
            own.write(f"in/{entry['name']}.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
            source = {"from": entry["from"], "columns": {"id": "bigint"}}
            source.update({"rows": rows} if entry["from"] == "inline" else {"path": f"in/{entry['name']}.ndjson"})
            written.append({"name": entry["name"], "text": entry["text"], "keep": entry["keep"], "source": source})
        listed = json.dumps(written, ensure_ascii=False)
        if chance.random() < 0.5:
            own.write("entries.yml", listed)
            listed = "entries.yml"
        own.pipeline("many", f"pipeline: \"of_{{{{ each.name }}}}\"\nfor_each: {listed}\nsteps:\n"
                     "  rows:  { extract: \"{{ each.source }}\" }\n"
                     "  some:  { filter: \"{{ each.keep }} < 0 OR id = {{ each.keep }}\" }\n"
                     "  named: { derive: { name: \"{{ lower(each.name) }}\", text: { value: \"{{ each.text }}\" } } }\n"
                     "  out:   { load: { into: warehouse, table: \"seen_{{ each.name }}\" } }\n")
        order = chance.sample(entries, len(entries))
        for entry in order + order:  # the second time all has been loaded
            done = own.sluice("run", f"of_{entry['name']}")
            expect_equal(done.code, 0, f"exit code of {entry['name']}, {what}\n{done.text}")
        for entry in entries:
            kept = [i for i in range(entry["rows"]) if entry["keep"] in (-1, i)]
            found = own.query(f"SELECT id, name, text FROM \"seen_{entry['name']}\" ORDER BY id")
            expect_equal(found, [[str(i), entry["name"], entry["text"]] for i in kept], f"{entry['name']} of {what}")


if __name__ == "__main__":
    sys.exit(main_of([functions_are_pythons_own, every_element_once, each_pipeline_is_its_own]))
