#!/usr/bin/env python3
"""Files as the world writes them: packed, cut off, damaged; JSON documents; dialects and encodings of CSV. What cannot be
read is an error or a dead letter, never fewer rows."""
import gzip
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import naughty  # noqa: E402
from rig import expect, expect_equal, expect_in, main_of, query  # noqa: E402

CSV = "id,name\n" + "".join(f"{i},name {i * 7919 % 1000}\n" for i in range(20000))
NDJSON = "".join(json.dumps({"id": i, "name": f"name {i * 7919 % 1000}"}) + "\n" for i in range(20000))
SUM = [["20000", str(sum(range(20000)))]]


def load(project, path, keys="", code=0, table="t", settings=""):
    name = "load_" + "".join(c if c.isalnum() else "_" for c in path + keys)[:40]
    project.pipeline(name, f"{settings}steps:\n  a: {{ extract: {{ from: file, path: \"{path}\"{keys} }} }}\n"
                          f"  b: {{ load: {{ into: warehouse, table: {table} }} }}\n")
    done = project.sluice("run", name)
    expect_equal(done.code, code, f"exit code for {path}\n{done.text}")
    return done



def packed_in(project):
    project.write("a.csv.gz", gzip.compress(CSV.encode()))
    project.write("b.ndjson.gz", gzip.compress(NDJSON.encode()[:100000]) + gzip.compress(NDJSON.encode()[100000:]))
    for name in ("a.csv.gz", "b.ndjson.gz"):
        load(project, name, table="t_" + name[0])
        expect_equal(project.query(f"SELECT count(*), sum(id) FROM t_{name[0]}"), SUM, name)
        expect_equal(project.query(f"SELECT name FROM t_{name[0]} WHERE id = 19999"), [["name " + str(19999 * 7919 % 1000)]], name)
    expect_in("already loaded", load(project, "b.ndjson.gz", table="t_b").text)


def packed_out_and_in_again(project):
    project.write("a.csv", CSV)
    for name in ("out.csv.gz", "out.ndjson.gz", "out.csv.zst", "out.ndjson.zst", "out.tsv", "parts/"):
        more = ", format: ndjson, compression: gzip" if name == "parts/" else ""
        writer = "write_" + name.replace(".", "_").replace("/", "")
        project.pipeline(writer, f"steps:\n  a: {{ extract: {{ from: file, path: a.csv }} }}\n"
                              f"  b: {{ load: {{ into: file, path: {name}, mode: overwrite{more} }} }}\n")
        done = project.sluice("run", writer)
        expect_equal(done.code, 0, f"exit code for {name}\n{done.text}")
        read = "parts/*.ndjson.gz" if name == "parts/" else name
        table = name.replace(".", "_").replace("/", "")
        load(project, read, table=table)
        expect_equal(project.query(f"SELECT count(*), sum(id) FROM {table}"), SUM, name)
    expect_equal(gzip.decompress((project.folder / "out.csv.gz").read_bytes()).decode(), CSV, "out.csv.gz")
    expect((project.folder / "out.tsv").read_text().startswith("id\tname\n0\tname 0\n"), "tabs in out.tsv")


