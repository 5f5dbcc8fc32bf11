#!/usr/bin/env python3
"""The program against a real S3 server: every format both ways, each object once, and a network that breaks."""
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import naughty  # noqa: E402
import rig  # noqa: E402
from rig import expect, expect_equal, expect_in  # noqa: E402
import s3_server  # noqa: E402

os.environ["RIG_S3_SECRET"] = s3_server.SECRET
SERVER = None
COLUMNS = "columns: { id: bigint, v: varchar }"


def project_on(project, port=None, more=""):
    """A bucket of its own as connection `lake`."""
    bucket = SERVER.bucket()
    project.create(SERVER.connection("lake", bucket, port, more))
    return bucket


def run(project, *words, code=0):
    done = project.sluice("run", *words)
    expect_equal(done.code, code, f"exit code of run {' '.join(words)}:\n{done.text}")
    expect(s3_server.SECRET not in done.text, f"the secret is printed:\n{done.text}")
    return done


def csv(rows):
    return "id,v\n" + "".join(f"{i},v{i}\n" for i in rows)


def seen(bucket, prefix, read="read_parquet"):
    """id's of all visible objects under a prefix, by DuckDB itself."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for key in SERVER.keys(bucket, prefix):
            paths.append(f"'{folder}/{len(paths)}-{Path(key).name}'")
            Path(paths[-1].strip("'")).write_bytes(SERVER.get(bucket, key))
        if not paths:
            return []
        return [int(row[0]) for row in rig.query(":memory:", f"SELECT id FROM {read}([{', '.join(paths)}]) ORDER BY id")]


def to_lake(project, path="in/*.csv", into="into: lake, path: out/", keys="", name="load"):
    project.pipeline(name, f"""
{keys}
steps:
  rows: {{ extract: {{ from: lake, path: "{path}", {COLUMNS} }} }}
  out:  {{ load: {{ {into} }} }}
""")


def leaves_nothing(project):
    left = [name for name in project.files() if "spool" in name]
    expect_equal(left, [], "local copies")


def test_every_format_both_ways(project):
    bucket = project_on(project)
    rows = [{"id": i, "v": f"v{i}"} for i in range(50)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        rig.query(":memory:", f"COPY (SELECT range AS id, 'v' || range AS v FROM range(50)) TO '{folder}/x.parquet'")
        parquet = (Path(folder) / "x.parquet").read_bytes()
    for name, content in {"a.csv": csv(range(50)), "a.csv.gz": gzip.compress(csv(range(50)).encode()), "a.tsv":
                          csv(range(50)).replace(",", "\t"), "a.ndjson": lines, "a.ndjson.gz": gzip.compress(lines.encode()),
                          "a.json": json.dumps(rows), "a.parquet": parquet}.items():
        SERVER.put(bucket, f"in/{name}", content)
        project.pipeline("one", f"""
steps:
  rows: {{ extract: {{ from: lake, path: in/{name} }} }}
  out:  {{ load: {{ into: warehouse, table: "{name.replace('.', '_')}" }} }}
