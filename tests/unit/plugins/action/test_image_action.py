# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Building on the controller: one build and one push, however many hosts wait for it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.action import release_image
from ansible_collections.barehost.django.plugins.module_utils import _build, _source
from support.modules import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Mapping

HUSH = "hush-hush-password"
REFERENCE = "registry.example.com/team/shop:0123456789ab"
INSPECT = (FIXTURES / "image_inspect.json").read_text(encoding="utf-8")


class Controller:
    """A Docker client with an engine and a registry behind it."""

    def __init__(self, *, fail: str = "") -> None:
        """Begin with nothing built and nothing pushed."""
        self.fail = fail
        self.local: set[str] = set()
        self.registry: set[str] = set()
        self.calls: list[list[str]] = []
        self.data: list[str] = []
        self.files: set[str] = set()

    def __call__(self, argv: list[str], env: Mapping[str, str], data: str | None) -> tuple[int, str, str]:
        """Answer a command."""
        self.calls.append(argv)
        if self.fail and self.fail in argv:
            return 1, "", "boom"
        if "login" in argv:
            assert Path(env["DOCKER_CONFIG"]).stat().st_mode & 0o77 == 0
            self.data.append(str(data))
            return 0, "", ""
        if "manifest" in argv:
            return int(argv[-1] not in self.registry), "", ""
        if "build" in argv:
            self.files = {path.name for path in Path(argv[-1]).iterdir()}
            self.local.add(argv[argv.index("--tag") + 1])
            return 0, "", ""
        if "push" in argv:
            self.registry.add(argv[-1])
        if "rm" in argv:
            self.local.discard(argv[-1])
        if "inspect" in argv:
            return (0, INSPECT, "") if argv[-1] in self.local else (1, "[]", "")
        return 0, "{}", ""

    def count(self, word: str) -> int:
        """Count the commands of a kind."""
        return sum(word in argv[:3] for argv in self.calls)


@pytest.fixture(autouse=True)
def tmpdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def args(tmp_path: Path) -> dict[str, Any]:
    source = tmp_path / "shop"
    source.mkdir()
    for name, text in (("Dockerfile", "FROM scratch\n"), (".dockerignore", "left-out\n"), ("left-out", ""), ("in", "")):
        (source / name).write_text(text)
    repository, _colon, release = REFERENCE.rpartition(":")
    return {
        "source": str(source),
        "push_to": repository,
        "release_id": release,
        "registry_username": "robot",
        "registry_password": HUSH,
        "build_secrets": {"ca": HUSH},
        "labels": {"x": "y"},
    }


def test_what_the_registry_lacks_is_built_from_the_packed_context_and_pushed(
    args: dict[str, Any], tmpdir: Path
) -> None:
    docker = Controller()
    release_image.publish(args, docker)
    assert docker.registry == {REFERENCE}
    assert docker.files == {"Dockerfile", ".dockerignore", "in"}
    assert docker.data == [HUSH]
    assert HUSH not in json.dumps(docker.calls)
    # Nothing is left but the lock: no context, no secret, no login, no image that nobody would prune.
    assert [path.suffix for path in tmpdir.iterdir()] == [".lock"]
    assert docker.local == set()


def test_what_the_registry_has_is_not_built(args: dict[str, Any]) -> None:
    docker = Controller()
    docker.registry.add(REFERENCE)
    release_image.publish(args, docker)
    assert (docker.count("build"), docker.count("push")) == (0, 0)