def cut_off_and_damaged(project):
    for name, text in (("a.csv.gz", CSV), ("a.ndjson.gz", NDJSON)):
        whole = gzip.compress(text.encode())
        damaged = bytearray(whole)
        damaged[-6] ^= 1
        columns = ", columns: { id: bigint, name: varchar }"
        for what, data in (("ends in the middle of its packed bytes", whole[:len(whole) // 2]),
                           ("ends in the middle of its packed bytes", whole[:-3]), ("it is damaged", bytes(damaged)),
                           ("cannot be unpacked", text.encode())):
            project.write(name, data)
            done = load(project, name, columns, code=1)
            expect_in(what, done.err, name)
            expect_in(name, done.err)
    expect("main.t" not in project.tables() or project.number("SELECT count(*) FROM t") == 0, "rows were loaded")


def a_bomb(project):
    project.write("a.ndjson.gz", gzip.compress(b"\n" * (80 << 20)))
    project.write("a.csv.gz", gzip.compress(b"id\n" + b"1\n" * (40 << 20)))
    for name in ("a.ndjson.gz", "a.csv.gz"):
        expect_in("limit max_unpack_ratio", load(project, name, ", columns: { id: bigint }", code=1).err)


def json_lists_and_documents(project):
    rows = [{"id": i, "deep": {"x": i / 2}, "text": "a\n,]}\"" + str(i)} for i in range(5000)]
    project.write("list.json", json.dumps(rows, indent=2))
    project.write("list.json.gz", gzip.compress(json.dumps(rows).encode()))
    project.write("page.json", json.dumps({"meta": {"items": [1]}, "data": {"items": rows}, "next": None}, indent=1))
    project.write("one.json", json.dumps(rows[7], indent=2))
    for name, keys, table in (("list.json", "", "a"), ("list.json.gz", "", "b"), ("page.json", ", records: data.items", "c")):
        load(project, name, keys, table=table)
        expect_equal(project.query(f"SELECT count(*), sum(id), max(deep.x), count(DISTINCT text) FROM {table}"),
                     [["5000", str(sum(range(5000))), "2499.5", "5000"]], name)
    load(project, "one.json", table="d")
    expect_equal(project.query("SELECT id, deep.x FROM d"), [["7", "3.5"]], "one document")
    done = load(project, "page.json", ", records: data.rows, columns: { id: bigint }", code=1)
    expect_in("'page.json' has no list at 'data.rows'", done.err)
    project.write("list.json", json.dumps(rows)[:-10])
    expect_in("ends inside its document", load(project, "list.json", ", columns: { id: bigint }", code=1).err)


def bad_records_of_a_document_are_letters(project):
    project.write("a.json", '[\n {"id": 1},\n {"id": "many"},\n 17,\n {"id": 4}\n]\n')
    load(project, "a.json", ", columns: { id: bigint }", code=3, settings="on_row_error: reject\n")
    expect_equal(project.query("SELECT id FROM t ORDER BY id"), [["1"], ["4"]], "rows")
    letters = [json.loads(line) for line in project.sluice("dead-letters", "list", "--output", "json").out.splitlines()]
    expect_equal(sorted((letter["line"], letter["partition"]) for letter in letters), [(3, "a.json"), (4, "a.json")], "lines of letters")


def dialects_that_are_told(project):
    project.write("a.csv", "exported by x\non monday\n1;'a;b'\n2;'c'\n")
    load(project, "a.csv", ", delimiter: ';', quote: single, header: off, skip: 2, columns: { id: bigint, t: varchar }", table="a")
    expect_equal(project.query("SELECT id, t FROM a ORDER BY id"), [["1", "a;b"], ["2", "c"]], "a dialect")
    project.write("b.tsv", "id\tt\n1\ta,b\n2\t\"c\td\"\n")
    load(project, "b.tsv", table="b")
    expect_equal(project.query("SELECT id, replace(t, chr(9), '<tab>') FROM b ORDER BY id"), [["1", "a,b"], ["2", "c<tab>d"]], "tsv")
    project.write("c.txt", "id|t\n1|say \"hi\n2|x\n")
    load(project, "c.txt", ", format: csv, delimiter: '|', quote: none", table="c")
    expect_equal(project.query("SELECT id, t FROM c ORDER BY id"), [["1", 'say "hi'], ["2", "x"]], "no quotes")


def encodings_that_are_told(project):
    text = "id,t\n1,caf\u00e9\n2,\u00fcber\n"
    project.write("a.csv", text.encode("latin-1"))
    done = load(project, "a.csv", ", columns: { id: bigint, t: varchar }", code=1)
    load(project, "a.csv", ", encoding: latin-1", table="a")
    expect_equal(project.query("SELECT t FROM a ORDER BY id"), [["caf\u00e9"], ["\u00fcber"]], "latin-1")
    project.write("b.csv", text.encode("utf-16-le"))
    load(project, "b.csv", ", encoding: utf-16", table="b")
    expect_equal(project.query("SELECT t FROM b ORDER BY id"), [["caf\u00e9"], ["\u00fcber"]], "utf-16 without a mark")
    project.write("c.csv", "id,t\n1,a\n")
    expect_in("c.csv' is not UTF-16: its characters are single bytes", load(project, "c.csv", ", encoding: utf-16", code=1, table="c").err)


def naughty_strings_are_names(project):
    def write(name, text):
        try:
            project.write(name, text)
            return True
        except OSError:  # the file system takes less than a bucket
            return False

    def run(name):
        done = project.sluice("run", name)
        expect_equal(done.code, 0, f"exit code of {name}\n{done.text}")

    naughty.values_in_paths(project, "file", run)
    naughty.names_alone(project, "file", write, run)
    naughty.names_of_columns(project, "file", run)
    naughty.names_of_files(project, "file", write, run)


TESTS = [packed_in, packed_out_and_in_again, cut_off_and_damaged, a_bomb, json_lists_and_documents,
         bad_records_of_a_document_are_letters, dialects_that_are_told, encodings_that_are_told, naughty_strings_are_names]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
