"""The container's healthcheck: `python probe.py [web|worker|beat]`. Standard library only, so that it is cheap.

One image runs the web, worker and beat processes; without an argument the probe looks at what PID 1 is.
"""

import os
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

WORKER_MAX_AGE_SECONDS = 30
BEAT_MAX_AGE_SECONDS = 60


def process_of(arguments: list[str]) -> str:
    """Tell from a command line which of our processes it starts."""
    if any(Path(argument).name == "celery" for argument in arguments):
        return "beat" if "beat" in arguments else "worker"
    return "web"


def host_header(allowed_hosts: str) -> str:
    """Choose a Host that Django accepts."""
    first = allowed_hosts.split(",", maxsplit=1)[0].strip()
    return "localhost" if first in {"", "*"} else first.lstrip(".")


def probe_web() -> str:
    """Ask for the live page as the proxy would; anything but 200 is an error."""
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
    # Without the second header Django may answer with a redirect to https, which proves nothing.
    headers = {"Host": host_header(os.environ.get("ALLOWED_HOSTS", "")), "X-Forwarded-Proto": "https"}
    connection.request("GET", "/health/live/", headers=headers)
    status = connection.getresponse().status
    return "" if status == 200 else f"/health/live/ answers {status}"  # noqa: PLR2004


def probe_file(process: str, max_age: int) -> str:
    """Look at the age of the file that the process touches while it works."""
    age = time.time() - (Path(tempfile.gettempdir()) / f"{process}.heartbeat").stat().st_mtime
    return "" if age <= max_age else f"no heartbeat for {age:.0f} seconds"


def main(arguments: list[str]) -> int:
    """Run the probe; 0 if healthy."""
    process = arguments[0] if arguments else process_of(Path("/proc/1/cmdline").read_text().split("\0"))
    try:
        if process == "web":
            problem = probe_web()
        else:
            problem = probe_file(process, BEAT_MAX_AGE_SECONDS if process == "beat" else WORKER_MAX_AGE_SECONDS)
    except OSError as error:
        problem = str(error)
    print(f"{process}: {problem or 'ok'}")  # noqa: T201
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
