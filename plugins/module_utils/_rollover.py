# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to happen to each service of a release: which of its containers stay, which come, which go.

The containers themselves say it, by their labels. So a run that was cut off at any point is followed by one that sees
what is there and goes on from that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._compose import Container

# Names what a container of a release was made from, and gives its network alias: two releases never share a name.
LABEL_GENERATION = "barehost.django.generation"
# A service as a module is told of it.
SERVICE_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "rollover": {"type": "str", "choices": ["alone", "beside"], "default": "alone"},
    "replicas": {"type": "int", "default": 1},
    "ready": {"type": "list", "elements": "str", "default": []},
    "networks": {"type": "list", "elements": "str", "default": []},
    "routed": {"type": "bool", "default": False},
}


@dataclass(frozen=True)
class Service:
    """What the switch knows of a service that runs the release's image."""

    name: str
    beside: bool = False  # may run beside its old containers; otherwise those end first
    routed: bool = False  # receives its requests from the edge
    replicas: int = 1
    ready: tuple[str, ...] = ()  # a command inside a new container that must succeed before it is believed


@dataclass(frozen=True)
class Work:
    """What has to happen to one service; containers by their ids."""

    service: Service
    keep: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()  # of all of them: what is paused does not hear that it is to stop
    create: int = 0
    old: tuple[str, ...] = ()
    old_running: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    serving: tuple[str, ...] = ()  # of the old ones, those of the release that serves
    replaces: bool = True  # whether the wanted ones take the place of what serves
    action: str = "none"
    reason: str = ""


def service_of(item: Mapping[str, Any]) -> Service:
    """Read a service as the filter `release_services` describes it."""
    return Service(
        name=item["name"],
        beside=item["rollover"] == "beside",
        routed=item["routed"],
        replicas=item["replicas"],
        ready=tuple(item["ready"]),
    )


def generation(release_id: str, definition: str, image_id: str) -> str:
    """Name what a container of a release is made from (12 hex digits)."""
    return hashlib.sha256(f"{release_id}\0{definition}\0{image_id}".encode()).hexdigest()[:12]


def alias(service: str, name: str) -> str:
    """Return the network name of a service's containers of one generation."""
    return f"{service}-{name}"


def is_current(container: Container, definition: str, image_id: str, wanted: str) -> bool:
    """Whether a container is of the wanted generation, and can run."""
    return (
        container.state != "dead"
        and container.labels.get(LABEL_GENERATION) == wanted
        and container.definition == definition
        and container.image_id == image_id
    )


def why_old(container: Container, definition: str, image_id: str, image: str) -> str:
    """Say why a container has to go."""
    if container.image_id != image_id:
        return f"it runs {container.image}, and not {image}" if container.image != image else f"{image} was made anew"
    if container.definition != definition:
        return "its definition or the content of its files changed"
    return "it is dead, and cannot be started again" if container.state == "dead" else "it belongs to another release"


def plan(
    service: Service,
    containers: Sequence[Container],
    wanted: Mapping[str, str],
    committed: Mapping[str, str] | None = None,
) -> Work:
    """Decide about one service; wanted has its definition, image_id, image and generation.

    `committed` has the generation of each service that serves; None where nobody knows any more.
    """
    own = sorted((c for c in containers if c.service == service.name), key=lambda c: c.name)
    goal = (wanted["definition"], wanted["image_id"])
    current = [c for c in own if is_current(c, *goal, wanted["generation"])]
    old = [c for c in own if c not in current]
    # The healthy ones first, so that what is too much is never what serves.
    current.sort(key=lambda c: (not c.ready, not c.running))
    usable, surplus = current[: service.replicas], current[service.replicas :]
    ill = [c for c in usable if c.running and c.health == "unhealthy"]
    paused = [c for c in usable if c.paused]
    down = [c for c in usable if not (c.running or c.paused) and c.state != "restarting"]
    keep = [c for c in usable if c not in ill and c not in down]
    missing = service.replicas - len(usable)
    if committed is None:
        serving, replaces = old, bool(old)
    else:
        generation_now = committed.get(service.name, "")
        serving = [c for c in old if c.labels.get(LABEL_GENERATION) == generation_now]
        replaces = generation_now != wanted["generation"]
    action, reason = "none", ""
    if old:
        action, reason = "recreate", why_old(old[0], *goal, wanted["image"])
    elif missing:
        action, reason = "create", "there is no container" if not own else f"{missing} of its containers are missing"
    elif ill:
        action, reason = "restart", "it is unhealthy, and Docker does not restart what is unhealthy"
    elif paused:
        action, reason = "unpause", "it is paused"
    elif down:
        action, reason = "start", f"it is {down[0].state}"
    elif surplus:
        action, reason = "remove", f"it has {len(surplus)} more containers than it should"
    return Work(
        service=service,
        keep=ids(keep),
        start=ids(down),
        restart=ids(ill),
        paused=ids([c for c in own if c.paused]),
        create=missing,
        old=ids(old),
        old_running=ids([c for c in old if c.running or c.paused or c.state == "restarting"]),
        surplus=ids(surplus),
        serving=ids(serving),
        replaces=replaces,
        action=action,
        reason=reason,
    )


def steps(works: Sequence[Work]) -> list[_up.Step]:
    """Say what has to happen, for a report; services that stay as they are left out."""
    return [_up.Step(work.service.name, work.action, work.reason) for work in works if work.action != "none"]


def ids(containers: Sequence[Container]) -> tuple[str, ...]:
    """Return the ids of containers."""
    return tuple(container.id for container in containers)
