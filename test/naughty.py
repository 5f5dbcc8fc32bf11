"""The Big List of Naughty Strings as names of files, folders, objects and columns: what goes out comes in again."""
import json
import os
import urllib.parse
from pathlib import Path

from rig import Skipped, expect, expect_equal

BLNS = Path(os.environ.get("SLUICE_CORPORA") or Path(__file__).resolve().parents[2] / "shared/corpora") / "json/blns.json"
COLUMNS = 150  # of one file: an object of more than 200 fields is inferred as a map
NAME_BYTES = 150  # of a file's name; a string that is longer is data only


def strings():
    if not BLNS.exists():
        expect(os.environ.get("SLUICE_NO_SKIPS") is None, f"{BLNS} is not there")
        raise Skipped(f"{BLNS} is not there")
    return list(dict.fromkeys(json.loads(BLNS.read_text())))


def file_names():
    """Those that a folder can hold."""
    return [text for text in folder_names() if not set(text) & set("/\0") and text not in (".", "..")]


def folder_names():
    """Those that fit into a name as Hive writes them, and once more so, as DuckDB writes a path that is being made."""
    return [text for text in strings() if text and len(urllib.parse.quote(urllib.parse.quote(text, safe=""), safe="")) < NAME_BYTES]


def column_names():
    """Those that differ not in case only, as columns must; the header of a CSV file keeps no blanks around one."""
    return list({text.lower(): text for text in strings() if text and text == text.strip() and not text.lower().startswith("_sluice")}.values())


def told(format_name):
    """Of one row of CSV nobody can guess what its quotes are."""
    return ", quote: double" if format_name == "csv" else ""


def rows_of(names):
    return "".join(json.dumps({"id": i, "name": name}) + "\n" for i, name in enumerate(names))


def values_in_paths(project, connection, run):
    """A folder per string, written and read again in each format: `name` is known from the path alone where it is left out."""
    names = folder_names()
    project.write("names.ndjson", rows_of(names))
    project.write("wanted.ndjson", rows_of(names))
    for format_name in ("ndjson", "csv", "parquet"):
        project.pipeline(f"out_{format_name}", f"""
steps:
  rows: {{ extract: {{ from: file, path: names.ndjson, columns: {{ id: bigint, name: varchar }} }} }}
  out:  {{ load: {{ into: {connection}, path: "{format_name}/name={{{{ row.name }}}}/x.{format_name}", mode: overwrite }} }}
""")
        project.pipeline(f"back_{format_name}", f"""
steps:
  rows: {{ extract: {{ from: {connection}, path: "{format_name}/*/*.{format_name}", columns: {{ id: bigint, name: varchar }}{told(format_name)} }} }}
  out:  {{ load: {{ into: warehouse, table: {format_name}_rows }} }}
""")
        run(f"out_{format_name}")
        run(f"back_{format_name}")
        found = project.query(f"SELECT count(*), count(DISTINCT t.id) FROM {format_name}_rows t JOIN read_json('{project.folder}/wanted.ndjson',"
                              " columns={'id': 'BIGINT', 'name': 'VARCHAR'}) w ON t.id = w.id AND t.name = w.name")
        expect_equal(found, [[str(len(names))] * 2], f"strings that came back by {format_name}")


def names_alone(project, connection, write, run):
    """Files whose folder alone knows the string, as Hive writes it, in each format that we decode or DuckDB does."""
    names = folder_names()
    for i, text in enumerate(names):
        folder = urllib.parse.quote(text, safe="")
        write(f"said/name={folder}/a.ndjson", json.dumps({"id": i}) + "\n")
        write(f"said/name={folder}/a.csv", f"id\n{i}\n")
    for format_name in ("ndjson", "csv"):
        project.pipeline(f"said_{format_name}", f"""
steps:
  rows: {{ extract: {{ from: {connection}, path: "said/*/*.{format_name}" }} }}
  out:  {{ load: {{ into: warehouse, table: said_{format_name} }} }}
""")
        run(f"said_{format_name}")
        found = dict(project.query(f"SELECT id, hex(name) FROM said_{format_name}"))
        expect_equal(found, {str(i): text.encode().hex().upper() for i, text in enumerate(names)}, f"what folders say, {format_name}")


def names_of_columns(project, connection, run):
    names = column_names()
    for at in range(0, len(names), COLUMNS):
        columns_of(project, connection, run, names[at:at + COLUMNS], at)


def columns_of(project, connection, run, names, at):
    project.write(f"columns{at}.ndjson", json.dumps({name: i for i, name in enumerate(names)}) + "\n")
    for format_name in ("ndjson", "csv", "parquet"):
        project.pipeline(f"wide_{at}_{format_name}", f"""
steps:
  rows: {{ extract: {{ from: file, path: columns{at}.ndjson }} }}
  out:  {{ load: {{ into: {connection}, path: columns/{at}.{format_name}, mode: overwrite }} }}
""")
        project.pipeline(f"narrow_{at}_{format_name}", f"""
steps:
  rows: {{ extract: {{ from: {connection}, path: columns/{at}.{format_name}{told(format_name)} }} }}
  out:  {{ load: {{ into: file, path: back/{at}_{format_name}.ndjson, mode: overwrite }} }}
""")
        run(f"wide_{at}_{format_name}")
        run(f"narrow_{at}_{format_name}")
        # A name may hold what Python takes for the end of a line.
        lines = (project.folder / f"back/{at}_{format_name}.ndjson").read_text().rstrip("\n").split("\n")
        expect_equal(len(lines), 1, f"rows by {format_name}")
        found = json.loads(lines[0])
        other = [(name, found.get(name)) for i, name in enumerate(names) if found.get(name) != i]
        expect(not other and len(found) == len(names), f"columns by {format_name} that are not the same: {other}")


def names_of_files(project, connection, write, run):
    """`write(name, text)`: whether there can be such a file."""
    names = [name for name in file_names() if write(f"in/{name}.ndjson", json.dumps({"v": name}) + "\n")]
    expect(len(names) > 200, f"only {len(names)} names are names of files")
    project.pipeline("files", f"""
steps:
  rows: {{ extract: {{ from: {connection}, path: "in/*.ndjson", columns: {{ v: varchar }} }} }}
  out:  {{ load: {{ into: file, path: "stems/{{{{ file.name }}}}", format: ndjson, mode: overwrite }} }}
""")
    run("files")
    found = {path.name: json.loads(path.read_text())["v"] for path in (project.folder / "stems").iterdir() if path.is_file()}
    expect_equal(found, {f"{name}.ndjson": name for name in names}, "files by their names")
