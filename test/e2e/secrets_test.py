#!/usr/bin/env python3
"""`sluice secrets`, references in connections, and the canary: a stored secret that is used by a run must be nowhere
but in the store's sealed bytes: not in what is printed, in the ledger, a plan, a log, or a core file."""
import os
import pty
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import SLUICE, expect, expect_equal, expect_in, main_of, query  # noqa: E402

CANARY = "canary-77a1f0c2e9"
PIPELINE = "steps: { a: { extract: { from: shop, table: orders } }, b: { load: { into: warehouse, table: t } } }"


def secrets(project, *words, value="", **environment):
    home = str(project.folder / "config")
    done = subprocess.run([SLUICE, "secrets", *words], cwd=project.folder, input=value, capture_output=True, text=True,
                          env=project.environment(XDG_CONFIG_HOME=home, **environment))
    return done


def stored(project, name="shop_db", value=CANARY):
    done = secrets(project, "set", name, value=value + "\n")
    expect_equal(done.returncode, 0, f"exit code of secrets set\n{done.stderr}")
    expect_in(f"secret:{name}", done.stdout)
    expect(value not in done.stdout + done.stderr, "the value was printed")
    return project


def run(project, *words, **more):
    return project.sluice(*words, env={"XDG_CONFIG_HOME": str(project.folder / "config"), **more})


def clean(project, done, what):
    expect(CANARY not in done.text, f"the secret was printed by {what}:\n{done.text}")


def nowhere_on_disk(project):
    for path in project.folder.rglob("*"):
        if path.is_file() and path.name != "note.txt":
            data = path.read_bytes()
            expect(CANARY.encode() not in data, f"the secret is in {path.relative_to(project.folder)}")
            expect(CANARY.encode("utf-16-le") not in data, f"the secret is in {path.relative_to(project.folder)}")


def set_list_rotate_remove(project):
    stored(project)
    stored(project, "hook", "other")
    stored(project)
    listed = secrets(project, "list").stdout.split()
    expect_equal(listed[3:5] + listed[6:8], ["hook", "1", "shop_db", "2"], "the list")
    nowhere_on_disk(project)
    done = secrets(project, "rotate")
    expect_in("sealed 2 secrets with a new key", done.stdout)
    key = next((project.folder / "config/sluice/keys").glob("*.key"))
    expect_equal((key.stat().st_mode & 0o777, len(key.read_text())), (0o600, 65), "the key file")
    expect_equal(secrets(project, "remove", "hook").returncode, 0, "exit code of remove")
    done = secrets(project, "remove", "hook")
    expect_equal(done.returncode, 2, "exit code of removing what is not there")
    expect_in("there is no secret 'hook'", done.stderr)


def a_value_on_the_command_line_is_refused(project):
    for words in (["set", "shop_db", CANARY], ["set", "shop_db", CANARY, "more"]):
        done = secrets(project, *words)
        expect_equal(done.returncode, 2, f"exit code of {words}")
    done = secrets(project, "set", "shop_db", CANARY)
    expect(CANARY not in done.stdout + done.stderr, "the value was printed back")
    expect_in("pipe it in", done.stderr)
    expect(not (project.folder / ".sluice/secrets.json").exists(), "something was stored")
    expect_equal(secrets(project, "set").returncode, 2, "exit code without a name")
    expect_equal(secrets(project, "set", "a", value="").returncode, 2, "exit code of an empty value")
    expect_equal(secrets(project, "show", "a").returncode, 2, "exit code of showing one: nothing prints a secret")


def asked_for_on_a_terminal_without_echo(project):
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(project.folder)
        os.execve(SLUICE, [SLUICE, "secrets", "set", "typed"], project.environment(XDG_CONFIG_HOME=str(project.folder / "config")))
    shown = b""
    while b"not shown" not in shown:
        shown += os.read(terminal, 1024)
    # The prompt comes before the echo is turned off; wait until the terminal says it is.
    import termios
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        pass
    os.write(terminal, CANARY.encode() + b"\n")
    try:
        while more := os.read(terminal, 1024):
            shown += more
    except OSError:
        pass
    expect_equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, f"exit code\n{shown.decode()}")
    expect(CANARY.encode() not in shown, f"the value was echoed: {shown.decode()}")
    expect_in("stored typed, version 1", shown.decode())


