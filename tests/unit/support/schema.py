# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host with a database and releases with migrations: the real modules, with a Django that only knows names."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

from ansible.module_utils import basic
from ansible_collections.barehost.django.plugins.module_utils import _release
from ansible_collections.barehost.django.plugins.modules import django_migrate, django_prepare, release_rollback

from support.modules import Call, Engine, Reply, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Images = dict[str, dict[str, str]]


NO_CONNECTION = {"event": "failed", "stage": "connect", "error": "OperationalError", "message": "no", "trace": ""}


class Killed(BaseException):
    """The module's process is gone, in the middle."""


@dataclass
class Host:
    """What the modules see. Each image is its migrations, in their order, each with its kind."""

    root: Path
    images: Images
    applied: list[str] = field(default_factory=list)
    # Where an application ends before its end: at which migration, and how.
    stop: tuple[str, str] | None = None
    tries: list[str] = field(default_factory=list)
    # Whether the database does not answer.
    down: bool = False
    # What is said of paused containers.
    paused: str = ""
    warnings: list[str] = field(default_factory=list)
    clock: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def tick(self) -> str:
        """Let some time pass."""
        self.clock += timedelta(seconds=30)
        return self.clock.isoformat(timespec="milliseconds")

    def events(self, image: Mapping[str, str], parameters: Mapping[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        """Do what the program in the container does."""
        applied = parameters.get("applied") if self.down else self.applied
        if applied is None:
            return 1, [NO_CONNECTION]
        steps = [(name, kind) for name, kind in image.items() if name not in applied]
        plan = [{"migration": name, "operations": [operation(kind)]} for name, kind in steps]
        heads = dict(name.split(".") for name in image)
        known, unknown = sorted(image), sorted(set(applied) - set(image))
        found = {"plan": plan, "heads": heads, "known": known, "replacing": [], "unknown": unknown}
        if self.down:
            return 1, [NO_CONNECTION, {"event": "plan_by_record", **found}]
        said: list[dict[str, Any]] = [{"event": "plan", **found}]
        if parameters["refuse_destructive"] and "destructive" in dict(steps).values():
            return 1, [*said, {"event": "refused"}]
        for name, _kind in steps if parameters["apply"] else []:
            said.append({"event": "begun", "migration": name})
            if self.stop and self.stop[0] == name:
                return self.end(said)
            self.applied.append(name)
            said.append({"event": "applied", "migration": name})
        return 0, [*said, {"event": "done"}]

    def end(self, said: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
        """End in the middle of a migration."""
        name, how = self.stop or ("", "")
        half = {"event": "operation", "migration": name, "text": "Remove a"}
        if how == "killed":
            raise Killed
        if how == "timed out":
            return 124, [*said, half]
        failed = {"stage": "apply", "error": "E", "message": "m", "migration": name, "undone": how == "undone"}
        return 1, [*said, half, {"event": "failed", "trace": "", **failed}]

    def engine(self, release: str) -> Engine:
        """Return the engine, in which that release's image runs."""

        def reply(call: Call) -> Reply:
            text = (call.data or "").splitlines()[-1].removeprefix("main(json.loads(").removesuffix("))")
            code, events = self.events(self.images[release], json.loads(json.loads(text)))
            return code, "".join(f"\nbarehost-recorded:{json.dumps(event)}\n" for event in events), ""

        engine = Engine().on("run", reply=reply).on("exec", "--interactive", reply=reply)
        engine.on("ps", "status=paused", reply=(0, self.paused, ""))
        return engine.on("rm", reply=(0, "", "")).on("image", "inspect", reply=(0, "[]", ""))

    def module(
        self, main: Any, release: str, engine: Engine | None = None, *, check: bool = False, **args: Any
    ) -> dict[str, Any]:
        """Run a module for a release."""
        common = {"project_dir": str(self.root), "release_id": release, **args}
        clock = mock.patch("ansible_collections.barehost.django.plugins.module_utils._release.now", self.tick)
        with clock, mock.patch.object(basic.AnsibleModule, "warn", lambda _module, text: self.warnings.append(text)):
            return run(main, common, engine or self.engine(release), check=check)

    def build(self, release: str) -> None:
        """Begin its record, as building its image does."""
        path = _release.record_path(str(self.root), release)
        _release.update_record(path, release, f"shop/app:{release}", {"created": self.tick(), "step": "image"})

    def migrate(self, release: str, *, allow: bool = False, **prepared: Any) -> dict[str, Any]:
        """Do what the role does until the switch; return the first failure, or the end."""
        if not _release.record_path(str(self.root), release).exists():
            self.build(release)
        serving = {"serving": (self.root / "releases" / "current").exists(), "allow_destructive": allow}
        result = self.module(django_prepare.main, release, collect=False, **serving, **prepared)
        if result.get("failed") or not result["plan"]:
            return result
        self.tries.append(release)
        dump = f"/b/{release}-{self.tries.count(release)}.sql.gz"
        args = {"plan": result["plan"], "dump": dump, **serving}
        return self.module(django_migrate.main, release, **args)

    def switch(self, release: str) -> None:
        """Let a release serve."""
        path = _release.record_path(str(self.root), release)
        heads = dict(name.split(".") for name in self.images[release])
        details = {"heads": heads, "database": {"name": "shop"}, "activated": self.tick()}
        _release.update_record(path, release, f"shop/app:{release}", details)
        _release.name_current(str(self.root), release, "{}")

    def deploy(self, release: str, **options: Any) -> None:
        """Deploy a release, which has to go well."""
        result = self.migrate(release, **options)
        assert "failed" not in result, result
        self.switch(release)

    def back(self, release: str, **args: Any) -> dict[str, Any]:
        """Ask whether there is a way back."""
        return self.module(release_rollback.main, release, **args)

    def killed(self, release: str, **options: Any) -> None:
        """Have the module killed in the middle of the migrations."""
        with contextlib.suppress(Killed):
            self.migrate(release, **options)


def operation(kind: str) -> dict[str, Any]:
    """Return an operation of a plan."""
    return {"text": "Change", "kind": kind, "reason": "", "reversible": True}
