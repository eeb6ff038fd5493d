# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put load on a site and report what was lost: `python -m tests.load --url http://127.0.0.1:8080 --seconds 60`.

SIGTERM or SIGINT ends the load in good order. The exit code is 1 if any request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from .clients import KINDS
from .report import failures, summary
from .run import run
from .stage import Options, Stage
from .wire import Target

RUNNING = "load is running"
USUAL = Options(Target("", 0, ""))


def target(url: str, host: str) -> Target:
    """Read the address of the site."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    if usual is None or not parts.hostname or parts.path not in ("", "/"):
        raise argparse.ArgumentTypeError(f"--url is {url!r}: give http://ADDRESS:PORT or https://…, without a path")
    return Target(parts.hostname, parts.port or usual, host or parts.netloc, parts.scheme == "https")


def figure(text: str) -> tuple[str, float]:
    """Read NAME=NUMBER, where the name is that of a kind of client."""
    name, _, number = text.partition("=")
    names = [kind.name for kind in KINDS]
    try:
        value = float(number)
    except ValueError:
        value = -1
    if name not in names or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give NAME=NUMBER, NAME is one of {', '.join(names)}")
    return name, value


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True, help="http://ADDRESS:PORT or https://ADDRESS:PORT")
    parser.add_argument("--host-header", default="", help="the site's name (default: as in the URL)")
    parser.add_argument("--seconds", type=float, default=USUAL.seconds, help="how long (default: %(default)g)")
    parser.add_argument("--report", type=Path, help="the JSON file to write")
    parser.add_argument("--rate", type=figure, action="append", default=[], metavar="NAME=NUMBER", help=rates())
    parser.add_argument("--connections", type=figure, action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--timeout", type=float, default=USUAL.timeout, help="seconds to an answer")
    parser.add_argument("--slow-seconds", type=float, default=USUAL.slow_seconds)
    parser.add_argument("--upload-bytes", type=int, default=USUAL.upload_bytes)
    parser.add_argument("--upload-seconds", type=float, default=USUAL.upload_seconds)
    parser.add_argument("--max-requests", type=int, default=USUAL.max_requests, help="never more than that")
    parser.add_argument("--first-task", type=int, help="the first number of a task (default: a new one in each run)")
    parser.add_argument("--seed", type=int, help="for the waiting times")
    return parser.parse_args(arguments)


def rates() -> str:
    """List the kinds of clients with their usual rates."""
    usual = ", ".join(f"{kind.name}={kind.rate:g}" for kind in KINDS)
    return f"requests a second, 0 for none; repeatable (default: {usual}; idle: how many times its usual pace)"


def options(asked: argparse.Namespace) -> Options:
    """Return what the command line asks for."""
    return Options(
        target=target(asked.url, asked.host_header),
        seconds=asked.seconds,
        rates=dict(asked.rate),
        connections={name: int(value) for name, value in asked.connections},
        timeout=asked.timeout,
        slow_seconds=asked.slow_seconds,
        upload_bytes=asked.upload_bytes,
        upload_seconds=asked.upload_seconds,
        max_requests=asked.max_requests,
        # Two runs against one database must not take each other's numbers.
        first_task=int(time.time() * 1000) if asked.first_task is None else asked.first_task,
        seed=asked.seed,
    )


def watch_signals(stage: Stage) -> None:
    """End the load at a signal, and say that it has begun."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stage.stop)
    sys.stdout.write(f"{RUNNING}\n")
    sys.stdout.flush()


def main() -> int:
    """Run from the command line."""
    asked = parse()
    try:
        wanted = options(asked)
    except argparse.ArgumentTypeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    recorder = asyncio.run(run(wanted, watch_signals))
    report = recorder.document(url=asked.url, host_header=wanted.target.host)
    if asked.report:
        # Whoever waits for the file must never find half of it.
        part = asked.report.with_name(f"{asked.report.name}.part")
        part.write_text(json.dumps(report) + "\n", encoding="utf-8")
        part.replace(asked.report)
    sys.stdout.write(f"{summary(report)}\n")
    return 1 if failures(report) else 0


if __name__ == "__main__":
    sys.exit(main())
