# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Command lines of the Docker and Compose CLI, and what they answer.

Only JSON output and labels are read: the tables that Compose prints changed with five of its versions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BASE_FILE = "compose.yaml"
OVERRIDE_FILE = "compose.override.yaml"

LABEL_PROJECT = "com.docker.compose.project"
LABEL_SERVICE = "com.docker.compose.service"
LABEL_DIRECTORY = "com.docker.compose.project.working_dir"
LABEL_ONEOFF = "com.docker.compose.oneoff"
LABEL_DEFINITION = "barehost.django.definition"


def compose_cmd(project_dir: str, files: Sequence[str], *args: str) -> list[str]:
    """Return the argv of `docker compose` for one project, with exactly these files."""
    argv = ["docker", "compose", "--project-directory", project_dir]
    for file in files:
        argv += ["-f", file]
    return [*argv, *args]


def run_cmd(
    project_dir: str, files: Sequence[str], service: str, command: Sequence[str], *, volumes: Sequence[str] = ()
) -> list[str]:
    """Return the argv of a one-shot container of a service: no dependencies started, no terminal, removed afterwards."""
    args = ["run", "--rm", "--no-deps", "-T"]
    for volume in volumes:
        args += ["-v", volume]
    return compose_cmd(project_dir, files, *args, service, *command)


def list_cmd(project: str) -> list[str]:
    """Return the argv that lists the ids of every container of a project, stopped ones included."""
    return ["docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL_PROJECT}={project}"]


def paused_cmd(project_dir: str) -> list[str]:
    """Return the argv that lists service and name of each paused container whose project has that directory."""
    filters = ["status=paused", f"label={LABEL_DIRECTORY}={project_dir}"]
    shown = f'{{{{.Label "{LABEL_SERVICE}"}}}} {{{{.Names}}}}'
    return ["docker", "ps", *(word for text in filters for word in ("--filter", text)), "--format", shown]


def inspect_cmd(ids: Iterable[str]) -> list[str]:
    """Return the argv that describes containers as JSON."""
    return ["docker", "container", "inspect", *ids]


def stop_timeout_cmd(container: str) -> list[str]:
    """Return the argv that asks for the seconds that a container has to stop; the engine's own where it has none."""
    grace = "{{with .Config.StopTimeout}}{{.}}{{else}}10{{end}}"
    return ["docker", "container", "inspect", "--format", grace, container]


def image_cmd(references: Iterable[str]) -> list[str]:
    """Return the argv that describes images as JSON; an image that is missing is left out of the answer."""
    return ["docker", "image", "inspect", *references]


def scale_cmd(project_dir: str, files: Sequence[str], scales: Mapping[str, int]) -> list[str]:
    """Return the argv that creates containers until each service has so many, touching and starting none of those there are."""
    args = ["create", "--no-recreate"]
    for name, count in sorted(scales.items()):
        args += ["--scale", f"{name}={count}"]
    return compose_cmd(project_dir, files, *args, *sorted(scales))


def logs_cmd(container: str, lines: int, since: str = "") -> list[str]:
    """Return the argv that prints the last lines of a container's log, or of what it wrote since a moment."""
    return ["docker", "logs", *([f"--since={since}"] if since else []), "--tail", str(lines), container]


@dataclass(frozen=True)
class Container:
    """What the engine says of one container."""

    id: str
    name: str
    service: str
    image_id: str
    image: str
    definition: str
    state: str
    health: str
    restarts: int
    exit_code: int
    oom_killed: bool
    started: str
    labels: Mapping[str, str] = field(default_factory=dict)
    health_log: str = ""
    health_end: str = ""  # when the last look at its health ended
    addresses: Mapping[str, str] = field(default_factory=dict)  # network -> IP address
    pid: int = 0  # of its first process, as the host sees it; 0 where it does not run
    entrypoint: Sequence[str] = ()
    created: str = ""
    volumes: Mapping[str, str] = field(default_factory=dict)  # name -> where it lies on the host
    binds: Mapping[str, str] = field(default_factory=dict)  # where it is mounted -> path on the host
    detached: str = ""  # folder of the host in whose place it has another one; see _mounts

    @property
    def address(self) -> str:
        """Return one of its IP addresses, empty where it has none."""
        return next((ip for ip in self.addresses.values() if ip), "")

    @property
    def running(self) -> bool:
        """Whether its process is there; a container that the engine is restarting is not running."""
        return self.state == "running"

    @property
    def paused(self) -> bool:
        """Whether its process is there and frozen."""
        return self.state == "paused"

    @property
    def ready(self) -> bool:
        """Whether it runs and, where it has a healthcheck, has passed it."""
        return self.running and self.health in ("", "healthy")


