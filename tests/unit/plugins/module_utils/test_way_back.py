# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A data service that accepts its new files and does not come up with them."""

from __future__ import annotations

import json
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _before, _bring_up, _up, _wait, _way_back

GOOD, BAD, FULL = "1 mysql:1", "2 mysql:1", "3 mysql:1"
IMAGES = {"mysql:1": "sha256:1", "mysql:2": "sha256:2"}
DEAD = {"Status": "exited", "ExitCode": 1}
LOOPING = {"Status": "restarting", "RestartCount": 3}
UP_AGAIN = {"RestartCount": 1}
GONE = {"gone": True}
BUSY = {"Health": {"Status": "starting", "Log": []}}
ILL = {"Health": {"Status": "unhealthy", "FailingStreak": 6, "Log": []}}


@dataclass
class Host:
    """An engine whose MySQL is made from what the Compose file says, and is as the state for that says."""

    root: Path
    made_from: str = GOOD
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    # What was on the disk when a container was removed.
    at_removal: str = ""

    def wanted(self, argv: list[str] | None = None) -> str:
        """Return what MySQL is to be made from: a definition and an image."""
        file = Path(argv[argv.index("-f") + 1]) if argv else self.root / "compose.yaml"
        return file.read_text()

    def run(self, argv: list[str], **_options: Any) -> tuple[int, str, str]:
        """Answer a command."""
        if "config" in argv:
            definition, image = self.wanted(argv).split()
            services = {"mysql": {"image": image, "labels": {"barehost.django.definition": definition}}}
            return 0, json.dumps({"services": services}), ""
        if "up" in argv:
            if self.wanted() == FULL:
                return 1, "", "no space left on device"
            self.made_from = self.wanted()
            self.made.append(self.made_from)
            return 0, "", ""
        if argv[1] == "rm":
            self.removed += argv[3:]
            self.at_removal = self.wanted()
        if argv[1] == "exec":
            self.asked.append(argv[3:])
        return 0, self.said(argv), ""

    def said(self, argv: list[str]) -> str:
        """Return what a question brings."""
        if argv[1] == "ps":
            return "" if self.states.get(self.made_from) == GONE else self.id
        if "image" in argv:
            return json.dumps([{"Id": id_, "RepoTags": [name]} for name, id_ in IMAGES.items()])
        return json.dumps([self.container()]) if "inspect" in argv else ""

    @property
    def id(self) -> str:
        """Id of the container that is there."""
        return f"mysql-{len(self.made)}"

    def container(self) -> dict[str, Any]:
        """Say what the engine says of MySQL."""
        definition, image = self.made_from.split()
        labels = {"com.docker.compose.service": "mysql", "barehost.django.definition": definition}
        state = {"Status": "running", "Health": {"Status": "healthy", "Log": []}}
        found = self.states.get(self.made_from, {})
        return {
            "Id": self.id,
            "Name": "/shop-mysql-1",
            "Image": IMAGES[image],
            "RestartCount": found.get("RestartCount", 0),
            "Config": {"Labels": labels},
            "State": {**state, **{key: value for key, value in found.items() if key != "RestartCount"}},
        }


