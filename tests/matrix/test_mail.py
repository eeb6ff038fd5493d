# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the application does with its password of mail: it tells a server that asks for one."""

from __future__ import annotations

import base64
import json
import os
import socketserver
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

SEND = """
import json, sys
from django.conf import settings
settings.configure(EMAIL_USE_TLS=False)
from django.core.mail.backends.smtp import EmailBackend
for password in json.load(sys.stdin):
    backend = EmailBackend(host="127.0.0.1", port=int(sys.argv[1]), username="ana", password=password, use_tls=False)
    backend.open()
    backend.close()
"""


def python(program: str, given: object, folder: Path, *words: str, **env: str) -> str:
    """Run a program in a process of its own."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONUTF8": "1", **env}
    argv = [sys.executable, "-c", program, *words]
    done = subprocess.run(
        argv,
        input=json.dumps(given),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class MailServer(socketserver.StreamRequestHandler):
    """Takes whoever logs in, and keeps what it was told."""

    def handle(self) -> None:
        """Talk as much of SMTP as that needs."""
        self.wfile.write(b"220 here\r\n")
        for line in self.lines():
            word, _, rest = line.partition(" ")
            if word.upper() == "EHLO":
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif word == "AUTH":
                self.server.seen.append(base64.b64decode(rest.split()[1]).split(b"\0"))  # type: ignore[attr-defined]
                self.wfile.write(b"235 yes\r\n")
            else:
                self.wfile.write(b"221 bye\r\n" if word.upper() == "QUIT" else b"250 yes\r\n")

    def lines(self) -> Iterator[str]:
        """Yield what the client says."""
        while line := self.rfile.readline():
            yield line.decode("ascii").rstrip("\r\n")


def test_a_mail_server_is_told_each_password(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    fit = [value for value in [*values.fit(), *values.long()] if value.isascii()]
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    request.addfinalizer(server.server_close)
    request.addfinalizer(server.shutdown)
    python(SEND, fit, tmp_path, str(server.server_address[1]))
    assert server.seen == [[b"", b"ana", value.encode()] for value in fit]  # type: ignore[attr-defined]
