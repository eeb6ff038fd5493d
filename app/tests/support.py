"""Processes of the app, started the way the deployment starts them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from django.db import connection

APP = Path(__file__).resolve().parent.parent
TLS = {
    "DEBUG": "False",
    "SECRET_KEY": "xK3mQ8vT1zR6wY9bN4cL7dF2gH5jP0sAeUiOqWxEzRtCvByNu7pLq",
    "ALLOWED_HOSTS": "app.example.com,127.0.0.1",
    "CSRF_TRUSTED_ORIGINS": "https://app.example.com",
    "CSRF_COOKIE_SECURE": "True",
    "SESSION_COOKIE_SECURE": "True",
    "SECURE_SSL_REDIRECT": "True",
    "SECURE_PROXY_SSL_HEADER_ENABLED": "True",
    "SECURE_BROWSER_XSS_FILTER": "True",
    "SECURE_CONTENT_TYPE_NOSNIFF": "True",
    "SECURE_HSTS_SECONDS": "3600",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": "False",
    "SECURE_HSTS_PRELOAD": "False",
}
PLAIN = {
    "LOG_LEVEL": "INFO",
    "ALLOWED_HOSTS": "127.0.0.1,localhost",
    "CSRF_COOKIE_SECURE": "False",
    "SESSION_COOKIE_SECURE": "False",
    "SECURE_SSL_REDIRECT": "False",
    "SECURE_PROXY_SSL_HEADER_ENABLED": "False",
    "SECURE_HSTS_SECONDS": "0",
}


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Take our own environment, with the test database in the place of the real one."""
    return {**os.environ, "DB_NAME": str(connection.settings_dict["NAME"]), **changes}


def manage(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a management command."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=APP,
        env=environment(changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Process:
    """A process in the background, with its output in a file."""

    def __init__(self, *command: str, **changes: str) -> None:
        """Start it."""
        self.log: IO[bytes] = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, cwd=APP, env=environment(changes), stdout=self.log, stderr=subprocess.STDOUT
        )

    def output(self) -> str:
        """Read what it has said so far."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def stop(self) -> int:
        """End it in good order, or by force."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.log.close()


def wait_for[T](what: str, ask: Callable[[], T], seconds: float = 30, processes: tuple[Process, ...] = ()) -> T:
    """Ask until the answer is true; on a time-out show what the processes said."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            said = "\n".join(f"--- {process.process.args!r}\n{process.output()[-4000:]}" for process in processes)
            message = f"{what}: not within {seconds} s, last answer {answer!r}\n{said}"
            raise AssertionError(message)
        time.sleep(0.1)
    return answer