""")
        run(project, "one")
        found = project.query(f"SELECT count(*), sum(id), min(v), max(v) FROM {name.replace('.', '_')}")
        expect_equal(found, [["50", "1225", "v0", "v9"]], name)
    for name, read in {"b.csv": "read_csv", "b.csv.gz": "read_csv", "b.ndjson": "read_json", "b.ndjson.zst": "read_json",
                       "b.parquet": "read_parquet"}.items():
        to_lake(project, "in/a.csv", f"into: lake, path: to/{name}, mode: overwrite", name=name.replace(".", "_"))
        run(project, name.replace(".", "_"))
        expect_equal(seen(bucket, f"to/{name}", read)[-2:], [48, 49], name)
    leaves_nothing(project)


def test_each_object_once(project):
    bucket = project_on(project)
    for part in range(3):
        SERVER.put(bucket, f"in/{part}.csv", csv(range(part * 10, part * 10 + 10)))
    to_lake(project)
    run(project, "load")
    expect_in("already loaded", run(project, "load").text)
    SERVER.put(bucket, "in/3.csv", csv(range(30, 40)))
    run(project, "load")
    expect_equal(seen(bucket, "out/"), list(range(40)), "rows")
    expect_equal(len(SERVER.keys(bucket, "out/")), 2, "objects")
    run(project, "load", "--again")
    expect_equal(seen(bucket, "out/"), list(range(40)), "rows, again")
    SERVER.put(bucket, "in/3.csv", csv(range(40, 45)))  # another object under an old key
    run(project, "load")
    expect_equal(seen(bucket, "out/"), list(range(45)), "rows of an object that was replaced")


def test_epochs_published_at_the_end(project):
    bucket = project_on(project)
    for part in range(5):
        SERVER.put(bucket, f"in/{part}.csv", csv(range(part * 10, part * 10 + 10)))
    to_lake(project, into="into: lake, path: all.parquet, mode: overwrite", keys="epoch: { max_bytes: 40 }")
    run(project, "load")
    expect_equal(seen(bucket, "all.parquet"), list(range(50)), "rows")
    left = [key for key in SERVER.keys(bucket, hidden=True) if ".sluice/" in key and not key.endswith(".json")]
    expect_equal(left, [], "staged objects")


def test_letters_name_the_object_and_the_line(project):
    bucket = project_on(project)
    SERVER.put(bucket, "in/a.csv", "id,v\n1,a\nx,b\n3,c\n")
    SERVER.put(bucket, "in/b.ndjson", '{"id": 1, "v": "a"}\n{"id": \n{"id": 3, "v": "c"}\n')
    for name in ("a.csv", "b.ndjson"):
        project.pipeline("load", f"""
steps:
  rows: {{ extract: {{ from: lake, path: in/{name}, {COLUMNS} }}, on_row_error: reject }}
  out:  {{ load: {{ into: warehouse, table: t{name[0]} }} }}
""")
        run(project, "load", code=3)
        expect_equal(project.number(f"SELECT count(*) FROM t{name[0]}"), 2, "rows")
        text = project.sluice("dead-letters", "show", "--output", "json").text
        listed = project.sluice("dead-letters", "list").text + text
        expect_in(f"in/{name}:{3 if name == 'a.csv' else 2}", listed)


def test_damage_is_told_by_the_key(project):
    bucket = project_on(project)
    SERVER.put(bucket, "in/a.parquet", b"PAR1" + bytes(100) + b"PAR1")
    SERVER.put(bucket, "in/b.csv.gz", gzip.compress(csv(range(100)).encode())[:-12])
    for name in ("a.parquet", "b.csv.gz"):
        project.pipeline("load", f"""
steps:
  rows: {{ extract: {{ from: lake, path: in/{name}, {COLUMNS} }} }}
  out:  {{ load: {{ into: warehouse, table: t }} }}
