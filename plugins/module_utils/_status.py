# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `stack_info` found on several hosts, as one screen for a person or one document for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECTIONS = ("host", "engine", "ports", "stack")
COLUMNS = ("service", "state", "health", "restarts", "started", "image")
MEGABYTES_IN_GIGABYTE = 1024
# One or two restarts are a slow start; more of them are a service that keeps dying and is called running in between.
RESTARTS_WORTH_A_WORD = 3

# Between two steps a run is silent for seconds, and for longer where it builds on the controller.
SILENCE_WORTH_A_WORD = 120
LEFT_IN_THE_MIDDLE = "once that run is dead, run the same again: it goes on from there"

OK, ATTENTION, ABSENT, UNREACHABLE = "ok", "attention", "absent", "unreachable"


def service_problems(services: Mapping[str, Sequence[Mapping[str, Any]]], *, at_work: bool = False) -> list[str]:
    """Name what is wrong with the services, worst first for each.

    While a deploy is at work a service that has several containers is being switched: those that start and those that end are
    its own business.
    """
    return [
        problem
        for name, containers in sorted(services.items())
        if not (at_work and len(containers) > 1)
        for container in containers
        for problem in container_problems(name if len(containers) == 1 else str(container["container"]), container)
    ]


def container_problems(name: str, container: Mapping[str, Any]) -> list[str]:
    """Name what is wrong with one container."""
    state, health = container.get("state") or "unknown", container.get("health") or ""
    restarts = int(container.get("restarts") or 0)
    findings = (
        (state != "running", f"{name} is {state}"),
        (state == "running" and health not in ("", "healthy", "none"), f"{name} is {health}"),
        (bool(container.get("oom_killed")), f"{name} was killed for lack of memory"),
        (restarts >= RESTARTS_WORTH_A_WORD, f"{name} was restarted {restarts} times"),
    )
    return [text for found, text in findings if found]


def switch_problems(stack: Mapping[str, Any]) -> list[str]:
    """Say whether a deploy was left in its middle: whose lock is silent, which containers are not those of the release."""
    lock = stack.get("lock") or {}
    if lock.get("dead"):
        return [
            f"the run that holds the lock has ended without giving it back: {lock['description']}",
            LEFT_IN_THE_MIDDLE,
        ]
    if lock.get("at_work"):
        return []
    strays = [
        f"{container['container']} ({container['image']})"
        for _name, containers in sorted((stack.get("services") or {}).items())
        for container in containers
        if container.get("stray")
    ]
    found = [f"not of the release that is recorded: {', '.join(strays)}"] if strays else []
    if lock and (strays or lock["silent_seconds"] >= SILENCE_WORTH_A_WORD):
        found.append(f"the lock is held and nothing of its run is at work on the host: {lock['description']}")
    return [*found, *([LEFT_IN_THE_MIDDLE] if found else [])]


def firewall_problems(firewall: Mapping[str, Any]) -> list[str]:
    """Say that the rules of a host are not in force: somebody has flushed or changed them by hand, or has loaded others."""
    if not firewall.get("parts") or firewall.get("loaded") == firewall.get("file") != "":
        return []
    flushed = "where they were flushed systemctl restart barehost-firewall does it, too"
    return [f"the firewall's rules are not in force as they were made: run barehost.django.site; {flushed}"]


def engine_problems(engine: Mapping[str, Any]) -> list[str]:
    """Say that Docker's own rules are gone: what runs goes on half, and nobody sees why."""
    if engine.get("rules", True):
        return []
    gone = "Docker's own rules are gone from the kernel, as after nft flush ruleset"
    means = "containers have no way out, what they publish leads nowhere or hides who asks, and one that is restarted does not start"
    return [f"{gone}: {means}: run barehost.django.site, or systemctl restart docker"]


def assess(info: Mapping[str, Any] | None) -> tuple[str, list[str]]:
    """Judge one host: a word for programs and the reasons for it."""
    if not info:
        return UNREACHABLE, ["nothing is known about it: it did not answer"]
    engine, stack = info.get("engine") or {}, info.get("stack") or {}
    if not engine.get("present"):
        return ABSENT, ["no Docker engine answers"]
    if not stack.get("present"):
        return ABSENT, [f"no stack in {stack.get('dir', 'its directory')}: run barehost.django.site first"]
    at_work = bool((stack.get("lock") or {}).get("at_work"))
    problems = [*switch_problems(stack), *service_problems(stack.get("services") or {}, at_work=at_work)]
    problems += [*firewall_problems(info.get("firewall") or {}), *engine_problems(engine)]
    problems += (stack.get("backups") or {}).get("problems") or []
    problems += [
        mode["problem"] for mode in (stack.get("tls") or {}).values() if isinstance(mode, dict) and "problem" in mode
    ]
    if stack.get("upgrade") and not at_work:
        problems.insert(0, str(stack["upgrade"]))
    if stack.get("obstacle"):
        problems.insert(0, f"a deploy would be refused: {stack['obstacle']}")
    if not stack.get("release"):
        problems.insert(0, "no release is recorded")
    if not stack.get("services"):
        problems.append("no container of the stack is there")
    return (ATTENTION if problems else OK), problems


