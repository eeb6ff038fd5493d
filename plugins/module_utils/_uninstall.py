# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `uninstall` tells at its end: what went, what was kept and where, how to delete that as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


# What is no data of the stack, or not on the host.
LEFT = "Docker and its images, the audit log (release_audit_log), and what was sent off-site"


def report(stack: Mapping[str, Any], *, delete_data: bool, dry_run: bool) -> list[str]:
    """Return the lines; stack is what `stack_info` found before anything was removed."""
    containers, volumes = stack.get("containers") or [], stack.get("volumes") or []
    if not stack.get("present") and (containers or volumes):
        return _left_alone(stack["dir"], containers, volumes)
    directory = stack["dir"] if stack.get("dir_present") else ""
    verb, kept = ("Would remove", "Would keep") if dry_run else ("Removed", "Kept")
    lines = [f"{verb}: containers {', '.join(containers)}" if containers else "No container of the stack is there"]
    data = " and ".join(
        part for part in (f"volumes {', '.join(volumes)}" if volumes else "", _directory(directory)) if part
    )
    if not data:
        return [*lines, "Nothing else of the stack is there"]
    if delete_data:
        return [*lines, f"{verb} for good: {data}", f"{kept}: {LEFT}", *_firewall(stack, kept)]
    return [
        *lines,
        f"{kept}: {data}; Docker and its images",
        *_firewall(stack, kept),
        "The playbook site brings the stack back on this data",
        f"To delete the data for good: the same again with -e uninstall_delete_data={stack['name']}",
    ]


def _left_alone(directory: str, containers: Sequence[str], volumes: Sequence[str]) -> list[str]:
    """Say what Compose could not take down, for lack of the file that describes it."""
    lines = [
        f"Left alone with all data, since {directory}/compose.yaml is missing: put it back, or remove them for good on the host and run this again:"
    ]
    lines += [f"docker rm --force {' '.join(containers)}"] if containers else []
    return lines + ([f"docker volume rm {' '.join(volumes)}"] if volumes else [])


def _firewall(stack: Mapping[str, Any], kept: str) -> list[str]:
    """Say that the host's firewall stays, where the stack has a part in it: without it whatever else is there would lie open."""
    if stack["name"] not in (stack.get("firewall") or {}):
        return []
    return [
        f"{kept}: the host's firewall, and what the stack lets in (bootstrap with firewall_enabled=false takes it away)"
    ]


def _directory(path: str) -> str:
    return f"{path} with secrets, settings, backups and uploaded files" if path else ""