""")
        done = run(project, "load", code=1)
        expect_in(f"'in/{name}'", done.text)
        expect("spool" not in done.text, f"a local copy is named:\n{done.text}")
    leaves_nothing(project)


def test_a_network_that_breaks(project):
    """Every kind of fault on every third request: nothing is lost, nothing repeated, nothing left."""
    faults = [("status", 503, {"Retry-After": "1"}), ("status", 500), ("cut", 20), ("reset",), ("slow", 0.3), ("status", 429)]
    home = project.folder
    for kind in range(len(faults)):
        # The deciding request is another test's; a listing that is cut is no list.
        proxy = s3_server.Faults(SERVER.port, lambda method, path, n, kind=kind: None if n % 3 or path.endswith(".json")
                                 else faults[kind])
        try:
            project = rig.Project(home / str(kind))
            bucket = project_on(project, proxy.port)
            for part in range(4):
                SERVER.put(bucket, f"in/{part}.csv", csv(range(part * 1000, part * 1000 + 1000)))
            to_lake(project, keys="epoch: { max_bytes: 9000 }\nretry: { attempts: 3, delay: 100ms }")
            run(project, "load")
            expect_equal(seen(bucket, "out/"), list(range(4000)), f"rows under {faults[kind]}")
            expect(proxy.faults > 3, f"only {proxy.faults} faults of {faults[kind]}")
            left = [key for key in SERVER.keys(bucket, hidden=True) if ".sluice/" in key and not key.endswith(".json")]
            expect_equal(left, [], f"left under {faults[kind]}")
        finally:
            proxy.close()
    leaves_nothing(project)


def test_faults_in_the_middle_of_large_objects(project):
    """The second range of a download and the second part of an upload, each broken in every way."""
    rows, home = 400_000, project.folder
    content = "id,v\n" + "".join(f"{i},{'some text of the row ' * 2}{i}\n" for i in range(rows))
    for kind, fault in enumerate([("status", 500), ("status", 503, {"Retry-After": "1"}), ("status", 429), ("slow", 1), ("reset",),
                                  ("lost",), ("cut", 3_000_000)]):
        broken = []

        def second(method, path, _, fault=fault, broken=broken):
            what = "range" if method == "GET" and "/in/big.csv" in path else "part" if "partNumber=" in path else None
            broken.append(what)
            return fault if what and broken.count(what) == 2 else None

        proxy = s3_server.Faults(SERVER.port, second)
        try:
            project = rig.Project(home / str(kind))
            bucket = project_on(project, proxy.port)
            SERVER.put(bucket, "in/big.csv", content)
            to_lake(project, into="into: lake, path: out.csv, mode: overwrite")
            run(project, "load")
            ranges, parts = broken.count("range"), broken.count("part")
            expect(ranges >= 3 and parts >= 3 and proxy.faults == 2,
                   f"{ranges} ranges, {parts} parts, {proxy.faults} faults under {fault}")
            expect_equal(sorted(SERVER.get(bucket, "out.csv").decode().splitlines()), sorted(content.splitlines()),
                         f"the object under {fault}")
            expect_equal(SERVER.uploads(bucket), 0, f"uploads under {fault}")
        finally:
            proxy.close()
    leaves_nothing(project)


def of_objects(method, path):
    return method == "GET" and "/in/" in path


def test_the_next_objects_come_while_others_are_read(project):
    """An object at a time: those ahead are asked for before they are needed, never by more requests than `readers`."""
    proxy = s3_server.Faults(SERVER.port, lambda method, path, n: ("slow", 0.05) if of_objects(method, path) else None, of_objects)
    try:
        bucket = project_on(project, proxy.port, ", readers: 2")
        for part in range(12):
            SERVER.put(bucket, f"in/{part:02}.csv", csv(range(part * 1000, part * 1000 + 1000)))
        to_lake(project, keys="epoch: { max_bytes: 30000 }")
        run(project, "load")
        expect_equal(seen(bucket, "out/"), list(range(12_000)), "rows")
        expect_equal(proxy.most, 2, "requests at once")
        asked = [path for method, path in proxy.seen if of_objects(method, path)]
        expect_equal(len(asked), 12, f"requests of {asked}")
        first = [i for i, (method, path) in enumerate(proxy.seen) if of_objects(method, path)]
        decided = [i for i, (method, path) in enumerate(proxy.seen) if is_decision(method, path)]
        # Two objects are an epoch; the next two are on their way before it is decided.
        expect_equal(len(decided), 6, "epochs")
        expect(all(first[2 * i + 3] < decided[i] for i in range(5)), f"nothing came ahead: objects at {first}, decisions at {decided}")
        leaves_nothing(project)
    finally:
        proxy.close()


def test_what_comes_ahead_is_cancelled_at_once(project):
    free = threading.Event()
    proxy = s3_server.Faults(SERVER.port, lambda method, path, n: ("held", free) if "/in/1.csv" in path else None)
    try:
        bucket = project_on(project, proxy.port)
        for part in range(2):
            SERVER.put(bucket, f"in/{part}.csv", csv(range(part * 10, part * 10 + 10)))
        to_lake(project, keys="epoch: { max_bytes: 50 }")
        process = project.start("run", "load")
        until = time.monotonic() + rig.RUN_SECONDS
        while not (proxy.faults and seen(bucket, "out/")):
            expect(time.monotonic() < until and process.poll() is None, "the first object was not loaded")
            time.sleep(0.02)  # looks again
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=rig.RUN_SECONDS)  # the answer never comes
        expect_in("cancelled", out + err)
        leaves_nothing(project)
        free.set()
        run(project, "load")
        expect_equal(seen(bucket, "out/"), list(range(20)), "rows")
    finally:
        free.set()
        proxy.close()


def test_naughty_strings_are_names(project):
    bucket = project_on(project)

    def write(key, text):
        return SERVER.send("PUT", bucket, key, body=text.encode())[0] == 200  # the server takes less than S3 does

    naughty.values_in_paths(project, "lake", lambda name: run(project, name))
    naughty.names_alone(project, "lake", write, lambda name: run(project, name))
    naughty.names_of_columns(project, "lake", lambda name: run(project, name))
    naughty.names_of_files(project, "lake", write, lambda name: run(project, name))
    leaves_nothing(project)


def lost_answer(project, what, matches, keys="retry: { attempts: 3, delay: 100ms }"):
    """The n-th matching request reaches the server, or not, and its answer is lost."""
    hits = []

    def fault(method, path, _):
        if not matches(method, path) or hits:
            return None
        hits.append(path)
        return what

    proxy = s3_server.Faults(SERVER.port, fault)
    try:
        bucket = project_on(project, proxy.port)
        for part in range(3):
            SERVER.put(bucket, f"in/{part}.csv", csv(range(part * 10, part * 10 + 10)))
        to_lake(project, keys=keys + "\nepoch: { max_bytes: 40 }")
        run(project, "load")
        expect(hits, "the fault did not come about")
        expect_equal(seen(bucket, "out/"), list(range(30)), f"rows when {hits[0]} is {what}")
        run(project, "load")
        expect_equal(seen(bucket, "out/"), list(range(30)), "rows of a second run")
    finally:
        proxy.close()


def is_decision(method, path):
    return method == "PUT" and path.endswith(".json")


def is_finish(method, path):
    return method == "POST" and "uploadId=" in path


def test_the_answer_to_the_decision_is_lost(project):
    lost_answer(project, ("lost",), is_decision)


def test_the_decision_does_not_arrive(project):
    lost_answer(project, ("reset",), is_decision)


def test_the_decision_breaks_the_server(project):
    lost_answer(project, ("status", 500), is_decision)


def test_the_answer_to_the_end_of_an_upload_is_lost(project):
    lost_answer(project, ("lost",), is_finish)


def test_a_server_that_stays_away(project):
    bucket = project_on(project, more=", attempts: 2, connect_timeout: 1s")
    SERVER.put(bucket, "in/0.csv", csv(range(10)))
    to_lake(project)
    SERVER.kill()
    try:
        done = run(project, "load", code=1)
        expect_in("nobody answers there", done.text)
        expect_in(f"s3://{bucket}", done.text)
    finally:
        SERVER.start()
    run(project, "load")
    expect_equal(seen(bucket, "out/"), list(range(10)), "rows")


def test_the_example_of_many_objects(project):
    """examples/patterns/d8_parallel_objects, on two buckets; its connections are told where the server is."""
    example = rig.ROOT / "examples/patterns/d8_parallel_objects"
    raw, processed = SERVER.bucket(), SERVER.bucket()
    for path in sorted((example / "data/daily-exports").glob("*.csv")):
        SERVER.put(raw, f"daily-exports/{path.name}", path.read_bytes())
    settings = (example / "sluice.yml").read_text()
    for old, new in (("raw-data", raw), ("processed-data", processed), (":9000", f":{SERVER.port}"), ("access_key: exports",
                     f"access_key: {s3_server.KEY}"), ("env:LAKE_SECRET", "env:RIG_S3_SECRET")):
        settings = settings.replace(old, new)
    project.write("sluice.yml", settings)
    project.pipeline("exports", (example / "pipelines/exports.yml").read_text())
    run(project, "exports")
    expect_equal(SERVER.keys(processed), [f"processed/2026-01-0{day}.parquet" for day in (1, 2, 3)], "objects")
    expect_equal(seen(processed, "processed/"), [1, 3, 4, 5], "rows")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x.parquet").write_bytes(SERVER.get(processed, "processed/2026-01-01.parquet"))
        codec = rig.query(":memory:", f"SELECT DISTINCT compression FROM parquet_metadata('{folder}/x.parquet')")
    expect_equal(codec, [["SNAPPY"]], "codec")
    SERVER.put(raw, "daily-exports/2026-01-04.csv", "id,customer,amount,at\n6,fay,3,2026-01-04 08:00:00\n")
    run(project, "exports")
    expect_equal(seen(processed, "processed/"), [1, 3, 4, 5, 6], "rows with a new object")
    leaves_nothing(project)


def test_copies_and_what_is_there(project):
    """s3:// URIs take their key from the environment, as other tools do."""
    bucket = project_on(project)
    aws = {"AWS_ACCESS_KEY_ID": s3_server.KEY, "AWS_SECRET_ACCESS_KEY": s3_server.SECRET, "AWS_REGION": "us-east-1",
           "AWS_ENDPOINT_URL": f"http://127.0.0.1:{SERVER.port}"}
    project.write("in.csv", csv(range(5)))
    for words in (("in.csv", f"s3://{bucket}/orders/", "--format", "parquet"), (f"s3://{bucket}/orders/*.parquet", "back.csv")):
        done = project.sluice("copy", *words, env=aws)
        expect_equal(done.code, 0, f"exit code of copy {' '.join(words)}:\n{done.text}")
        expect(s3_server.SECRET not in done.text, "the secret is printed")
    expect_equal(seen(bucket, "orders/"), list(range(5)), "objects")
    expect_equal(sorted((project.folder / "back.csv").read_text().splitlines()), sorted(csv(range(5)).splitlines()), "the file")
    SERVER.put(bucket, "note.txt", b"no rows")
    found = [json.loads(line) for line in project.sluice("discover", "lake", "--output", "json").out.splitlines()]
    expect_equal([file["kind"] for file in found], ["parquet"], f"files in {found}")
    expect_equal(project.sluice("discover", "lake", "--all").code, 0, "exit code of discover --all")
    run(project, "lake_tables")
    for secret in (f"s3://{s3_server.KEY}:{s3_server.SECRET}@{bucket}/x.csv", f"s3://{bucket}/x.csv?secret_key={s3_server.SECRET}"):
        done = project.sluice("copy", secret, "x.csv", env=aws)
        expect(done.code == 2 and s3_server.SECRET not in done.text, f"a secret in a URI, code {done.code}:\n{done.text}")


