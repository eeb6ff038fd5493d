# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps a server from a data directory that is not for it: half-initialised, of another version, or in an upgrade.

Which directory that is and by which rules it is judged stands in the service dictionary (`guard`). Nothing is asked of the
engine where nothing is to be started: where the data lies is part of what it says of the container.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import (
    _box,
    _compose,
    _data_dir,
    _mysql_version,
    _release,
    _up,
    _upgrade_state,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OPTIONS: dict[str, Any] = {
    "service": {"type": "str", "required": True},
    "volume": {"type": "str", "required": True},
    "marker": {"type": "str", "required": True},
    "versions": {"type": "str", "required": True},
}
# Key of `guard` in a service dictionary -> its type.
KEYS: dict[str, type] = {"volume": str, "marker": str, "versions": str}
# What starts a server on its data.
STARTS = frozenset({"create", "recreate", "start"})


@dataclass(frozen=True)
class Rules:
    """How the versions of one kind of server are known and judged."""

    # A file that the server writes into its data directory once, at first.
    born: str
    parse: Callable[[str], Any]
    of_data: Callable[[Path], Any]
    of_environment: Callable[[Iterable[str]], Any]
    of_reference: Callable[[str], Any]
    # What is run in the image where its environment does not say it, and how the answer is read.
    ask: tuple[str, ...]
    of_answer: Callable[[str], Any]
    judge: Callable[..., _mysql_version.Verdict]


RULES = {
    "mysql": Rules(
        born="auto.cnf",
        parse=_mysql_version.parse,
        of_data=_mysql_version.of_data,
        of_environment=_mysql_version.of_environment,
        of_reference=_mysql_version.of_reference,
        ask=("mysqld", "--version"),
        of_answer=_mysql_version.of_answer,
        judge=_mysql_version.judge,
    ),
}


def problem(entry: Mapping[str, Any]) -> str:
    """Say what is wrong with the key `guard` of a service dictionary; empty where nothing is."""
    for key, value in entry.items():
        if key not in KEYS:
            return f"guard has an unknown key {key!r}; known: {', '.join(sorted(KEYS))}"
        if not isinstance(value, KEYS[key]):
            return f"guard.{key} is {type(value).__name__}, expected {KEYS[key].__name__}"
    if entry and entry["versions"] not in RULES:
        return f"guard.versions is {entry['versions']!r}, expected one of {', '.join(sorted(RULES))}"
    return ""


def guards_of(services: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List what is guarded, as OPTIONS describes it."""
    return [{"service": name, **services[name]["guard"]} for name in sorted(services) if services[name].get("guard")]


@dataclass(frozen=True)
class Guarded:
    """One data directory."""

    service: str
    # As the engine names it.
    volume: str
    marker: str
    rules: Rules

    def containers(self, found: Sequence[_compose.Container]) -> list[_compose.Container]:
        """Return the containers of its server."""
        return [c for c in found if c.service == self.service]

    def folder(self, engine: _up.Engine, found: Sequence[_compose.Container]) -> Path | None:
        """Return where it lies; None where it is not there. Asked where no container says it."""
        known = next((c.volumes[self.volume] for c in self.containers(found) if self.volume in c.volumes), "")
        if not known:
            code, out, _ = engine.try_call(["docker", "volume", "inspect", self.volume])
            known = str(json.loads(out)[0].get("Mountpoint") or "") if code == 0 else ""
        return Path(known) if known else None

    def state(self, engine: _up.Engine, found: Sequence[_compose.Container], folder: Path) -> str:
        """Return what it is."""
        record = _release.current_record(engine.project_dir)
        seen = _data_dir.see(folder, self.marker, self.rules.born, self.containers(found), record)
        return _data_dir.state(seen)

    def refusal(self, state: str, folder: Path) -> str:
        """Say what is wrong with one that no server may meet; empty with any other."""
        if state not in _data_dir.REFUSED:
            return ""
        say = _data_dir.torn if state == _data_dir.TORN else _data_dir.unproven
        return say(self.service, self.volume, folder, self.marker)


def guarded(project: str, items: Iterable[Mapping[str, Any]]) -> list[Guarded]:
    """Read what OPTIONS describes."""
    return [
        Guarded(item["service"], f"{project}_{item['volume']}", item["marker"], RULES[item["versions"]])
        for item in items
    ]


def image_version(engine: _up.Engine, rules: Rules, reference: str, *, check: bool, pull: bool = False) -> Any:  # noqa: ANN401 - as the rules have it
    """Return the version of an image; None where nobody knows. A dry run makes no container to ask it."""
    name = _compose.normalize_reference(reference)
    code, out, _ = engine.try_call(_compose.image_cmd([name]))
    if code != 0 and pull and not check:
        engine.call(["docker", "pull", "--quiet", name])
        code, out, _ = engine.try_call(_compose.image_cmd([name]))
    if code != 0:
        return rules.of_reference(reference)
    known = rules.of_environment((json.loads(out)[0].get("Config") or {}).get("Env") or ())
    if known is not None and known.patch >= 0:
        return known
    if check:
        return known or rules.of_reference(reference)
    program, *rest = rules.ask
    argv = ["docker", "run", "--rm", "--network=none", *_box.BARE, f"--entrypoint={program}", name, *rest]
    code, out, _ = engine.try_call(argv)
    return (rules.of_answer(out) if code == 0 else None) or known


@dataclass
class Guards:
    """Those of one call."""

    engine: _up.Engine
    items: Sequence[Mapping[str, Any]]
    # Whether this is a dry run, and whether the real one has upgraded by now what this one still sees as it was.
    check: bool = False
    upgraded: bool = False
    # What is left to be marked.
    unmarked: list[tuple[Guarded, Path]] = field(default_factory=list)
    # What is done beside the services, as the result tells it.
    steps: list[_up.Step] = field(default_factory=list)
    # An upgrade that was cut off, as a dry run sees it.
    pending: _upgrade_state.State | None = None
    # Services that the real run has upgraded, and so started, before this call.
    started: list[str] = field(default_factory=list)
    # Services whose image is not there yet.
    later: list[tuple[Guarded, Path, str]] = field(default_factory=list)

    def guarded(self, services: Sequence[str]) -> list[Guarded]:
        """List those of some services."""
        return guarded(self.engine.project, (item for item in self.items if item["service"] in services))

    def recover(self, services: Sequence[str]) -> None:
        """Take back an upgrade that was cut off, or bring it to its end."""
        self.pending = _upgrade_state.load(self.engine.root) if self.guarded(services) else None
        # Before this call, where it begins with an upgrade.
        if self.pending and not self.upgraded:
            self._note(self.pending.service, "recover", f"{self.pending.describe()} was cut off")
        if not self.check:
            _upgrade_state.recover(self.engine)

    def _note(self, service: str, action: str, reason: str) -> None:
        """Take note of something for the result; it may be seen twice in one call."""
        step = _up.Step(service, action, reason)
        if step not in self.steps:
            self.steps.append(step)

    def look(self, steps: Sequence[_up.Step], snapshot: _up.Snapshot) -> None:
        """Refuse what must not be started or served; UpError says what and why."""
        self.unmarked, self.later, self.started = [], [], []
        for one in self.guarded([step.service for step in steps]):
            folder = one.folder(self.engine, snapshot.containers)
            if folder is None:
                continue
            state = one.state(self.engine, snapshot.containers, folder)
            refusal = one.refusal(state, folder)
            if refusal:
                self._end(one, state, snapshot.containers)
                raise _up.UpError(refusal)
            if state == _data_dir.UNMARKED:
                self.unmarked.append((one, folder))
                self._note(one.service, "mark", "its data directory has proven to be whole")
            action = next(step.action for step in steps if step.service == one.service)
            if self.pending and self.upgraded and action == "start":
                self.started.append(one.service)
            if action in STARTS and state != _data_dir.EMPTY:
                self._judge(one, folder, snapshot.services[one.service].image, pull=False)

    def before_start(self) -> None:
        """Judge those whose image is there by now."""
        for one, folder, reference in self.later:
            self._judge(one, folder, reference, pull=True)

    def _judge(self, one: Guarded, folder: Path, reference: str, *, pull: bool) -> None:
        """Refuse a server of another version than the data may be served by."""
        rules = one.rules
        image = image_version(self.engine, rules, reference, check=self.check, pull=pull)
        verdict = rules.judge(self._data(rules, folder), image, reference, upgrade=self.check and self.upgraded)
        if verdict.problem:
            raise _up.UpError(f"{one.service} was left as it is: {verdict.problem}")
        if self.check and self.upgraded and verdict.kind != _mysql_version.SAME:
            self.started.append(one.service)
        elif verdict.kind == _mysql_version.UNKNOWN and not pull:
            self.later.append((one, folder, reference))

    def _data(self, rules: Rules, folder: Path) -> Any:  # noqa: ANN401 - as the rules have it
        """Return the version of the data, which is that of before again where the real run takes an upgrade back."""
        if self.check and self.pending and self.pending.phase != _upgrade_state.STARTING:
            return rules.parse(self.pending.data)
        return rules.of_data(folder)

    def _end(self, one: Guarded, state: str, found: Sequence[_compose.Container]) -> None:
        """Stop what must not be served, which is what may let in anybody; tables of an application are none of that."""
        if state != _data_dir.TORN:
            return
        running = [c.id for c in one.containers(found) if c.state not in ("created", "exited", "dead")]
        if running and not self.check:
            self.engine.unpause([c.id for c in one.containers(found) if c.paused])
            self.engine.call(["docker", "stop", *running])

    def explain(self, services: Sequence[str], trouble: str) -> str:
        """Return why services did not come up; where one was left half-initialised, it is stopped, and that is the reason."""
        found = self.engine.containers()
        for one in self.guarded(services):
            folder = one.folder(self.engine, found)
            state = one.state(self.engine, found, folder) if folder is not None else ""
            refusal = one.refusal(state, folder) if folder is not None else ""
            if refusal:
                self._end(one, state, found)
                return f"{refusal}. What came in between: {trouble}"
        return trouble

    def mark(self, services: Sequence[str]) -> None:
        """Leave the marker with those that have proven themselves; called once their servers are healthy."""
        if self.pending and self.pending.phase != _upgrade_state.STARTING:
            _upgrade_state.forget_copy(self.pending)
        for one, folder in self.unmarked:
            if one.service in services:
                _data_dir.mark(folder, one.marker)
