# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Units of systemd that the collection puts on a host: what is there, and what it takes to have them as they should be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER = "/etc/systemd/system"
WANTS = "timers.target.wants"
TIMER = ".timer"

Runner = Callable[[list[str]], "tuple[int, str, str]"]


@dataclass(frozen=True)
class Step:
    """What has to happen to one unit."""

    name: str
    action: str  # create | update | enable | start | remove
    before: str = ""
    after: str = ""


def digest(text: str) -> str:
    """Return what stands for the text of a unit."""
    return hashlib.sha256(text.encode()).hexdigest()


def active_cmd(names: Iterable[str]) -> list[str]:
    """Return the argv that says of units, a line each, whether they are at work."""
    return ["systemctl", "is-active", *names]


def look(names: Iterable[str], run: Runner, folder: str = FOLDER) -> dict[str, dict[str, Any]]:
    """Describe those of the units that are there."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        try:
            text = (Path(folder) / name).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        found[name] = {"digest": digest(text), "enabled": (Path(folder) / WANTS / name).exists(), "active": False}
    timers = [name for name in found if name.endswith(TIMER)]
    if timers:
        # It ends with 3 as soon as one of them is not, and still prints a line for each.
        _, out, _ = run(active_cmd(timers))
        for name, state in zip(timers, out.split()):
            found[name]["active"] = state == "active"
    return found


def steps(wanted: Mapping[str, str], known: Iterable[str], seen: Mapping[str, Mapping[str, Any]]) -> list[Step]:
    """Return what is to be done: wanted is the text of each unit, known are all names that are ours."""
    found = []
    for name, text in sorted(wanted.items()):
        there = seen.get(name)
        if there is None:
            found.append(Step(name, "create", "", text))
        elif there["digest"] != digest(text):
            found.append(Step(name, "update", "", text))
        elif name.endswith(TIMER) and not there["enabled"]:
            found.append(Step(name, "enable"))
        elif name.endswith(TIMER) and not there["active"]:
            found.append(Step(name, "start"))
    return found + [Step(name, "remove") for name in sorted(known) if name in seen and name not in wanted]
