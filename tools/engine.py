# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The outer container engine that the test hosts run in: used where one answers, started where none does.

Only an engine that this program started is ever stopped by it: with `stop`, or with `release` once no container runs in it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
STATE_DIR = ROOT / ".state" / "engine"
PID_FILE = STATE_DIR / "dockerd.pid"
LOG_FILE = STATE_DIR / "dockerd.log"
# Files that name a process of an earlier boot; the number may belong to somebody else by now.
STALE_PID_FILES = {
    PID_FILE: "dockerd",
    Path("/var/run/docker.pid"): "dockerd",
    Path("/var/run/docker/containerd/containerd.pid"): "containerd",
}
DEFAULT_MTU = 1500
START_SECONDS = 60
STOP_SECONDS = 90


class EngineError(Exception):
    """There is no engine; the text says what is missing."""


def answers() -> bool:
    """Whether an engine answers on the default socket."""
    if shutil.which("docker") is None:
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def runs_as(pid: int, name: str) -> bool:
    """Whether that process exists, is alive and is that program."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    program, state = status[status.index("(") + 1 : status.rindex(")")], status[status.rindex(")") + 2]
    return program == name and state != "Z"


def read_pid(path: Path) -> int:
    """Return the process number in a file, 0 when there is none."""
    try:
        return int(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return 0


def own_pid() -> int:
    """Return the process number of the engine that we started, 0 when it is not ours or not running."""
    pid = read_pid(PID_FILE)
    return pid if pid and runs_as(pid, "dockerd") else 0


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll a condition until it holds or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return condition()


def require_daemon() -> None:
    """Have dockerd on this machine, installed if that is possible."""
    if os.geteuid() != 0:
        message = "no container engine answers, and only root can start one: start Docker, or run this as root"
        raise EngineError(message)
    if shutil.which("dockerd") is None:
        if shutil.which("apt-get") is None:
            message = "no container engine answers, and this is no Debian system: install and start Docker Engine"
            raise EngineError(message)
        sys.stdout.write("engine: installing docker.io\n")
        install_daemon()
    if shutil.which("dockerd") is None:
        message = "no container engine answers, and apt-get could not install one: apt-get install docker.io"
        raise EngineError(message)


def install_daemon() -> None:
    """Install Debian's engine; the client is a package of its own since Debian 13."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], stdout=subprocess.DEVNULL, env=environment, check=False)
    known = subprocess.run(["apt-cache", "show", "docker-cli"], capture_output=True, check=False).returncode == 0
    packages = ["docker.io", "iptables", *(["docker-cli"] if known else [])]
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages]
    subprocess.run(install, stdout=subprocess.DEVNULL, env=environment, check=False)


def network_mtu() -> int:
    """Return the MTU of the interface that leads outside: a bridge with a larger one loses large packets."""
    for line in Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]:
        interface, destination, *_ = line.split()
        if destination == "00000000":
            return int(Path(f"/sys/class/net/{interface}/mtu").read_text(encoding="ascii"))
    return DEFAULT_MTU


def start() -> str:
    """Have an engine that answers; says whether it was there, or was started."""
    if answers():
        return "started by us earlier" if own_pid() else "present, not ours"
    require_daemon()
    # A package that starts its own service on installation is as good.
    if answers():
        return "present, not ours"
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    for path, name in STALE_PID_FILES.items():
        if path.exists() and not runs_as(read_pid(path), name):
            path.unlink()
    with LOG_FILE.open("w") as log:
        process = subprocess.Popen(
            ["dockerd", "--pidfile", str(PID_FILE), "--log-opt", "max-size=10m", "--mtu", str(network_mtu())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if wait_until(lambda: process.poll() is not None or answers(), START_SECONDS) and process.poll() is None:
        return "started"
    tail = "\n".join(LOG_FILE.read_text().splitlines()[-10:])
    message = f"dockerd did not come up within {START_SECONDS} s, the end of {LOG_FILE.relative_to(ROOT)} says:\n{tail}"
    raise EngineError(message)


def stop() -> str:
    """Stop the engine and its containers, if we started it."""
    pid = own_pid()
    if not pid:
        return "not ours, left alone" if answers() else "not running"
    containerd = read_pid(Path("/var/run/docker/containerd/containerd.pid"))
    os.kill(pid, signal.SIGTERM)
    if not wait_until(lambda: not runs_as(pid, "dockerd"), STOP_SECONDS):
        message = f"dockerd (process {pid}) did not stop within {STOP_SECONDS} s"
        raise EngineError(message)
    if not wait_until(lambda: not runs_as(containerd, "containerd"), STOP_SECONDS):
        message = f"containerd (process {containerd}) did not stop within {STOP_SECONDS} s"
        raise EngineError(message)
    return "stopped"


def release() -> str:
    """Stop the engine if we started it and nobody uses it any more."""
    if not answers():
        return "not running"
    running = subprocess.run(["docker", "ps", "--quiet"], capture_output=True, text=True, check=True).stdout.split()
    return f"kept, {len(running)} containers run in it" if running else stop()


def status() -> str:
    """Whether an engine answers, and whose it is."""
    if not answers():
        return "not running"
    return f"ours, process {own_pid()}" if own_pid() else "present, not ours"


def main() -> int:
    """Run from the command line."""
    verbs = {"start": start, "stop": stop, "release": release, "status": status}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=verbs)
    try:
        sys.stdout.write(f"engine: {verbs[parser.parse_args().verb]()}\n")
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
