# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The app of a restore drill: the stack's own service, with its own settings, in the network of the throw-away server.

There the name of its database means that server, and every other name means nothing. So it needs no other settings, and it
reaches neither the database that serves nor anything else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _compose, _drill, _oneshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.barehost.django.plugins.module_utils._manifest import Manifest

SERVICE = "app"
# A file below the stack's `lock/`, for root alone: it holds what `.env` holds.
FILE = "drill.json"
# What a process is, and nothing of where it runs beside what.
KEPT = (
    "image",
    "environment",
    "user",
    "group_add",
    "entrypoint",
    "working_dir",
    "platform",
    "read_only",
    "tmpfs",
    "cap_add",
    "cap_drop",
    "security_opt",
    "pids_limit",
    "ulimits",
    "shm_size",
)
# Larger tables are counted by the server alone.
MOST_ROWS = 2_000_000


def config_cmd(stack_dir: str) -> list[str]:
    """Return the argv that prints what Compose makes of the stack's files, those of the release that serves."""
    return _compose.compose_cmd(stack_dir, [], "config", "--format", "json")


def services(text: str) -> dict[str, Any]:
    """Read the services in what Compose prints."""
    try:
        found = json.loads(text)["services"]
    except (ValueError, TypeError, KeyError):
        raise _drill.DrillError("what Compose says of the stack cannot be read") from None
    return dict(found)


def compose_text(service: Mapping[str, Any], image: str, server: _drill.Server) -> str:
    """Return the Compose file of the app in a drill; JSON is YAML too."""
    app = {key: service[key] for key in KEPT if service.get(key)}
    binds = [entry for entry in service.get("volumes") or [] if entry.get("type") == "bind"]
    app |= {
        "image": image,
        "network_mode": f"container:{server.name}",
        "pull_policy": "never",
        "init": True,
        # What it uploads or collects would be written into what serves.
        "volumes": [{**entry, "read_only": True} for entry in binds],
        "mem_limit": f"{server.memory_mb}m",
        "cpus": server.cpus,
        "cpu_shares": 128,
    }
    return json.dumps({"name": "barehost-drill", "services": {SERVICE: app}}, indent=1) + "\n"


def run_cmd(file: str, folder: str, server: _drill.Server, python: str) -> list[str]:
    """Return the argv that runs a program, which comes on its input, in the app's container."""
    argv = ["docker", "compose", "--project-directory", folder, "-f", file, "run", "--rm", "--no-deps", "-T"]
    argv += ["--name", f"{server.name}-app", "--label", f"{_drill.LABEL}={server.stack_dir}"]
    return [*argv, SERVICE, python, "-"]


def parameters(wish: _drill.Wish, manifest: Manifest) -> dict[str, Any]:
    """Return what the program is told."""
    return {
        "settings_module": wish.settings_module,
        "database": wish.app_database,
        "rows": dict(manifest.tables),
        "most": MOST_ROWS,
    }


def judge(answer: _oneshot.Answer, manifest: Manifest, *, same_release: bool, seconds: int) -> tuple[str, list[str]]:
    """Return in a few words what the app has found, and warnings; raise DrillError where the data are not what it needs."""
    failed = answer.first("failed") or {}
    where = f"the app, reading {failed['model']}," if failed.get("model") else "the app"
    if answer.first("done") is None:
        raise _drill.DrillError(_oneshot.explain(answer, where, seconds))
    missing = [str(name) for name in (answer.first("pending") or {}).get("migrations", [])]
    if missing and same_release:
        raise _drill.DrillError(f"the release of the backup misses migrations in it: {_drill.summary(missing)}")
    if missing:
        warning = (
            f"the app was not asked for rows: the image of release {manifest.release.get('id')} is not here any more, and the "
            f"release that serves wants {len(missing)} later migrations, {missing[0]} first"
        )
        return "nothing", [warning]
    counted = answer.first("counted") or {}
    expected = manifest.tables.get(str(counted.get("table")))
    if counted and counted.get("rows") != expected:
        raise _drill.DrillError(
            f"the app counts {counted.get('rows')} rows of {counted['table']} and the manifest says {expected}"
        )
    read = answer.first("read") or {}
    return f"a row of each of {read.get('models', 0)} models", []
