# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where canaries are looked for, each place with a way to leave one there, so that a look that sees nothing is noticed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from world import FOLDER, PLANTED, ROOT, STACK_DIR, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from world import World

ENGINE = "/var/lib/docker"
# Larger ones are somebody's own.
LARGEST = 64 * 1024 * 1024
# Who sees what on the host without being root: files that everybody may read, or a group that is not root's.
READABLE = r"\( -perm -004 -o -perm -040 -not -gid 0 \)"
FOLDERS = "/etc /opt /var /root /home /srv /tmp /run /dev/shm /usr/local"
TEMPORARY = "/tmp /var/tmp /dev/shm /run /home/deploy /root /var/cache"  # noqa: S108 - these are looked at
# What is the test's own: see World.
PATTERNS = "/run/canary.patterns"
OURS = f"-not -path /run/sampler.py -not -path {PATTERNS}"
# The engine's and containerd's own notes on containers, an environment among them: root alone gets there.
OF_ENGINE = r"\( -path /run/containerd -o -path /var/lib/containerd -o -path /var/lib/docker \) -prune -o"


def grep(world: World, listing: str) -> list[str]:
    """Return those of the files of the host that a command lists, each ended by a zero, in which a canary stands."""
    given = "\n".join(pattern.decode("latin-1") for pattern in world.canaries.patterns() if b"\0" not in pattern)
    # A file, which each of the many runs of grep reads: a pipe would be empty for all but the first.
    keep = f"umask 077; cat > {PATTERNS}; trap 'rm {PATTERNS}' EXIT"
    search = f"LC_ALL=C xargs -0r grep -laFs -f {PATTERNS} --"
    return world.host.run(
        f"{keep}; {{ {listing}; }} 2> /dev/null | {search} || true", given=given, seconds=1800
    ).splitlines()


def outputs(world: World) -> list[str]:
    """Look at what each run has printed."""
    return world.canaries.find_in({run.name: run.output for run in world.runs})


def kept_by_controller(world: World) -> list[str]:
    """Look at the log, what ansible-runner keeps, and what is left in the home and in temporary folders."""
    own = [path for name in ("log", "home", "tmp") for path in recent(FOLDER / name, 0)]
    everybodys = [path for folder in ("/tmp", "/var/tmp", "/dev/shm") for path in recent(Path(folder), world.began)]  # noqa: S108 - these are looked at
    return world.canaries.find_files([*own, *everybodys])


def recent(folder: Path, since: float) -> Iterator[Path]:
    """Return the files that were written since then, without the test's own."""
    for place, names, files in os.walk(folder):
        names[:] = [name for name in names if Path(place, name) not in {FOLDER, ROOT / ".git"}]
        for path in (Path(place, name) for name in files):
            try:
                known = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(known.st_mode) and known.st_mtime >= since and known.st_size < LARGEST:
                yield path


def journal(world: World) -> list[str]:
    """Look at the journal of the host, with all fields of each entry, and at whatever lies below /var/log."""
    found = world.canaries.find_in({"journal": world.host.run("journalctl --output=export --all --no-pager")})
    return found + grep(world, "find /var/log /run/log -type f -print0")


def images(world: World) -> list[str]:
    """Look at layers, build cache and what the engine notes, at histories and descriptions."""
    told = world.host.run(
        "ids=$(docker image ls --all --quiet | sort -u); docker image inspect $ids;"
        " for id in $ids; do docker history --no-trunc $id; done; docker system df --verbose --format json; docker buildx du --verbose"
    )
    # Mounted layers are another file system, and hold what is mounted into containers, too.
    listing = f"find {ENGINE} -xdev -type f -not -path '{ENGINE}/containers/*' -not -path '{ENGINE}/volumes/*' -print0"
    return world.canaries.find_in({"images": told}) + grep(world, listing)


def volumes(world: World) -> list[str]:
    """Look at what the servers themselves keep: of passwords they need no more than a hash."""
    return grep(world, f"find {ENGINE}/volumes -type f -print0")


def logs(world: World) -> list[str]:
    """Look at the logs of all containers."""
    names = world.host.run("docker ps --all --format '{{.Names}}'").split()
    return world.canaries.find_in({name: world.host.run(f"docker logs {name} 2>&1") for name in names})


def readable(world: World) -> list[str]:
    """Look at the files of the host that somebody else than root may read, whether a folder above them keeps him out or not."""
    return grep(world, f"find {FOLDERS} {OF_ENGINE} -type f {READABLE} {OURS} -print0")


