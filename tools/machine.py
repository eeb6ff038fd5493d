# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What this machine's own configuration says about package mirrors and certificates: no host name is written here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LOCAL_CERTIFICATES = Path("/usr/local/share/ca-certificates")
INDEX_FORMAT = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)"
POCKETS = ("", "-updates", "-security")
# Only what decides where packages come from: one shell's other wishes must not make another image.
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host")


class MachineError(Exception):
    """The machine lacks something; the text says what, and what to do."""


def apt_indexes() -> list[tuple[str, str]]:
    """Codename and address of every Debian package index that apt knows."""
    command = ["apt-get", "indextargets", "--format", INDEX_FORMAT, "Created-By: Packages"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    rows = {tuple(line.split("|")) for line in output.splitlines()}
    return sorted((row[1], row[2].rstrip("/")) for row in rows if row[0] == "Debian")


def debian_sources(suite: str, indexes: list[tuple[str, str]]) -> list[str]:
    """Lines of a sources.list for another suite behind the mirrors that this machine uses."""
    mirrors: dict[str, str] = {}
    for codename, address in indexes:
        pocket = next((name for name in POCKETS[1:] if codename.endswith(name)), "")
        mirrors.setdefault(pocket, address)
    if "" not in mirrors:
        message = (
            f"cannot build a Debian {suite} root: apt knows no Debian mirror here; "
            "run `apt-get update` on a Debian machine, or make an image registry reachable"
        )
        raise MachineError(message)
    pockets = ("",) if suite == "sid" else POCKETS
    return [f"deb {mirrors[pocket]} {suite}{pocket} main" for pocket in pockets if pocket in mirrors]


def certificates() -> dict[str, bytes]:
    """Return the authorities that the administrator of this machine added (a company's proxy has one)."""
    return {path.name: path.read_bytes() for path in sorted(LOCAL_CERTIFICATES.glob("*.crt"))}


def pip_settings() -> list[str]:
    """Lines of a pip.conf for a container: the indexes of this machine, without local directories."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    return pip_lines(listing)


def pip_lines(listing: str) -> list[str]:
    """Keep of `pip config list` what a container can use."""
    found: dict[str, str] = {}
    for scope, key, value in re.findall(r"^([\w:]+)\.([\w-]+)='(.*)'$", listing, flags=re.MULTILINE):
        words = [word for word in value.split() if not word.startswith(("file:", "/"))]
        if key in PIP_KEYS and scope in {"global", "user", "site", ":env:"} and words:
            found[key] = " ".join(words)
    return [f"{key} = {value}" for key, value in sorted(found.items())]
