# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A git server and a registry that want a login, on the controller; a host reaches them through a tunnel of its own SSH."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import shlex
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

REGISTRY_IMAGE = "barehost/registry:2"
# bcrypt is the only hash that the registry takes, and the system's crypt knows it.
HASH = 'chomp(my $word = <STDIN>); print crypt($word, q($2y$05$) . substr("x" x 22, 0, 22))'


def output(*argv: str, given: str | None = None) -> str:
    """Run a program of the controller, which must succeed."""
    return subprocess.run(argv, input=given, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True)
class Door:
    """How the test user reaches the host over SSH, as the inventory says."""

    options: tuple[str, ...]
    target: str

    @staticmethod
    def of(inventory: Path, name: str) -> Door:
        """Read it."""
        program = Path(sys.executable).with_name("ansible-inventory")
        known = json.loads(output(str(program), "-i", str(inventory), "--host", name))
        options = ["-i", known["ansible_ssh_private_key_file"], "-o", f"Port={known['ansible_port']}"]
        options += shlex.split(known["ansible_ssh_common_args"])
        return Door(tuple(options), f"{known['ansible_user']}@{known['ansible_host']}")

    @contextlib.contextmanager
    def tunnel(self, folder: Path, *ports: int) -> Iterator[None]:
        """Let ports of the controller answer on the host, too."""
        # A short path: the name of a socket has its limit.
        control = ["-o", f"ControlPath={os.path.relpath(folder / 'tunnel')}"]
        forwards = [word for port in ports for word in ("-R", f"127.0.0.1:{port}:127.0.0.1:{port}")]
        # With -f it only comes back once all forwards stand; what it would inherit would never end for us.
        argv = ["ssh", "-fNM", "-o", "ExitOnForwardFailure=yes", *control, *self.options, *forwards, self.target]
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        try:
            yield
        finally:
            subprocess.run(["ssh", *control, "-O", "exit", self.target], capture_output=True, check=False)


class GitHandler(http.server.BaseHTTPRequestHandler):
    """Git's own server program behind a login."""

    root: Path
    login: str

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        if self.headers.get("Authorization") != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": self.login.partition(":")[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in {**fields, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the base class looks for that name


@contextlib.contextmanager
def git_server(root: Path, login: str) -> Iterator[tuple[int, str]]:
    """Serve the repositories of a folder over https; yield the port, and the certificate that a client has to trust."""
    key, certificate = root / "server.key", root / "server.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=git"]
    output(*request, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate))
    handler = type("Handler", (GitHandler,), {"root": root, "login": login})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, certificate.read_text()
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Registry:
    """A registry that nobody may pull from without a login; both engines trust it, as everything at 127.0.0.1."""

    port: int
    username: str
    password: str

    @property
    def repository(self) -> str:
        """Where the images of the test go."""
        return f"127.0.0.1:{self.port}/team/shop"

    @property
    def encoded(self) -> str:
        """The login as it travels, and as Docker would write it into its configuration."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def ask(self, path: str) -> Any:
        """Ask the registry itself."""
        headers = {"Authorization": f"Basic {self.encoded}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v2/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - ours
            return json.load(answer)

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return bool(self.ask("") == {})
        except OSError:
            return False


@contextlib.contextmanager
def private_registry(name: str, folder: Path, username: str, password: str) -> Iterator[Registry]:
    """Run one beside the mirror of the test hosts."""
    hashed = output("docker", "run", "--rm", "-i", "--entrypoint=perl", REGISTRY_IMAGE, "-e", HASH, given=password)
    (folder / "htpasswd").write_text(f"{username}:{hashed}\n")
    # One that a killed run left.
    output("docker", "rm", "--force", "--volumes", name)
    run = ["docker", "run", "--detach", f"--name={name}", "--publish=127.0.0.1::5000"]
    run += [f"--volume={folder / 'htpasswd'}:/etc/docker/registry/htpasswd:ro", "--env=REGISTRY_AUTH=htpasswd"]
    run += [
        "--env=REGISTRY_AUTH_HTPASSWD_REALM=test",
        "--env=REGISTRY_AUTH_HTPASSWD_PATH=/etc/docker/registry/htpasswd",
    ]
    try:
        output(*run, REGISTRY_IMAGE)
        port = int(output("docker", "port", name, "5000").splitlines()[0].rpartition(":")[2])
        registry = Registry(port, username, password)
        end = time.monotonic() + 30
        while not registry.answers() and time.monotonic() < end:
            time.sleep(0.2)
        assert registry.answers(), "the registry does not answer"
        yield registry
    finally:
        output("docker", "rm", "--force", "--volumes", name)


@contextlib.contextmanager
def command_lines(*secrets: str) -> Iterator[set[str]]:
    """Collect every command line with one of the secrets: those of the host are processes of this machine, too."""
    found: set[str] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.update(line for secret in secrets if secret in line)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
