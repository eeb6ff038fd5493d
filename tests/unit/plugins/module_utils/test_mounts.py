# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An edge whose folder on the host was made anew is made anew itself: a reload would read the one of before."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _compose, _mounts, _up

if TYPE_CHECKING:
    from pathlib import Path

PID = 7


@pytest.fixture(name="proc")
def _proc(tmp_path: Path) -> Path:
    """Return the folder of processes, with a container that has `tls` mounted; its root is a link, as the kernel's is."""
    (tmp_path / "inside" / "etc" / "tls").mkdir(parents=True)
    (tmp_path / "inside" / "etc" / "file").touch()
    (tmp_path / "inside" / "link").symlink_to("etc")
    (tmp_path / "other").mkdir()
    folder = tmp_path / "proc" / str(PID)
    folder.mkdir(parents=True)
    (folder / "root").symlink_to(tmp_path / "inside")
    return tmp_path / "proc"


@pytest.mark.parametrize(
    ("target", "source", "pid", "differs"),
    [
        ("/etc/tls", "inside/etc/tls", PID, False),
        ("/etc/tls", "other", PID, True),
        # A run makes it anew.
        ("/etc/tls", "gone", PID, True),
        ("/etc/file", "gone", PID, False),
        # Nothing is known of these.
        ("/etc/gone", "other", PID, False),
        ("/etc/tls", "other", PID + 1, False),
        # A file is replaced by a rename all the time, and a link is followed on the host.
        ("/etc/tls", "inside/etc/file", PID, False),
        ("/link/tls", "other", PID, False),
    ],
)
def test_a_folder_that_is_another_one_is_seen(proc: Path, target: str, source: str, pid: int, *, differs: bool) -> None:
    path = str(proc.parent / source)
    assert _mounts.detached(pid, {target: path}, proc) == (path if differs else "")


def test_what_does_not_run_has_nothing(proc: Path) -> None:
    (proc / str(PID)).rename(proc / "0")
    assert _mounts.detached(0, {"/etc/tls": str(proc.parent / "other")}, proc) == ""


def test_the_kernel_says_it_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "anew").mkdir()
    place = str(tmp_path.resolve() / "tls")
    assert _mounts.detached(os.getpid(), {place: place}) == ""
    assert _mounts.detached(os.getpid(), {place: str(tmp_path / "anew")}) == str(tmp_path / "anew")


def container(service: str, tier: str, source: Path, kind: str = "bind") -> dict[str, Any]:
    """Return what the engine says of a container of this very process, which has a folder of its own mounted at its place."""
    labels = {_compose.LABEL_SERVICE: service, _compose.LABEL_DEFINITION: "d1", _up.TIER_LABEL: tier}
    return {
        "Id": f"{service}-1",
        "Name": f"/shop-{service}-1",
        "Image": "sha256:1",
        "State": {"Status": "running", "Pid": os.getpid()},
        "Config": {"Image": "shop:1", "Labels": labels},
        "Mounts": [{"Type": kind, "Source": str(source), "Destination": str(source.resolve().parent / "tls")}],
    }


class Fake:
    """An engine that has some containers and records what it is told."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        """Take the containers that are there."""
        self.containers = containers
        self.ups: list[list[str]] = []

    def __call__(self, argv: list[str]) -> tuple[int, str, str]:
        """Answer one command."""
        if argv[1] == "ps":
            return 0, "some\n", ""
        if "up" in argv:
            self.ups.append(argv[argv.index("--quiet-pull") + 1 :])
        answers = {"container": self.containers, "image": [{"Id": "sha256:1", "RepoTags": ["shop:1"]}]}
        return 0, json.dumps(answers.get(argv[1], [])), ""

    def steps(self) -> tuple[_up.Engine, list[_up.Step]]:
        """Return an engine, and what has to happen to its services."""
        names = [item["Config"]["Labels"][_compose.LABEL_SERVICE] for item in self.containers] + ["new"]
        engine = _up.Engine(self, "/opt/shop", [], "shop", dict.fromkeys(names, "d1"))
        return engine, _up.plan(names, engine.snapshot(dict.fromkeys(names, "shop:1")))


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    for name in ("tls", "anew"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("tier", "source", "kind", "action"),
    [
        ("edge", "tls", "bind", "none"),
        ("edge", "anew", "bind", "recreate"),
        ("edge", "gone", "bind", "recreate"),
        ("edge", "anew", "volume", "none"),
        # A release replaces an application, and nobody ends a database for this.
        ("app", "anew", "bind", "none"),
        ("data", "anew", "bind", "none"),
    ],
)
def test_an_edge_that_has_another_folder_is_made_anew(
    folder: Path, tier: str, source: str, kind: str, action: str
) -> None:
    step = Fake(container("nginx", tier, folder / source, kind)).steps()[1][0]
    assert step.action == action
    reason = f"it has a {folder / source} mounted that is no longer the host's"
    assert step.reason == (reason if action == "recreate" else "")


def test_compose_is_told_to_since_to_it_nothing_has_changed(folder: Path) -> None:
    fake = Fake(container("nginx", "edge", folder / "anew"), container("proxy", "edge", folder / "tls"))
    engine, steps = fake.steps()
    assert engine.carry_out(steps) == ["nginx", "new"]
    assert fake.ups == [["new"], ["--force-recreate", "nginx"]]