def test_many_hosts_wait_for_one_build(args: dict[str, Any]) -> None:
    docker = Controller()
    threads = [threading.Thread(target=release_image.publish, args=(args, docker)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (docker.count("build"), docker.count("push")) == (1, 1)


@pytest.mark.parametrize(("step", "what"), [("build", "building"), ("push", "pushing"), ("login", "logging in to")])
def test_a_failure_is_one_line_and_leaves_nothing_behind(
    args: dict[str, Any], tmpdir: Path, step: str, what: str
) -> None:
    with pytest.raises(_build.ImageError, match=f"^{what} .*the release that serves is untouched"):
        release_image.publish(args, Controller(fail=step))
    assert [path.suffix for path in tmpdir.iterdir()] == [".lock"]


def test_a_name_that_is_no_repository(args: dict[str, Any]) -> None:
    docker = Controller()
    with pytest.raises(_build.ImageError, match="to push to is not usable"):
        release_image.publish({**args, "push_to": "https://registry.example.com/shop"}, docker)
    assert docker.calls == []


def test_a_controller_without_docker(args: dict[str, Any]) -> None:
    def run(argv: list[str], env: Mapping[str, str], data: str | None) -> tuple[int, str, str]:
        return release_image.run_here(["no-such-program", *argv], env, data)

    with pytest.raises(_build.ImageError, match="the controller needs it"):
        release_image.publish(args, run)


def test_a_source_without_its_dockerfile(args: dict[str, Any]) -> None:
    (Path(args["source"]) / "Dockerfile").unlink()
    with pytest.raises(_source.SourceError, match="there is no file 'Dockerfile'"):
        release_image.publish(args, Controller())


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(release_image.Display, "display", lambda _self, text, **_options: lines.append(text))
    return lines


def test_a_build_that_does_not_end_is_waited_for_so_long_and_named(args: dict[str, Any], said: list[str]) -> None:
    docker = Controller()
    with release_image.alone(REFERENCE, 1), pytest.raises(_build.ImageError) as caught:
        release_image.publish({**args, "timeout": 1}, docker)
    assert docker.calls == []
    assert said == [f"waiting: process {os.getpid()} on the controller is at work on {REFERENCE}"]
    assert str(caught.value) == (
        f"process {os.getpid()} on the controller has been at work on {REFERENCE} for more than 1 s; the release that serves "
        "is untouched: see what it waits for, end it, or raise release_image_timeout_seconds."
    )


def test_a_folder_of_a_killed_run_goes_with_the_next_one_for_the_same_name(args: dict[str, Any], tmpdir: Path) -> None:
    with release_image.alone(REFERENCE, 1) as folder:
        left = Path(f"{folder}-left") / "context"
    left.mkdir(parents=True)
    others = tmpdir / "barehost-others"
    others.mkdir()
    release_image.publish(args, Controller())
    assert {path.name for path in tmpdir.iterdir() if path.suffix != ".lock"} == {"barehost-others"}


def test_what_hangs_here_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    # The child keeps the pipes open, as a plugin of Docker's client does.
    script = f"sleep 600 & echo $! > {tmp_path}/child; echo step 3 of 9 >&2; wait"
    with pytest.raises(_build.ImageError, match=r"^`sh -c` was stopped, .* within 1 s; .*\n.*\nstep 3 of 9$"):
        release_image.run_here(["sh", "-c", script], {}, None, _build.Deadline(1))
    child, deadline = Path("/proc") / (tmp_path / "child").read_text().strip() / "cmdline", time.monotonic() + 20
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        # A process that has ended, and that nobody has asked about yet, has no command line.
        while child.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_whole_of_a_publication_has_one_limit(args: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    docker = Controller()
    limits: list[_build.Deadline] = []

    def run_here(argv: list[str], env: Mapping[str, str], data: str | None, limit: _build.Deadline) -> Any:
        limits.append(limit)
        return docker(argv, env, data)

    monkeypatch.setattr(release_image, "run_here", run_here)
    release_image.publish({**args, "timeout": 7})
    assert {limit.seconds for limit in limits} == {7}
    assert len({id(limit) for limit in limits}) == 1
    assert docker.registry == {REFERENCE}


@pytest.mark.parametrize(
    ("options", "check", "missing"),
    [
        ({"there": ["b2"]}, False, True),
        ({"there": []}, False, True),
        ({"there": ["b2", "a1"]}, False, False),
        ({}, False, False),
        ({"there": ["b2"]}, True, False),
        ({"there": ["b2"], "push_to": "registry.example.com/shop"}, False, False),
        ({"there": ["b2"], "source": None}, False, False),
    ],
)
def test_the_host_is_not_asked_first_where_its_answer_is_known(
    options: dict[str, Any], *, check: bool, missing: bool
) -> None:
    plugin = types.SimpleNamespace(_task=types.SimpleNamespace(check_mode=check))
    given = {"source": "/src", "release_id": "a1", **options}
    assert release_image.ActionModule._surely_missing(plugin, given) is missing
    assert "there" not in given