def test_paths_by_value_out_and_in(project):
    bucket = project_on(project)
    SERVER.put(bucket, "in/a.csv", csv(range(100)))
    project.pipeline("out", f"""
steps:
  rows: {{ extract: {{ from: lake, path: in/a.csv, {COLUMNS} }} }}
  more: {{ derive: {{ tens: id // 10 }} }}
  out:  {{ load: {{ into: lake, path: "lake/tens={{{{ row.tens }}}}/x.parquet", mode: overwrite }} }}
""")
    run(project, "out")
    expect_equal(SERVER.keys(bucket, "lake/"), [f"lake/tens={i}/x.parquet" for i in range(10)], "objects")
    project.pipeline("back", """
steps:
  rows: { extract: { from: lake, path: "lake/*/*.parquet" } }
  out:  { load: { into: warehouse, table: t } }
""")
    run(project, "back")
    expect_equal(project.query("SELECT count(*), sum(id), count(DISTINCT tens) FROM t"), [["100", "4950", "10"]], "rows")
    run(project, "out", "--again")
    expect_equal(len(SERVER.keys(bucket, "lake/")), 10, "objects after the same again")


def test_an_object_that_changes_while_it_is_read(project):
    buckets = []

    def change(method, path, _):
        if method == "GET" and path.endswith("in/1.csv") and len(buckets) == 1:
            buckets.append("changed")
            SERVER.put(buckets[0], "in/1.csv", csv(range(50, 60)))

    proxy = s3_server.Faults(SERVER.port, change)
    try:
        bucket = project_on(project, proxy.port)
        for part in range(3):
            SERVER.put(bucket, f"in/{part}.csv", csv(range(part * 10, part * 10 + 10)))
        to_lake(project)
        buckets.append(bucket)
        done = run(project, "load", code=1)
        expect_in("'in/1.csv' changed while it was read", done.text)
        expect_equal(seen(bucket, "out/"), [], "rows")
        run(project, "load")
        expect_equal(len(seen(bucket, "out/")), 30, "rows of the next run")
    finally:
        proxy.close()


