# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `uninstall` tells at its end: what went, what was kept and where, how to delete that as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def report(stack: Mapping[str, Any], *, delete_data: bool, dry_run: bool) -> list[str]:
    """Return the lines; stack is what `stack_info` found before anything was removed."""
    containers = ", ".join(stack.get("containers") or [])
    volumes = ", ".join(stack.get("volumes") or [])
    directory = stack["dir"] if stack.get("dir_present") else ""
    verb, kept = ("Would remove", "Would keep") if dry_run else ("Removed", "Kept")
    lines = [f"{verb}: containers {containers}" if containers else "No container of the stack is there"]
    data = " and ".join(part for part in (f"volumes {volumes}" if volumes else "", _directory(directory)) if part)
    if not data:
        return [*lines, "Nothing else of the stack is there"]
    if delete_data:
        return [*lines, f"{verb} for good: {data}"]
    return [
        *lines,
        f"{kept}: {data}; Docker and its images",
        "The playbook site brings the stack back on this data",
        f"To delete the data for good: the same again with -e uninstall_delete_data={stack['name']}",
    ]


def _directory(path: str) -> str:
    return f"{path} with secrets, settings and uploaded files" if path else ""
