# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A look at the host, its engine and a stack on it; reads, and changes nothing."""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _asleep,
    _backup_settings,
    _backup_state,
    _compose,
    _engine_rules,
    _firewall_host,
    _host,
    _layout,
    _lock,
    _manifest,
    _release,
    _rollover,
    _tls,
    _units,
    _upgrade_state,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

DAEMON_JSON = _asleep.DAEMON_JSON
PID_FILE = Path("/run/docker.pid")
# As dockerd takes it: with the address in the same word, or in the one that follows.
HOST_OPTION = re.compile(r"(?:-H=?|--host=|--host(?=$))(.+)?")

# What is asked beside the directory of the stack.
WISH: dict[str, Any] = {
    "project": {"type": "str", "required": True},
    "ports": {"type": "list", "elements": "int", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "units": {"type": "list", "elements": "str", "default": []},
    "firewall": {"type": "bool", "default": False},
    "backups": {"type": "bool", "default": False},
    "volumes": {"type": "bool", "default": False},
    "missing": {"type": "bool", "default": True},
    "lock": {"type": "bool", "default": False},
}


def host_info() -> dict[str, Any]:
    """Describe the host."""
    release = _host.parse_os_release(Path("/etc/os-release").read_text(encoding="utf-8"))
    return {
        "os": {
            "id": release.get("ID", ""),
            "version_id": release.get("VERSION_ID", ""),
            "codename": release.get("VERSION_CODENAME", ""),
            "pretty_name": release.get("PRETTY_NAME", ""),
        },
        "memory_mb": _host.parse_meminfo(Path("/proc/meminfo").read_text(encoding="ascii")),
        "cpus": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "python_version": platform.python_version(),
        "systemd": Path("/run/systemd/system").is_dir(),
        "ipv6": _host.speaks_ipv6(),
    }


def run(module: AnsibleModule, argv: list[str]) -> str:
    """Run a read-only command; an empty answer stands for its failure."""
    code, out, _ = module.run_command(argv)
    return str(out) if code == 0 else ""


def engine_info(module: AnsibleModule) -> dict[str, Any]:
    """Describe the engine; `present` means that a daemon answers."""
    daemon = DAEMON_JSON.read_text(encoding="utf-8") if DAEMON_JSON.exists() else ""
    info: dict[str, Any] = {
        "installed": module.get_bin_path("docker") is not None,
        "present": False,
        "version": "",
        "compose_version": "",
        "root_dir": _asleep.data_root(daemon),
        "daemon_json": daemon,
        "hosts": [],
        "config_stale": config_stale(),
        "enabled": False,
        "swarm": False,
        "rules": True,
    }
    if info["installed"]:
        answer = run(module, ["docker", "info", "--format", "{{json .}}"])
        facts = json.loads(answer) if answer.startswith("{") else {}
        info["present"] = bool(facts.get("ServerVersion"))
        # One that is stopped is started in its installed version, and what it can decides what its services are made from.
        info["version"] = facts.get("ServerVersion") or installed_version(module)
        info["swarm"] = (facts.get("Swarm") or {}).get("LocalNodeState") == "active"
        if info["present"]:
            argv = engine_arguments()
            info["hosts"] = engine_hosts(argv)
            info["rules"] = _engine_rules.look(module, facts, daemon, argv, engine_pid())
        # A unit that systemd does not know is not ours to enable.
        code, out, _ = module.run_command(["systemctl", "is-enabled", "docker.service"])
        info["enabled"] = code == 0 or out.strip() != "disabled"
        info["root_dir"] = facts.get("DockerRootDir") or info["root_dir"]
        info["compose_version"] = (
            compose_version(facts) or run(module, ["docker", "compose", "version", "--short"]).strip()
        )
    info["root_free_mb"] = _host.free_mb(info["root_dir"])
    return info


def installed_version(module: AnsibleModule) -> str:
    """Return the version of an engine that does not answer; empty where its program is in no path, as rootless or by snap."""
    daemon = module.get_bin_path("dockerd")
    return stopped_version(run(module, [daemon, "--version"])) if daemon else ""


def stopped_version(answer: str) -> str:
    """Return the version in the answer of `dockerd --version`, or an empty text."""
    match = re.match(r"Docker version ([^ ,]+)", answer)
    return match.group(1) if match else ""


def config_stale() -> bool:
    """Whether daemon.json is younger than the daemon, which reads it only at its start."""
    try:
        return DAEMON_JSON.stat().st_mtime > PID_FILE.stat().st_mtime
    except OSError:
        return False


def engine_pid() -> str:
    """Return the process of the engine that runs; empty where it is not one that systemd has started for the whole host."""
    try:
        return PID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def engine_arguments() -> list[str]:
    """Return the command line of the engine that runs: of a package it comes from a unit, which others can add to."""
    pid = engine_pid()
    if not pid:
        # Without a number it would be the kernel's own.
        return []
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def engine_hosts(argv: Sequence[str]) -> list[str]:
    """Return where a command line has the engine listen; nowhere where it asks whoever comes for a certificate."""
    if {"--tlsverify", "--tlsverify=true"} & set(argv):
        return []
    found = []
    for word, following in zip(argv, [*argv[1:], ""]):
        match = HOST_OPTION.fullmatch(word)
        found += [match.group(1) or following] if match else []
    return [address for address in found if address]


def compose_version(facts: dict[str, Any]) -> str:
    """Find Compose among the plugins that `docker info` already lists, which saves asking it."""
    plugins = (facts.get("ClientInfo") or {}).get("Plugins") or []
    return next((str(item.get("Version") or "").lstrip("v") for item in plugins if item.get("Name") == "compose"), "")


def inspected(module: AnsibleModule) -> list[dict[str, Any]]:
    """Return what the engine says of every container on the host."""
    ids = run(module, ["docker", "ps", "--all", "--quiet", "--no-trunc"]).split()
    items: list[dict[str, Any]] = json.loads(run(module, _compose.inspect_cmd(ids)) or "[]") if ids else []
    return items


def started(container: _compose.Container) -> str:
    """Return when a container was started; empty for one that never was, which the engine dates to the year 1."""
    return "" if container.started.startswith("0001-") else container.started


def volume_names(module: AnsibleModule, project: str) -> list[str]:
    """List the volumes that belong to the project."""
    label = f"label={_compose.LABEL_PROJECT}={project}"
    return sorted(run(module, ["docker", "volume", "ls", "--quiet", "--filter", label]).split())


def service_info(
    containers: list[_compose.Container], generations: Mapping[str, str] | None
) -> dict[str, list[dict[str, Any]]]:
    """Describe each service by all its containers, and say which of them are not those of the release that serves."""
    found: dict[str, list[dict[str, Any]]] = {}
    for c in sorted(containers, key=lambda item: item.name):
        of_release = (generations or {}).get(c.service)
        found.setdefault(c.service, []).append(
            {
                "container": c.name,
                "state": c.state,
                "health": c.health,
                "image": c.image,
                "restarts": c.restarts,
                "started": started(c),
                "oom_killed": c.oom_killed,
                "stray": of_release is not None and c.labels.get(_rollover.LABEL_GENERATION) != of_release,
            }
        )
    return found


def expected_services(module: AnsibleModule, project_dir: str) -> list[str]:
    """Return the services that the Compose file names, so that one without a container is not overlooked."""
    file = Path(project_dir) / _compose.BASE_FILE
    if not file.exists():
        return []
    return run(module, _compose.compose_cmd(project_dir, [str(file)], "config", "--services")).split()


def package_versions(module: AnsibleModule, names: list[str]) -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    if not names or module.get_bin_path("dpkg-query") is None:
        return {}
    argv = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Status}\n", *names]
    # It ends with 1 as soon as one of the names is unknown, and still prints the others.
    _, out, _ = module.run_command(argv)
    rows = (line.split() for line in out.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}  # noqa: PLR2004 - the format above