def test_wrong_credentials_and_names(project):
    bucket = project_on(project)
    SERVER.put(bucket, "in/0.csv", csv(range(10)))
    to_lake(project)
    environment = {"RIG_S3_SECRET": "canary-of-the-test"}
    done = project.sluice("run", "load", env=environment)
    expect(done.code != 0, "a wrong secret is accepted")
    expect_in("is secret_key the right one?", done.text)
    expect("canary" not in done.text, done.text)
    project.create(SERVER.connection("lake", "no-such-bucket"))
    expect_in("NoSuchBucket", run(project, "load", code=1).text)
    project.create(SERVER.connection("lake", bucket))
    to_lake(project, "nothing/*.csv")
    done = run(project, "load", code=1)
    expect_in("matches 'nothing/*.csv'", done.text)
    expect_in("load.yml:", done.text)
    to_lake(project)
    run(project, "load")
    for path in project.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            expect(s3_server.SECRET.encode() not in content and b"canary" not in content, f"a secret is in {path}")
    text = project.sluice("connections", "test").text
    expect_in(f"s3://{bucket}", text)


def there_and_back(project, bucket, call):
    """An object of several parts is written, found by its prefix and read again; `call` runs."""
    SERVER.put(bucket, "in/0.csv", csv(range(1_000_000)))
    to_lake(project, into="into: lake, path: out/, format: csv")
    project.pipeline("back", f"""
steps:
  rows: {{ extract: {{ from: lake, path: "out/*.csv", {COLUMNS} }} }}
  out:  {{ load: {{ into: warehouse, table: t, mode: overwrite }} }}
""")
    call("load")
    call("back")
    expect_equal(project.query("SELECT count(*), count(DISTINCT id) FROM t"), [["1000000"] * 2], "rows")
    expect_equal(SERVER.uploads(bucket), 0, "uploads that are not finished")


