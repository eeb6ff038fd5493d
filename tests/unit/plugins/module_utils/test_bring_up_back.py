# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A data service that accepts its new files and does not come up with them."""

from __future__ import annotations

import json
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _before, _bring_up, _up, _wait

if TYPE_CHECKING:
    from pathlib import Path

GOOD, BAD, WORSE = "1", "2", "3"


@dataclass
class Host:
    """An engine whose MySQL is made from what the Compose file says, and is as the state for that says."""

    root: Path
    made_from: str = GOOD
    image: str = "sha256:1"
    upgraded: bool = False
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    ups: list[str] = field(default_factory=list)
    removed: bool = False

    def wanted(self) -> str:
        """Return what MySQL is to be made from."""
        return (self.root / "compose.yaml").read_text()

    def run(self, argv: list[str], **_options: Any) -> tuple[int, str, str]:
        """Answer a command."""
        if "config" in argv:
            services = {"mysql": {"image": "mysql:1", "labels": {"barehost.django.definition": self.wanted()}}}
            return 0, json.dumps({"services": services}), ""
        if argv[1] == "rm":
            assert self.wanted() != GOOD, "it would be started with the files of before, and be removed all the same"
            self.removed = True
        if "up" in argv:
            self.made_from = self.wanted()
            self.image = "sha256:2" if self.upgraded else self.image
            self.ups.append(self.made_from)
            return (1, "", "no such device") if self.made_from == WORSE else (0, "", "")
        if argv[1] == "ps":
            return 0, "mysql-id", ""
        if "image" in argv:
            return 0, json.dumps([{"Id": "sha256:2" if self.upgraded else "sha256:1", "RepoTags": ["mysql:1"]}]), ""
        if "inspect" in argv:
            return 0, json.dumps([self.container()]), ""
        return 0, "", ""

    def container(self) -> dict[str, Any]:
        """Say what the engine says of MySQL."""
        labels = {"com.docker.compose.service": "mysql", "barehost.django.definition": self.made_from}
        state = {"Status": "running", "Health": {"Status": "healthy", "Log": []}}
        found = self.states.get(self.made_from, {})
        return {
            "Id": "mysql-id",
            "Name": "/shop-mysql-1",
            "Image": self.image,
            "RestartCount": found.get("RestartCount", 0),
            "Config": {"Labels": labels},
            "State": {**state, **{key: value for key, value in found.items() if key != "RestartCount"}},
        }


DEAD = {"Status": "exited", "ExitCode": 1}
LOOPING = {"Status": "restarting", "RestartCount": 3}
ILL = {"Health": {"Status": "unhealthy", "FailingStreak": 3, "Log": []}}
BUSY = {"Health": {"Status": "starting", "Log": []}}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a host whose MySQL serves, and whose files a run has just changed."""
    monkeypatch.setattr(_wait, "LOOK_SECONDS", 0.01)
    (tmp_path / "compose.yaml").write_text(GOOD)
    _before.note(tmp_path, ["compose.yaml"])
    (tmp_path / "compose.yaml").write_text(BAD)
    return Host(tmp_path)


def act(host: Host) -> None:
    """Bring MySQL up."""
    module = types.SimpleNamespace(run_command=host.run, check_mode=False, get_bin_path=lambda _name: "/usr/bin/docker")
    wish = {"project": "shop", "project_dir": str(host.root), "services": ["mysql"], "timeout": 0.1}
    wish |= {"definitions": {"mysql": host.wanted()}, "images": {"mysql": "mysql:1"}}
    task = _bring_up.BringUp(module, {"reload": [], "remove_orphans": False, "ahead": None, **wish})
    task.decide()
    task.act()


@pytest.mark.parametrize("state", [DEAD, LOOPING, ILL], ids=["dead", "looping", "ill"])
def test_it_gets_its_files_of_before(host: Host, state: dict[str, Any]) -> None:
    host.states = {BAD: state}
    with pytest.raises(_up.UpError) as caught:
        act(host)
    assert host.ups == [BAD, GOOD]
    assert host.wanted() == GOOD
    # One that runs is stopped as it should be.
    assert host.removed is (state is not ILL)
    said = "mysql did not come up with its new configuration, and goes on with the one of before: service mysql failed"
    assert str(caught.value).startswith(said)


def test_one_that_the_engine_cannot_even_make_gets_them_too(host: Host) -> None:
    (host.root / "compose.yaml").write_text(WORSE)
    host.states = {WORSE: DEAD}
    with pytest.raises(_up.UpError, match=r"goes on with the one of before: .*no such device"):
        act(host)
    assert host.ups == [WORSE, GOOD]


def test_one_that_is_still_at_it_is_left_to_it(host: Host) -> None:
    """A MySQL that recovers must not have to begin anew."""
    host.states = {BAD: BUSY}
    with pytest.raises(_up.UpError, match="was not ready within"):
        act(host)
    assert host.ups == [BAD]
    assert host.wanted() == BAD


def test_there_is_no_way_back_from_another_image(host: Host) -> None:
    host.states, host.upgraded = {BAD: DEAD}, True
    with pytest.raises(_up.UpError, match="service mysql failed"):
        act(host)
    assert host.ups == [BAD]


def test_where_nothing_was_noted_the_problem_is_told_as_it_is(host: Host) -> None:
    _before.forget(host.root)
    host.states = {BAD: DEAD}
    with pytest.raises(_up.UpError) as caught:
        act(host)
    assert str(caught.value).startswith("service mysql failed")


def test_where_the_way_back_fails_too_both_are_told(host: Host) -> None:
    host.states = {BAD: DEAD, GOOD: LOOPING}
    with pytest.raises(_up.UpError) as caught:
        act(host)
    text = str(caught.value)
    assert text.startswith(
        "mysql comes up neither with its new configuration nor with the one of before: service mysql"
    )
    assert text.count("service mysql failed") == 2