def document(hosts: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return the document for programs; Ansible's own keys of a result are left out."""
    found = {}
    for name, info in hosts.items():
        verdict, problems = assess(info)
        sections = {key: (info or {}).get(key) for key in SECTIONS if key in (info or {})}
        engine = sections.get("engine")
        if engine:
            sections["engine"] = _readable(engine)
        found[name] = {"verdict": verdict, "problems": problems, **sections}
    return {"hosts": found}


def _readable(engine: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the engine, with its settings as an object where they are one."""
    try:
        settings = json.loads(engine.get("daemon_json") or "{}")
    except ValueError:
        settings = engine.get("daemon_json")
    return {**engine, **({"daemon_json": settings} if "daemon_json" in engine else {})}


def render_json(hosts: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Return the document in one line, so that it can be picked out of a run's output."""
    return json.dumps(document(hosts), sort_keys=True, ensure_ascii=False)


def render_text(hosts: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Return the screen for a person."""
    return "\n\n".join("\n".join(_host_lines(name, info)) for name, info in hosts.items()) or "no host"


def _host_lines(name: str, info: Mapping[str, Any] | None) -> list[str]:
    verdict, problems = assess(info)
    lines = [f"{name}: {verdict}" + (f" - {'; '.join(problems)}" if problems else "")]
    if not info:
        return lines
    lines += [f"  {label:<8} {text}" for label, text in _facts(info) if text]
    stack = info.get("stack") or {}
    if stack.get("services"):
        services = sorted(stack["services"].items())
        rows = [_service_row(service, values) for service, containers in services for values in containers]
        lines += ["", *(f"  {line}" for line in table(COLUMNS, rows))]
    return lines


def _facts(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    host, engine, stack = (info.get(key) or {} for key in ("host", "engine", "stack"))
    return [
        ("host", _join([(host.get("os") or {}).get("pretty_name"), _size(host), host.get("architecture")])),
        ("engine", _engine(engine)),
        ("stack", f"{stack['name']} in {stack['dir']}" if stack.get("present") else ""),
        ("release", _release(stack.get("release") or {})),
        ("lock", (stack.get("lock") or {}).get("description", "")),
        ("tls", _join([_until(mode, item) for mode, item in _certificates(stack).items() if item["serves"]])),
        ("backups", _backups(stack.get("backups") or {})),
        ("off-site", _offsite(stack.get("backups") or {})),
        ("drill", _drill(stack.get("backups") or {})),
        ("ports", _join([_port(port) for port in info.get("ports") or []])),
    ]


def _join(parts: Sequence[Any]) -> str:
    return ", ".join(str(part) for part in parts if part)


def _size(host: Mapping[str, Any]) -> str:
    return f"{host['cpus']} CPUs, {_gigabytes(host['memory_mb'])} memory" if "cpus" in host else ""


def _gigabytes(megabytes: float) -> str:
    return f"{megabytes / MEGABYTES_IN_GIGABYTE:.1f} GiB"


def _engine(engine: Mapping[str, Any]) -> str:
    if not engine.get("present"):
        return "none"
    free = engine.get("root_free_mb")
    return _join(
        [
            f"Docker {engine.get('version')}",
            f"Compose {engine['compose_version']}" if engine.get("compose_version") else "no Compose",
            f"{_gigabytes(free)} free in {engine.get('root_dir')}" if free is not None else "",
        ]
    )


def _release(release: Mapping[str, Any]) -> str:
    if not release:
        return ""
    revision = release.get("git_revision")
    git = f"git {revision}" if revision else ""
    return _join([release.get("id"), git, release.get("created"), release.get("image")])


def _until(mode: str, item: Mapping[str, Any]) -> str:
    """Say how long a certificate is good; one that is to serve may have never come."""
    return f"{mode} until {item['not_after']}" if "not_after" in item else f"{mode}, no certificate"


def _certificates(stack: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is known of the certificates, by the mode that each is for."""
    return {mode: item for mode, item in (stack.get("tls") or {}).items() if isinstance(item, dict)}


def _backups(backups: Mapping[str, Any]) -> str:
    """Say what backups there are; what is wrong with them stands above."""
    if "count" not in backups:
        return ""
    newest = backups.get("newest") or {}
    if not newest:
        return "none"
    return _join([backups["count"], f"newest {newest['id']} ({newest['rows']} rows in {newest['tables']} tables)"])


def _offsite(backups: Mapping[str, Any]) -> str:
    """Say what lies elsewhere, and since when."""
    last = (backups.get("offsite") or {}).get("success") or {}
    if not last:
        return ""
    return _join([f"{last.get('snapshots', 0)} in {last.get('url', '')}", last.get("newest"), f"at {last.get('at')}"])


def _drill(backups: Mapping[str, Any]) -> str:
    """Say which backup has come back last, and when."""
    last = (backups.get("drill") or {}).get("success") or {}
    return f"{last.get('id')} came back at {last.get('at')} ({last.get('rows')} rows)" if last else ""


def _port(port: Mapping[str, Any]) -> str:
    owner = port.get("container") or port.get("process")
    return f"{port.get('port')} ({owner})" if owner else str(port.get("port"))


def _service_row(name: str, values: Mapping[str, Any]) -> list[str]:
    restarts = str(values.get("restarts") or 0)
    state, health = str(values.get("state")), str(values.get("health") or "-")
    return [name, state, health, restarts, _moment(values.get("started")), str(values.get("image") or "-")]


def _moment(started: object) -> str:
    """Return a time without the fractions of a second that nobody reads; the engine gives it in UTC."""
    text = str(started or "")
    if text.endswith("Z"):
        return f"{text[:19]}Z" if len(text) > len("2026-01-01T00:00:00Z") else text
    return text or "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns by their longest entry."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return ["  ".join(row[i].ljust(width) for i, width in enumerate(widths)).rstrip() for row in [head, *rows]]