def plain_values_by_reference(project):
    project.write("note.txt", "other.duckdb\n")
    plain = (project.folder / "sluice.yml").read_text()
    project.write("orders.csv", "id\n1\n2\n")
    project.write("sluice.yml", "connections:\n  warehouse: { type: duckdb, path: env:WAREHOUSE }\n  other: { type: duckdb, path: file:note.txt }\n")
    project.pipeline("p", "steps: { a: { extract: { from: file, path: orders.csv } }, b: { load: { into: warehouse, table: t } },"
                          " c: { load: { into: other, table: t } } }")
    done = run(project, "run", "p", WAREHOUSE="from_env.duckdb")
    expect_equal(done.code, 0, f"exit code\n{done.text}")
    for name in ("from_env.duckdb", "other.duckdb"):
        expect_equal(query(project.folder / name, "SELECT count(*) FROM t"), [["2"]], name)
    done = run(project, "run", "p")
    expect_equal(done.code, 2, "exit code without the variable")
    expect_in("sluice.yml:2:36: the environment variable WAREHOUSE is not set", done.err)
    project.write("sluice.yml", plain)
    stored(project)
    project.write("sluice.yml", "connections:\n  warehouse: { type: duckdb, path: secret:shop_db }\n")
    done = run(project, "check")
    expect_equal(done.code, 2, "exit code of a secret where it would be shown")
    expect_in("sluice.yml:2:36: 'path' is shown in plans and messages, and 'secret:shop_db' is a secret", done.err)
    clean(project, done, "check")


def has_postgres(project):
    return "postgres" in project.sluice("connectors").out


def silent_server():
    """Takes connections and never answers."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(8)
    return server


def canary_in_a_run_that_fails(project):
    if not has_postgres(project):
        return
    stored(project)
    closed = silent_server()
    port = closed.getsockname()[1]
    closed.close()
    project.write("sluice.yml", "connections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n"
                                f"  shop: {{ type: postgres, host: 127.0.0.1, port: {port}, database: shop, user: shop, password: secret:shop_db }}\n")
    project.pipeline("p", PIPELINE)
    for words in (["check"], ["plan", "p"], ["run", "p"], ["run", "p", "--output", "json"], ["logs"], ["runs"], ["doctor"],
                  ["connections", "test"], ["connections", "list"], ["schema"], ["fmt", "--types"], ["preview", "p"]):
        clean(project, run(project, *words), " ".join(words))
    nowhere_on_disk(project)
    done = run(project, "secrets", "remove", "shop_db")
    done = run(project, "run", "p")
    expect(done.code != 0, "a run without its secret")
    expect_in("there is no secret 'shop_db'", done.text)


def canary_in_a_crash(project):
    if not has_postgres(project):
        return
    stored(project)
    with silent_server() as server:
        project.write("sluice.yml", "connections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n"
                      f"  shop: {{ type: postgres, host: 127.0.0.1, port: {server.getsockname()[1]}, database: shop, user: shop, password: secret:shop_db }}\n")
        project.pipeline("p", PIPELINE)
        process = project.start("check", "p", env={"XDG_CONFIG_HOME": str(project.folder / "config")},
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
        peer, _ = server.accept()  # from here on the secret is open
        process.send_signal(signal.SIGSEGV)
        out, err = process.communicate(timeout=60)
        peer.close()
    expect(CANARY not in out + err, "the secret was printed")
    expect_equal([path.name for path in project.folder.glob("core*")], [], "core files")
    nowhere_on_disk(project)


TESTS = [set_list_rotate_remove, a_value_on_the_command_line_is_refused, asked_for_on_a_terminal_without_echo,
         plain_values_by_reference, canary_in_a_run_that_fails, canary_in_a_crash]

if __name__ == "__main__":
    sys.exit(main_of(TESTS))