def test_a_login_for_an_hour(project):
    """Key, secret and token of AssumeRole: what is signed with them is taken, and nothing without the token."""
    bucket = SERVER.bucket()
    key, secret, token = SERVER.assume_role()
    words = f"  lake: {{ type: s3, endpoint: \"http://127.0.0.1:{SERVER.port}\", bucket: {bucket}, access_key: {key}, secret_key: env:RIG_HOUR%s }}\n"
    project.create(words % ", session_token: env:RIG_TOKEN")
    environment = {"RIG_HOUR": secret, "RIG_TOKEN": token}

    def call(name):
        done = project.sluice("run", name, env=environment)
        expect_equal(done.code, 0, f"exit code of {name}\n{done.text}")

    there_and_back(project, bucket, call)
    wrong = project.sluice("run", "load", "--again", env={**environment, "RIG_TOKEN": token[:-8] + "canary00"})
    expect_equal(wrong.code, 1, f"exit code with another token\n{wrong.text}")
    project.create(words % "")
    without = project.sluice("run", "load", "--again", env=environment)
    expect_equal(without.code, 1, f"exit code without the token\n{without.text}")
    for done in (wrong, without):
        expect(secret not in done.text and token not in done.text and "canary00" not in done.text, f"a secret is in:\n{done.text}")
    for path in project.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            expect(secret.encode() not in content and token.encode() not in content, f"a secret is in {path}")