def health_word(health: Mapping[str, Any]) -> str:
    """Return how a container's health is; the engine calls unhealthy, too, what it has stopped to ask or not asked again yet.

    It does so when a container is paused and when it is stopped itself, and then no answer has failed.
    """
    status = str(health.get("Status", ""))
    return "starting" if status == "unhealthy" and health.get("FailingStreak") == 0 else status


def parse_container(item: Mapping[str, Any]) -> Container:
    """Read one element of `docker container inspect`."""
    state = item["State"]
    config = item["Config"]
    labels = config.get("Labels") or {}
    health = state.get("Health") or {}
    networks = (item.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=item["Id"],
        name=item["Name"].lstrip("/"),
        service=labels.get(LABEL_SERVICE, ""),
        image_id=item["Image"],
        image=config.get("Image", ""),
        definition=labels.get(LABEL_DEFINITION, ""),
        state=state["Status"],
        health=health_word(health),
        restarts=int(item.get("RestartCount", 0)),
        exit_code=int(state.get("ExitCode", 0)),
        oom_killed=bool(state.get("OOMKilled", False)),
        started=state.get("StartedAt", ""),
        labels=labels,
        health_log=((health.get("Log") or [{}])[-1].get("Output") or "").strip()[-500:],
        health_end=str((health.get("Log") or [{}])[-1].get("End") or ""),
        addresses={name: network.get("IPAddress", "") for name, network in networks.items()},
        pid=int(state.get("Pid") or 0),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        created=str(item.get("Created") or ""),
        volumes={
            mount["Name"]: mount.get("Source", "")
            for mount in item.get("Mounts") or ()
            if mount.get("Type") == "volume" and mount.get("Name")
        },
        binds={
            mount["Destination"]: mount["Source"] for mount in item.get("Mounts") or () if mount.get("Type") == "bind"
        },
    )


def parse_containers(text: str) -> list[Container]:
    """Read the answer of `docker container inspect`; one-shot containers (`compose run`) are left out."""
    items = json.loads(text or "[]")
    containers = [parse_container(item) for item in items]
    return [c for c in containers if c.labels.get(LABEL_ONEOFF, "False") != "True"]


def parse_image_ids(text: str) -> dict[str, str]:
    """Map each tag in the answer of `docker image inspect` to the id of its image."""
    ids: dict[str, str] = {}
    for item in json.loads(text or "[]"):
        for tag in [*(item.get("RepoTags") or []), *(item.get("RepoDigests") or [])]:
            ids[tag] = item["Id"]
    return ids


def image_ids(run: Callable[[list[str]], tuple[int, str, str]], references: Sequence[str]) -> dict[str, str]:
    """Map references to the ids of the images that are there.

    One call for all; what it does not name by its tag (a digest, a registry that is written out) is asked for by itself.
    """
    _, out, _ = run(image_cmd(references)) if references else (0, "[]", "")
    ids = parse_image_ids(out)
    for reference in references:
        if reference not in ids:
            code, out, _ = run(image_cmd([reference]))
            found = first_image_id(out) if code == 0 else ""
            ids.update({reference: found} if found else {})
    return ids


def first_image_id(text: str) -> str:
    """Return the id of the first image in the answer of `docker image inspect`, or an empty text."""
    items = json.loads(text or "[]")
    return str(items[0]["Id"]) if items else ""


@dataclass(frozen=True)
class Wanted:
    """What the Compose files ask for of one service."""

    image: str
    definition: str


def parse_services(text: str) -> dict[str, Wanted]:
    """Read the services in the answer of `docker compose config --format json`."""
    services = json.loads(text).get("services") or {}
    return {
        name: Wanted(service.get("image", ""), (service.get("labels") or {}).get(LABEL_DEFINITION, ""))
        for name, service in services.items()
    }


def normalize_reference(reference: str) -> str:
    """Give an image reference the tag that the engine would take, so that it can be looked up among RepoTags."""
    last = reference.rsplit("/", 1)[-1]
    return reference if ":" in last or "@" in last else f"{reference}:latest"
