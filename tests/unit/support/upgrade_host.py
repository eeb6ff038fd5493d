# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host whose MySQL can be upgraded: the new version is tried, found good or not, and the way back is gone."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.data_host import Host
from support.modules import Call

NEW, OLD = "mysql:26.7", "mysql:9.7"
TRIAL = "shop-mysql-upgrade"
EXITED = {"Status": "exited", "ExitCode": 0}


@dataclass
class Upgradable(Host):
    """A host with data, on which a new version can be tried."""

    # What the new version is found to be.
    rows: dict[str, int] = field(default_factory=lambda: {"`shop`.`a`": 3})
    checked: str = "shop.a\tcheck\tstatus\tOK"
    trial_state: dict[str, Any] = field(default_factory=dict)
    healthy: bool = True
    exit_code: int = 0
    trial: bool = False
    frozen: bool = False

    def run(self, argv: list[str], data: str | None = None, **_options: Any) -> tuple[int, str, str]:
        """Answer a command; what copies is done."""
        del data
        if argv[0] == "cp":
            self.calls.append(Call(list(argv), None))
            shutil.copytree(Path(argv[-2]), argv[-1], dirs_exist_ok=True)
            return 0, "", ""
        return super().run(argv)

    def _ps(self, argv: list[str]) -> tuple[int, str, str]:
        if any("volume=" in word for word in argv):
            up = self.there and self.state.get("Status", "running") == "running"
            return 0, self.id if up else "", ""
        return super()._ps(argv)

    def _container(self, argv: list[str]) -> tuple[int, str, str]:
        if argv[-1] not in (TRIAL, self.id):
            return 1, "[]", ""
        if argv[-1] == TRIAL:
            item = self.container()
            item["State"] = {"Status": "running", "StartedAt": "", **self.trial_state}
            return (0, json.dumps([item]), "") if self.trial else (1, "[]", "")
        return super()._container(argv)

    def _exec(self, argv: list[str]) -> tuple[int, str, str]:
        tried, text = TRIAL in argv, " ".join(argv)
        if tried and (self.trial_state.get("Status") == "exited" or ("health" in argv and not self.healthy)):
            return 1, "", "no answer"
        if "super_read_only" in text:
            self.frozen = "super_read_only = ON" in text
        rows = self.rows if tried else {"`shop`.`a`": 3}
        answers = {
            "COUNT(*), COALESCE": "1\t16384",
            "information_schema.tables": "shop\ta",
            "COUNT(*)": "".join(f"{name}\t{count}\n" for name, count in rows.items()),
            "CHECK TABLE": self.checked,
        }
        return 0, next((answer for words, answer in answers.items() if words in text), ""), ""

    def _run(self, argv: list[str]) -> tuple[int, str, str]:
        if "--detach" not in argv:
            return super()._run(argv)
        self.trial = True
        # As a server does with the first thing that it does.
        (self.data / "mysql_upgrade_history").write_text(json.dumps({"upgrade_history": [{"version": "26.7.0"}]}))
        (self.data / "new").touch()
        return 0, "", ""

    def _rm(self, argv: list[str]) -> tuple[int, str, str]:
        if TRIAL in argv:
            self.trial = False
        else:
            self.there = False
        return 0, "", ""

    def _stop(self, argv: list[str]) -> tuple[int, str, str]:
        if TRIAL not in argv:
            self.state, self.frozen = {**EXITED, "ExitCode": self.exit_code}, False
        return 0, "", ""

    def _start(self, _argv: list[str]) -> tuple[int, str, str]:
        self.state = {}
        return 0, "", ""

    def _compose(self, argv: list[str]) -> tuple[int, str, str]:
        if "config" in argv:
            image = Path(argv[argv.index("-f") + 1]).read_text()
            labels = {"barehost.django.definition": image}
            return 0, json.dumps({"services": {"mysql": {"image": image, "labels": labels}}}), ""
        if "up" in argv:
            self.id = f"made-from-{self.wanted()}"
            self.image = self.definition = self.wanted()
        return super()._compose(argv)

    def wanted(self) -> str:
        """Return the image that the Compose file names."""
        return (self.root / "compose.yaml").read_text()
