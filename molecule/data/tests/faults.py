# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is done to a host: programs end without a word, disks fill up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from conftest import STACK_DIR

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Host

FILLER = ".filler"
MIB = 1 << 20


def container(machine: Host, service: str) -> str:
    """Return the name of the container of a service, which another release changes; also of one that is stopped."""
    labels = {"project": "app", "service": service, "oneoff": "False"}
    filters = " ".join(f"--filter label=com.docker.compose.{name}={value}" for name, value in labels.items())
    return machine.run(f"docker ps --all --format '{{{{.Names}}}}' {filters}").split()[0]


def kill(machine: Host, service: str) -> None:
    """End all of a container, as kill -9 and as a crash does: Docker, which has no part in it, starts it again."""
    pid = "docker inspect --format '{{.State.Pid}}' " + container(machine, service)
    machine.run(f"kill -9 $({pid})")


def is_healthy(machine: Host, service: str) -> bool:
    """Whether the container of a service says so of itself."""
    health = "docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' " + f"app-{service}-1"
    return machine.run(health) == "running healthy"


def fill(machine: Host, directory: str, leave: int = 0) -> None:
    """Fill the file system below a directory; so many bytes stay free."""
    filler = f"{directory}/{FILLER}"
    machine.run(f"cat /dev/zero > {filler} 2> /dev/null; true")
    if leave:
        machine.run(f"truncate --size=-{leave} {filler}")


def free(machine: Host, directory: str) -> None:
    """Give the space back."""
    machine.run(f"rm -f {directory}/{FILLER}")


@contextlib.contextmanager
def small(machine: Host, directory: str, size: int) -> Iterator[str]:
    """Give a directory of the stack, which may hold files, a file system of so many bytes. What it holds then is gone."""
    path = directory if directory.startswith("/") else f"{STACK_DIR}/{directory}"
    made = machine.run(f"mkdir -m 0700 {path} 2> /dev/null && echo made || true")
    machine.run(f"mount -t tmpfs -o size={size},mode=0700 tmpfs {path}")
    try:
        yield path
    finally:
        machine.run(f"umount --lazy {path}" + (f" && rmdir {path}" if made else ""))


@contextlib.contextmanager
def small_volume(machine: Host, service: str, spare: int) -> Iterator[str]:
    """Move the volume of MySQL or Redis to a file system that has so many bytes to spare, and back."""
    volume = f"/var/lib/docker/volumes/app_{service}/_data"
    stop, start = f"docker stop app-{service}-1 > /dev/null", f"docker start app-{service}-1 > /dev/null"
    used = int(machine.run(f"{stop}; du --summarize --block-size=1 {volume} | cut -f 1"))
    machine.run(
        f"mv {volume} {volume}.large && mkdir {volume} && mount -t tmpfs -o size={used + spare} tmpfs {volume}"
        f" && cp -a {volume}.large/. {volume}/ && {start}"
    )
    try:
        wait_until(lambda: is_healthy(machine, service), f"{service} on a small disk")
        yield volume
    finally:
        free(machine, volume)
        machine.run(
            f"{stop}; find {volume}.large -mindepth 1 -delete; cp -a {volume}/. {volume}.large/"
            f" && umount {volume} && rmdir {volume} && mv {volume}.large {volume}; {start}"
        )
        wait_until(lambda: is_healthy(machine, service), f"{service} on its own disk")


@contextlib.contextmanager
def other_clock(machine: Host, offset: str, *units: str) -> Iterator[str]:
    """Let programs believe that it is another time, as in "+1d"; all containers share the machine's own clock.

    Yields the path of a Python that does, which is for `ansible_python_interpreter` as well; services of systemd that are
    named believe it from their next start. What they start does, too. The kernel's own times, as those of files, stay true.
    """
    machine.run("command -v faketime || apt-get -qq install -y --no-install-recommends faketime", seconds=600)
    library = machine.run("dpkg --listfiles libfaketime | grep '/libfaketime.so.1$'")
    python = "/usr/local/bin/python-elsewhen"
    clock = f"LD_PRELOAD={library} FAKETIME={offset} FAKETIME_NO_CACHE=1"
    machine.run(f"cat > {python} && chmod 0755 {python}", given=f'#!/bin/sh\n{clock} exec /usr/bin/python3 "$@"\n')
    for unit in units:
        folder = f"/run/systemd/system/{unit}.d"
        machine.run(f"mkdir -p {folder} && cat > {folder}/clock.conf", given=f"[Service]\nEnvironment={clock}\n")
    machine.run("systemctl daemon-reload")
    try:
        yield python
    finally:
        machine.run(f"rm -f {python} " + " ".join(f"/run/systemd/system/{unit}.d/clock.conf" for unit in units))
        machine.run("systemctl daemon-reload")
