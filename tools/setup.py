# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make .venv from the pins, and install the system programs that are missing, where that is possible.

Runs with the system's Python, before there is anything else.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "made-from"
INPUTS = ("constraints.txt", "pyproject.toml")
OLDEST = (3, 11)
# Program -> package of Debian. The engine is not among them: engine.py looks for one that runs first.
PROGRAMS = {"ssh": "openssh-client", "ssh-keygen": "openssh-client"}
# Only needed where images are built, and only Debian can build them.
DEBIAN_PROGRAMS = {"mmdebstrap": "mmdebstrap"}
TEST_PROGRAMS = {"chromium": "chromium", "chromedriver": "chromium-driver", "git": "git"}
# Without these, the tests that load the firewall's rules into a kernel's namespace are skipped.
DEBIAN_TEST_PROGRAMS = {"nft": "nftables", "ip": "iproute2", "unshare": "util-linux"}
# Where Debian keeps what only root is thought to run.
ROOTS_PROGRAMS = ("/usr/sbin", "/sbin")


def missing_packages(programs: dict[str, str]) -> list[str]:
    """Return the packages of programs that are not there."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *ROOTS_PROGRAMS])
    missing = {package for program, package in programs.items() if shutil.which(program, path=path) is None}
    if importlib.util.find_spec("ensurepip") is None:
        # Debian's Python says which of its packages has it.
        missing.add(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    return sorted(missing)


def install(packages: list[str]) -> None:
    """Install packages with apt, or say which are missing."""
    wanted = " ".join(packages)
    if os.geteuid() != 0:
        sys.exit(f"missing: {wanted}. Only root can install them: apt-get install {wanted}")
    print(f"setup: installing {wanted}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    code = 0
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *command], stdout=subprocess.DEVNULL, env=environment, check=False)
        code = done.returncode
    if code:
        sys.exit(f"missing: {wanted}. apt-get could not install them; its message stands above")


def recipe() -> str:
    """Return the hash of what the environment is made from."""
    content = b"".join((ROOT / name).read_bytes() for name in INPUTS)
    return hashlib.sha256(content + sys.version.encode()).hexdigest()


def make_environment() -> None:
    """Make .venv, unless it was made from the very same pins."""
    if STAMP.exists() and STAMP.read_text() == recipe():
        return
    print("setup: making .venv from constraints.txt, about a minute", flush=True)
    if VENV.is_symlink():
        # What it leads to is somebody else's, and would be emptied.
        VENV.unlink()
    venv.create(VENV, clear=True, with_pip=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "-qq", "--constraint", "constraints.txt"]
    # pip reads dependency groups since 25.1; an older one made this environment.
    for arguments in (["--upgrade", "pip"], ["--group", "dev"]):
        if subprocess.run([*pip, *arguments], cwd=ROOT, check=False).returncode:
            sys.exit("setup: pip could not install the pinned packages; its message stands above")
    STAMP.write_text(recipe())


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--test", action="store_true", help="what the tests need, too")
    options = parser.parse_args()
    if sys.version_info < OLDEST:
        sys.exit(f"Python >= {'.'.join(map(str, OLDEST))} is needed, this is {sys.version.split()[0]}: PYTHON=... make")
    programs = {**PROGRAMS, **(TEST_PROGRAMS if options.test else {})}
    if shutil.which("apt-get"):
        programs |= DEBIAN_PROGRAMS | (DEBIAN_TEST_PROGRAMS if options.test else {})
    if packages := missing_packages(programs):
        install(packages)
    make_environment()


if __name__ == "__main__":
    main()
