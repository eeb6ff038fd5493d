# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a service is, and how it is said to Compose.

A service dictionary says what a service *is*; only its key `compose` is meant for Compose alone. So the same
dictionaries can later be rendered for another orchestrator.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _box, _guard, _validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

TIERS = ("data", "app", "edge")
# What a container was made from. Compose has a hash of its own, but says another one in `config --hash` than it labels a
# container with (2.26, with an env_file), and computes it anew in each major version, which would restart everything.
DEFINITION_LABEL = "barehost.django.definition"
TIER_LABEL = "barehost.django.tier"

# Key of a service dictionary -> the types it may have. One list is the schema, the refusal and the documentation.
KEYS: dict[str, tuple[type, ...]] = {
    "tier": (str,),
    "image": (str,),
    "command": (list,),
    "user": (str,),
    "environment": (dict,),
    "env_files": (list,),
    "volumes": (list,),
    "networks": (list,),
    "aliases": (list,),
    "ports": (list,),
    "healthcheck": (dict,),
    "stop_grace_seconds": (int,),
    "stop_signal": (str,),
    "init": (bool,),
    **_box.KEYS,
    "replicas": (int,),
    # How a release replaces its containers: beside the old ones, or alone, after they have ended.
    "rollover": (str,),
    # A command inside a new container that must succeed before a release is believed.
    "ready": (list,),
    # How the app's health is asked for, of a service that the edge sends requests to.
    "probe": (dict,),
    # Of the edge: which service it sends requests to, and where the release switch writes that down.
    "upstream": (dict,),
    "config": (dict,),
    # How it is asked whether it accepts its files before they are put in place.
    "validate": (dict,),
    # What keeps it from data that is not for it.
    "guard": (dict,),
    "compose": (dict,),
}
# Keys that hold dictionaries -> what each of those must have.
ENTRIES: dict[str, set[str]] = {
    "volumes": {"type", "source", "target"},
    "ports": {"published", "target"},
    "healthcheck": {"command"},
    "probe": {"path", "port", "host"},
    "upstream": {"service", "directory", "http_port"},
    "validate": {"command"},
    "guard": {"volume", "marker", "versions"},
}
CHOICES = {"tier": TIERS, "rollover": ("alone", "beside")}
REQUIRED = ("tier", "image", "networks")


START_INTERVAL_SINCE, START_INTERVAL_SECONDS = 25, 1


class ServiceError(ValueError):
    """A service dictionary that cannot be rendered."""


def check_service(name: str, service: Mapping[str, Any]) -> None:
    """Refuse a service dictionary with a key that is unknown, missing or of the wrong type."""
    for key, value in service.items():
        if key not in KEYS:
            msg = f"service {name}: unknown key {key!r}; known: {', '.join(sorted(KEYS))}"
            raise ServiceError(msg)
        # `-e name=60` is a text; what looks like a number is one.
        number = KEYS[key] == (int,) and isinstance(value, str) and value.isdecimal()
        if not number and not isinstance(value, KEYS[key]):
            wanted = " or ".join(kind.__name__ for kind in KEYS[key])
            msg = f"service {name}: {key} is {type(value).__name__}, expected {wanted}"
            raise ServiceError(msg)
    for key, wanted_keys in ENTRIES.items():
        entries = service.get(key, [])
        for entry in entries if isinstance(entries, list) else [entries]:
            if not isinstance(entry, dict) or not wanted_keys <= set(entry):
                msg = f"service {name}: {key} holds {entry!r}, expected a dictionary with {', '.join(sorted(wanted_keys))}"
                raise ServiceError(msg)
    missing = [key for key in REQUIRED if key not in service]
    if missing:
        msg = f"service {name}: {missing[0]} is missing"
        raise ServiceError(msg)
    wrong = (
        _validate.problem(service.get("validate", {}))
        or _guard.problem(service.get("guard", {}))
        or _box.problem(service)
    )
    if wrong:
        msg = f"service {name}: {wrong}"
        raise ServiceError(msg)
    _check_choices(name, service)


def _check_choices(name: str, service: Mapping[str, Any]) -> None:
    for key, choices in CHOICES.items():
        if service.get(key, choices[0]) not in choices:
            msg = f"service {name}: {key} is {service[key]!r}, expected one of {', '.join(choices)}"
            raise ServiceError(msg)