def names(world: World) -> list[str]:
    """Look at the names of files, of containers, images, volumes and networks."""
    told = "find / -xdev -print; docker ps --all; docker volume ls; docker network ls; docker image ls --all; systemctl list-units --all"
    return world.canaries.find_in({"names": world.host.run(told)})


def temporary(world: World) -> list[str]:
    """Look at what is left in temporary folders, whoever may read it."""
    return grep(world, f"find {TEMPORARY} {OF_ENGINE} -type f {OURS} -print0")


def records(world: World) -> list[str]:
    """Look at the audit log, the records of releases, the lock, and the backups, what is packed in them included."""
    listing = (
        f"find /var/log/barehost {STACK_DIR}/backups {STACK_DIR}/lock {STACK_DIR}/backup/program -type f -print0;"
        f" find {STACK_DIR}/releases -path '*/settings' -prune -o -type f -print0"
    )
    unpacked = f"find {STACK_DIR}/backups -name '*.zst' -exec zstd -dcq {{}} ';'"
    return grep(world, listing) + world.canaries.find_in({"packed": world.host.run(unpacked)})


def processes(world: World) -> list[str]:
    """Look at command lines and environments of both machines, without those that were left there for this."""
    seen = [(place, line) for place, lines in world.sampled.items() for line in lines if "kind" in line]
    return [f"{place}: {line}" for place, line in seen if not planted(world, line["text"])]


def events(world: World) -> list[str]:
    """Look at all that the engine was told to do: each command in a container, each label."""
    lines = (FOLDER / "events").read_text(errors="replace").splitlines()
    return world.canaries.find_in({f"event {n}": line for n, line in enumerate(lines) if not planted(world, line)})


def planted(world: World, text: str) -> bool:
    """Whether it was left there for this."""
    return any(leak.name == PLANTED for leak in world.canaries.find(text.encode()))


@dataclass(frozen=True)
class Place:
    """How to look at a place, and how to leave something there; what that returns takes it away again."""

    look: Callable[[World], list[str]]
    plant: Callable[[World, str], Callable[[], object]]


def as_output(world: World, value: str) -> Callable[[], object]:
    """Leave it in an output."""
    world.runs.append(Run(PLANTED, 0, value, fails=False))
    return world.runs.pop


def as_file_here(_world: World, value: str) -> Callable[[], object]:
    """Leave it in a file of the controller."""
    path = Path("/tmp/barehost-planted")  # noqa: S108 - this is looked at
    path.write_text(value)
    return path.unlink


def by(command: str, undo: str = "true") -> Callable[[World, str], Callable[[], object]]:
    """Return what leaves it on the host with a command that reads it."""

    def plant(world: World, value: str) -> Callable[[], object]:
        world.host.run(command, given=value)
        return lambda: world.host.run(undo)

    return plant


def as_name(world: World, value: str) -> Callable[[], object]:
    """Leave it in the name of a file."""
    path = f"/var/tmp/{''.join(filter(str.isalnum, value))}"  # noqa: S108 - this is looked at
    world.host.run(f"touch {path}")
    return lambda: world.host.run(f"rm {path}")


LAYER = "mkdir /root/planted && cat > /root/planted/file && tar -c -C /root/planted . | docker import - planted; rm -r /root/planted"
PLACES = {
    "what is printed": Place(outputs, as_output),
    "what the controller keeps": Place(kept_by_controller, as_file_here),
    "the journal": Place(journal, by("systemd-cat")),
    "files of a log": Place(journal, by("cat > /var/log/planted", "rm /var/log/planted")),
    "images": Place(images, by(LAYER, "docker rmi planted")),
    "volumes": Place(volumes, by(f"cat > {ENGINE}/volumes/planted", f"rm {ENGINE}/volumes/planted")),
    "logs of containers": Place(
        logs, by("docker run --interactive --name planted --entrypoint cat redis:8-alpine", "docker rm planted")
    ),
    "files for everybody": Place(readable, by("cat > /etc/planted && chmod 0604 /etc/planted", "rm /etc/planted")),
    "files for a group": Place(
        readable, by("cat > /opt/planted && chmod 0640 /opt/planted && chgrp keeper /opt/planted", "rm /opt/planted")
    ),
    "names": Place(names, as_name),
    "temporary files": Place(temporary, by("umask 077; cat > /dev/shm/planted", "rm /dev/shm/planted")),
    "records": Place(records, by("umask 077; cat > /var/log/barehost/planted", "rm /var/log/barehost/planted")),
    "what is packed": Place(
        records, by(f"zstd -q > {STACK_DIR}/backups/planted.zst", f"rm {STACK_DIR}/backups/planted.zst")
    ),
}
