# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for how an application gets its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def delivery_files(
    names: Sequence[str], folder: str, values: str, owner: int, variables: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return what config_tree is told of a file for each name; a value is only named there, and is read where it is rendered."""
    return [
        {
            "path": f"{folder}/{name}",
            "variable": f"{values}[{name!r}]",
            "owner": int(owner),
            "variables": dict(variables or {}),
        }
        for name in map(str, names)
    ]


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them."""
        return {
            "delivery_digest": _delivery.digest,
            "delivery_environment": _delivery.environment,
            "delivery_files": delivery_files,
            "delivery_problems": _delivery.problems,
        }
