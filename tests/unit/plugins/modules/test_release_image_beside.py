# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""release_image: the services that come up beside the image, and when they have to wait for it."""

from __future__ import annotations

import json
import tarfile
import threading
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.modules import release_image
from support.modules import Call, Engine, Reply, run

if TYPE_CHECKING:
    from pathlib import Path

GONE: Reply = (1, "[]\n", "Error: No such image")
WAIT_SECONDS = 10
WANTED = {"mysql": {"image": "mysql:1", "labels": {"barehost.django.definition": "2"}}}
IMAGES = [{"Id": "sha256:1", "RepoTags": ["mysql:1"]}]


class Host(Engine):
    """An engine that builds, and has a project with one data service."""

    def __init__(self, definition: str = "", build: Reply = (0, "", ""), up: Reply = (0, "", "")) -> None:
        """Begin with a container of the data service that was made from something, or without one."""
        super().__init__()
        self.there = definition
        self.replies = {"build": build, "up": up}
        self.began = {"build": threading.Event(), "up": threading.Event()}
        self.order: list[str] = []
        self.together = False
        # Whether the data service does not outlive the build.
        self.dies = False
        self.on("docker", "build", reply=lambda call: self.step("build", call))
        self.on("config", reply=(0, json.dumps({"services": WANTED}), ""))
        self.on("up", reply=lambda call: self.step("up", call))
        self.on("image", "inspect", "mysql:1", reply=(0, json.dumps(IMAGES), ""))
        self.on(
            "image", "inspect", reply=lambda _call: (0, '[{"Id": "sha256:2"}]', "") if "built" in self.order else GONE
        )
        self.on("image", "ls", reply=(0, "", ""))
        self.on("pull", reply=(0, "", ""))
        self.on("ps", reply=lambda _call: (0, "mysql-id" if self.there else "", ""))
        self.on("container", "inspect", reply=lambda _call: (0, json.dumps([self.container()]), ""))

    def container(self) -> dict[str, Any]:
        """Say what the engine says of the container of the data service."""
        labels = {"com.docker.compose.service": "mysql", "barehost.django.definition": self.there}
        down = self.dies and "built" in self.order and "up" not in self.order
        state = {"Status": "exited" if down else "running", "Health": {"Status": "healthy", "Log": []}}
        return {
            "Id": "mysql-id",
            "Name": "/shop-mysql-1",
            "Image": "sha256:1",
            "Config": {"Labels": labels},
            "State": state,
        }

    def step(self, name: str, _call: Call) -> Reply:
        """Note when a step begins and when it ends; one that nothing runs beside does not wait for the other."""
        self.began[name].set()
        self.order.append(name)
        other = self.began["up" if name == "build" else "build"]
        self.together = other.wait(WAIT_SECONDS if not self.there else 0) or self.together
        if name == "build":
            self.order.append("built")
        elif self.replies["up"][0] == 0:
            self.there = "2"
        return self.replies[name]


def call(tmp_path: Path, host: Host, **options: Any) -> dict[str, Any]:
    """Build a release of a folder that was sent, beside a database."""
    stack = tmp_path / "stack"
    stack.mkdir(exist_ok=True)
    (stack / "compose.yaml").touch()
    context = tmp_path / "context.tar"
    with tarfile.open(context, "w") as archive:
        archive.addfile(tarfile.TarInfo("Dockerfile"))
    beside = {"project": "shop", "services": ["mysql"], "timeout": 5}
    args = {
        "project_dir": str(stack),
        "repository": "shop/app",
        "services": ["web"],
        "beside": beside,
        "source": "/src",
        "release_id": "3f9a0c1b2d4e",
        "context": str(context),
        **options,
    }
    return run(release_image.main, args, host)


def test_what_is_new_comes_up_while_the_image_is_built(tmp_path: Path) -> None:
    host = Host()
    result = call(tmp_path, host)
    assert host.together
    assert (result["changed"], result["built"], result["beside"]["changed_services"]) == (True, True, ["mysql"])
    assert result["diff"]["after"].splitlines() == [
        "image shop/app:3f9a0c1b2d4e: build",
        "mysql: create (there is no container)",
    ]


def test_what_somebody_uses_waits_for_the_image(tmp_path: Path) -> None:
    host = Host("1")
    assert call(tmp_path, host)["beside"]["steps"][0]["action"] == "recreate"
    assert host.order == ["build", "built", "up"]


def test_what_somebody_uses_is_left_alone_where_the_build_fails(tmp_path: Path) -> None:
    host = Host("1", build=(1, "", "no such base image"))
    assert "no such base image" in call(tmp_path, host)["msg"]
    assert host.order == ["build", "built"]


def test_a_service_that_does_not_come_up_fails_the_call(tmp_path: Path) -> None:
    host = Host(up=(1, "", "no space left on device"))
    result = call(tmp_path, host)
    assert "no space left on device" in result["msg"]
    assert result["failed"]