def test_the_bucket_is_a_host(project):
    """Virtual-host style: the bucket's name is part of the host's, in the request and in what is signed."""
    bucket = SERVER.bucket()
    host = f"{bucket}.{s3_server.DOMAIN}"
    project.create(SERVER.connection("lake", bucket, more=", style: virtual").replace("http://127.0.0.1", f"http://{s3_server.DOMAIN}"))
    hosts = project.write("hosts", f"127.0.0.1 localhost {host}\n")
    # A process whose /etc/hosts is that file: nobody else sees it.
    before = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode != 0:
        raise rig.Skipped("an /etc/hosts of its own needs root and unshare")

    def call(name):
        done = project.sluice("run", name, before=before)
        expect_equal(done.code, 0, f"exit code of {name}\n{done.text}")

    there_and_back(project, bucket, call)
    project.write("sluice.yml", (project.folder / "sluice.yml").read_text().replace("style: virtual", "style: path"))
    expect(project.sluice("run", "load", "--again", before=before).code != 0, "the path's host is known, too: nothing is proven")


def test_restored_from_a_backup(project):
    """The bucket is that of yesterday: refused with both numbers; resync goes on from what is there."""
    bucket = project_on(project)
    for part in range(2):
        SERVER.put(bucket, f"in/{part}.csv", csv(range(part * 10, part * 10 + 10)))
        to_lake(project)
        if part == 1:
            before = set(SERVER.keys(bucket, "out/", hidden=True))
        run(project, "load")
    for key in set(SERVER.keys(bucket, "out/", hidden=True)) - before:
        SERVER.remove(bucket, key)
    expect_equal(seen(bucket, "out/"), list(range(10)), "rows of the backup")
    done = run(project, "load", code=1)
    expect_in("knows epoch 1 of", done.text)
    expect_in("ledger knows epoch 2", done.text)
    expect_in("sluice resync load", done.text)
    expect_equal(project.sluice("resync", "load").code, 0, "exit code of resync")
    run(project, "load")
    expect_equal(seen(bucket, "out/"), list(range(20)), "rows")


def test_more_objects_than_a_page(project):
    bucket = project_on(project)
    for i in range(1010):
        SERVER.put(bucket, f"in/{i:05}.csv", f"id,v\n{i},v\n")
    to_lake(project)
    run(project, "load")
    expect_equal(seen(bucket, "out/"), list(range(1010)), "rows")
    leaves_nothing(project)


def test_folders_leave_objects_out(project):
    """Of Parquet objects whose folders say that a filter takes none of their rows the end alone is read: the rest is broken."""
    bucket = project_on(project)
    with tempfile.TemporaryDirectory() as folder:
        rig.query(":memory:", f"COPY (SELECT range AS id, md5(range::VARCHAR) AS v FROM range(100000)) TO '{folder}/x.parquet'")
        parquet = (Path(folder) / "x.parquet").read_bytes()
    end = int.from_bytes(parquet[-8:-4], "little") + 8
    broken = parquet[:4] + b"\xff" * (len(parquet) - 4 - end) + parquet[-end:]
    for day in range(1, 6):
        SERVER.put(bucket, f"lake/day=2026-01-0{day}/x.parquet", parquet if day == 3 else broken)
    text = """
steps:
  rows: { extract: { from: lake, path: "lake/day=*/*.parquet", columns: { id: bigint, v: varchar, day: date } } }
  one:  { filter: %s }
  out:  { load: { into: warehouse, table: t } }
"""
    project.pipeline("load", text % "day = '2026-01-03' AND id >= 0")
    expect_in("reads 1 of 5 files", project.sluice("plan", "load").text)
    run(project, "load")
    expect_equal(project.query("SELECT count(*), min(day), max(day) FROM t"), [["100000", "2026-01-03", "2026-01-03"]], "rows")
    leaves_nothing(project)
    project.pipeline("load", text % "day >= '2026-01-03'")
    run(project, "load", code=1)


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    if s3_server.minio_program() is None:
        s3_server.skipped()
        print(f"0 passed, 0 failed, {len(TESTS)} skipped")
        sys.exit(0)
    SERVER = s3_server.S3()
    try:
        sys.exit(rig.main_of(TESTS))
    finally:
        SERVER.stop()
