# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Get the images of the test host: pulled where a registry answers, built from Debian packages where none does.

Built images carry the hash of their recipe and are kept: a second run only looks.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parent.parent
RECIPES_DIR = ROOT / "molecule" / "shared" / "images"
STATE_DIR = ROOT / ".state"
MEMORY = STATE_DIR / "images.json"
LABEL = "org.barehost.testbed.recipe"
PULL_SECONDS = 240


@dataclass(frozen=True)
class Recipe:
    """How one image comes to be when it cannot be pulled."""

    folder: str
    base: str = ""
    suite: str = ""
    official: bool = False


RECIPES = {
    "debian:trixie": Recipe("debian", suite="trixie", official=True),
    "barehost/debian:sid": Recipe("debian", suite="sid"),
    "barehost/bare-host:trixie": Recipe("bare_host", base="debian:trixie"),
    "python:3.13-slim": Recipe("python", base="debian:trixie", official=True),
    "mysql:9.7": Recipe("mysql", base="barehost/debian:sid", official=True),
    "redis:8-alpine": Recipe("redis", base="debian:trixie", official=True),
    "nginx:1.30-alpine": Recipe("nginx", base="barehost/debian:sid", official=True),
    "barehost/registry:2": Recipe("registry", base="debian:trixie"),
    "barehost/apt-repository:1": Recipe("apt_repository", base="debian:trixie"),
}


class ImageError(Exception):
    """An image could not be had; the text says why."""


class Factory:
    """Ensures images, each once, bases before what stands on them."""

    def __init__(self) -> None:
        """Read what earlier runs learned about the registry."""
        self.memory: dict[str, str] = json.loads(MEMORY.read_text()) if MEMORY.exists() else {}
        self.hashes: dict[str, str] = {}
        self.pool = ThreadPoolExecutor(max_workers=2)
        self.jobs: dict[str, Future[str]] = {}

    def ensure(self, names: list[str]) -> None:
        """Get every image of that list, and say in one line each how."""
        for name in names:
            self.submit(name)
        try:
            for name in names:
                self.jobs[name].result()
        finally:
            STATE_DIR.mkdir(exist_ok=True)
            MEMORY.write_text(json.dumps(self.memory, indent=2, sort_keys=True) + "\n")

    def submit(self, name: str) -> Future[str]:
        """Queue an image once; its base stands before it in the queue, so two workers never wait for each other."""
        if name not in self.jobs:
            recipe = RECIPES[name]
            if recipe.base and not self.present(name):
                self.submit(recipe.base)
            self.jobs[name] = self.pool.submit(self.make, name)
        return self.jobs[name]

    def present(self, name: str) -> bool:
        """Whether the engine has it: an official one, or one of ours from the very same recipe."""
        label = inspect(name, '{{index .Config.Labels "' + LABEL + '"}}')
        if label is None:
            return False
        return label in ("", "<no value>", self.recipe_hash(name))

    def recipe_hash(self, name: str) -> str:
        """Hash of everything that goes into an image, its base included."""
        if name not in self.hashes:
            recipe = RECIPES[name]
            digest = hashlib.sha256(repr(recipe).encode())
            if recipe.base:
                digest.update(self.recipe_hash(recipe.base).encode())
            files = context(recipe)
            if recipe.suite:
                digest.update(repr(root_command(recipe, sorted(files), "")).encode())
            for path, content in sorted(files.items()):
                digest.update(path.encode() + b"\0" + content + b"\0")
            self.hashes[name] = digest.hexdigest()[:16]
        return self.hashes[name]

    def make(self, name: str) -> str:
        """Have one image: found, pulled, or built."""
        recipe = RECIPES[name]
        start = time.monotonic()
        if self.present(name):
            report(name, "present")
            return "present"
        if recipe.official and self.memory.get(name) != "stand-in":
            report(name, "pulling")
            if pull(name):
                self.memory[name] = "official"
                report(name, f"pulled in {time.monotonic() - start:.0f} s")
                return "pulled"
            report(name, "cannot be pulled here: a stand-in is built from Debian packages")
            self.memory[name] = "stand-in"
        if recipe.base:
            self.jobs[recipe.base].result()
        build(name, recipe, self.recipe_hash(name))
        report(name, f"built in {time.monotonic() - start:.0f} s")
        return "built"


def report(name: str, text: str) -> None:
    """One progress line."""
    sys.stdout.write(f"{name}: {text}\n")
    sys.stdout.flush()


