# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring services to what the Compose files say, and know the truth about what that takes.

`docker compose up` reports neither what it is going to do nor, in JSON, what it did. So the decision is made here, from
the labels of the containers that are there and of the services that should be, and Compose carries it out.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ansible_collections.barehost.django.plugins.module_utils import _compose, _logs, _mounts, _peers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Runner = Callable[[list[str]], "tuple[int, str, str]"]

RELOAD_SECONDS = 15.0
RELOAD_POLL_SECONDS = 0.1
# A process that dies of a bad import does so within this time; one without a healthcheck is believed after it.
SETTLE_SECONDS = 4.0
# For so long a container that is started again and again is a new one.
NEW_SECONDS = 600

TIER_LABEL = _peers.TIER_LABEL
# What is done to the containers that are there, without Compose.
ALONE = ("restart", "unpause")
# A database that says it is unhealthy may be recovering: restarting it would make it begin anew.
RESTARTED_TIERS = ("app", "edge")


class UpError(Exception):
    """A service that cannot be brought to what it should be."""


@dataclass(frozen=True)
class Step:
    """What has to happen to one service."""

    service: str
    action: str  # create | recreate | start | unpause | restart | none
    reason: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What the files ask for and what the engine has, read at one moment."""

    services: Mapping[str, _compose.Wanted]
    image_ids: Mapping[str, str]  # reference -> id, for the images that are there
    containers: Sequence[_compose.Container]

    def of(self, service: str) -> list[_compose.Container]:
        """Return the containers of one service."""
        return [c for c in self.containers if c.service == service]


def why_recreate(container: _compose.Container, definition: str, reference: str, image_id: str) -> str:
    """Say why a container has to be replaced; an empty text where it can stay."""
    if container.definition != definition:
        return "its definition or the content of its files changed"
    if container.image_id != image_id:
        return f"its image {reference} changed"
    if container.detached:
        return why_detached(container)
    return "it is dead, and cannot be started again" if container.state == "dead" else ""


def why_detached(container: _compose.Container) -> str:
    """Say which folder a container has mounted that is another one for the host."""
    return f"it has a {container.detached} mounted that is no longer the host's"


def ill(container: _compose.Container) -> bool:
    """Whether a container has to be restarted for its health; the last answer stays with one that was stopped or paused."""
    restarted = container.labels.get(TIER_LABEL) in RESTARTED_TIERS
    return container.running and container.health == "unhealthy" and restarted


def plan_service(service: str, snapshot: Snapshot) -> Step:
    """Decide about one service."""
    containers = snapshot.of(service)
    if not containers:
        return Step(service, "create", "there is no container")
    wanted = snapshot.services[service]
    reference = _compose.normalize_reference(wanted.image)
    image_id = snapshot.image_ids.get(reference, "")
    reasons = [why_recreate(container, wanted.definition, reference, image_id) for container in containers]
    down = [c for c in containers if not (c.running or c.paused) and c.state != "restarting"]
    step = Step(service, "none")
    if any(reasons):
        step = Step(service, "recreate", next(filter(None, reasons)))
    elif any(map(ill, containers)):
        step = Step(service, "restart", "it is unhealthy, and Docker does not restart what is unhealthy")
    elif any(container.paused for container in containers):
        step = Step(service, "unpause", "it is paused")
    elif down:
        step = Step(service, "start", f"it is {down[0].state}")
    return step


def plan(services: Iterable[str], snapshot: Snapshot) -> list[Step]:
    """Decide about each service."""
    unknown = sorted(set(services) - set(snapshot.services))
    if unknown:
        msg = f"no service {', '.join(unknown)} in the Compose files; known: {', '.join(sorted(snapshot.services))}"
        raise UpError(msg)
    return [plan_service(service, snapshot) for service in services]


def orphans(snapshot: Snapshot) -> list[_compose.Container]:
    """List the project's containers whose service is no longer in the files."""
    return [c for c in snapshot.containers if c.service not in snapshot.services]


def describe(container: _compose.Container) -> str:
    """Say in a few words how a container is."""
    words = [container.state]
    if container.health:
        words.append(container.health)
    if container.restarts:
        words.append(f"{container.restarts} restarts")
    if not container.running:
        words.append(f"exit code {container.exit_code}")
    if container.oom_killed:
        words.append("killed for lack of memory")
    return ", ".join(words)


def failed(container: _compose.Container, restarts_before: int) -> bool:
    """Whether waiting longer is pointless: it ended, it is being restarted, or it says that it is not healthy."""
    if container.restarts > restarts_before or container.state in ("exited", "dead", "restarting"):
        return True
    return container.health == "unhealthy"


