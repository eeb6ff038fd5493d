# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a container may do: how much of the host it takes, what it writes to, which of root's powers it has.

A service dictionary says it once. Compose is told for the service, and `docker run` for what is made of its image beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

# Key of a service dictionary -> the types it may have.
KEYS: dict[str, tuple[type, ...]] = {
    "read_only": (bool,),
    # Where it may write all the same, in memory: path -> MiB.
    "tmpfs": (dict,),
    "cap_drop": (list,),
    "cap_add": (list,),
    "security_opt": (list,),
    "memory_mb": (int,),
    # A ceiling, in processors; shares count only where somebody else wants the processor, too (1024 is the engine's own).
    "cpus": (int, float),
    "cpu_shares": (int,),
    # Processes and threads.
    "pids": (int,),
}
# Of a container that only has to say something of its image.
BARE = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
# Docker refuses less, and more than the host has.
LEAST_CPUS = 0.01
# In the place of a directory of the host that such a container does not get.
SCRATCH_MB = 64


def tmpfs(path: str, size: object) -> str:
    """Say a folder in memory as the engine reads it; without a mode it would have that of the image's folder, for root alone."""
    return f"{path}:rw,noexec,nosuid,nodev,size={size}m,mode=1777"


def _tmpfs_list(folders: Mapping[str, object]) -> list[str]:
    return [tmpfs(path, folders[path]) for path in sorted(folders)]


# Key of a service dictionary -> (key in Compose, how its value is said there), for all that is said in another way.
RENDER: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "tmpfs": ("tmpfs", _tmpfs_list),
    "memory_mb": ("mem_limit", lambda size: f"{size}m"),
    "pids": ("pids_limit", int),
}


def problem(service: Mapping[str, Any]) -> str:
    """Say what cannot be of these keys; empty where nothing is."""
    for path, size in service.get("tmpfs", {}).items():
        if not str(path).startswith("/") or not str(size).isdecimal() or int(size) < 1:
            return f"tmpfs has {path!r}: {size!r}, expected a path and its size in MiB"
    for key in ("memory_mb", "cpus", "cpu_shares", "pids"):
        # A limit of 0 is none to the engine.
        if key in service and float(service[key]) <= 0:
            return f"{key} is {service[key]}, expected a number above 0"
    return ""


def cpus_problems(values: Mapping[str, Any], available: float = 0) -> list[str]:
    """Say which of some variables name processors that Docker gives no container; 0 where the host's are not known.

    Of one that describes services it is their key `cpus`.
    """
    found = []
    for name, value in sorted(_said_cpus(values).items()):
        try:
            number = float(value)
        except (TypeError, ValueError):
            # No number, which its type says already.
            continue
        if not number >= LEAST_CPUS:
            found.append(f"{name} is {value}: it must be {LEAST_CPUS:g} or more.")
        elif available and number > available:
            found.append(
                f"{name} is {value}, more than the processors of the host ({available:g}), and Docker gives no container more: "
                f"set it to {available:g} or less."
            )
    return found


def _said_cpus(values: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    for name in values.keys() - said.keys():
        services = {key: service for key, service in values[name].items() if isinstance(service, Mapping)}
        said |= {f"{name}.{key}.cpus": service["cpus"] for key, service in services.items() if "cpus" in service}
    return said


def run_args(service: Mapping[str, Any], *, scratch: bool = False) -> list[str]:
    """Return the options of a `docker run` that give a container of the service's image no more than the service has.

    With scratch for one that gets nothing of the host that it could write to: that is memory then.
    """
    args = ["--read-only"] if service.get("read_only") else []
    folders = dict(service.get("tmpfs", {}))
    if scratch and args:
        writable = (item["target"] for item in service.get("volumes", []) if not item.get("read_only"))
        folders = {**dict.fromkeys(writable, SCRATCH_MB), **folders}
    args += [f"--tmpfs={text}" for text in _tmpfs_list(folders)]
    for key, option in (("cap_drop", "cap-drop"), ("cap_add", "cap-add"), ("security_opt", "security-opt")):
        args += [f"--{option}={word}" for word in service.get(key, [])]
    return args + limits(service)


def limits(service: Mapping[str, Any]) -> list[str]:
    """Return those of the options that say how much it may take."""
    options = {"cpus": "cpus", "cpu_shares": "cpu-shares", "pids": "pids-limit"}
    memory = [f"--memory={service['memory_mb']}m"] if "memory_mb" in service else []
    return memory + [f"--{option}={service[key]}" for key, option in options.items() if key in service]