def escape(value: object) -> Any:  # noqa: ANN401 - the same shape that came in
    """Double every dollar sign, at any depth: Compose would take a single one for a variable of its own."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return value


def _volume(item: Mapping[str, Any]) -> dict[str, Any]:
    volume: dict[str, Any] = {"type": item["type"], "source": item["source"], "target": item["target"]}
    if item.get("read_only", False):
        volume["read_only"] = True
    if item["type"] == "bind":
        # Without this a missing source becomes an empty directory that root owns, and the service starts on it.
        volume["source"] = item["source"] if item["source"].startswith("/") else f"./{item['source']}"
        volume["bind"] = {"create_host_path": False}
    return volume


def _port(item: Mapping[str, Any]) -> dict[str, Any]:
    port: dict[str, Any] = {"target": int(item["target"]), "published": str(item["published"])}
    if item.get("address"):
        port["host_ip"] = item["address"]
    return port


def _healthcheck(item: Mapping[str, Any]) -> dict[str, Any]:
    if not item["command"]:
        # Otherwise the image's own applies, which looks for a web server in a worker.
        return {"disable": True}
    check: dict[str, Any] = {"test": ["CMD", *(str(word) for word in item["command"])]}
    for key in ("interval", "timeout", "start_period", "start_interval"):
        if key in item:
            check[key] = f"{item[key]}s"
    if "retries" in item:
        check["retries"] = int(item["retries"])
    return check


def _network_map(networks: Iterable[str], aliases: list[str]) -> dict[str, Any]:
    return {name: ({"aliases": aliases} if aliases else {}) for name in networks}


# Key of a service dictionary -> (key in Compose, how its value is said there), for all that is said in another way.
_RENDER: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "command": ("command", lambda words: [str(word) for word in words]),
    "environment": ("environment", lambda env: {key: str(value) for key, value in env.items()}),
    "env_files": ("env_file", list),
    "volumes": ("volumes", lambda items: [_volume(item) for item in items]),
    "ports": ("ports", lambda items: [_port(item) for item in items]),
    "healthcheck": ("healthcheck", _healthcheck),
    "stop_grace_seconds": ("stop_grace_period", lambda seconds: f"{seconds}s"),
    **_box.RENDER,
}
_NOT_COMPOSE = (
    "tier",
    "networks",
    "aliases",
    "config",
    "validate",
    "guard",
    "compose",
    "replicas",
    "rollover",
    "ready",
    "probe",
    "upstream",
)


def content_digest(
    service: Mapping[str, Any], name: str, trees: Mapping[str, str], files: Mapping[str, str]
) -> list[str]:
    """Return the digests of all content that a service must be recreated for: Compose does not look into what is mounted."""
    config = service.get("config", {})
    own = [trees[name]] if name in trees and config.get("on_change", "recreate") == "recreate" else []
    return own + [files.get(path, "") for path in service.get("env_files", [])]


def render_service(
    name: str,
    service: Mapping[str, Any],
    trees: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Say one service to Compose; trees and files are the digests of what it mounts and reads."""
    check_service(name, service)
    rendered: dict[str, Any] = {"restart": "unless-stopped"}
    if service["tier"] == "app":
        # Built or pulled by the release alone: a name that is missing here may be a stranger's on Docker Hub.
        rendered["pull_policy"] = "never"
    for key, value in service.items():
        if key in _NOT_COMPOSE:
            continue
        target, say = _RENDER.get(key, (key, lambda same: same))
        rendered[target] = say(value)
    rendered["networks"] = _network_map(service["networks"], service.get("aliases", []))
    rendered = escape(rendered)
    rendered.update(service.get("compose", {}))
    content = [rendered, content_digest(service, name, trees or {}, files or {})]
    definition = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    rendered["labels"] = {**rendered.get("labels", {}), TIER_LABEL: service["tier"], DEFINITION_LABEL: definition}
    if int(service.get("replicas", 1)) != 1:
        # Not part of the definition: one container more is no reason to replace the others.
        rendered["scale"] = int(service["replicas"])
    return rendered


