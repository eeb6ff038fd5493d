# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way back to the configuration of before.

At once for data services that are lost with their new one, and for all services where a deploy has failed later, which a
configuration that starts and does not work can be the reason of.

A container of before that still runs is left alone, and so is a new one that is still at it, as a MySQL that recovers. And
never over a change of the image: the data may be of the new version by then, and an older server must not meet it.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _before, _compose, _files, _up, _wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DOWN = frozenset({"created", "dead", "exited", "restarting"})


@dataclass(frozen=True)
class There:
    """What was there before anything was done."""

    ids: frozenset[str] = frozenset()
    # Service -> id of its image.
    images: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, containers: Sequence[_compose.Container]) -> There:
        """Take note of containers."""
        return cls(frozenset(c.id for c in containers), {c.service: c.image_id for c in containers})


@dataclass(frozen=True)
class Restored:
    """What has gone back, or why nothing has."""

    files: Sequence[str] = ()
    services: Sequence[str] = ()
    left: str = ""


@dataclass(frozen=True)
class WayBack:
    """The way back for some services, which are all brought up together."""

    engine: _up.Engine
    services: Sequence[str]
    there: There
    timeout: float

    @property
    def root(self) -> Path:
        """Directory of the stack."""
        return Path(self.engine.project_dir)

    def go(self, problem: str) -> str:
        """Give the services back what they had, where one of them is lost; return the problem, with what became of it."""
        try:
            lost = self.lost()
            if not lost or not _before.load(self.root):
                return problem
            names = ", ".join(lost)
            changed = self.changed_images(self.snapshot_before())
            if changed:
                return (
                    f"{names} is down and was left so, since the image of {', '.join(changed)} was changed, too: its data may be "
                    f"of the new version, which the one of before must not meet: {problem}"
                )
            _before.put_back(self.root)
            # What is started again and again may be asked to stop before it listens to that, and then takes its whole grace.
            ended = [c.id for c in self.containers() if c.service in lost and self.has_ended(c)]
            if ended:
                self.engine.call(["docker", "rm", "--force", *ended])
            self.bring_up(self.services)
        except (_up.UpError, OSError) as error:
            return f"it was not to be given back the configuration of before: {problem}; and with that one: {error}"
        return f"{names} did not come up with its new configuration, and goes on with the one of before: {problem}"

    def containers(self) -> list[_compose.Container]:
        """Describe the containers of the services."""
        return [c for c in self.engine.containers() if c.service in self.services]

    def has_ended(self, container: _compose.Container) -> bool:
        """Whether a container does not serve: it is down, or is a new one that was so once."""
        return container.state in DOWN or (container.restarts > 0 and container.id not in self.there.ids)

    def lost(self) -> list[str]:
        """Return the services that were there and do not serve any more."""
        found = self.containers()
        serving = {c.service for c in found} - {c.service for c in found if self.has_ended(c)}
        return sorted(name for name in self.services if name in self.there.images and name not in serving)

    def changed_images(self, snapshot: _up.Snapshot) -> list[str]:
        """Return the services whose files of before name another image than they have had last."""
        wanted = {
            name: snapshot.image_ids.get(_compose.normalize_reference(service.image), "")
            for name, service in snapshot.services.items()
        }
        had = self.there.images
        now = {c.service: c.image_id for c in snapshot.containers}
        return [
            name
            for name in self.services
            if name in had and not had[name] == wanted.get(name) == now.get(name, had[name])
        ]

    def snapshot_before(self) -> _up.Snapshot:
        """Read what there is, and what the files of before ask for."""
        with self.draft() as files:
            return _up.Engine(self.engine.try_call, str(self.root), files, self.engine.project).snapshot()

    def restore(self, edge: Mapping[str, Any] | None) -> Restored:
        """Put all files back, and have the services be as these say, unless one of them has to be left to itself."""
        known = _before.load(self.root)
        if not known:
            return Restored()
        snapshot = self.snapshot_before()
        changed = self.changed_images(snapshot)
        if changed:
            return Restored(
                left=f"the image of {', '.join(changed)} was changed, and its data may be of the new version"
            )
        steps = [
            step
            for step in _up.plan([name for name in self.services if name in snapshot.services], snapshot)
            if step.action != "none"
        ]
        touched = {step.service for step in steps}
        busy = [c.service for c in snapshot.containers if c.service in touched and c.running and not c.ready]
        if busy:
            return Restored(left=f"{busy[0]} is still at it, and must not have to begin anew")
        files = _before.put_back(self.root)
        if touched:
            # Not the others: what ails them is not for this to find.
            self.bring_up(sorted(touched))
        if edge and edge["service"] not in touched:
            self.reload(edge)
        return Restored(files, sorted(touched))

    def reload(self, edge: Mapping[str, Any]) -> None:
        """Have the edge load the files of before; the switch that takes the release back sees to it that it has."""
        for container in self.containers():
            if container.service == edge["service"] and container.running:
                self.engine.reload(container, edge["test"], edge["command"], lambda: True)

    @contextlib.contextmanager
    def draft(self) -> Iterator[list[str]]:
        """Lend the Compose files with the one of before in the place of today's."""
        noted = _before.load(self.root).get(_compose.BASE_FILE)
        if not noted:
            yield self.engine.files
            return
        # By this name the next run knows it where this one is killed.
        path = self.root / f".{_compose.BASE_FILE}.{secrets.token_hex(4)}"
        try:
            _files.replace(path, noted["content"], _before.FILE_MODE)
            yield [str(path), *self.engine.files[1:]]
        finally:
            path.unlink(missing_ok=True)

    def bring_up(self, services: Sequence[str]) -> None:
        """Bring services to what the files say, which are those of before again."""
        engine = _up.Engine(self.engine.try_call, str(self.root), self.engine.files, self.engine.project)
        snapshot = engine.snapshot()
        known = [name for name in services if name in snapshot.services]
        steps = _up.plan(known, snapshot)
        engine.carry_out(steps)
        _wait.for_services(engine, known, self.timeout, [step.service for step in steps if step.action != "none"])