@pytest.mark.parametrize("dies", [True, False])
def test_what_does_not_outlive_the_build_is_started_again(tmp_path: Path, *, dies: bool) -> None:
    host = Host("2")
    host.dies = dies
    steps = call(tmp_path, host)["beside"]["steps"]
    assert [step["action"] for step in steps] == (["start"] if dies else [])
    assert host.order == ["build", "built", *(["up"] if dies else [])]


def test_nothing_is_started_before_the_controller_has_sent_its_part(tmp_path: Path) -> None:
    host = Host()
    assert call(tmp_path, host, context=None)["needs"] == "context"
    assert host.order == []


@pytest.mark.parametrize(
    ("beside", "message"), [({"services": ["mysql"]}, "project"), ({"project": "shop", "services": [], "x": 1}, "x")]
)
def test_a_wish_that_cannot_be_read_is_refused(tmp_path: Path, beside: dict[str, Any], message: str) -> None:
    host = Host()
    result = call(tmp_path, host, beside=beside)
    assert result["msg"].startswith("beside: ")
    assert message in result["msg"]
    assert host.order == []


def test_a_folder_that_cannot_be_written_to_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "releases").write_text("in the way\n")
    result = call(tmp_path, Host("2"))
    assert result["failed"] is True
    assert str(tmp_path / "stack" / "releases") in result["msg"]
    assert "\n" not in result["msg"]


VALIDATE = {"service": "nginx", "image": "nginx:1", "command": ["nginx", "-t"], "mounts": {"nginx": "/etc/nginx/stack"}}
EDGE = {
    "project": "shop",
    "services": ["mysql"],
    "timeout": 5,
    "definitions": {"mysql": "2", "nginx": "3"},
    "images": {"mysql": "mysql:1", "nginx": "nginx:1"},
    "ahead": {"services": ["nginx"]},
    "validate": [VALIDATE],
}


@pytest.mark.parametrize("there", ["", "1", "2"], ids=["first deploy", "changed database", "only the edge is new"])
def test_an_edge_that_is_made_later_is_asked_about_its_files_before_anything_serves(tmp_path: Path, there: str) -> None:
    host = Host(there)
    host.on("run", reply=(1, "", 'nginx: [emerg] unknown directive "x" in /etc/nginx/stack/nginx.conf:3\n'))
    result = call(tmp_path, host, beside=EDGE)
    assert result["failed"] is True
    assert 'nginx was refused: nginx says: unknown directive "x" in /etc/nginx/stack/nginx.conf:3;' in result["msg"]
    asked = next(item.argv for item in host.calls if "run" in item.argv)
    assert f"--volume={tmp_path}/stack/nginx:/etc/nginx/stack:ro" in asked
    # What somebody uses is not touched any more.
    assert ("up" in host.order) is (there == "")


def test_an_edge_is_asked_where_the_image_is_there_already_too(tmp_path: Path) -> None:
    host = Host("2")
    host.order.append("built")
    host.on("run", reply=(1, "", 'nginx: [emerg] unknown directive "x" in /etc/nginx/stack/nginx.conf:3\n'))
    result = call(tmp_path, host, beside=EDGE, context=None)
    assert "nginx was refused" in result["msg"]
    assert host.order == ["built"]


def test_an_edge_that_accepts_its_files_or_stays_as_it_is_holds_nothing_up(tmp_path: Path) -> None:
    host = Host()
    host.on("run", reply=(0, "", ""))
    assert call(tmp_path, host, beside=EDGE)["built"] is True
    unasked = {**EDGE, "ahead": {"services": ["mysql"]}}
    host = Host("2")
    assert "failed" not in call(tmp_path, host, beside=unasked)
    assert not [item for item in host.calls if "run" in item.argv]


@pytest.mark.parametrize(
    ("there", "asked"), [("", True), ("1", False), ("2", False)], ids=["new", "changed", "as it was"]
)
def test_a_database_is_asked_before_its_first_start(tmp_path: Path, there: str, *, asked: bool) -> None:
    """One that begins with an option that it does not know leaves a data directory that is of no use; later ones were asked."""
    host = Host(there)
    host.on("run", reply=(1, "", "0 [ERROR] [MY-000067] [Server] unknown variable 'a=1'.\n"))
    validate = [{"service": "mysql", "image": "mysql:1", "command": ["mysqld"]}]
    result = call(tmp_path, host, beside={**EDGE, "ahead": {"services": []}, "validate": validate})
    assert result.get("failed", False) is asked
    assert len([item for item in host.calls if "run" in item.argv]) == int(asked)
    if asked:
        assert "the new configuration of mysql was refused: mysqld says: unknown variable 'a=1'" in result["msg"]
        assert "up" not in host.order