def image_tags(module: AnsibleModule, repository: str) -> list[str]:
    """List the tags that a repository has on the host."""
    return sorted(run(module, ["docker", "image", "ls", "--format", "{{.Tag}}", repository]).split())


def backups_info(project_dir: str) -> dict[str, Any]:
    """Say what backups there are, what has become of the last ones, and what is wrong; nothing where none are made."""
    try:
        settings = _backup_settings.load(Path(project_dir))
    except _backup_settings.SettingsError as error:
        there = (Path(project_dir) / _backup_settings.FILE).exists()
        return {"problems": [str(error)]} if there else {}
    found = _manifest.whole(settings.backups)
    newest = list(found.values())[-1:]
    return {
        "count": len(found),
        "newest": {"id": newest[0].id, **_manifest.summary(newest[0])} if newest else {},
        "problems": _backup_state.problems(settings, _backup_state.now()),
        **_backup_state.load(settings.backups),
    }


def lock_info(project_dir: str) -> dict[str, Any]:
    """Say who holds the lock; nothing where something is in its way, which is said apart."""
    return {} if _layout.obstacle(project_dir, only_lock=True) else _lock.look(project_dir)


def lock_after(project_dir: str, before: dict[str, Any]) -> dict[str, Any]:
    """Say what is in the way of a deploy, and who holds the lock: what was at work before the look may have ended during it."""
    after = lock_info(project_dir)
    worked = before.get("at_work") or after.get("at_work")
    return {
        "obstacle": _layout.obstacle(project_dir),
        "lock": {**(after or before), "at_work": True} if worked else after,
    }