def change(host: Host, text: str, before: str = GOOD) -> None:
    """Change the file as a run does that finds this."""
    (host.root / "compose.yaml").write_text(before)
    _before.note(host.root, ["compose.yaml"])
    (host.root / "compose.yaml").write_text(text)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a host whose MySQL serves, and whose files a run has just changed."""
    monkeypatch.setattr(_wait, "LOOK_SECONDS", 0.01)
    found = Host(tmp_path)
    change(found, BAD)
    return found


def act(host: Host, *, beside: bool = True) -> str:
    """Bring MySQL up, which fails; return why."""
    module = types.SimpleNamespace(
        run_command=host.run, check_mode=False, get_bin_path=lambda _name: "/usr/bin/docker", warn=pytest.fail
    )
    definition, image = host.wanted().split()
    wish = {"project": "shop", "services": ["mysql"], "timeout": 1}
    wish |= {"definitions": {"mysql": definition}, "images": {"mysql": image}}
    module.params = {"project_dir": str(host.root)}
    task = _bring_up.BringUp.beside(module, wish)  # type: ignore[arg-type]
    task.wish = {**task.wish, "timeout": 0.1}
    task.returns = beside
    task.decide()
    with pytest.raises(_up.UpError) as caught:
        task.act()
    assert not list(host.root.glob(".*"))
    return str(caught.value)


@pytest.mark.parametrize("state", [DEAD, LOOPING, UP_AGAIN, GONE], ids=["dead", "looping", "up again", "gone"])
def test_it_gets_its_files_of_before(host: Host, state: dict[str, Any]) -> None:
    host.states = {BAD: state}
    said = "mysql did not come up with its new configuration, and goes on with the one of before: "
    assert act(host).startswith(said)
    assert host.made == [BAD, GOOD]
    assert host.wanted() == GOOD
    # Killed, as it may not listen yet; and not before its files are there.
    assert host.removed == ([] if state is GONE else ["mysql-1"])
    assert host.at_removal == ("" if state is GONE else GOOD)
    assert _before.load(host.root) == {}


@pytest.mark.parametrize("state", [BUSY, ILL], ids=["starting", "unhealthy"])
def test_one_that_is_still_at_it_is_left_to_it(host: Host, state: dict[str, Any]) -> None:
    """A MySQL that recovers, for however long, must not have to begin anew."""
    host.states = {BAD: state}
    assert act(host).startswith("service mysql ")
    assert (host.made, host.removed, host.wanted()) == ([BAD], [], BAD)


def test_one_of_before_that_runs_is_left_alone(host: Host) -> None:
    """It has ended once, long ago, and what failed is not its business."""
    host.states = {GOOD: UP_AGAIN}
    change(host, FULL)
    assert act(host).endswith("no space left on device")
    assert (host.made, host.removed, host.wanted()) == ([], [], FULL)


def test_there_is_no_way_back_from_another_image(host: Host) -> None:
    change(host, "2 mysql:2")
    host.states = {"2 mysql:2": DEAD}
    assert act(host).startswith(
        "mysql is down and was left so, since the image of mysql was changed, too: its data may be of the new version"
    )
    assert (host.made, host.removed, host.wanted()) == (["2 mysql:2"], [], "2 mysql:2")


def test_nor_to_the_image_of_a_run_that_failed_later(host: Host) -> None:
    """It has had the new image already, and its data are of that version."""
    host.made_from = "1 mysql:2"
    change(host, "2 mysql:2")
    host.states = {"2 mysql:2": DEAD}
    assert "the image of mysql was changed" in act(host)
    assert host.made == ["2 mysql:2"]


def test_where_nothing_was_noted_the_problem_is_told_as_it_is(host: Host) -> None:
    _before.forget(host.root)
    host.states = {BAD: DEAD}
    assert act(host).startswith("service mysql failed")
    assert host.removed == []


def test_another_call_than_that_beside_the_image_has_no_way_back(host: Host) -> None:
    host.states = {BAD: DEAD}
    assert act(host, beside=False).startswith("service mysql failed")
    assert host.made == [BAD]


def test_where_the_way_back_fails_too_both_are_told(host: Host) -> None:
    host.states = {BAD: DEAD, GOOD: LOOPING}
    text = act(host)
    assert text.startswith("it was not to be given back the configuration of before: service mysql failed")
    assert "and with that one: service mysql failed" in text


def test_where_the_files_cannot_be_put_back_nothing_is_removed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_root: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_before, "put_back", full)
    host.states = {BAD: DEAD}
    text = act(host)
    assert "service mysql failed" in text
    assert text.endswith("and with that one: [Errno 28] No space left on device")
    assert host.removed == []


def restore(host: Host) -> _way_back.Restored:
    """Take the configuration back after a failure that came later."""
    engine = _up.Engine(host.run, str(host.root), [str(host.root / "compose.yaml")], "shop")
    there = _way_back.There.of(engine.containers())
    edge = {"service": "mysql", "test": ["nginx", "-t"], "command": ["nginx", "-s", "reload"]}
    return _way_back.WayBack(engine, ["mysql"], there, 0.1).restore(edge)


def test_what_runs_with_the_new_configuration_gets_the_one_of_before(host: Host) -> None:
    """It started with it, and what failed later may have been its fault."""
    host.made_from = BAD
    assert restore(host) == _way_back.Restored(["compose.yaml"], ["mysql"])
    assert (host.made, host.wanted(), host.asked) == ([GOOD], GOOD, [])
    assert restore(host) == _way_back.Restored()


def test_what_was_not_made_anew_yet_stays_and_loads_its_files(host: Host) -> None:
    assert restore(host) == _way_back.Restored(["compose.yaml"], [])
    assert (host.made, host.wanted()) == ([], GOOD)
    assert host.asked == [["nginx", "-t"], ["nginx", "-s", "reload"]]


def test_another_image_stays_with_its_files(host: Host) -> None:
    host.made_from = "2 mysql:2"
    change(host, "2 mysql:2")
    assert "the image of mysql was changed" in restore(host).left
    assert (host.made, host.wanted()) == ([], "2 mysql:2")


@pytest.mark.parametrize("state", [BUSY, ILL], ids=["starting", "unhealthy"])
def test_one_that_is_still_at_it_keeps_its_files(host: Host, state: dict[str, Any]) -> None:
    host.made_from, host.states = BAD, {BAD: state}
    assert restore(host).left == "mysql is still at it, and must not have to begin anew"
    assert (host.made, host.wanted()) == ([], BAD)


def test_what_cannot_be_brought_up_again_is_an_error(host: Host) -> None:
    host.made_from, host.states = BAD, {GOOD: DEAD}
    with pytest.raises(_up.UpError, match="service mysql failed"):
        restore(host)


def test_what_ails_a_service_that_does_not_go_back_is_not_for_this_to_find(host: Host) -> None:
    """It is as its files of before say, and was ill before: that is no failure of putting them back."""
    host.states = {GOOD: LOOPING}
    assert restore(host) == _way_back.Restored(["compose.yaml"], [])