def inspect(name: str, template: str) -> str | None:
    """One value of an image, or None when the engine does not have it."""
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", template, name], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def pull(name: str) -> bool:
    """One try; a registry that does not answer must not hold up the run."""
    try:
        command = ["docker", "pull", "--quiet", name]
        done = subprocess.run(command, capture_output=True, timeout=PULL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def push(name: str, registry: str) -> None:
    """Put an image into a registry under the name that it has on Docker Hub."""
    target = f"{registry}/library/{name}"
    subprocess.run(["docker", "tag", name, target], check=True)
    done = subprocess.run(["docker", "push", target], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{name} could not be pushed to {registry}: {done.stderr.strip()}"
        raise ImageError(message)
    report(name, "pushed" if ": Pushed" in done.stdout else "present in the registry")


def context(recipe: Recipe) -> dict[str, bytes]:
    """Return the files of a recipe, and what it takes from this machine."""
    folder = RECIPES_DIR / recipe.folder
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    if recipe.suite:
        files["sources.list"] = ("\n".join(machine.debian_sources(recipe.suite, machine.apt_indexes())) + "\n").encode()
        files.update({f"certificate-{name}": content for name, content in machine.certificates().items()})
    if recipe.folder == "python":
        files["pip.conf"] = ("\n".join(["[global]", "timeout = 60", *machine.pip_settings()]) + "\n").encode()
    return files


def build(name: str, recipe: Recipe, recipe_hash: str) -> None:
    """Build one image; the full output goes to a log file, its end into the error."""
    log = STATE_DIR / "images" / (name.replace("/", "_").replace(":", "_") + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for path, content in context(recipe).items():
            (folder / path).write_bytes(content)
            source = RECIPES_DIR / recipe.folder / path
            (folder / path).chmod(0o755 if source.exists() and source.stat().st_mode & 0o100 else 0o644)
        with log.open("w") as output:
            if recipe.suite:
                code = build_root(name, recipe, folder, recipe_hash, output.fileno())
            else:
                code = build_layers(name, recipe, folder, recipe_hash, output.fileno())
    if code:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        message = f"{name} could not be built, the end of {log.relative_to(ROOT)} says:\n{tail}"
        raise ImageError(message)


def build_layers(name: str, recipe: Recipe, folder: Path, recipe_hash: str, output: int) -> int:
    """Build from a Dockerfile, without layers of an older try: package indexes must be fresh."""
    report(name, f"building on {recipe.base}")
    command = ["docker", "build", "--no-cache", "--force-rm", "--tag", name, "--label", f"{LABEL}={recipe_hash}"]
    command += ["--build-arg", f"BASE={recipe.base}", str(folder)]
    return subprocess.run(command, stdout=output, stderr=output, check=False).returncode


def root_command(recipe: Recipe, files: list[str], folder: str) -> list[str]:
    """Return the command that makes a root file system; it is part of the recipe's hash."""
    command = ["mmdebstrap", "--variant=minbase", "--include=ca-certificates", "--format=tar"]
    # A mirror may be older than the validity of its own index.
    command += ["--aptopt=Acquire::Check-Valid-Until false"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{path}/*" for path in ("doc", "man", "locale")]
    command += [f"--customize-hook=copy-in {folder}90testbed /etc/apt/apt.conf.d"]
    # The settings that were just copied keep apt from cleaning what it cached before.
    command += ['--customize-hook=rm -f "$1"/var/cache/apt/*.bin']
    for certificate in (name for name in files if name.startswith("certificate-")):
        command += [f"--customize-hook=copy-in {folder}{certificate} /usr/local/share/ca-certificates"]
    command += ['--customize-hook=chroot "$1" update-ca-certificates']
    return [*command, recipe.suite, f"{folder}root.tar", f"{folder}sources.list"]


def build_root(name: str, recipe: Recipe, folder: Path, recipe_hash: str, output: int) -> int:
    """Install a root file system from packages and import it as an image."""
    if shutil.which("mmdebstrap") is None:
        message = f"{name} cannot be pulled, and mmdebstrap is not installed to build it: apt-get install mmdebstrap"
        raise ImageError(message)
    report(name, f"installing Debian {recipe.suite} into an empty directory, about half a minute")
    archive = folder / "root.tar"
    command = root_command(recipe, sorted(path.name for path in folder.iterdir()), f"{folder}/")
    code = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
    if code:
        return code
    changes = ["CMD /bin/bash", f"LABEL {LABEL}={recipe_hash}"]
    arguments = [word for change in changes for word in ("--change", change)]
    command = ["docker", "import", *arguments, str(archive), name]
    return subprocess.run(command, stdout=output, stderr=output, check=False).returncode


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(RECIPES)}")
    parser.add_argument("--push", metavar="HOST:PORT", help="put the official ones into that registry instead")
    options = parser.parse_args()
    if unknown := set(options.names) - set(RECIPES):
        parser.error(f"unknown image {', '.join(sorted(unknown))}; known are {', '.join(RECIPES)}")
    try:
        if options.push:
            with ThreadPoolExecutor(max_workers=2) as pool:
                names = [name for name, recipe in RECIPES.items() if recipe.official]
                list(pool.map(push, names, [options.push] * len(names)))
        else:
            Factory().ensure(options.names or list(RECIPES))
    except (ImageError, machine.MachineError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