def process_services(processes: Mapping[str, list[str]], base: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Make a service of each command, with everything else as in base."""
    return {name: {**base, "command": list(command)} for name, command in processes.items()}


def services_for_engine(services: Mapping[str, Mapping[str, Any]], version: str) -> dict[str, dict[str, Any]]:
    """Have services that start asked every second, where the engine can.

    Since version 25 it asks in the start period only every 5 seconds where nothing else is said, whatever the interval is
    (https://docs.docker.com/reference/dockerfile/#healthcheck); one before that refuses the option.
    """
    number = version.partition(".")[0]
    adapted = {name: dict(service) for name, service in services.items()}
    for service in adapted.values():
        check = service.get("healthcheck", {})
        if (
            number.isdecimal()
            and int(number) >= START_INTERVAL_SINCE
            and check.get("command")
            and "start_period" in check
        ):
            service["healthcheck"] = {"start_interval": START_INTERVAL_SECONDS, **check}
    return adapted


def service_definitions(
    services: Mapping[str, Mapping[str, Any]],
    trees: Mapping[str, str],
    files: Mapping[str, str],
) -> dict[str, str]:
    """Map each service to the definition that its container should be labelled with.

    Known on the controller, and so in a dry run too, where the files on the host are still the old ones.
    """
    return {
        name: render_service(name, service, trees, files)["labels"][DEFINITION_LABEL]
        for name, service in services.items()
    }


def named_volumes(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the named volumes that the services use."""
    names = {
        item["source"]
        for service in services.values()
        for item in service.get("volumes", [])
        if item["type"] == "volume"
    }
    return sorted(names)


def render_project(
    services: Mapping[str, Mapping[str, Any]],
    name: str,
    trees: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    networks: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Say a whole stack to Compose; networks says what those are that are more than a name.

    The project name is fixed in the file: called from another directory, the same file must never mean new, empty volumes.
    """
    used = {network for service in services.values() for network in service.get("networks", [])}
    # One that no service is in is not made; the override file of an earlier release may still speak of it.
    known = {name: dict((networks or {}).get(name, {})) for name in sorted(used | set(networks or {}))}
    return {
        "name": name,
        "services": {key: render_service(key, services[key], trees, files) for key in sorted(services)},
        "networks": known,
        "volumes": {volume: {} for volume in named_volumes(services)},
    }


def config_trees(services: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List what `config_tree` has to render: one tree for each service that has configuration files."""
    trees = []
    for name in sorted(services):
        config = dict(services[name].get("config", {}))
        if config:
            config.pop("on_change", None)
            config.pop("reload", None)
            trees.append({"name": name, **config})
    return trees


def config_validators(services: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List how the services are asked whether they accept their files, before these are put in place."""
    for name, service in services.items():
        check_service(name, service)
    return _validate.questions_of(services)


def service_guards(services: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List what keeps the services from data that is not for them."""
    for name, service in services.items():
        check_service(name, service)
    return _guard.guards_of(services)


def service_reloads(
    services: Mapping[str, Mapping[str, Any]],
    digests: Mapping[str, str],
) -> list[dict[str, Any]]:
    """List the services that take up changed files by a reload, each with the digest that it should have loaded."""
    found = []
    for name in sorted(services):
        config = services[name].get("config", {})
        if config.get("on_change") == "reload":
            stamp = config.get("stamp", "")
            found.append({"service": name, "digest": digests[name], "stamp": stamp, **config["reload"]})
    return found


def service_names(services: Mapping[str, Mapping[str, Any]], tier: str) -> list[str]:
    """List the services of one tier."""
    if tier not in TIERS:
        msg = f"tier is {tier!r}, expected one of {', '.join(TIERS)}"
        raise ServiceError(msg)
    return sorted(name for name, service in services.items() if service.get("tier") == tier)


def service_images(services: Mapping[str, Mapping[str, Any]], tiers: Sequence[str]) -> dict[str, str]:
    """Map each service of some tiers to its image."""
    names = [name for tier in tiers for name in service_names(services, tier)]
    return {name: str(services[name]["image"]) for name in names}


def release_services(services: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List what the release switch has to know of each service that runs the release's image."""
    routed = {edge["service"] for edge in _upstreams(services).values()}
    return [
        {
            "name": name,
            "rollover": services[name].get("rollover", "alone"),
            "replicas": int(services[name].get("replicas", 1)),
            "ready": services[name].get("ready", []),
            "networks": services[name]["networks"],
            "routed": name in routed,
        }
        for name in service_names(services, "app")
    ]


def release_edge(services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Describe the service in front: how it is told where requests go, and how the app's health is asked for through it.

    Empty where no service sends requests to another.
    """
    for name, upstream in sorted(_upstreams(services).items()):
        reload = services[name].get("config", {}).get("reload", {})
        return {
            "service": name,
            "directory": upstream["directory"],
            "http_port": upstream["http_port"],
            "stamp_port": reload["port"],
            "test": reload["test"],
            "command": reload["command"],
            "upstream": upstream["service"],
            "probe": services.get(upstream["service"], {}).get("probe", {}),
        }
    return {}


def _upstreams(services: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {name: service["upstream"] for name, service in services.items() if "upstream" in service}