def moment_of(stamp: str) -> datetime | None:
    """Read a moment of the engine's; None where there is none."""
    if not stamp or stamp.startswith("0001-"):
        return None
    return datetime.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)


def began(container: _compose.Container) -> str:
    """Return from when on a container's log says what is wrong with it today, as `docker logs` reads it; empty for all of it.

    That is its last start, just before: the engine notes it when the program is at work already, and some are done with it in
    milliseconds. One that is new has said nothing yet that was put right since, and of its first start it says the cause in full.
    """
    started, created = moment_of(container.started), moment_of(container.created)
    if started is None or (created is not None and (started - created).total_seconds() < NEW_SECONDS):
        return ""
    return (started - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def until(done: Callable[[], bool], problem: str) -> None:
    """Wait for the edge to load what it was given."""
    deadline = time.monotonic() + RELOAD_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise UpError(f"{problem} within {RELOAD_SECONDS:g} s")
        time.sleep(RELOAD_POLL_SECONDS)


class Engine:
    """The Docker and Compose CLI of one project."""

    def __init__(
        self,
        run: Runner,
        project_dir: str,
        files: Sequence[str],
        project: str,
        definitions: Mapping[str, str] | None = None,
    ) -> None:
        """Take the function that runs a command, what names the project, and what its services should be made from."""
        self.definitions = definitions
        self._run = run
        self.project_dir = project_dir
        self.files = list(files)
        self.project = project

    @property
    def root(self) -> Path:
        """Directory of the project."""
        return Path(self.project_dir)

    def compose(self, *args: str) -> str:
        """Run one Compose command and return what it printed."""
        return self.call(_compose.compose_cmd(self.project_dir, self.files, *args))

    def call(self, argv: list[str]) -> str:
        """Run one command; its failure is an error that names it."""
        code, out, err = self._run(argv)
        if code != 0:
            command = " ".join(word for word in argv[:2])
            msg = f"`{command} … {argv[-1]}` ended with {code}: {(err.strip() or out.strip())[-2000:]}"
            raise UpError(msg)
        return out

    def answers(self) -> bool:
        """Whether the project's files and the engine are there."""
        return Path(self.files[0]).exists() and self.try_call(_compose.list_cmd(self.project))[0] == 0

    def definitions_in_files(self) -> dict[str, str]:
        """Return what each service should be made from, as the files on the host say it."""
        services = _compose.parse_services(self.compose("config", "--format", "json"))
        return {name: wanted.definition for name, wanted in services.items()}

    def try_call(self, argv: list[str]) -> tuple[int, str, str]:
        """Run one command whose failure is an answer, too."""
        return self._run(argv)

    def ids(self) -> list[str]:
        """List the ids of every container of the project."""
        return self.call(_compose.list_cmd(self.project)).split()

    def containers(self, only: Sequence[str] | None = None) -> list[_compose.Container]:
        """Describe every container of the project, or those with these ids that are there."""
        ids = self.ids() if only is None else only
        # One may go away between the two calls; what the answer holds is still right.
        _, out, _ = self._run(_compose.inspect_cmd(ids)) if ids else (0, "[]", "")
        return [self._looked_at(container) for container in _compose.parse_containers(out)]

    @staticmethod
    def _looked_at(container: _compose.Container) -> _compose.Container:
        """See whether an edge still has the host's folders: it is the one that goes on with a reload alone."""
        if container.labels.get(TIER_LABEL) != "edge":
            return container
        return replace(container, detached=_mounts.detached(container.pid, container.binds))

    def snapshot(self, images: Mapping[str, str] | None = None) -> Snapshot:
        """Read what is there and what the files ask for; these not, where definitions and images of the services are known."""
        if images and self.definitions is not None:
            known = {name: _compose.Wanted(images.get(name, ""), text) for name, text in self.definitions.items()}
            references = sorted({_compose.normalize_reference(image) for image in images.values()})
            return Snapshot(known, self.image_ids(references), self.containers())
        services = _compose.parse_services(self.compose("config", "--format", "json"))
        if self.definitions is not None:
            # In a dry run the files are still the old ones; what was rendered is what counts.
            services = {
                name: _compose.Wanted(services[name].image if name in services else "", definition)
                for name, definition in self.definitions.items()
            }
        references = sorted({_compose.normalize_reference(wanted.image) for wanted in services.values()})
        return Snapshot(services, self.image_ids(references), self.containers())

    def image_ids(self, references: Sequence[str]) -> dict[str, str]:
        """Map references to the ids of the images that are there."""
        return _compose.image_ids(self._run, references)

    def up(self, services: Sequence[str], *options: str) -> None:
        """Create, recreate or start services; dependencies are not touched."""
        if services:
            self.compose("up", "--detach", "--no-deps", "--quiet-pull", *options, *services)

    def carry_out(self, steps: Sequence[Step]) -> list[str]:
        """Do what was decided; return the services that were touched."""
        restarted, unpaused = ([step.service for step in steps if step.action == action] for action in ALONE)
        others = [step.service for step in steps if step.action not in (*ALONE, "none")]
        touched = {*restarted, *unpaused, *others}
        before = self.containers() if touched else []
        found = [c for c in before if c.service in touched]
        # First of all, whatever follows: what is paused does not hear that it is to stop.
        self.unpause([c.id for c in found if c.paused])
        dead = [c.id for c in found if c.state == "dead"]
        if dead:
            self.call(["docker", "rm", "--force", *dead])
        for container in found:
            if container.service in restarted:
                self.call(["docker", "restart", container.id])
        # Its other containers may be stopped.
        down = [c.id for c in found if c.service in unpaused and not (c.running or c.paused or c.state == "restarting")]
        if down:
            self.call(["docker", "start", *down])
        # To Compose these are what they should be.
        detached = {c.service for c in found if c.detached}
        self.up([name for name in others if name not in detached])
        self.up([name for name in others if name in detached], "--force-recreate")
        anew = {step.service for step in steps if step.action == "recreate"}
        if anew:
            self.join(before, [c for c in self.containers() if c.service in anew])
        return restarted + unpaused + others

    def join(self, before: Sequence[_compose.Container], new: Sequence[_compose.Container]) -> None:
        """Have what goes on as it is find what has taken another one's place, where that is in other networks."""
        for one in _peers.joins(before, new):
            self.call(one.cmd())

    def unpause(self, ids: Sequence[str]) -> None:
        """Let containers go on that somebody has paused: the engine neither starts nor stops them as they are."""
        if ids:
            self.call(["docker", "unpause", *ids])

    def remove(self, containers: Sequence[_compose.Container]) -> None:
        """Stop containers within their own grace, then remove them."""
        if containers:
            ids = [container.id for container in containers]
            self.unpause([container.id for container in containers if container.paused])
            self.call(["docker", "stop", *ids])
            self.call(["docker", "rm", *ids])

    def _log(self, container: _compose.Container, since: str = "") -> str:
        # Both streams: servers write to either.
        _, out, err = self._run(_compose.logs_cmd(container.id, _logs.SEARCHED_LINES, since))
        return _logs.masked(out + err)

    def _cause(self, container: _compose.Container, log: str) -> str:
        """Return what a server says against its last start: what it said before that may long have been put right."""
        since = began(container)
        said = _logs.cause(self._log(container, since) if since else log)
        # One that has just been started again has not come to it yet, and is going to say what it said the last time.
        return said or (_logs.cause(log) if container.restarts else "")

    def reload(
        self, container: _compose.Container, test: Sequence[str], command: Sequence[str], loaded: Callable[[], bool]
    ) -> None:
        """Let a service test its files, where there is a test, and load them, and wait until it says that it has."""
        for argv in (test, command):
            if argv:
                self.call(["docker", "exec", container.id, *argv])
        until(loaded, f"service {container.service} did not load its new configuration")

    def report(self, container: _compose.Container, what: str) -> str:
        """Say what is wrong with a container, with the last lines that it logged."""
        log = self._log(container)
        text = f"service {container.service} {what} ({describe(container)})"
        cause = self._cause(container, log)
        if cause:
            # A server that is started again and again repeats its warnings, and its last lines are theirs.
            text += f": it says: {cause}"
        if container.health_log:
            text += f"; its healthcheck said: {container.health_log}"
        return f"{text}; its last log lines:\n{_logs.excerpt(log)}"


def compose_files(project_dir: str, *, override: bool | None = None) -> list[str]:
    """Return the files that Compose itself would read in the project's directory.

    An override that is damaged is left out: the release writes it anew, and what is asked here is not its business.
    """
    base = str(Path(project_dir) / _compose.BASE_FILE)
    extra = Path(project_dir) / _compose.OVERRIDE_FILE
    wanted = _is_whole(extra) if override is None else override
    return [base, str(extra)] if wanted else [base]


def _is_whole(path: Path) -> bool:
    """Whether a file holds the JSON that was once written into it."""
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False
