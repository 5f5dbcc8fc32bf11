"""Real servers for the end-to-end and crash tests: each in a folder of its own, on a free loopback port, ended by its pid.

A test whose server is not installed is skipped with a count; with SLUICE_NO_SKIPS=1 that is a failure (scripts/test)."""
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from rig import Failed, expect, main_of

PASSWORD = "s3cret-of-the-test"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def postgres_programs():
    for folder in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True) + ["/usr/bin", "/usr/local/bin"]:
        if all(os.path.exists(f"{folder}/{name}") for name in ("initdb", "pg_ctl")) and shutil.which("psql"):
            return folder
    return None


class Postgres:
    """A cluster with fsync off; `durable=True` for tests that crash the server itself."""

    def __init__(self, durable=False):
        self.bin = postgres_programs()
        self.folder = Path(tempfile.mkdtemp(prefix="sluice_pg_"))
        self.port = free_port()
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        (self.folder / "pw").write_text(PASSWORD + "\n")
        os.chmod(self.folder / "pw", 0o644)
        self.run(f"{self.bin}/initdb -D {self.folder}/data -U postgres --auth=scram-sha-256 --pwfile={self.folder}/pw"
                 " -E UTF8 --locale=C.UTF-8 --no-sync")
        with open(self.folder / "data/postgresql.conf", "a") as conf:
            conf.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nshared_buffers = 128MB\n"
                       "max_wal_size = 4GB\nmax_connections = 60\n")
            conf.write("" if durable else "fsync = off\nfull_page_writes = off\n")
        self.databases = 0
        self.start()

    def run(self, command):
        quiet = f"{command} >>{self.folder}/rig.log 2>&1 </dev/null"
        words = ["su", "postgres", "-s", "/bin/sh", "-c", quiet] if os.getuid() == 0 else ["sh", "-c", quiet]
        # The log belongs to who runs the server.
        done = subprocess.run(words, cwd="/", check=False)
        if done.returncode != 0:
            log = self.folder / "rig.log"
            raise Failed(f"{command}: exit code {done.returncode}\n{log.read_text() if log.exists() else ''}")

    def start(self):
        self.run(f'{self.bin}/pg_ctl -D {self.folder}/data -l {self.folder}/log -w -t 60 -o "-p {self.port}" start')

    def crash(self):
        self.run(f"{self.bin}/pg_ctl -D {self.folder}/data -m immediate -w stop")

    def stop(self):
        try:
            pid = int((self.folder / "data/postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT)
            for _ in range(500):
                os.kill(pid, 0)
                time.sleep(0.01)  # waits for the server to end
        except (OSError, ValueError):
            pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self):
        self.databases += 1
        name = f"t{self.databases}"
        self.query("postgres", f"CREATE DATABASE {name}")
        return name

    def query(self, database, *statements):
        """The rows of all statements, as lists of texts; "" for NULL."""
        words = ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-At", "-F", "\t",
                 "-v", "ON_ERROR_STOP=1", "-q"]
        for statement in statements:
            words += ["-c", statement]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PGPASSWORD": PASSWORD})
        expect(done.returncode == 0, f"psql: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def number(self, database, statement):
        return int(self.query(database, statement)[0][0])

    def connection(self, name, database, port=None):
        return (f"  {name}: {{ type: postgres, host: 127.0.0.1, port: {port or self.port}, database: {database}, "
                "user: postgres, password: env:RIG_PG_PASSWORD }\n")


MARIADB, MARIADB_INSTALL = "/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db"


def mariadb_programs():
    return all(os.path.exists(path) for path in (MARIADB, MARIADB_INSTALL)) and shutil.which("mariadb")


class Mariadb:
    """A server with a data folder of its own; its user `sluice` has the password of the tests."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sluice_my_"))
        os.chmod(self.folder, 0o711)
        self.port = free_port()
        (self.folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS 'sluice'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO 'sluice'@'%' WITH GRANT OPTION;\n")
        self.user = []
        if os.getuid() == 0:
            self.user = ["--user=mysql"]
            for path in (self.folder, self.folder / "init.sql"):
                shutil.chown(path, "mysql")
        self.process, self.databases = None, 0
        done = subprocess.run([MARIADB_INSTALL, "--no-defaults", *self.user, f"--datadir={self.folder}/data", "--skip-test-db",
                               "--auth-root-authentication-method=normal"], capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"mariadb-install-db: {done.stdout}{done.stderr}")
        self.start()

    def start(self):
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                # A server that starts empties its folder of temporary files, which must be no other's.
                [MARIADB, "--no-defaults", *self.user, f"--datadir={self.folder}/data", f"--socket={self.folder}/s",
                 f"--pid-file={self.folder}/pid", f"--tmpdir={self.folder}/data", f"--init-file={self.folder}/init.sql", "--bind-address=127.0.0.1",
                 f"--port={self.port}", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2",
                 "--innodb-buffer-pool-size=128M", "--max-connections=200"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        for _ in range(600):
            if self.client("mysql", "SELECT 1").returncode == 0:
                return
            expect(self.process.poll() is None, f"mariadbd ended: {(self.folder / 'log').read_text()}")
            time.sleep(0.05)  # looks again
        raise Failed("mariadbd does not answer")

    def crash(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, database, statement, options=()):
        words = ["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", "sluice", "--default-character-set=utf8mb4",
                 "-N", "-B", *options, "-D", database, "-e", statement]
        return subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "MYSQL_PWD": PASSWORD})

    def query(self, database, *statements, options=()):
        """The rows of all statements, as lists of texts; "NULL" for NULL."""
        done = self.client(database, ";\n".join(statements), options)
        expect(done.returncode == 0, f"mariadb: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def number(self, database, statement):
        return int(self.query(database, statement)[0][0])

    def database(self):
        self.databases += 1
        name = f"t{self.databases}"
        self.query("mysql", f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return name

    def connection(self, name, database, port=None):
        return (f"  {name}: {{ type: mysql, host: 127.0.0.1, port: {port or self.port}, database: {database}, "
                "user: sluice, password: env:RIG_PG_PASSWORD }\n")


NEEDS_POSTGRES = "skipped: no PostgreSQL server; apt-get install postgresql"
NEEDS_MARIADB = "skipped: no MariaDB server; apt-get install mariadb-server"


def postgres_or_none():
    return Postgres() if postgres_programs() else None


def mariadb_or_none():
    return Mariadb() if mariadb_programs() else None


def main_with(starts, tests, place, needs):
    """Runs the tests with the servers that `starts` (name -> how) give as names of the module `place`; without the first one
    none of them runs. `needs`: what to say then. Gives the exit code."""
    started = {}
    try:
        for name, start in starts.items():
            started[name] = place[name] = start()
            if next(iter(started.values())) is None:
                print(f"0 passed, 0 failed, {len(tests)} skipped\n{needs}")
                return 0
        return main_of(tests)
    finally:
        for server in started.values():
            if server is not None:
                server.stop()


POSTGRES_COMMIT = b"Q" + (4 + len("COMMIT\0")).to_bytes(4, "big") + b"COMMIT\0"
MYSQL_COMMIT = (1 + len("COMMIT")).to_bytes(3, "little") + b"\0\3COMMIT"


class CutAtCommit:
    """A proxy that sees the protocol: it hands a COMMIT on to the server and closes both sides before the answer. `cuts`
    says how many commits are treated so, counted from the `skip`-th."""

    def __init__(self, port, cuts=1, skip=0, commit=POSTGRES_COMMIT):
        self.target, self.cuts, self.skip, self.cut, self.commit = port, cuts, skip, 0, commit
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.forth, args=(client, server), daemon=True).start()
            threading.Thread(target=self.back, args=(server, client), daemon=True).start()

    def forth(self, client, server):
        try:
            while data := client.recv(1 << 16):
                server.sendall(data)
                if data.endswith(self.commit) and self.is_to_be_cut():
                    client.shutdown(socket.SHUT_RDWR)
                    break
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def is_to_be_cut(self):
        with self.lock:
            if self.skip > 0:
                self.skip -= 1
                return False
            if self.cut >= self.cuts:
                return False
            self.cut += 1
            return True

    @staticmethod
    def back(server, client):
        try:
            while data := server.recv(1 << 16):
                client.sendall(data)
        except OSError:
            pass
        for end in (server, client):
            try:
                end.close()
            except OSError:
                pass

    def close(self):
        self.listener.close()
