# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host whose MySQL keeps its data in a volume, for what must not be started on it."""

from __future__ import annotations

import json
import os
import shutil
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils import _bring_up

from support.modules import Call

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
MARKER = ".barehost-initialised"
GUARD = {"volume": "mysql", "marker": MARKER, "versions": "mysql"}
CREATED = "2026-11-26T20:00:00.1Z"
# Versions of the images that are known here.
IMAGES = {"mysql:9.7": "9.7.4", "mysql:9.7.5": "9.7.5", "mysql:8.4": "8.4.7", "mysql:26.7": "26.7.0"}


@dataclass
class Host:
    """An engine with one container of MySQL, or none."""

    folder: Path
    image: str = "mysql:9.7"
    state: dict[str, Any] = field(default_factory=dict)
    installed: bool = True
    there: bool = True
    # Images that have to be pulled first, and what their environment does not say.
    missing: list[str] = field(default_factory=list)
    silent: bool = False
    calls: list[Call] = field(default_factory=list)
    # What a start leaves, where it fails.
    breaks: dict[str, Any] = field(default_factory=dict)
    definition: str = "1"
    id: str = "mysql-id"

    @property
    def root(self) -> Path:
        """Directory of the stack."""
        return self.folder / "stack"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "volume"

    def fill(self, *, marked: bool = True, made: float = 0) -> None:
        """Leave data of 9.7.4, as a server does; made is when."""
        self.data.mkdir(exist_ok=True)
        shutil.copy(FIXTURES / "mysql_upgrade_history_974.json", self.data / "mysql_upgrade_history")
        (self.data / "auto.cnf").touch()
        os.utime(self.data / "auto.cnf", (made, made))
        if marked:
            (self.data / MARKER).touch()

    def record(self, activated: str = "2026-11-26T20:00:00.000+00:00") -> None:
        """Note a release that serves."""
        releases = self.root / "releases"
        releases.mkdir(parents=True)
        (releases / "3f9a0c1b2d4e.json").write_text(json.dumps({"id": "3f9a0c1b2d4e", "activated": activated}))
        (releases / "current").symlink_to("3f9a0c1b2d4e.json")

    def run(self, argv: list[str], **_options: Any) -> tuple[int, str, str]:
        """Answer a command."""
        self.calls.append(Call(list(argv), None))
        answer = getattr(self, f"_{argv[1]}", None)
        return answer(argv) if answer else (0, "", "")

    def _ps(self, _argv: list[str]) -> tuple[int, str, str]:
        return 0, self.id if self.there else "", ""

    def _container(self, _argv: list[str]) -> tuple[int, str, str]:
        return 0, json.dumps([self.container()]), ""

    def _volume(self, _argv: list[str]) -> tuple[int, str, str]:
        return (
            (0, json.dumps([{"Mountpoint": str(self.data)}]), "") if self.data.exists() else (1, "[]", "no such volume")
        )

    def _image(self, argv: list[str]) -> tuple[int, str, str]:
        known = [name for name in argv[3:] if name in IMAGES and name not in self.missing]
        found = [
            {
                "Id": f"sha256:{IMAGES[name]}",
                "RepoTags": [name],
                "Config": {"Env": [] if self.silent else [f"MYSQL_VERSION={IMAGES[name]}-1.el9"]},
            }
            for name in known
        ]
        return 0 if len(known) == len(argv[3:]) else 1, json.dumps(found), ""

    def _pull(self, argv: list[str]) -> tuple[int, str, str]:
        self.missing.remove(argv[-1])
        return 0, "", ""

    def _run(self, argv: list[str]) -> tuple[int, str, str]:
        name = next(word for word in argv if word in IMAGES)
        return 0, f"mysqld  Ver {IMAGES[name]} for Linux on x86_64", ""

    def _stop(self, _argv: list[str]) -> tuple[int, str, str]:
        self.state = {"Status": "exited"}
        return 0, "", ""

    def _compose(self, argv: list[str]) -> tuple[int, str, str]:
        if "up" in argv:
            self.there = True
            self.state = self.breaks
        return 0, "", ""

    def container(self) -> dict[str, Any]:
        """Say what the engine says of MySQL."""
        labels = {"com.docker.compose.service": "mysql", "barehost.django.definition": self.definition}
        labels["barehost.django.tier"] = "data"
        state = {"Status": "running", "StartedAt": CREATED, "Health": {"Status": "healthy", "Log": []}}
        found = {**state, **self.state}
        mount = {"Type": "volume", "Name": "shop_mysql", "Source": str(self.data), "Destination": "/var/lib/mysql"}
        return {
            "Id": self.id,
            "Name": "/shop-mysql-1",
            "Image": f"sha256:{IMAGES[self.image]}",
            "Created": CREATED,
            "RestartCount": found.pop("RestartCount", 0),
            "Config": {"Labels": labels, "Image": self.image},
            "Mounts": [mount, {"Type": "bind", "Source": "/x", "Destination": "/y"}],
            "State": found,
        }

    def bring_up(self, image: str = "mysql:9.7", *, check: bool = False, **wish: Any) -> _bring_up.BringUp:
        """Describe a call that brings MySQL up."""
        self.root.mkdir(exist_ok=True)
        (self.root / "compose.yaml").touch()
        module = types.SimpleNamespace(
            run_command=self.run,
            check_mode=check,
            get_bin_path=lambda _name: "/usr/bin/docker" if self.installed else None,
            warn=lambda _text: None,
            params={"project_dir": str(self.root)},
        )
        asked = {
            "project": "shop",
            "services": ["mysql"],
            "definitions": {"mysql": "1"},
            "images": {"mysql": image},
            "guards": [{"service": "mysql", **GUARD}],
            "timeout": 1,
            **wish,
        }
        return _bring_up.BringUp.beside(module, asked)  # type: ignore[arg-type]

    def did(self, *words: str) -> bool:
        """Whether a command with these words was run."""
        return any(all(word in call.argv for word in words) for call in self.calls)