def look(module: AnsibleModule, project_dir: str, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is."""
    project = wish["project"]
    engine = engine_info(module)
    held = lock_info(project_dir) if wish.get("lock") else {}
    items = inspected(module) if engine["present"] else []
    own = [item for item in items if (item["Config"].get("Labels") or {}).get(_compose.LABEL_PROJECT) == project]
    containers = _compose.parse_containers(json.dumps(own))
    services = service_info(containers, _release.committed(project_dir).generations)
    for name in expected_services(module, project_dir) if engine["present"] and wish["missing"] else []:
        services.setdefault(name, [{"state": "missing"}])
    ports = _host.listening_ports(wish["ports"])
    own_names = {container.name for container in containers}
    for entry in ports:
        entry["container"] = _host.published_by(entry["port"], items)
        entry["ours"] = entry["container"] in own_names
    return {
        "host": host_info(),
        "engine": engine,
        "ports": ports,
        "packages": package_versions(module, wish["packages"]),
        "units": _units.look(wish["units"], module.run_command),
        "firewall": _firewall_host.look(
            module.run_command,
            wanted=bool(wish.get("firewall")),
            published=_host.published(own) if engine["present"] else None,
        ),
        "stack": {
            "name": project,
            "dir": project_dir,
            "dir_present": Path(project_dir).is_dir(),
            "present": (Path(project_dir) / _compose.BASE_FILE).exists(),
            "free_mb": _host.free_mb(project_dir),
            "release": _release.current_record(project_dir),
            "releases": image_tags(module, f"{project}/app") if engine["present"] else [],
            "services": services,
            "containers": sorted(own_names),
            "tls": _tls.look(Path(project_dir)),
            **({"backups": backups_info(project_dir)} if wish.get("backups") else {}),
            **({"volumes": volume_names(module, project)} if wish["volumes"] and engine["present"] else {}),
            # In between, so that one under way is seen to be at work.
            **({"upgrade": _upgrade_state.left(Path(project_dir))} if wish.get("lock") else {}),
            **(lock_after(project_dir, held) if wish.get("lock") else {}),
        },
    }
