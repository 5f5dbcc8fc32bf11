"""A real S3 server for the tests (MinIO, on a free loopback port, ended by its pid), a client of it that shares no code
with sluice, and a proxy that breaks answers on the way.

MinIO is a test process only; `scripts/setup s3` builds it once. A test without it is skipped with a count."""
import datetime
import hashlib
import hmac
import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from rig import Failed, expect
from servers import free_port

KEY, SECRET = "sluice-of-the-test", "s3-secret-of-the-test"
DOMAIN = "s3.test"  # BUCKET.s3.test is the bucket's host
READY_SECONDS = 30


def minio_program():
    for path in (os.environ.get("SLUICE_MINIO"), str(Path.home() / ".cache/sluice/bin/minio"), shutil.which("minio")):
        if path and os.access(path, os.X_OK):
            return path
    return None


def skipped():
    print("skipped: no S3 server; scripts/setup s3 builds MinIO (needs Go)")


class S3:
    def __init__(self, folder=None):
        self.folder = Path(folder or tempfile.mkdtemp(prefix="sluice_s3_"))
        self.own = folder is None
        self.port = free_port()
        self.buckets = 0
        self.start()

    def start(self):
        environment = {**os.environ, "MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off",
                       "MINIO_UPDATE": "off", "MINIO_DOMAIN": DOMAIN}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([minio_program(), "server", "--quiet", "--address", f"127.0.0.1:{self.port}",
                                             str(self.folder / "data")], env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/minio/health/live")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)  # until it answers, no longer than READY_SECONDS
        raise Failed(f"the S3 server did not start: {(self.folder / 'log').read_text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        if self.own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def bucket(self):
        self.buckets += 1
        name = f"bucket-{os.getpid()}-{self.buckets}"
        until = time.monotonic() + READY_SECONDS
        while self.send("PUT", name)[0] != 200:
            expect(time.monotonic() < until, f"the S3 server makes no bucket: {(self.folder / 'log').read_text()}")
            time.sleep(0.05)  # it answers before it is ready
        return name

    def send(self, method, bucket, key="", query=(), body=b"", headers=None, secret=SECRET, service="s3"):
        """Status, headers and body of one signed request."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        path = "/" + bucket + ("/" + urllib.parse.quote(key, safe="/-_.~") if key else "")
        asked = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in sorted(query))
        signed = {"host": f"127.0.0.1:{self.port}", "x-amz-date": now, "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
        lines = "".join(f"{name}:{value}\n" for name, value in sorted(signed.items()))
        names = ";".join(sorted(signed))
        canonical = f"{method}\n{path}\n{asked}\n{lines}\n{names}\n{signed['x-amz-content-sha256']}"
        scope = f"{now[:8]}/us-east-1/{service}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        mac = ("AWS4" + secret).encode()
        for part in (now[:8], "us-east-1", service, "aws4_request", to_sign):
            mac = hmac.new(mac, part.encode(), hashlib.sha256).digest()
        signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={mac.hex()}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path + ("?" + asked if asked else ""), body=body, headers={**signed, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def assume_role(self):
        """Id, secret and token of a login that ends after an hour."""
        body = b"Action=AssumeRole&DurationSeconds=3600&Version=2011-06-15"
        status, _, answer = self.send("POST", "", body=body, headers={"content-type": "application/x-www-form-urlencoded"}, service="sts")
        expect(status == 200, f"AssumeRole: {status} {answer}")
        found = {one.tag.split("}")[1]: one.text for one in ElementTree.fromstring(answer).iter()}
        return found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]

    def put(self, bucket, key, body):
        status, _, answer = self.send("PUT", bucket, key, body=body if isinstance(body, bytes) else body.encode())
        expect(status == 200, f"PUT {key}: {status} {answer}")

    def get(self, bucket, key):
        status, _, body = self.send("GET", bucket, key)
        expect(status == 200, f"GET {key}: {status} {body}")
        return body

    def remove(self, bucket, key):
        self.send("DELETE", bucket, key)

    def keys(self, bucket, prefix="", hidden=False):
        """All keys; those of sluice itself only when asked."""
        keys, token = [], None
        while True:
            query = [("list-type", "2"), ("prefix", prefix)] + ([("continuation-token", token)] if token else [])
            status, _, body = self.send("GET", bucket, query=query)
            expect(status == 200, f"list: {status} {body}")
            root = ElementTree.fromstring(body)
            space = root.tag[:root.tag.index("}") + 1]
            keys += [one.findtext(f"{space}Key") for one in root.iter(f"{space}Contents")]
            token = root.findtext(f"{space}NextContinuationToken")
            if not token:
                return [key for key in keys if hidden or ".sluice/" not in key]

    def uploads(self, bucket):
        """How many uploads are not finished: MinIO lists them by their very key only, so its folder is looked into."""
        parts = self.folder / "data/.minio.sys/multipart"
        return sum(1 for path in parts.glob("*/*") if path.is_dir()) if parts.exists() else 0

    def connection(self, name, bucket, port=None, more=""):
        return (f"  {name}: {{ type: s3, endpoint: \"http://127.0.0.1:{port or self.port}\", bucket: {bucket}, access_key: {KEY}, "
                f"secret_key: env:RIG_S3_SECRET{more} }}\n")


class Faults:
    """A proxy of HTTP that answers some requests itself. `fault(method, path, n)` gives for the n-th request that matches
    nothing what the client gets instead: None to hand it on, or one of
      ("status", code, headers)   an answer of its own
      ("cut", bytes)              so many bytes of the server's answer, then the end
      ("reset",)                  the connection is reset before the request is handed on
      ("lost",)                   the request is handed on and its answer lost
      ("slow", seconds)           the answer comes later
      ("held", event)             the answer comes when the event is set
    `most` is how many requests that `counted(method, path)` were under way at once."""

    def __init__(self, port, fault, counted=lambda method, path: False):
        self.target, self.fault, self.seen, self.faults = port, fault, [], 0
        self.counted, self.now, self.most = counted, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def read_message(stream, head_only=False):
        """Head and body of a request or an answer with a length."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return None, None
            head += line
        fields = {line.split(b":", 1)[0].strip().lower(): line.split(b":", 1)[1].strip()
                  for line in head.split(b"\r\n")[1:] if b":" in line}
        if head_only or head.split(b" ", 2)[1] in (b"204", b"304"):
            return head, b""
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            body = b""
            while True:
                line = stream.readline()
                chunk = stream.read(int(line, 16) + 2)
                body += line + chunk
                if int(line, 16) == 0:
                    return head, body
        return head, stream.read(int(fields.get(b"content-length", b"0")))

    def count(self, more):
        with self.lock:
            self.now += more
            self.most = max(self.most, self.now)

    def serve(self, client):
        server, counted = None, 0
        try:
            upstream = client.makefile("rb")
            while True:
                head, body = self.read_message(upstream)
                if head is None:
                    return
                method, path = head.split(b" ", 2)[:2]
                with self.lock:
                    self.seen.append((method.decode(), path.decode()))
                    what = self.fault(method.decode(), path.decode(), len(self.seen))
                    self.faults += what is not None
                counted = int(self.counted(method.decode(), path.decode()))
                self.count(counted)
                if what and what[0] == "status":
                    lines = "".join(f"{name}: {value}\r\n" for name, value in (what[2] if len(what) > 2 else {}).items())
                    client.sendall(f"HTTP/1.1 {what[1]} Fault\r\n{lines}Content-Length: 0\r\n\r\n".encode())
                    self.count(-counted)
                    counted = 0
                    continue
                if what and what[0] == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                    return
                if server is None:
                    server = socket.create_connection(("127.0.0.1", self.target))
                    answers = server.makefile("rb")
                server.sendall(head + body)
                answer, content = self.read_message(answers, method == b"HEAD")
                if answer is None or (what and what[0] == "lost"):
                    return
                if what and what[0] == "slow":
                    time.sleep(what[1])  # the fault itself
                if what and what[0] == "held":
                    what[1].wait()
                self.count(-counted)  # before its client can send the next
                counted = 0
                if what and what[0] == "cut":
                    client.sendall(answer + content[:what[1]])
                    return
                client.sendall(answer + content)
        except (OSError, ValueError):
            pass
        finally:
            self.count(-counted)
            for end in (client, server):
                if end is not None:
                    try:
                        end.close()
                    except OSError:
                        pass
