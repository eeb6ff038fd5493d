# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The real Compose CLI: found, or fetched from the machine's own Debian mirror.

Two versions are wanted, the oldest and the newest that Debian has, because the parser of `.env` files changed in between.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUITES = ("trixie", "sid")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
HELP = (
    "no Docker Compose >= 2.26 was found, and none could be fetched from a Debian mirror: "
    "install the CLI plugin or set BAREHOST_COMPOSE to the path of a docker-compose binary"
)


@dataclass(frozen=True)
class Compose:
    """One Compose CLI."""

    argv: tuple[str, ...]
    version: tuple[int, ...]

    def config(self, folder: Path) -> Any:
        """Return what `docker compose config` makes of the project in a folder."""
        # No variable of this shell may reach the project: Compose would interpolate it.
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        argv = [*self.argv, "--project-directory", str(folder), "-f", str(folder / "compose.yaml")]
        done = subprocess.run([*argv, "config", "--format", "json"], env=env, capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode())
        return json.loads(done.stdout)

    def environment(self, folder: Path, text: str) -> dict[str, str]:
        """Return the environment that a service gets from a `.env` file with this text."""
        (folder / "compose.yaml").write_text("name: t\nservices: {web: {image: i, env_file: .env}}\n")
        (folder / ".env").write_bytes(text.encode())
        environment = self.config(folder)["services"]["web"]["environment"]
        # In its own output Compose writes every dollar sign twice, so that the output is a valid input.
        return {name: value.replace("$$", "$") for name, value in environment.items()}


def find_all(cache: Path) -> list[Compose]:
    """Return every Compose at hand, the oldest first."""
    if named := os.environ.get("BAREHOST_COMPOSE"):
        candidates = [(path,) for path in named.split(os.pathsep)]
    else:
        candidates = [(str(path),) for path in _cached(cache)]
        if shutil.which("docker"):
            candidates.append(("docker", "compose"))
    found = (_probe(argv) for argv in candidates)
    return sorted((item for item in found if item is not None), key=lambda item: item.version)


def _probe(argv: tuple[str, ...]) -> Compose | None:
    try:
        done = subprocess.run([*argv, "version", "--short"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or not match:
        return None
    version = tuple(int(part) for part in match.groups())
    return Compose(argv, version) if version >= (2, 26) else None


def _cached(cache: Path) -> list[Path]:
    """Return the binaries in the cache, fetched where they are not there and can be."""
    wanted = {suite: cache / f"docker-compose-{suite}" for suite in SUITES}
    missing = [suite for suite, path in wanted.items() if not path.exists()]
    mirror = _mirror() if missing else None
    if mirror:
        cache.mkdir(parents=True, exist_ok=True)
        for suite in missing:
            _fetch(mirror, suite, wanted[suite])
    return [path for path in wanted.values() if path.exists()]


def _mirror() -> str | None:
    """Return the Debian mirror that the machine itself is configured with."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb") and KEYRING.exists()):
        return None
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages"]
    uris = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    return next((uri for uri in uris if uri.rstrip("/").endswith("/debian")), None)


def _fetch(mirror: str, suite: str, dest: Path) -> None:
    """Download docker-compose of one suite, without touching the apt of the machine."""
    with tempfile.TemporaryDirectory(dir=dest.parent) as name:
        work = Path(name)
        for folder in ("lists/partial", "cache/archives/partial"):
            (work / folder).mkdir(parents=True)
        (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
        options = {
            "Dir::Etc::SourceList": work / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": work / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": work / "cache",
            "Acquire::Languages": "none",
            # A mirror may be a frozen one, whose Release file of a moving suite is past its date.
            "Acquire::Check-Valid-Until": "false",
        }
        apt = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
        if os.geteuid() == 0:
            apt.append("-oAPT::Sandbox::User=root")
        for args in (["update"], ["download", "docker-compose"]):
            if subprocess.run([*apt, *args], cwd=work, check=False).returncode != 0:
                return
        package = next(work.glob("docker-compose_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package.name, "root"], cwd=work, check=True)
        binary = work / "root/usr/libexec/docker/cli-plugins/docker-compose"
        # By rename, so that tests that run at the same time never see half a file.
        binary.replace(dest)
