# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the application does with its passwords: a superuser who logs in at Django's form, and mail that is handed to a server."""

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
from ansible_collections.barehost.django.plugins.module_utils import _program_migrate, _program_superuser
from support import project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

# A process of Django each.
SUPERUSERS = 12
LOGIN = """
import json, sys
import django
django.setup()
from django.contrib.admin.forms import AdminAuthenticationForm
found = []
for name, password in json.load(sys.stdin):
    form = AdminAuthenticationForm(data={"username": name, "password": password})
    found.append(form.is_valid())
json.dump(found, sys.stdout)
"""
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


def test_a_superuser_logs_in_with_each_password(tmp_path: Path) -> None:
    app = project.write_app(tmp_path)
    project.done(app, _program_migrate)
    everything = "".join(values.SIGNS)
    fit = values.fit()
    chosen = [everything, f" {everything} ", "x", *values.long(), *fit[:: len(fit) // SUPERUSERS]]
    for number, password in enumerate(chosen):
        user = {"username": f"a{number}", "email": f"a{number}@example.org", "password": password, "fields": {}}
        project.done(app, _program_superuser, **user, renew_password=True)
    attempts = [(f"a{number}", password) for number, password in enumerate(chosen)]
    wrong = [(name, f"{password}.") for name, password in attempts]
    said = json.loads(python(LOGIN, [*attempts, *wrong], app, DJANGO_SETTINGS_MODULE="site_settings"))
    assert said == [True] * len(attempts) + [False] * len(wrong)


class MailServer(socketserver.StreamRequestHandler):
    """Takes whoever logs in, and keeps what it was told."""

    def handle(self) -> None:
        """Talk as much of SMTP as that needs."""
        self.wfile.write(b"220 here\r\n")
        for line in self.lines():
            word, _, rest = line.partition(" ")
            if word == "EHLO":
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
